"""Messages between plugins by LocalAgent's names: broadcasts, direct messages, requests and their responses.

In a plugin, `context.message_bus` reaches the other plugins through the host; a `PluginMessageBus()` of one's own
stays within its process.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging

from ._words import Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Handler = Callable[["PluginMessage"], Any]

__all__ = ["MessageType", "PluginMessage", "PluginMessageBus"]


class MessageType(Words):
    """How a message came."""

    BROADCAST = "broadcast"
    DIRECT = "direct"
    REQUEST = "request"
    RESPONSE = "response"


class PluginMessage:
    """A message: who sent it (the host says so), how, the data, for whom, and what ties a response to its request."""

    def __init__(
        self,
        sender: str,
        message_type: MessageType,
        data: Any,
        recipient: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        self.sender = sender
        self.type = message_type
        self.data = data
        self.recipient = recipient
        self.correlation_id = correlation_id or _new_id()

    def __repr__(self) -> str:
        return f"PluginMessage({self.sender!r}, {self.type.value}, {self.data!r:.200})"


class PluginMessageBus:
    """Handlers are functions, which run on a thread, or coroutine functions."""

    def __init__(self) -> None:
        self.subscribers: dict[str, list[Handler]] = {}
        self.direct_handlers: dict[str, Handler] = {}
        self.pending_requests: dict[str, asyncio.Future[Any]] = {}

    def subscribe(self, message_type: str, handler: Handler) -> None:
        """Call the handler with each broadcast of this type."""
        self.subscribers.setdefault(message_type, []).append(handler)

    def register_direct_handler(self, plugin_name: str, handler: Handler) -> None:
        """Call the handler with what is sent to this plugin."""
        self.direct_handlers[plugin_name] = handler

    async def broadcast(self, sender: str, message_type: str, data: Any) -> None:
        """Send to all that have subscribed to the type."""
        await self.hear(message_type, PluginMessage(sender, MessageType.BROADCAST, data))

    async def send_direct(self, sender: str, recipient: str, data: Any) -> None:
        """Send to one plugin; raises ValueError where it takes no direct messages."""
        await self._handle(recipient, PluginMessage(sender, MessageType.DIRECT, data, recipient))

    async def request(self, sender: str, recipient: str, data: Any, timeout: float = 30) -> Any:
        """Ask a plugin, and give back its response; raises ValueError as above, TimeoutError after `timeout` s."""
        message = PluginMessage(sender, MessageType.REQUEST, data, recipient)
        return await asyncio.wait_for(self.answer(message), timeout)

    def respond(self, original_message: PluginMessage, sender: str, data: Any) -> None:
        """Answer a request, once; a later answer, and one to what is no request, is ignored."""
        future = self.pending_requests.get(original_message.correlation_id)
        if future is not None and not future.done():
            loop = future.get_loop()
            loop.call_soon_threadsafe(lambda: None if future.done() else future.set_result(data))

    async def answer(self, message: PluginMessage) -> Any:
        """The response to a request: what `respond` is given, or what the handler gives back."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.pending_requests[message.correlation_id] = future
        try:
            given = await self._handle(message.recipient, message)
            return given if given is not None and not future.done() else await future
        finally:
            self.pending_requests.pop(message.correlation_id, None)

    async def hear(self, message_type: str, message: PluginMessage) -> None:
        """Call who has subscribed; a handler that fails is logged, and the others hear it."""
        handlers = self.subscribers.get(message_type, ())
        for outcome in await asyncio.gather(*(call(one, message) for one in handlers), return_exceptions=True):
            if isinstance(outcome, Exception):
                words = "a subscriber of `%s` failed: %s"
                logging.getLogger("astros.bus").error(words, message_type, outcome, exc_info=outcome)

    async def _handle(self, recipient: str | None, message: PluginMessage) -> Any:
        handler = self.direct_handlers.get(recipient or "")
        if handler is None:
            raise ValueError(f"no handler is registered for `{recipient}`; `register_direct_handler` does that")
        return await call(handler, message)


def _new_id() -> str:
    from uuid import uuid4

    return str(uuid4())


async def call(handler: Handler, message: PluginMessage) -> Any:
    """Call a handler: a coroutine function on the loop, another one on a thread."""
    if inspect.iscoroutinefunction(handler):
        return await handler(message)
    context = contextvars.copy_context()
    given = await asyncio.get_running_loop().run_in_executor(None, context.run, handler, message)
    return await given if inspect.isawaitable(given) else given
