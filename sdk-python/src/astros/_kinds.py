"""What a plugin serves beside handlers: commands, providers, components, parts of workflows, each where it has some."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from ._peer import Request
    from ._server import Server

    class Kind(Protocol):
        """One of them: the methods that it answers, and its part of the description."""

        methods: dict[str, Callable[[Request], Any]]

        def describe(self) -> dict[str, Any]: ...


def of(server: Server) -> list[Kind]:
    """The kinds of the server's plugin; nothing is imported for those that it is not."""
    plugin = server.plugin
    kinds: list[Any] = []
    if hasattr(plugin, "register_commands"):
        from ._command import Commands

        kinds.append(Commands(server))
    if hasattr(plugin, "get_provider_class") or _registered():
        from ._providers import Providers

        kinds.append(Providers(server))
    if hasattr(plugin, "get_ui_components"):
        from ._ui import Components

        kinds.append(Components(server))
    if hasattr(plugin, "get_workflow_components"):
        from ._parts import Parts

        kinds.append(Parts(server))
    return kinds


def _registered() -> bool:
    """Whether a module of the plugin has called `register_provider`."""
    ai = sys.modules.get("astros.ai")
    return ai is not None and bool(ai.registered_providers())
