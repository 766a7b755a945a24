"""From what `rich` draws to the protocol's tree: by kind where the tree has it, else drawn as text with escapes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rich.console import Console

    Tree = dict[str, Any]


FRAME = 4  # characters of a panel beside what is in it
GAP = 2  # between columns
NARROW = 16  # in less no frame is drawn


def tree(thing: Any, terminal: dict[str, Any]) -> Tree:
    """The UI tree of a component's answer; `terminal` says the width and whether colours are shown."""
    if isinstance(thing, dict) and isinstance(thing.get("type"), str):
        return thing
    if thing is None:
        return {"type": "text", "text": ""}
    known = _known(thing, terminal)
    return {"type": "ansi", "text": drawn(thing, terminal)} if known is None else known


def drawn(thing: Any, terminal: dict[str, Any]) -> str:
    """The text that `rich` draws."""
    from rich.console import Group

    console = _console(terminal)
    if isinstance(thing, (list, tuple)):
        thing = Group(*thing)
    console.print(thing)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def _console(terminal: dict[str, Any]) -> Console:
    from io import StringIO

    from rich.console import Console

    color = terminal.get("color") is True
    return Console(
        file=StringIO(),
        width=width(terminal),
        force_terminal=color,
        color_system="truecolor" if color else None,
        no_color=not color,
        legacy_windows=False,
    )


def is_empty(thing: Any) -> bool:
    """Whether nothing is to be seen of it but a frame."""
    inside = getattr(thing, "renderable", thing)
    return inside is None or (isinstance(inside, str) and not inside.strip()) or getattr(inside, "plain", None) == ""


def width(terminal: dict[str, Any]) -> int:
    """How wide it is to be drawn, in characters."""
    wanted = terminal.get("width")
    return wanted if isinstance(wanted, int) and 0 < wanted < 10_000 else 80


def _known(thing: Any, terminal: dict[str, Any]) -> Tree | None:
    """The tree of what the protocol has a kind for. By the class's name: nothing is imported that is not there yet."""
    kinds = {cls.__name__ for cls in type(thing).__mro__ if cls.__module__.startswith("rich.")}
    if isinstance(thing, str):
        return _string(thing, terminal)
    if "Text" in kinds:
        return None if thing.spans or thing.style else {"type": "text", "text": thing.plain}
    if "Table" in kinds:
        return _table(thing)
    if "Panel" in kinds:
        title, inside = _plain(thing.title), {**terminal, "width": max(1, width(terminal) - FRAME)}
        return {"type": "panel", "content": tree(thing.renderable, inside)} | ({"title": title} if title else {})
    if "Columns" in kinds:
        return _columns(thing, terminal)
    if "Tree" in kinds:
        return _node(thing, "tree")
    if "Markdown" in kinds:
        has_table = any(token.type == "table_open" for token in thing.parsed)
        return None if has_table else {"type": "markdown", "text": thing.markup}
    if "Syntax" in kinds:
        is_more = thing.line_numbers or thing.line_range or thing.highlight_lines
        return None if is_more else {"type": "code", "text": thing.code} | _language(thing)
    if "Progress" in kinds and len(thing.tasks) == 1:
        return _progress(thing.tasks[0])
    return None


def _string(text: str, terminal: dict[str, Any]) -> Tree:
    """Words as `rich` would print them: markup in brackets is style."""
    if "[" not in text:
        return {"type": "text", "text": text}
    try:
        from rich.markup import render
    except ImportError:
        return {"type": "text", "text": text}
    styled = render(text)
    if styled.spans:
        return {"type": "ansi", "text": drawn(styled, terminal)}
    return {"type": "text", "text": styled.plain}


def _columns(columns: Any, terminal: dict[str, Any]) -> Tree | None:
    """Things side by side, where they have room for that; `rich` makes several rows of more."""
    from rich.measure import Measurement

    console, count = _console(terminal), len(columns.renderables)
    needed = sum(Measurement.get(console, console.options, one).maximum + GAP for one in columns.renderables)
    if columns.title or needed > width(terminal) + GAP or count * (NARROW + GAP) > width(terminal) + GAP:
        return None
    share = {**terminal, "width": (width(terminal) + GAP) // max(1, count) - GAP}
    return {"type": "columns", "items": [tree(one, share) for one in columns.renderables]}


def _table(table: Any) -> Tree | None:
    cells = [list(column.cells) for column in table.columns]
    rows = [[_plain(cell) for cell in row] for row in zip(*cells, strict=True)]
    if any(cell is None for row in rows for cell in row):
        return None  # something else than words in a cell
    columns = [_plain(column.header) or "" for column in table.columns]
    title = _plain(table.title)
    return {"type": "table", "columns": columns, "rows": rows} | ({"title": title} if title else {})


def _node(node: Any, kind: str = "") -> Tree | None:
    label = _plain(node.label)
    children = [_node(child) for child in node.children]
    if label is None or any(child is None for child in children):
        return None
    return ({"type": kind} if kind else {}) | {"label": label} | ({"children": children} if children else {})


def _progress(task: Any) -> Tree:
    known = {"label": _plain(task.description), "total": task.total}
    return {"type": "progress", "done": task.completed} | {name: value for name, value in known.items() if value}


def _language(syntax: Any) -> Tree:
    lexer = getattr(syntax, "_lexer", None)
    name = lexer if isinstance(lexer, str) else getattr(getattr(syntax, "lexer", None), "name", "").lower()
    return {"language": name} if name else {}


def _plain(words: Any) -> str | None:
    """Words without their style; None for what are no words."""
    if isinstance(words, str):
        if "[" not in words:
            return words
        from rich.markup import render

        return render(words).plain
    plain = getattr(words, "plain", None)
    return plain if isinstance(plain, str) else None
