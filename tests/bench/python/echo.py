"""A plugin made with the Python SDK: `echo` gives its payload back."""

from astros.plugin import BasePlugin, plugin_handler
from astros.types import Intent, Response


class Bench(BasePlugin):
    """Gives back what it gets."""

    name = "bench"
    version = "1.0.0"

    @plugin_handler("echo")
    async def echo(self, intent: Intent) -> Response:
        return Response(success=True, data=intent.context)
