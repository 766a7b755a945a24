"""How a plugin describes itself to its host: the PluginDescription."""

from __future__ import annotations

from ._handlers import first_paragraph

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .plugin import BasePlugin


def plugin_name(plugin: BasePlugin) -> str:
    """The plugin's name; without one, the host's for it, else its class's as names are spelled: MyPlugin, my-plugin."""
    if isinstance(plugin.name, str) and plugin.name:
        return plugin.name
    if plugin._astros_name:
        return plugin._astros_name
    words = type(plugin).__name__
    short = words.removesuffix("Plugin") or words
    return "".join("-" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(short)).strip("_")


def describe(
    plugin: BasePlugin, handlers: Sequence[dict[str, Any]], subscriptions: Sequence[str] = ()
) -> dict[str, Any]:
    """The PluginDescription; what is empty is left out."""
    said: dict[str, Any] = {
        "name": plugin_name(plugin),
        "version": plugin.version,
        "description": plugin.description or first_paragraph(type(plugin).__dict__.get("__doc__")),
        "language": "python",
        "author": plugin.author,
        "license": plugin.license,
        "homepage": plugin.homepage,
        "handles": _names(plugin.handles),
        "handlers": list(handlers),
        "subscriptions": list(dict.fromkeys([*_names(plugin.subscriptions), *subscriptions])),
        "settings_schema": settings_schema(plugin),
        "dependencies": _names(plugin.dependencies),
        "requires_permissions": _names(plugin.requires_permissions),
        "requires_config": bool(plugin.requires_config),
        "requires_ai": bool(plugin.requires_ai),
        "supports_voice": bool(plugin.supports_voice),
        "supports_gui": bool(plugin.supports_gui),
    }
    always = ("name", "version", "description", "handlers")
    return {name: value for name, value in said.items() if value or name in always}


def settings_schema(plugin: BasePlugin) -> dict[str, Any] | None:
    """The schema of the settings: an attribute, or what LocalAgent's kinds have, which know no `writeOnly`."""
    ask = getattr(plugin, "get_config_schema", None)
    if ask is None or plugin.settings_schema is not None:
        return plugin.settings_schema
    from ._schema import with_secrets

    return with_secrets(ask())


def _names(value: Sequence[str]) -> list[str]:
    """A list; who wrote one name without brackets meant a list of it."""
    return [value] if isinstance(value, str) else list(value)
