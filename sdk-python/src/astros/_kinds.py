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
    register = getattr(type(plugin), "register_commands", None)
    if register is not None and register.__module__ != "astros.command":  # else it adds none, and needs no Typer
        from ._command import Commands

        kinds.append(Commands(server))
    if hasattr(plugin, "get_provider_class") or registered(server):
        from ._providers import Providers

        kinds.append(Providers(server))
    if hasattr(plugin, "get_ui_components"):
        from ._ui import Components

        kinds.append(Components(server))
    if hasattr(plugin, "get_workflow_components"):
        from ._parts import Parts

        kinds.append(Parts(server))
    return kinds


def registered(server: Server) -> dict[str, Any]:
    """The classes that `register_provider` was told: all of the process, or of the plugin's module where several
    plugins share it."""
    ai = sys.modules.get("astros.ai")
    found: dict[str, Any] = {} if ai is None else ai.registered_providers()
    if server.alone:
        return found
    home = type(server.plugin).__module__
    return {name: cls for name, cls in found.items() if cls.__module__ == home}
