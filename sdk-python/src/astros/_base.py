"""The base of LocalAgent's kinds of plugins: context, settings in a dict, progress on a console, clean-up."""

from __future__ import annotations

import inspect
import os
import sys
from functools import cached_property

from . import _schema
from ._describe import plugin_name
from .errors import InvalidSettings
from .plugin import BasePlugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from typing import Any, TypeVar

    from rich.console import Console
    from rich.progress import Progress

    T = TypeVar("T")


class ContextPlugin(BasePlugin):
    """A plugin whose `initialize` takes a context, and whose `cleanup` runs at its end.

    `self.config` is a dict: defaults of the schema, what the person set, the environment.
    """

    context: Any = None
    _astros_refused: str = ""  # why `initialize` gave back False

    async def initialize(self, *args: Any, **kwargs: Any) -> bool:
        """Called once, before the first request, with the context; giving back False is a failed start."""
        if args:
            self.context = args[0]
        return True

    async def cleanup(self) -> None:
        """Called once, when the plugin is stopped."""

    # --- settings ---------------------------------------------------------------------------------------

    @cached_property
    def config(self) -> dict[str, Any]:
        """The settings; `reload_config` brings those that changed."""
        return self.load_plugin_config()

    @cached_property
    def config_watchers(self) -> list[Callable[..., Any]]:
        """Called as `watcher(old, new)` when the settings changed, be they functions or coroutine functions."""
        return []

    def add_config_watcher(self, callback: Callable[..., Any]) -> None:
        """Call this when the settings changed."""
        self.config_watchers.append(callback)

    def get_config_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the settings: `settings_schema`, else the file `config_schema.json` of the plugin."""
        if self.settings_schema is not None:
            return self.settings_schema
        module = sys.modules.get(type(self).__module__)
        file = getattr(module, "__file__", None)
        return _schema.read_schema(os.path.dirname(os.path.abspath(file))) if file else None

    def get_default_config(self) -> dict[str, Any]:
        """The defaults of the schema."""
        return _schema.defaults(self.get_config_schema())

    def load_plugin_config(self) -> dict[str, Any]:
        """Defaults, what the person set, and the environment; the later ones win."""
        name = plugin_name(self)
        known = getattr(self.context, "config", None)
        plugins = known.get("plugins", {}) if isinstance(known, dict) else getattr(known, "plugins", None)
        own = self._astros_settings if plugins is None else plugins.get(name, {}).get("config", {})
        return {**self.get_default_config(), **own, **self.load_env_config()}

    def load_env_config(self) -> dict[str, Any]:
        """What the environment sets: `ASTROS_<NAME>_<SETTING>`, and `LOCALAGENT_…` below it."""
        return _schema.from_environment(plugin_name(self), self.get_config_schema())

    def convert_env_value(self, key: str, value: str) -> Any:
        """A text of the environment as the type that the schema has for this setting."""
        return _schema.convert(value, ((self.get_config_schema() or {}).get("properties") or {}).get(key))

    async def validate_config(self) -> bool:
        """Whether `self.config` fits the schema; what does not is logged."""
        schema = self.get_config_schema()
        found = _schema.problems(self.config, schema) if schema else []
        for problem in found:
            self.logger.error("the settings do not fit: %s", problem)
        self._astros_refused = "; ".join(found)
        return not found

    async def reload_config(self) -> bool:
        """Read the settings again and tell the watchers; settings that do not fit leave the old ones."""
        old = dict(self.config)
        self.config = self.load_plugin_config()
        if not await self.validate_config():
            self.config = old
            return False
        for watcher in list(self.config_watchers):
            told = watcher(old, self.config)
            if inspect.isawaitable(told):
                await told
        return True

    async def on_settings_changed(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        """Reload; raises InvalidSettings where they do not fit, so that the host keeps the old ones."""
        await self.reload_config()
        if self.config != self.load_plugin_config():
            raise InvalidSettings(self._astros_refused or "the plugin went back to its old settings")

    async def periodic_config_check(self, config_file: Path, interval: float = 1.0) -> None:
        """Reload whenever the file is another; ends with the task that it runs in."""
        import asyncio

        seen = _changed(config_file)
        while True:
            await asyncio.sleep(interval)
            if (now := _changed(config_file)) != seen:
                seen = now
                await self.reload_config()

    # --- console and log --------------------------------------------------------------------------------

    @cached_property
    def console(self) -> Console:
        """A console of `rich`: the person's terminal in a command, the log elsewhere."""
        from rich.console import Console

        return Console()

    def setup_logging(self) -> None:
        """Make `self.logger` the standard library's `localagent.plugin.NAME`; its records go to the host too."""
        import logging

        self.logger = logging.getLogger(f"localagent.plugin.{plugin_name(self)}")  # type: ignore[assignment]

    def create_progress(self, description: str = "") -> Progress:
        """A progress bar of `rich` on the console; `with` starts and stops it."""
        from rich.progress import Progress

        return Progress(console=self.console)

    async def execute_with_progress(self, coro: Awaitable[T], description: str) -> T:
        """Await something while a bar moves."""
        with self.create_progress(description) as progress:
            task = progress.add_task(description, total=None)
            result = await coro
            progress.update(task, total=1, completed=1)
            return result


def _changed(file: Path) -> tuple[int, int] | None:
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size
