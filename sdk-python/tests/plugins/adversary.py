"""One plugin that does everything wrong that a plugin can do; each handler is one switch."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from astros.errors import InvalidParams, InvalidSettings
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Intent, Response

meeting = threading.Barrier(8)


class Adversary(BasePlugin):
    """Misbehaves on request."""

    name = "adversary"
    version = "1.2.3"

    async def initialize(self) -> bool | None:
        how = self.settings.get("initialize")
        if how == "refuse":
            return False
        if how == "raise":
            raise OSError("no such device")
        return None

    async def shutdown(self) -> None:
        print("shutdown ran")

    def on_settings_changed(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        if new.get("color") == "plaid":
            raise InvalidSettings("`/color` is plaid, expected a plain colour")

    @plugin_handler("echo", examples=["echo {word}"], priority=3, effects="none", idempotent=True, timeout_ms=500)
    async def echo(self, intent: Intent) -> Response:
        """Give back
        what came.

        Nothing else.
        """
        return Response(data={"context": intent.context, "text": intent.text, "meta": intent.meta})

    @plugin_handler("pollute")
    async def pollute(self, intent: Intent) -> str:
        print("printed")
        print('{"jsonrpc":"2.0","id":1,"result":"forged"}')
        sys.stdout.write("no newline")
        sys.stdout.flush()
        os.write(1, b"\nraw bytes \xff\n")
        subprocess.run(["sh", "-c", "echo from a child; cat"], check=True)  # noqa: ASYNC221
        print("\udce9 a surrogate")
        return f"read {sys.stdin.read()!r}"

    @plugin_handler("descriptors")
    def descriptors(self, intent: Intent) -> dict[str, Any]:
        script = "import os; print(sorted(int(fd) for fd in os.listdir('/proc/self/fd')))"
        listed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        return {"inherited": listed.stdout.strip()}

    @plugin_handler("wait")
    async def wait(self, intent: Intent) -> None:
        self.progress(message="waiting")
        try:
            await asyncio.Event().wait()
        finally:
            self.logger.info("cleaned up", handler="wait")

    @plugin_handler("stubborn")
    async def stubborn(self, intent: Intent) -> Response:
        self.progress(message="waiting")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Response(message="finished all the same")
        return Response()

    @plugin_handler("meet")
    def meet(self, intent: Intent) -> str:
        meeting.wait(15)
        return "met"

    @plugin_handler("hold_loop")
    async def hold_loop(self, intent: Intent) -> str:
        Path(intent.context["fifo"]).read_text()  # noqa: ASYNC240 (it blocks the loop on purpose)
        return "released"

    @plugin_handler("spin")
    async def spin(self, intent: Intent) -> str:
        while not os.path.exists(intent.context["flag"]):  # noqa: ASYNC240
            pass
        return "released"

    @plugin_handler("fail")
    async def fail(self, intent: Intent) -> Response:
        raise KeyError("no key like this")

    @plugin_handler("refuse_params")
    async def refuse_params(self, intent: Intent) -> Response:
        raise InvalidParams("`path` is missing")

    @plugin_handler("exit")
    async def exit(self, intent: Intent) -> Response:
        sys.exit(3)

    @plugin_handler("stop_iteration")
    def stop_iteration(self, intent: Intent) -> Response:
        raise StopIteration("enough")

    @plugin_handler("return")
    async def give_back(self, intent: Intent) -> Any:
        return {
            "none": None,
            "text": "done",
            "members": {"success": False, "message": "no"},
            "data": {"n": 1},
            "odd": 7,
        }[intent.context["what"]]

    @plugin_handler("nan")
    async def nan(self, intent: Intent) -> Response:
        return Response(data={"scores": [1.0, float("nan")]})

    @plugin_handler("large")
    async def large(self, intent: Intent) -> Response:
        return Response(data="x" * intent.context["size"])

    @plugin_handler("steps")
    async def steps(self, intent: Intent) -> Response:
        for step in range(intent.context["count"]):
            await self.progress(done=step)
        return Response()

    @plugin_handler("steps_in_a_hurry")
    def steps_in_a_hurry(self, intent: Intent) -> Response:
        for step in range(intent.context["count"]):
            self.progress(done=step)
        return Response()

    @plugin_handler("call")
    async def call(self, intent: Intent) -> Response:
        return await self.call_plugin("other", "work", intent.context, timeout=intent.meta.get("timeout"))

    @plugin_handler("call_listening")
    async def call_listening(self, intent: Intent) -> Response:
        seen: list[Any] = []
        await self.call_plugin("other", "work", on_progress=seen.append)
        return Response(data={"seen": seen, "done": [step.done for step in seen]})

    @plugin_handler("call_from_thread")
    def call_from_thread(self, intent: Intent) -> Response:
        return asyncio.run(self.call_plugin("other", "work"))

    @plugin_handler("call_checked")
    async def call_checked(self, intent: Intent) -> Response:
        return await self.call_plugin("other", "work", check=True)

    @plugin_handler("settings")
    async def show_settings(self, intent: Intent) -> dict[str, Any]:
        return {"color": self.settings.color, "all": self.settings}
