"""All names of LocalAgent's plugin framework in one place; `app.cli.plugins.framework` is this module."""

from __future__ import annotations

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
