"""Where a command or a component runs: on a thread of the pool, or on the main thread of a process on a terminal.

On the terminal the event loop has a thread of its own, and the main one is the author's: signals, prompts and
`asyncio.run` are there as in any program.
"""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from concurrent.futures import Future

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor
    from queue import SimpleQueue
    from typing import Any

INTERRUPTED = 128 + signal.SIGINT


class Desk:
    """Runs functions on threads of the pool, for the loop that it is used on."""

    on_terminal = False

    def __init__(self, threads: Callable[[], Executor]) -> None:
        self._threads = threads
        self.loop: asyncio.AbstractEventLoop | None = None

    async def do(self, function: Callable[[], Any]) -> Any:
        """What the function gives back; it runs with the context of the request."""
        self.loop = asyncio.get_running_loop()
        return await self.loop.run_in_executor(self._threads(), contextvars.copy_context().run, function)

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        """From such a function: await something on the plugin's loop."""
        assert self.loop is not None, "`do` comes first"
        loop, ended = self.loop, threading.Event()
        running: list[asyncio.Task[Any]] = []
        try:
            return asyncio.run_coroutine_threadsafe(_until(work, running, ended), loop).result()
        except (KeyboardInterrupt, SystemExit):
            # By what it registered itself: the signal may have come before there was a future here.
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in running])
            ended.wait(2)  # its clean-up comes first
            raise


class Terminal(Desk):
    """Runs them on the main thread, one after the other."""

    on_terminal = True

    def __init__(self) -> None:
        from queue import SimpleQueue

        super().__init__(_no_threads)
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._busy = False
        self._told: int | None = None  # a signal that came before there was something to end by it
        self._code = 0
        self.end: Callable[[], None] = lambda: None  # the plugin's end, where it works on nothing

    def main(self, serve: Callable[[], int]) -> int:
        """Serve on another thread, and work here until that ends; gives back what it gave."""
        signal.signal(signal.SIGINT, self._heard)
        signal.signal(signal.SIGTERM, self._heard)
        threading.Thread(target=self._serve, args=(serve,), name="astros-loop", daemon=True).start()
        while True:
            try:
                if (job := self._jobs.get()) is None:
                    return self._code
                job()
            except (KeyboardInterrupt, SystemExit):  # in the moment after the work was done
                self._busy = False
                signal.signal(signal.SIGINT, self._heard)

    def _serve(self, serve: Callable[[], int]) -> None:
        try:
            self._code = 1
            self._code = serve()
        finally:
            self._jobs.put(None)

    async def do(self, function: Callable[[], Any]) -> Any:
        self.loop = asyncio.get_running_loop()
        done: Future[Any] = Future()
        context = contextvars.copy_context()
        self._jobs.put(lambda: self._work(done, context, function))
        try:
            return await asyncio.shield(asyncio.wrap_future(done))
        except asyncio.CancelledError:
            self.interrupt()
            raise

    def interrupt(self, signum: int = signal.SIGINT) -> None:
        """As if the person had pressed Ctrl-C, or the process had been told to end."""
        if self._busy:
            signal.pthread_kill(threading.main_thread().ident or 0, signum)

    def _work(self, done: Future[Any], context: contextvars.Context, function: Callable[[], Any]) -> None:
        try:
            self._busy = True
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if self._told is not None:
                raise Ended(128 + self._told)
            done.set_result(context.run(function))
        except BaseException as error:
            if not done.done():
                done.set_exception(error if isinstance(error, Exception) else Ended(INTERRUPTED))
        finally:
            self._busy = False
            signal.signal(signal.SIGINT, self._heard)

    def _heard(self, signum: int, frame: Any) -> None:
        if self._busy:
            raise KeyboardInterrupt if signum == signal.SIGINT else SystemExit(128 + signum)
        self._told = signum
        if signum == signal.SIGTERM:
            self.end()


class Ended(Exception):
    """A signal ended it, before it began or where it heard nothing of it; `code` is the exit code for that."""

    def __init__(self, code: int) -> None:
        super().__init__(f"ended by a signal: {code}")
        self.code = code


def _no_threads() -> Executor:
    raise AssertionError("a terminal's desk works on the main thread")


async def _until(work: Coroutine[Any, Any, Any], running: list[asyncio.Task[Any]], ended: threading.Event) -> Any:
    running += filter(None, [asyncio.current_task()])
    try:
        return await work
    finally:
        ended.set()
