"""The stages of a plugin's life, and hooks that run as it comes to one.

A plugin finds the manager of its process as `context.lifecycle_manager`.
"""

from __future__ import annotations

from ._byhand import on_loop
from ._words import Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["LifecycleManager", "PluginLifecycleStage"]


class PluginLifecycleStage(Words):
    """Where a plugin is in its life."""

    DISCOVERED = "discovered"
    LOADING = "loading"
    INITIALIZING = "initializing"
    READY = "ready"
    EXECUTING = "executing"
    CLEANING_UP = "cleaning_up"
    UNLOADED = "unloaded"
    ERROR = "error"


class LifecycleManager:
    """Keeps the stage of each plugin, and calls hooks as `hook(plugin, from_stage, to_stage, context)`.

    Hooks are functions or coroutine functions; one that fails is logged, and the others run.
    """

    def __init__(self) -> None:
        self.hooks: dict[PluginLifecycleStage, list[Callable[..., Any]]] = {one: [] for one in PluginLifecycleStage}
        self.plugin_states: dict[str, PluginLifecycleStage] = {}

    def add_hook(self, stage: PluginLifecycleStage, callback: Callable[..., Any]) -> None:
        """Call this whenever a plugin comes to the stage; its word (`"ready"`) will do."""
        self.hooks[_stage(stage)].append(callback)

    async def transition_plugin(
        self,
        plugin_name: str,
        from_stage: PluginLifecycleStage,
        to_stage: PluginLifecycleStage,
        context: dict[str, Any] | None = None,
    ) -> None:
        """Run the hooks of `to_stage`, in the order in which they were added, then note that the plugin is there."""
        for hook in list(self.hooks[_stage(to_stage)]):
            try:
                done = hook(plugin_name, from_stage, to_stage, context or {})
                if hasattr(done, "__await__"):
                    await on_loop()
                    await done
            except Exception as error:
                import logging

                logging.getLogger("astros.lifecycle").error(
                    "a hook of `%s` for the stage `%s` failed: %s", plugin_name, to_stage.value, error, exc_info=True
                )
        self.plugin_states[plugin_name] = _stage(to_stage)


def _stage(stage: Any) -> PluginLifecycleStage:
    return PluginLifecycleStage(getattr(stage, "value", stage))
