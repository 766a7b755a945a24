"""Plugins that talk, in LocalAgent's manner; one brings its own copy of an enum."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any

from astros.framework import EnhancedCommandPlugin, PluginMessage
from astros.plugin import BasePlugin, message_handler, plugin_handler
from astros.types import Intent, Response


class Kind(Enum):
    REQUEST = "request"


Kind.__name__ = "MessageType"


class Talking(EnhancedCommandPlugin):
    """Talks to others, in the guide's manner."""

    async def initialize(self, context: Any) -> bool:
        await super().initialize(context)
        self.heard: list[Any] = []
        self.message_bus = context.message_bus
        self.message_bus.subscribe("workflow_started", self.on_started)
        self.message_bus.subscribe("odd type!", self.on_odd)
        self.message_bus.register_direct_handler(self.name, self.on_direct)
        return True

    async def on_started(self, message: PluginMessage) -> None:
        self.heard.append((message.sender, message.type, message.data.get("workflow_id")))

    def on_odd(self, message: PluginMessage) -> None:
        self.heard.append(message.data)

    async def on_direct(self, message: PluginMessage) -> None:
        if message.type == Kind.REQUEST:
            if message.data == "late":
                await asyncio.sleep(30)
            self.message_bus.respond(message, self.name, {"asked": message.data, "by": message.sender})
        else:
            self.heard.append(message.data)

    @plugin_handler("talk_to")
    async def talk(self, intent: Intent) -> dict[str, Any]:
        other = intent.context["other"]
        await self.message_bus.send_direct(self.name, other, {"hello": 1})
        answer = await self.message_bus.request(self.name, other, [1, 2])
        await self.message_bus.broadcast(self.name, "odd type!", "loud")
        problems = []
        for recipient, data, timeout in (("nobody", 1, 5), (other, "late", 0.05)):
            try:
                await self.message_bus.request(self.name, recipient, data, timeout=timeout)
            except ValueError:
                problems.append("ValueError")
            except asyncio.TimeoutError:
                problems.append("TimeoutError")
        return {"answer": answer, "problems": problems}


class Ann(Talking):
    name = "ann"


class Bob(Talking):
    name = "bob"


class Plain(BasePlugin):
    name = "plain"

    @message_handler
    async def take(self, intent: Intent) -> Response:
        return Response(data={"got": intent.context["data"]})
