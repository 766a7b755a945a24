"""The process's descriptors: the protocol on private ones, everything that is printed on stderr.

`take_over` runs before any code of the plugin, so that neither print() nor a C library nor a child process can
write into the protocol or read from it.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import threading
from collections import deque

from . import _wire
from ._frames import Lines, Oversized
from ._transport import MAX_FRAME, Transport
from .errors import RemoteError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Batch = list[tuple[dict[str, Any] | Oversized | RemoteError, bytes]]

GONE = "the host is gone"
GRACE = 4.5  # the protocol allows 5 s
CHUNK = 1 << 16  # what a pipe holds; beyond 128 KiB each read would map and unmap memory
BACKLOG = 4 * 1024 * 1024


def take_over() -> tuple[int, int]:
    """The descriptors to read from and to write to; none of them reaches a child process.

    Raises OSError where `ASTROS_RPC_FDS` names descriptors that are not open, ValueError where it names none.
    """
    named = os.environ.pop("ASTROS_RPC_FDS", None)
    if named is not None:
        reading, writing = (int(fd) for fd in named.split(","))
        os.set_inheritable(reading, False)
        os.set_inheritable(writing, False)
        return reading, writing
    reading, writing = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # started with stderr closed
        os.dup2(null, 1)
        os.dup2(null, 2)
    os.close(null)
    # Lines arrive at the host as they are printed, and no character can make a print() fail.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    return reading, writing


class Pipe(Transport):
    """Writes lines to a descriptor: at once where it takes them, else from a thread that waits for room."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()
        self._change = threading.Condition(self._lock)
        self._backlog: deque[bytes] = deque()
        self._size = 0
        self._thread: threading.Thread | None = None
        self._broken = False
        mode = os.fstat(fd).st_mode
        # A terminal's or a file's open description may be shared with others; only ours is set non-blocking.
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            os.set_blocking(fd, False)

    def send(self, frame: bytes, *, droppable: bool = False) -> None:
        with self._lock:
            if self._broken or (droppable and self._size > BACKLOG):
                return
            if not self._backlog:
                try:
                    written = os.write(self._fd, frame)
                except BlockingIOError:
                    written = 0
                except OSError:
                    self._broken = True
                    return
                if written == len(frame):
                    return
                frame = frame[written:]
            self._backlog.append(frame)
            self._size += len(frame)
            if self._thread is None:
                self._thread = threading.Thread(target=self._drain, name="astros-writer", daemon=True)
                self._thread.start()
            self._change.notify_all()

    def flush(self, timeout: float) -> None:
        """Wait until everything is written, at most `timeout` seconds."""
        with self._lock:
            self._change.wait_for(lambda: self._broken or not self._backlog, timeout)

    def _drain(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while True:
            with self._lock:
                self._change.wait_for(lambda: self._backlog)
            poll.poll()
            with self._lock:
                frame = self._backlog[0]
                try:
                    written = os.write(self._fd, memoryview(frame)[:CHUNK])
                except BlockingIOError:
                    continue
                except OSError:
                    self._broken = True
                    self._backlog.clear()
                    self._size = 0
                    self._change.notify_all()
                    return
                self._size -= written
                if written == len(frame):
                    self._backlog.popleft()
                else:
                    self._backlog[0] = frame[written:]
                self._change.notify_all()


class Reader(threading.Thread):
    """Reads and parses lines beside the event loop, and answers `ping` even while a handler blocks the loop."""

    def __init__(
        self,
        fd: int,
        transport: Transport,
        deliver: Callable[[Batch], None],
        ended: Callable[[], None],
        gauges: Callable[[], dict[str, Any]],
    ) -> None:
        super().__init__(name="astros-reader", daemon=True)
        self._fd = fd
        self._transport = transport
        self._deliver = deliver
        self._ended = ended
        self._gauges = gauges

    def run(self) -> None:
        lines = Lines(MAX_FRAME)
        while chunk := self._read():
            batch = [parsed for line in lines.feed(chunk) if (parsed := self._parse(line)) is not None]
            if batch:
                self._deliver(batch)
        self._ended()

    def _read(self) -> bytes:
        while True:
            try:
                return os.read(self._fd, CHUNK)
            except BlockingIOError:  # one socket for both directions
                poll = select.poll()
                poll.register(self._fd, select.POLLIN)
                poll.poll()
            except OSError:
                return b""

    def _parse(self, line: bytes | Oversized) -> tuple[dict[str, Any] | Oversized | RemoteError, bytes] | None:
        if isinstance(line, Oversized):
            return line, b""
        if not line or line.isspace():
            return None
        try:
            message = _wire.parse(line)
        except RemoteError as problem:
            return problem, line[:4096]
        if message.get("method") == "ping" and _wire.valid_id(message.get("id")):
            self._transport.send(_wire.result(message["id"], self._gauges()))
            return None
        return message, b""


def leave_after_grace() -> None:
    """Leave after the grace period, whatever still runs."""

    def leave() -> None:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                continue
        os._exit(0)

    timer = threading.Timer(GRACE, leave)
    timer.name, timer.daemon = "astros-leave", True
    timer.start()
