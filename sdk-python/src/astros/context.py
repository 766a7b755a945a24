"""What LocalAgent's `initialize(self, context)` gets: configuration, folders, providers, bus, lifecycle.

The plugin's own part of each: `context.config.plugins` has this plugin and no other one.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from ._describe import plugin_name
from ._settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ._hostbus import HostBus
    from .ai import AIProvider
    from .lifecycle import LifecycleManager
    from .plugin import BasePlugin

__all__ = ["Config", "PluginContext", "ProviderManager"]


class PluginContext:
    """config, config_dir, provider_manager, message_bus and lifecycle_manager; `dev_mode` while its author works."""

    def __init__(self, plugin: BasePlugin, *, dev_mode: bool = False) -> None:
        self._plugin = plugin
        self.dev_mode = dev_mode
        self.config = Config(plugin)
        self.provider_manager = ProviderManager()
        self._stage = "discovered"  # as long as nobody looks at it

    @cached_property
    def message_bus(self) -> HostBus:
        """Messages to and from other plugins."""
        from ._hostbus import HostBus

        return HostBus(self._plugin, initializing=self._stage in ("discovered", "loading", "initializing"))

    @cached_property
    def lifecycle_manager(self) -> LifecycleManager:
        """The stages of the plugin's life, and its hooks."""
        from .lifecycle import LifecycleManager, PluginLifecycleStage

        manager = LifecycleManager()
        manager.plugin_states[plugin_name(self._plugin)] = PluginLifecycleStage(self._stage)
        return manager

    async def _enter(self, stage: str, about: dict[str, Any] | None = None, hooks: bool = True) -> None:
        """The plugin comes to a stage: nobody but the manager's hooks is told."""
        manager: LifecycleManager | None = vars(self).get("lifecycle_manager")
        if manager is None:
            self._stage = stage
            return
        from .lifecycle import PluginLifecycleStage

        name, to = plugin_name(self._plugin), PluginLifecycleStage(stage)
        if hooks:
            await manager.transition_plugin(name, manager.plugin_states.get(name, to), to, about)
        else:
            manager.plugin_states[name] = to

    @cached_property
    def config_dir(self) -> Path:
        """A view: `config_dir / "NAME.yaml"` is the person's own file for the plugin, and `config_dir / "plugins" /
        "NAME"` its folder for data."""
        folders = self._plugin.directories
        if not {"config", "data"} <= folders.keys():
            import tempfile

            made = Path(tempfile.mkdtemp(prefix="astros-config-"))
            folders = {"config": made, "data": made / "data"}
        return config_view(folders["config"], folders["data"], _names(self._plugin))


class Config(Settings):
    """The plugin's settings, live, by name or as attributes; and `plugins`, where each plugin would be found."""

    def __init__(self, plugin: BasePlugin) -> None:
        super().__init__(lambda: plugin._astros_settings)
        self.plugins: Mapping[str, dict[str, Any]] = _Plugins(plugin)

    def __getitem__(self, name: str) -> Any:
        return self.plugins if name == "plugins" else super().__getitem__(name)


class _Plugins(Mapping[str, "dict[str, Any]"]):
    """`plugins[name]["config"]`: a copy of the settings as they are now; `settings` is another name for it."""

    def __init__(self, plugin: BasePlugin) -> None:
        self._plugin = plugin

    def __getitem__(self, name: str) -> dict[str, Any]:
        if name not in _names(self._plugin):
            raise KeyError(name)
        own = copy.deepcopy(self._plugin._astros_settings)
        return {"enabled": True, "config": own, "settings": own}

    def __iter__(self) -> Iterator[str]:
        return iter(_names(self._plugin))

    def __len__(self) -> int:
        return len(_names(self._plugin))


def _names(plugin: BasePlugin) -> list[str]:
    """What the plugin calls itself, and what its host calls it."""
    return list(dict.fromkeys(name for name in (plugin_name(plugin), plugin._astros_name) if name))


class ProviderManager:
    """`providers["NAME"]` is a provider of the host, asked when it is used; each takes the permission `ai`."""

    def __init__(self) -> None:
        self.providers: Mapping[str, AIProvider] = _Providers()

    def get_provider(self, name: str | None = None) -> AIProvider:
        """The provider of that name; without one, the person's default."""
        from .ai import AIProvider

        return AIProvider() if name is None else self.providers[name]


class _Providers(Mapping[str, "AIProvider"]):
    """Every name is there, for the host alone knows who answers to it; those of this process can be listed."""

    def __getitem__(self, name: str) -> AIProvider:
        from .ai import AIProvider

        return AIProvider(provider=name)

    def __iter__(self) -> Iterator[str]:
        from .ai import registered_providers

        return iter(registered_providers())

    def __len__(self) -> int:
        return sum(1 for _ in self)


def config_view(config: Path, data: Path, names: list[str]) -> Path:
    """The folder `config`, in which `plugins/NAME` is `data`."""

    class ConfigDir(type(Path())):  # type: ignore[misc]
        def __truediv__(self, part: str | os.PathLike[str]) -> Path:
            whole = Path(os.fspath(self), part)
            for name in names:
                own = config / "plugins" / name
                if whole == own or own in whole.parents:
                    return data / whole.relative_to(own)
            return whole if whole != config / "plugins" else ConfigDir(whole)

        def joinpath(self, *parts: str | os.PathLike[str]) -> Path:
            return self / Path(*parts)

    return ConfigDir(config)
