"""What tests need of a plugin's manifest: default settings and how it is run; under the host, the host reads it.

The standard library has no YAML, so this reads the part of it that these are written in: nested names and
lists by indentation, scalars, and flat `[…]` and `{}`. Anything else is refused with its line.
"""

from __future__ import annotations

import json
from pathlib import Path

from .errors import LoadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Lines = list[tuple[int, int, str]]  # number, indentation, text

WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


def default_settings(folder: Path) -> dict[str, Any]:
    """`configuration.settings` of the folder's plugin.yaml; raises LoadError for YAML beyond this reader."""
    return _section(folder, ["configuration", "settings"], "give `load_plugin` its `settings`")


def run_section(folder: Path) -> dict[str, Any]:
    """`run` of the folder's plugin.yaml: how the plugin is started; raises LoadError likewise."""
    return _section(folder, ["run"], "give `--astros-command` how it is started")


def _section(folder: Path, names: list[str], instead: str) -> dict[str, Any]:
    file = folder / "plugin.yaml"
    if not file.is_file():
        return {}
    lines = _lines(file.read_text("utf-8"))
    for name in names:
        lines = _under(lines, name)
    try:
        section = _block(lines, 0)[0] if lines else {}
    except _Beyond as line:
        raise LoadError(f"cannot read the {names[-1]} of `{file}` at line {line}; {instead}") from None
    return section if isinstance(section, dict) else {}


class _Beyond(Exception):
    """YAML that this reader does not know; its argument is the line's number."""


def _lines(text: str) -> Lines:
    found: Lines = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if words and not words.startswith(("#", "---")):
            found.append((number, len(line) - len(line.lstrip(" ")), words))
    return found


def _under(lines: Lines, name: str) -> Lines:
    """The lines below `name:` at the outermost level of these."""
    outer = min((indent for _, indent, _ in lines), default=0)
    inside, found = False, []
    for line in lines:
        if line[1] == outer:
            inside = line[2].partition("#")[0].rstrip() == f"{name}:"
        elif inside:
            found.append(line)
    return found


def _block(lines: Lines, at: int) -> tuple[Any, int]:
    """The mapping or list that begins at a line, and where it ends."""
    indent = lines[at][1]
    members: dict[str, Any] = {}
    items: list[Any] = []
    while at < len(lines) and lines[at][1] >= indent:
        number, here, text = lines[at]
        if here != indent or "\t" in text:
            raise _Beyond(number)
        at += 1
        if text.startswith("- "):
            items.append(_scalar(text[2:], number))
            continue
        name, colon, rest = text.partition(":")
        if not colon or (rest and not rest.startswith(" ")):
            raise _Beyond(number)
        rest = rest.strip()
        name = name.strip("\"' ")
        following = lines[at] if at < len(lines) and (not rest or rest.startswith("#")) else (0, -1, "")
        if following[1] > indent:
            members[name], at = _block(lines, at)
        elif following[1] == indent and following[2].startswith("- "):
            members[name], at = _items(lines, at)
        else:
            members[name] = _scalar(rest, number)
    if members and items:
        raise _Beyond(lines[at - 1][0])
    return (items or members), at


def _items(lines: Lines, at: int) -> tuple[list[Any], int]:
    """A list that stands at its name's own indentation."""
    items = []
    while at < len(lines) and lines[at][2].startswith("- "):
        items.append(_scalar(lines[at][2][2:], lines[at][0]))
        at += 1
    return items, at


def _scalar(text: str, number: int) -> Any:
    text = text.strip()
    if text.startswith(("'", '"')):
        end = text.find(text[0], 1)
        rest = text[end + 1 :].strip()
        if end < 0 or "\\" in text or (rest and not rest.startswith("#")):
            raise _Beyond(number)
        return text[1:end]
    text = f" {text}".partition(" #")[0].strip()
    if text.startswith("[") and text.endswith("]") and not set(text[1:-1]) & set("[]{}'\""):
        return [_scalar(item, number) for item in text[1:-1].split(",") if item.strip()]
    if text == "{}":
        return {}
    if text[:1] in tuple("&*!|>@`%{[?") or ": " in text or text.startswith("- "):
        raise _Beyond(number)
    if text in WORDS:
        return WORDS[text]
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (int, float)) else text
