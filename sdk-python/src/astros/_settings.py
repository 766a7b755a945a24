"""`self.settings`: a live view of the plugin's settings, by name or as attributes."""

from __future__ import annotations

from collections.abc import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


class Settings(Mapping[str, "Any"]):
    """`settings.max_items`, `settings["max_items"]`, `settings.get("max_items", 10)`; nested objects likewise."""

    def __init__(self, data: Callable[[], Mapping[str, Any]]) -> None:
        self._data = data

    def __getitem__(self, name: str) -> Any:
        return _section(self._data()[name])

    def __getattr__(self, name: str) -> Any:
        return _attribute(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._data())

    def __len__(self) -> int:
        return len(self._data())

    def __repr__(self) -> str:
        return f"Settings({dict(self._data())!r})"


class Section(dict[str, "Any"]):
    """An object among the settings: a dict, whose members are attributes too."""

    def __getitem__(self, name: str) -> Any:
        return _section(super().__getitem__(name))

    def __getattr__(self, name: str) -> Any:
        return _attribute(self, name)


def _section(value: Any) -> Any:
    return Section(value) if isinstance(value, dict) else value


def _attribute(settings: Mapping[str, Any], name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    try:
        return settings[name]
    except KeyError:
        known = ", ".join(f"`{one}`" for one in settings) or "none"
        raise AttributeError(f"no setting `{name}`; there is {known}") from None
