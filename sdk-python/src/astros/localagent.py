"""LocalAgent's application object, for tests: plugins found in folders, loaded into this process, one Typer app.

`astros` itself is the command that people use; this is what `app.cli.core.app` offers to code written for it.
"""

from __future__ import annotations

import os
from pathlib import Path

from ._load import ENTRIES
from ._memory import MemoryHost
from .context import ProviderManager
from .errors import LoadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    import typer

    from .plugin import BasePlugin

__all__ = ["LocalAgentCLI", "PluginManager", "WorkflowManager"]

FOLDERS = (".", "plugins", "dev-plugins", "~/.localagent/plugins", "~/.localagent/dev-plugins")


class LocalAgentCLI:
    """plugin_manager, workflow_manager, provider_manager and `app`, the Typer app with all loaded commands."""

    def __init__(self) -> None:
        self._host = MemoryHost()
        self.plugin_manager = PluginManager(self._host)
        self.provider_manager = ProviderManager()
        self.workflow_manager = WorkflowManager(self._host)

    async def initialize(self) -> bool:
        """Get ready; plugins are loaded one by one."""
        return True

    async def cleanup(self) -> None:
        """Stop what was loaded."""
        await self._host.unload()

    @property
    def app(self) -> typer.Typer:
        """A Typer app with the commands of the plugins that are loaded."""
        import typer

        app = typer.Typer(add_completion=False)

        @app.callback()
        def main() -> None:
            """The plugins' commands."""

        for plugin in self.plugin_manager.loaded_plugins.values():
            if hasattr(plugin, "register_commands"):
                plugin.register_commands(app)
        return app


class PluginManager:
    """Finds plugins in the usual folders of LocalAgent and in ASTROS_PLUGIN_PATH."""

    def __init__(self, host: MemoryHost) -> None:
        self._host = host
        self.discovered_plugins: dict[str, Path] = {}
        self.loaded_plugins: dict[str, BasePlugin] = {}

    async def discover_plugins(self) -> dict[str, Path]:
        """The folders of plugins by name; those found first count."""
        for folder in _folders():
            if any((folder / name).is_file() for name in ENTRIES[:-1]):
                self.discovered_plugins.setdefault(folder.name, folder)
        return self.discovered_plugins

    async def load_plugin(self, name: str) -> bool:
        """Load and start a plugin that was found; False where that fails, with the reason on stderr."""
        from ._load import load
        from ._manifest import default_settings

        if name in self.loaded_plugins:
            return True
        folder = self.discovered_plugins.get(name)
        try:
            if folder is None:
                raise LoadError(f"no plugin `{name}` was found")
            plugin = load(str(folder))
            await self._host.load(plugin, default_settings(folder))
        except Exception as error:  # whatever the plugin's code raises
            import sys

            print(f"error: cannot load `{name}`: {error}", file=sys.stderr)
            return False
        self.loaded_plugins[name] = plugin
        return True


class WorkflowManager:
    """Runs the phases that loaded plugins bring, one after the other."""

    def __init__(self, host: MemoryHost) -> None:
        self._host = host

    async def execute_workflow(self, task: Any, provider: str | None = None) -> dict[str, Any]:
        """All phases with this task; `provider` is in their context. Without phases, the provider answers itself."""
        results: dict[str, Any] = {}
        for plugin, loaded in list(self._host.plugins.items()):
            for part in loaded.server.description().get("workflow_parts", []):
                if part["kind"] == "phase":
                    asked = {**part, "task": task, "context": {**results, "provider": provider}}
                    results[part["name"]] = await self._host.tell(plugin, "workflow/run", asked)
        if not results and provider is not None:
            results[provider] = await self._ask(provider, str(task))
        return {"success": all(one["success"] for one in results.values()), "task": task, "results": results}

    async def _ask(self, provider: str, task: str) -> dict[str, Any]:
        found = self._host.provider(provider)
        if found is None:
            raise LoadError(f"no loaded plugin has a provider `{provider}`")
        asked = {"provider": provider, "request": {"prompt": task}}
        answer = await self._host.tell(found[0].name, "provider/complete", asked)
        return {"success": True, "result": answer["content"]}


def _folders() -> Iterator[Path]:
    """Every folder that may be a plugin's."""
    named = [place for place in os.environ.get("ASTROS_PLUGIN_PATH", "").split(os.pathsep) if place]
    for place in (*named, *FOLDERS):
        folder = Path(place).expanduser()
        if folder.is_dir():
            yield folder.resolve()
            yield from sorted(child.resolve() for child in folder.iterdir() if child.is_dir())
