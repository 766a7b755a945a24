"""A plugin with a cache."""

from __future__ import annotations

import asyncio
from typing import Any

from astros.framework import PersistentPlugin
from astros.plugin import plugin_handler
from astros.types import Intent


class Keeping(PersistentPlugin):
    name = "keeping"

    @plugin_handler("keep")
    async def keep(self, intent: Intent) -> str:
        self.set_cache("a", [1])
        self.set_cache("a", intent.context.get("value"), ttl=intent.context.get("ttl"))
        return "kept"

    @plugin_handler("keep_plainly")
    def keep_plainly(self, intent: Intent) -> str:
        self.set_cache("b", 2)
        return str(asyncio.run(self.storage.get("cache:b"))["value"])

    @plugin_handler("look")
    async def look(self, intent: Intent) -> dict[str, Any]:
        return {"a": self.get_cache("a", "none"), "b": self.get_cache("b")}

    @plugin_handler("look_plainly")
    def look_plainly(self, intent: Intent) -> dict[str, Any]:
        return {"a": self.get_cache("a", "none")}

    @plugin_handler("forget")
    async def forget(self, intent: Intent) -> str:
        self.delete_cache("a")
        return "forgotten"
