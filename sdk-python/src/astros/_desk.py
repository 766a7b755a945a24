"""Where commands and components run, on threads of the pool; `_foreground` has that of a process on a terminal."""

from __future__ import annotations

import contextvars
import signal
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor
    from typing import Any

INTERRUPTED = 128 + signal.SIGINT


class Desk:
    """Runs functions on threads of the pool, for the loop that it is used on."""

    on_terminal = False

    def __init__(self, threads: Callable[[], Executor]) -> None:
        self._threads = threads
        self._loop: asyncio.AbstractEventLoop | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """The plugin's loop."""
        assert self._loop is not None, "`do` comes first"
        return self._loop

    async def do(self, function: Callable[[], Any]) -> Any:
        """What the function gives back; it runs with the context of the request."""
        import asyncio

        self._loop = asyncio.get_running_loop()
        return await self._loop.run_in_executor(self._threads(), contextvars.copy_context().run, function)

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        """From such a function: await something on the plugin's loop."""
        import asyncio

        loop, ended = self.loop(), threading.Event()
        running: list[asyncio.Task[Any]] = []
        try:
            return asyncio.run_coroutine_threadsafe(_until(work, running, ended), loop).result()
        except (KeyboardInterrupt, SystemExit):
            # By what it registered itself: the signal may have come before there was a future here.
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in running])
            ended.wait(2)  # its clean-up comes first
            raise


class Ended(Exception):
    """A signal ended it, before it began or where it heard nothing of it; `code` is the exit code for that."""

    def __init__(self, code: int) -> None:
        super().__init__(f"ended by a signal: {code}")
        self.code = code


async def _until(work: Coroutine[Any, Any, Any], running: list[asyncio.Task[Any]], ended: threading.Event) -> Any:
    import asyncio

    running += filter(None, [asyncio.current_task()])
    try:
        return await work
    finally:
        ended.set()
