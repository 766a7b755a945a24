"""The entries of a tree, one after the other: links are not followed, and what is ignored is not entered."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .ignore import Rules, of_project


@dataclass(slots=True)
class Folder:
    """A folder whose entries were all seen; its path is relative to the tree, and empty for the tree itself."""

    path: str
    is_empty: bool


@dataclass(slots=True)
class File:
    path: str
    name: str
    size: int


@dataclass(slots=True)
class Left:
    """What is not looked at, and why: `ignored` or `unreadable`."""

    path: str
    why: str


def walk(root: Path, exclude: list[str], *, into: bool = True) -> Iterator[Folder | File | Left]:
    """Every file and folder of the tree; of memory it takes what the folders that are still to come take.

    One folder is open at a time. What `exclude` names is left out whatever a `.gitignore` says.
    """
    excluded = Rules(exclude)
    rules, above = of_project(root)
    todo = [("", rules)]
    while todo:
        folder, rules = todo.pop()
        is_empty = True
        try:
            rules = rules.below(root / folder, above + folder)
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    is_empty = False
                    is_folder = entry.is_dir(follow_symlinks=False)
                    name = f"{entry.name}/" if is_folder else entry.name
                    path = folder + name
                    if excluded.ignores(path, name) or rules.ignores(above + path, name):
                        yield Left(path, "ignored")
                    elif is_folder and into:
                        todo.append((path, rules))
                    elif is_folder:
                        yield Folder(path, False)
                    else:
                        yield from _file(path, entry)
        except OSError:
            yield Left(folder, "unreadable")
            continue
        yield Folder(folder, is_empty)


def _file(path: str, entry: os.DirEntry[str]) -> Iterator[File | Left]:
    """A file, if it is one: sockets, pipes and links that lead nowhere or out of the tree have no content."""
    try:
        size = entry.stat(follow_symlinks=False).st_size if entry.is_file(follow_symlinks=False) else None
    except OSError:
        yield Left(path, "unreadable")
        return
    if size is not None:
        yield File(path, entry.name, size)
