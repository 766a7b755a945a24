"""The process of a command, on the person's terminal: its main thread is the author's, so that signals, prompts and
`asyncio.run` are there as in any program.

A plain command needs no event loop, and importing asyncio would take longer than all else that stands before it. So
requests are begun by hand, on the main thread; what is awaited is on a loop with a thread of its own, from when there
is such.
"""

from __future__ import annotations

import contextvars
import signal
import sys
import threading
from queue import SimpleQueue

from . import _records, _stdio
from ._byhand import Work, by_hand
from ._context import adopt
from ._desk import INTERRUPTED, Desk, Ended
from ._server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor
    from typing import Any

    from .plugin import BasePlugin


class Terminal(Desk):
    """Serves one plugin, and runs functions on the main thread, one after the other."""

    on_terminal = True

    def __init__(self, plugin: BasePlugin, reading: int, writing: int) -> None:
        super().__init__(_no_threads)
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._busy = False
        self._told: int | None = None  # a signal that came before there was something to end by it
        self._working: Work | None = None  # what is done by hand
        self._pipe = _stdio.Pipe(writing)
        self._server = Server(plugin, self._pipe, self)
        self._peer = self._server.peer
        self._peer.begin, self._peer.loop = self.begin, self.loop
        self._reader = _stdio.Reader(reading, self._pipe, self._deliver, self._ended, self._server.gauges)
        self._threaded = threading.Lock()
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._over: asyncio.Event | None = None
        # Who has imported it has paid for it, and may count on a loop wherever there is one in other processes.
        self._by_hand = "asyncio" not in sys.modules

    def main(self) -> None:
        """Serve until the host is gone or the process is told to end."""
        adopt(self._peer)
        _records.install()
        signal.signal(signal.SIGINT, self._heard)
        signal.signal(signal.SIGTERM, self._heard)
        self._reader.start()
        while True:
            try:
                if (job := self._jobs.get()) is None:
                    break
                job()
            except (KeyboardInterrupt, SystemExit):  # in the moment after the work was done
                self._rest()
        if self._over is not None and self._thread is not None:
            self.loop().call_soon_threadsafe(self._over.set)
            self._thread.join()
        self._pipe.flush(1.0)

    # --- requests ---------------------------------------------------------------------------------------

    def begin(self, coroutine: Coroutine[Any, Any, Any]) -> Work:
        """Serve a request: by hand, in its turn, where the main thread is not the author's just now."""
        return self._begin(coroutine, by_hand=not self._busy)

    def _begin(self, coroutine: Coroutine[Any, Any, Any], by_hand: bool) -> Work:
        work = Work(coroutine, self.loop)
        if by_hand and self._by_hand:
            work.interrupt = self.interrupt
            self._jobs.put(lambda: self._step(work))
        else:
            work.hand_over()
        return work

    def _step(self, work: Work) -> None:
        self._working = work
        try:
            work.step()
        finally:
            self._working = None

    def _deliver(self, batch: _stdio.Batch) -> None:
        for message, line in batch:
            self._peer.receive(message, line)

    # --- functions --------------------------------------------------------------------------------------

    async def do(self, function: Callable[[], Any]) -> Any:
        if by_hand():
            return self._work(function)
        import asyncio
        from concurrent.futures import Future

        done: Future[Any] = Future()
        context = contextvars.copy_context()

        def job() -> None:
            try:
                done.set_result(context.run(self._work, function))
            except Exception as error:
                done.set_exception(error)

        self._jobs.put(job)
        try:
            return await asyncio.shield(asyncio.wrap_future(done))
        except asyncio.CancelledError:
            self.interrupt()
            raise

    def _work(self, function: Callable[[], Any]) -> Any:
        given = []
        try:
            self._busy = True
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if self._told is not None:
                raise Ended(128 + self._told)
            if self._working is not None and self._working.cancelled:
                raise Ended(INTERRUPTED)
            given.append(function())
        except (KeyboardInterrupt, SystemExit):
            if not given:
                raise Ended(INTERRUPTED) from None
        finally:
            self._rest()
        return given[0]

    def _rest(self) -> None:
        self._busy = False
        signal.signal(signal.SIGINT, self._heard)

    # --- the loop ---------------------------------------------------------------------------------------

    def loop(self) -> asyncio.AbstractEventLoop:
        """The plugin's loop, for whatever thread; made at its first use."""
        if self._loop is None:
            with self._threaded:
                if self._thread is None:
                    import asyncio

                    self._thread = threading.Thread(
                        target=lambda: asyncio.run(self._live()), name="astros-loop", daemon=True
                    )
                    self._thread.start()
            self._started.wait()
        return super().loop()

    async def _live(self) -> None:
        import asyncio

        self._over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._started.set()
        await self._over.wait()

    # --- signals and the end ----------------------------------------------------------------------------

    def interrupt(self, signum: int = signal.SIGINT) -> None:
        """As if the person had pressed Ctrl-C, or the process had been told to end."""
        if self._busy:
            signal.pthread_kill(threading.main_thread().ident or 0, signum)

    def _heard(self, signum: int, frame: Any) -> None:
        if self._busy:
            raise KeyboardInterrupt if signum == signal.SIGINT else SystemExit(128 + signum)
        self._told = signum
        if signum == signal.SIGTERM:
            self._end("terminated")

    def _ended(self) -> None:
        self._end(_stdio.GONE)

    def _end(self, why: str) -> None:
        _stdio.leave_after_grace()
        self.interrupt(signal.SIGTERM)
        self._jobs.put(lambda: self._finish(why))

    def _finish(self, why: str) -> None:
        if why == _stdio.GONE:
            self._peer.hang_up(why)
        self._peer.cancel_all()
        # What still works on the loop cleans up first.
        self._begin(self._stop(), by_hand=not self._peer.in_flight)

    async def _stop(self) -> None:
        try:
            await self._server.leave()
        finally:
            self._jobs.put(None)


def _no_threads() -> Executor:
    raise AssertionError("a terminal's desk works on the main thread")
