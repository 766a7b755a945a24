"""Plugins that add commands: `register_commands(app)` says them to Typer, `astros NAME …` runs them.

class Greet(CommandPlugin):
    name = "greet"

    def register_commands(self, app: typer.Typer) -> None:
        @app.command()
        async def hello(who: str = "world", loud: bool = False) -> None:
            \"\"\"Greet somebody.\"\"\"
            self.console.print(f"Hello, {who}{'!' if loud else '.'}")

Each command runs in a process of its own on the person's terminal, in the folder where they are.
A plain one runs on the main thread, and may use `asyncio.run`; a coroutine function is awaited.
"""

from __future__ import annotations

from ._base import ContextPlugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import typer

__all__ = ["CommandPlugin", "ConfigurablePlugin", "EnhancedCommandPlugin"]


class CommandPlugin(ContextPlugin):
    """A plugin that adds commands; it may be of other kinds too."""

    def register_commands(self, app: typer.Typer) -> None:
        """Say the commands to `app`, as to any Typer app; called once, after `initialize`."""


class EnhancedCommandPlugin(CommandPlugin):
    """One that loads its settings, holds them to its schema and sets up its log before it starts."""

    async def initialize(self, *args: Any, **kwargs: Any) -> bool:
        """Load, check, set up; settings that do not fit are a failed start."""
        await super().initialize(*args, **kwargs)
        self.config = self.load_plugin_config()
        if not await self.validate_config():
            return False
        self.setup_logging()
        return True


class ConfigurablePlugin(EnhancedCommandPlugin):
    """One whose settings may change while it runs: see `add_config_watcher` and `reload_config`."""
