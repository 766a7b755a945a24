"""What was found, for people: tables on a terminal, Markdown in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Found = dict[str, Any]
SHOWN = 10


def plain(value: Any) -> Any:
    """The same without what no terminal or file should get from a file's name: controls, and what is no text."""
    if isinstance(value, str):
        return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in value)
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {plain(name): plain(one) for name, one in value.items()}
    return value


def size(count: float) -> str:
    """As people read it: powers of 1000, as in the settings."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def overview(found: Found) -> list[tuple[str, str]]:
    """The figures, a pair each."""
    structure = found["structure"]
    rows = [
        ("Files", f"{structure['total_files']:,}"),
        ("Folders", f"{structure['total_directories']:,}"),
        ("Size", size(structure["total_bytes"])),
        ("Project types", ", ".join(found["project_types"]) or "unknown"),
    ]
    optional = [
        ("Empty folders", "empty_directories_count"),
        ("Ignored", "ignored"),
        ("Unreadable", "unreadable"),
        ("Too large to read", "too_large_to_read"),
    ]
    return rows + [(name, f"{structure[key]:,}") for name, key in optional if structure[key]]


def types(found: Found) -> Iterator[list[str]]:
    """A row a type: name, files, share, size, and lines where they were counted."""
    structure = found["structure"]
    for name, one in structure["file_types"].items():
        share = f"{one['files'] / structure['total_files']:.1%}"
        yield [name, f"{one['files']:,}", share, size(one["bytes"]), *([f"{one['lines']:,}"] if "lines" in one else [])]


def tables(found: Found, console: Console, *, detailed: bool) -> None:
    """Draw all of it."""
    _draw(console, found["path"], [], overview(found))
    rows = list(types(found))
    columns = ["Type", ">Files", ">Share", ">Size", ">Lines"][: len(rows[0]) if rows else 0]
    _draw(console, "Types", columns, rows if detailed else rows[:SHOWN])
    named = [
        (
            file,
            group,
            str(len(names)),
            ", ".join(names if detailed else names[:5]) + ("" if detailed or len(names) < 6 else ", …"),
        )
        for file, groups in found["dependencies"].items()
        for group, names in groups.items()
    ]
    _draw(console, "Dependencies", ["File", "Group", ">Number", "Names"], named)
    if detailed:
        structure = found["structure"]
        largest = [(one["path"], size(one["bytes"])) for one in structure["largest_files"]]
        _draw(console, "Largest files", ["File", ">Size"], largest)
        _draw(console, "Empty folders", ["Folder"], [(path,) for path in structure["empty_directories"]])


def _draw(console: Console, title: str, columns: list[str], rows: Any) -> None:
    if not rows:
        return
    table = Table(title=Text(title, style="bold"), title_justify="left", show_header=bool(columns))
    for column in columns or ["", ">"]:
        table.add_column(
            column.removeprefix(">"), justify="right" if column.startswith(">") else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # as text: names may look like rich's markup
    console.print(table)


def markdown(found: Found) -> str:
    """A report of its own."""
    lines = [f"# {_escaped(found['path'])}", "", *(f"- {name}: {value}" for name, value in overview(found))]
    lines += _table("Types", ["Type", "Files", "Share", "Size", "Lines"], list(types(found))[:SHOWN])
    counted = [
        [file, group, str(len(names))]
        for file, groups in found["dependencies"].items()
        for group, names in groups.items()
    ]
    lines += _table("Dependencies", ["File", "Group", "Number"], counted)
    largest = [[one["path"], size(one["bytes"])] for one in found["structure"]["largest_files"]]
    lines += _table("Largest files", ["File", "Size"], largest)
    return "\n".join(lines) + "\n"


def _table(title: str, columns: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    head = columns[: len(rows[0])]
    text = [[_escaped(cell) for cell in row] for row in (head, ["---"] * len(head), *rows)]
    return ["", f"## {title}", "", *(f"| {' | '.join(row)} |" for row in text)]


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "|\\`*_[]<>" else char for char in text)
