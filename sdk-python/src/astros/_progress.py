"""The progress that a handler reports: at most WINDOW steps that the other side has not acknowledged."""

from __future__ import annotations

import threading

from . import _json
from .errors import EncodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Generator
    from typing import Any

    from ._peer import Request

WINDOW = 32
MAX_VALUE = 64 * 1024


class Stream:
    """The steps of one request.

    Where the window is full, a step waits for room. Who awaits what `push` returns loses nothing; who does not,
    keeps only the newest waiting step, which is what a progress bar wants.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._lock = threading.Lock()  # a blocking handler reports from its own thread
        self._unread = 0
        self._waiting: Any = None
        self._room: list[asyncio.Future[None]] = []
        self._closed = False

    def push(self, value: dict[str, Any]) -> Step:
        """Send a step, or keep it until there is room."""
        size = len(_json.encode(value, "progress"))
        if size > MAX_VALUE:
            raise EncodeError(f"a step of progress has {size} bytes, more than {MAX_VALUE}; pass large data as a file")
        with self._lock:
            if self._closed:
                return Step(None)
            if self._unread < WINDOW:
                self._send(value)
                return Step(None)
            self._waiting = value
            return Step(self)

    def acknowledged(self, count: int) -> None:
        """The other side has read that many steps."""
        with self._lock:
            self._unread = max(0, self._unread - count)
            if self._waiting is not None and self._unread < WINDOW:
                value, self._waiting = self._waiting, None
                self._send(value)
            wake = self._unread < WINDOW or self._waiting is None
        if wake:
            self._wake()

    def close(self) -> None:
        """The request is answered: what waits is dropped."""
        with self._lock:
            self._closed = True
        self._wake()

    def _send(self, value: Any) -> None:
        self._unread += 1
        self._request.peer.notify("$/progress", {"id": self._request.id, "value": value})

    def _wake(self) -> None:
        room, self._room = self._room, []
        for future in room:
            loop = future.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_open, future)

    async def wait(self) -> None:
        """Until nothing waits any more."""
        import asyncio

        with self._lock:
            if self._waiting is None or self._closed:
                return
            future = asyncio.get_running_loop().create_future()
            self._room.append(future)
        await future


def _open(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Step:
    """What `progress` returns: awaiting it waits until the step is on its way; not awaiting it is fine."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Stream | None) -> None:
        self._stream = stream

    def __await__(self) -> Generator[Any, None, None]:
        if self._stream is not None:
            yield from self._stream.wait().__await__()
