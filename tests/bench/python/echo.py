"""A plugin made with the Python SDK: `echo` gives its payload back, `route` asks another plugin's `echo`."""

import time

from astros.plugin import BasePlugin, plugin_handler
from astros.types import Intent, Response


class Bench(BasePlugin):
    """Gives back what it gets."""

    name = "bench"
    version = "1.0.0"

    @plugin_handler("echo")
    async def echo(self, intent: Intent) -> Response:
        return Response(success=True, data=intent.context)

    @plugin_handler("route")
    async def route(self, intent: Intent) -> Response:
        asked, times = intent.context, []
        for _ in range(asked["calls"]):
            begin = time.perf_counter_ns()
            await self.call_plugin(asked["plugin"], "echo", asked["payload"])
            times.append(time.perf_counter_ns() - begin)
        return Response(success=True, data=times)
