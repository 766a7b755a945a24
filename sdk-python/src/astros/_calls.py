"""A request of ours that waits for its answer, on whatever loop awaits it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from typing import Any


class Call:
    """One outcome, and the progress before it; both may come from another thread than the loop's."""

    __slots__ = ("answer", "events", "loop", "unread")

    def __init__(self, loop: asyncio.AbstractEventLoop, listening: bool) -> None:
        import asyncio

        self.loop = loop
        self.answer: asyncio.Future[Any] = loop.create_future()
        self.events: asyncio.Queue[Any] | None = asyncio.Queue() if listening else None
        self.unread = 0

    def settle(self, value: Any, error: BaseException | None) -> None:
        """Give the outcome, from whatever thread; the first one counts."""
        if self.loop is _running():
            self._settle(value, error)
        elif not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._settle, value, error)

    def _settle(self, value: Any, error: BaseException | None) -> None:
        if self.answer.done():
            return
        if error is None:
            self.answer.set_result(value)
        else:
            self.answer.set_exception(error)
        if self.events is not None:
            self.events.put_nowait(None)

    def progress(self, value: Any) -> None:
        """Hand on a step of progress, from whatever thread."""
        assert self.events is not None
        if self.loop is _running():
            self.events.put_nowait((value,))
        elif not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.events.put_nowait, (value,))


def _running() -> asyncio.AbstractEventLoop | None:
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
