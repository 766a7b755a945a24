"""Finds files with the same content: a plugin that adds a command, `astros find-duplicates`."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from astros.command import CommandPlugin


class Duplicates(CommandPlugin):
    """Finds files with the same content."""

    name = "duplicates"
    version = "1.0.0"

    def register_commands(self, app: typer.Typer) -> None:
        @app.command("find-duplicates")
        def find(
            folders: Annotated[list[Path], typer.Argument(exists=True, file_okay=False, help="Where to look")],
            min_size: Annotated[int, typer.Option(help="Smaller files are left out, in bytes")] = 1,
        ) -> None:
            """Find files with the same content, and end with 1 where there are any."""
            same = groups(files(folders, min_size))
            for group in same:
                typer.echo("\n".join(str(file) for file in group) + "\n")
            raise typer.Exit(1 if same else 0)


def files(folders: list[Path], min_size: int) -> Iterator[Path]:
    """Every file below the folders; links are not followed."""
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not file.is_symlink() and file.stat().st_size >= min_size:
                yield file


def groups(found: Iterator[Path]) -> list[list[Path]]:
    """Those of the same content; only files of the same size are read."""
    by_size, by_content = defaultdict(list), defaultdict(list)
    for file in found:
        by_size[file.stat().st_size].append(file)
    for several in by_size.values():
        for file in several if len(several) > 1 else ():
            by_content[digest(file)].append(file)
    return [group for group in by_content.values() if len(group) > 1]


def digest(file: Path) -> bytes:
    """What stands for the content."""
    known = hashlib.sha256()
    with file.open("rb") as content:
        while piece := content.read(1 << 20):
            known.update(piece)
    return known.digest()
