"""All names of LocalAgent's plugin framework in one place; `app.cli.plugins.framework` is this module.

Each is imported when it is asked for: a plugin's start pays only for the kinds that it is of.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .bus import MessageType, PluginMessage, PluginMessageBus
    from .command import CommandPlugin, ConfigurablePlugin, EnhancedCommandPlugin
    from .errors import PluginError, RetryableError, ValidationError
    from .lifecycle import LifecycleManager, PluginLifecycleStage
    from .persistence import PersistentPlugin
    from .provider import BaseProvider, CompletionRequest, CompletionResponse, ProviderPlugin
    from .ui import UIPlugin, WorkflowStatus
    from .workflow import WorkflowPlugin

__all__ = [
    "BaseProvider",
    "CommandPlugin",
    "CompletionRequest",
    "CompletionResponse",
    "ConfigurablePlugin",
    "EnhancedCommandPlugin",
    "LifecycleManager",
    "MessageType",
    "PersistentPlugin",
    "PluginError",
    "PluginLifecycleStage",
    "PluginMessage",
    "PluginMessageBus",
    "ProviderPlugin",
    "RetryableError",
    "UIPlugin",
    "ValidationError",
    "WorkflowPlugin",
    "WorkflowStatus",
]

_HOMES = {
    "bus": ("MessageType", "PluginMessage", "PluginMessageBus"),
    "command": ("CommandPlugin", "ConfigurablePlugin", "EnhancedCommandPlugin"),
    "errors": ("PluginError", "RetryableError", "ValidationError"),
    "lifecycle": ("LifecycleManager", "PluginLifecycleStage"),
    "persistence": ("PersistentPlugin",),
    "provider": ("BaseProvider", "CompletionRequest", "CompletionResponse", "ProviderPlugin"),
    "ui": ("UIPlugin", "WorkflowStatus"),
    "workflow": ("WorkflowPlugin",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"astros.{home}"), name)
    raise AttributeError(f"module `{__name__}` has no `{name}`")


def __dir__() -> list[str]:
    return [*__all__]
