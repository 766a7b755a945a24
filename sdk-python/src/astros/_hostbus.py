"""The bus of a plugin that a host serves: LocalAgent's message types over the protocol's subjects and `$message`.

A type is the subject `topic.<type>`; characters that a subject cannot have are written as `X` and two hexadecimal
digits. What is subscribed to in `initialize` becomes part of the plugin's description, so that a message starts it.
"""

from __future__ import annotations

import asyncio

from ._messages import MESSAGE, matches
from .bus import MessageType, PluginMessage, PluginMessageBus
from .errors import DeadlineExceeded, HandlerNotFound, PluginNotFound, PluginUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .bus import Handler
    from .plugin import BasePlugin
    from .types import Intent

WORKFLOW = "workflow_"  # types that the host publishes: `workflow_started` is `astros.workflow.started`


class Unheard(HandlerNotFound, ValueError):
    """Nobody takes direct messages by that name; LocalAgent's is a ValueError."""


class HostBus(PluginMessageBus):
    """Reaches every plugin of the host."""

    def __init__(self, plugin: BasePlugin, *, initializing: bool = True) -> None:
        super().__init__()
        self._plugin = plugin
        self._tasks: set[asyncio.Future[Any]] = set()
        peer = plugin._astros_peer
        self._loop = asyncio.get_running_loop() if peer is None else peer.loop()
        self.initializing = initializing
        self.declared: list[str] = []
        self._asked_for: set[str] = set()

    def subscribe(self, message_type: str, handler: Handler) -> None:
        super().subscribe(message_type, handler)
        for subject in subjects(message_type):
            if subject in self._asked_for:
                continue
            self._asked_for.add(subject)
            if self.initializing:
                self.declared.append(subject)
            else:
                self._loop.call_soon_threadsafe(self._ask_for, subject)

    def _ask_for(self, subject: str) -> None:
        task = asyncio.ensure_future(self._plugin._astros_host().request("bus/subscribe", {"subject": subject}))
        self._tasks.add(task)
        task.add_done_callback(self._asked)

    def _asked(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._plugin.logger.error("cannot subscribe: %s", error)

    async def broadcast(self, sender: str, message_type: str, data: Any) -> None:
        subject = subjects(message_type)[0]
        await self._plugin._astros_host().request("bus/publish", {"subject": subject, "data": data})

    async def send_direct(self, sender: str, recipient: str, data: Any) -> None:
        await self._send(recipient, PluginMessage(sender, MessageType.DIRECT, data, recipient), None)

    async def request(self, sender: str, recipient: str, data: Any, timeout: float = 30) -> Any:
        message = PluginMessage(sender, MessageType.REQUEST, data, recipient)
        try:
            answer = await self._send(recipient, message, timeout)
        except DeadlineExceeded:
            raise asyncio.TimeoutError(f"`{recipient}` did not respond within {timeout:g} s") from None
        return answer.get("data")

    async def _send(self, recipient: str, message: PluginMessage, timeout: float | None) -> dict[str, Any]:
        params = {"type": message.type.value, "data": message.data, "correlation_id": message.correlation_id}
        try:
            return await self._plugin._astros_call(recipient, MESSAGE, params, timeout)
        except (PluginNotFound, HandlerNotFound, PluginUnavailable) as error:
            unheard = Unheard(f"no handler is registered for `{recipient}`: {error}", code=error.code, kind=error.kind)
            unheard.data = error.data
            raise unheard from error

    # --- what comes -------------------------------------------------------------------------------------

    def hears(self, subject: str) -> bool:
        """Whether somebody here has subscribed to it."""
        return any(matches(one, subject) for one in self._asked_for)

    async def deliver(self, message: dict[str, Any]) -> None:
        """Hand a message of the host's bus to its subscribers."""
        sender, subject = str(message.get("sender", "")), str(message.get("subject"))
        for kind in list(self.subscribers):
            if any(matches(one, subject) for one in subjects(kind)):
                await self.hear(kind, PluginMessage(sender, MessageType.BROADCAST, message.get("data")))

    async def take(self, intent: Intent) -> dict[str, Any]:
        """Serve a direct message; the handler is the only one that was registered, under whatever name."""
        sent = intent.context
        known = {kind.value: kind for kind in (MessageType.DIRECT, MessageType.REQUEST)}
        kind = known.get(str(sent.get("type"))) if "data" in sent else None
        name = next(iter(self.direct_handlers))
        sender = str(intent.meta.get("caller") or intent.user_id or "user")
        # What comes from elsewhere is the data itself, and whoever sent it waits for an answer.
        data = sent if kind is None else sent["data"]
        message = PluginMessage(sender, kind or MessageType.REQUEST, data, name, sent.get("correlation_id"))
        if message.type == MessageType.REQUEST:
            return {"success": True, "message": "", "data": await self.answer(message)}
        await self._handle(name, message)
        return {"success": True, "message": "", "data": None}


def subjects(message_type: str) -> list[str]:
    """The subjects of a type, that to publish on first; a subject of the host's or of `topic.` stands for itself."""
    if message_type.startswith(("topic.", "astros.")):
        return [message_type]
    found = ["topic." + ".".join(_token(part) for part in message_type.split("."))]
    if message_type.startswith(WORKFLOW):
        found.append("astros.workflow." + _token(message_type[len(WORKFLOW) :]))
    return found


def _token(text: str) -> str:
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else _spelled(c) for c in text)
    return plain or "_"


def _spelled(character: str) -> str:
    return "".join(f"X{byte:02X}" for byte in character.encode("utf-8", "replace"))
