"""A request's coroutine without an event loop: begun by hand, and handed to one by the first thing that needs it."""

from __future__ import annotations

import contextvars
from threading import get_ident
from types import coroutine

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Generator
    from typing import Any

_driving: int | None = None  # the thread that goes on with one by hand


def by_hand() -> bool:
    """Whether what runs here has no loop: nothing that waits may be awaited."""
    return _driving == get_ident()


async def on_loop() -> None:
    """From here on there is a running loop."""
    if by_hand():
        await _pause()


@coroutine
def _pause() -> Generator[None, None, None]:
    yield


class Work:
    """A request that is being served; `cancel` is for any thread, `step` for the one that works by hand."""

    def __init__(self, work: Coroutine[Any, Any, Any], loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self._work = work
        self._loop = loop
        self._context = contextvars.copy_context()
        self._handed = False
        self._task: asyncio.Task[Any] | None = None
        self.interrupt: Callable[[], None] = lambda: None  # ends what it does by hand
        self.cancelled = False

    def step(self) -> None:
        """Go on until it ends, or needs a loop and is handed to one."""
        global _driving
        if self.cancelled:
            self._work.close()
            return
        _driving = get_ident()
        try:
            self._context.run(self._work.send, None)
        except StopIteration:
            return
        finally:
            _driving = None
        self.hand_over()

    def hand_over(self) -> None:
        """Let the loop go on with it."""
        self._handed = True
        self._loop().call_soon_threadsafe(self._go_on, context=self._context)

    def _go_on(self) -> None:
        # A task takes a coroutine that has begun as well as a new one.
        self._task = self._loop().create_task(self._work)
        if self.cancelled:
            self._task.cancel()

    def cancel(self) -> bool:
        """Take it back; False where it will hear of that in no other way than by `interrupt`."""
        self.cancelled = True
        if not self._handed:
            self.interrupt()
            return False
        self._loop().call_soon_threadsafe(self._cancel)
        return True

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
