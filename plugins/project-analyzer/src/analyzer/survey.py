"""Counts what a walk finds: types, sizes, empty folders, and the files that say what kind of project it is."""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import manifests
from .walk import File, Folder, Left, walk

LARGEST, NAMED, MANIFESTS, TYPES = 10, 100, 200, 10_000
"""How much of each is kept, so that memory does not grow with the tree."""

SOURCES = {
    ".py": "python", ".rs": "rust", ".js": "nodejs", ".ts": "nodejs", ".tsx": "nodejs", ".go": "golang",
    ".java": "java", ".kt": "java", ".c": "c", ".cpp": "cpp", ".rb": "ruby", ".php": "php", ".cs": "dotnet",
}  # fmt: skip


@dataclass
class Type:
    files: int = 0
    size: int = 0
    lines: int = 0


@dataclass
class Survey:
    """What is known of a tree, while it is walked and after."""

    root: Path
    depth: str = "normal"
    max_size: float = 100e6
    files: int = 0
    folders: int = 0
    size: int = 0
    types: dict[str, Type] = field(default_factory=dict)
    largest: list[tuple[int, str]] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    empty_count: int = 0
    left: Counter[str] = field(default_factory=Counter)
    not_read: int = 0
    manifests: list[tuple[int, str, str]] = field(default_factory=list)

    def look(self, exclude: list[str], watch: Callable[[Survey], None] = lambda survey: None) -> Survey:
        """Walk the tree; `watch` is called now and then. Raises what the tree's own folder raises."""
        os.scandir(self.root).close()
        for count, entry in enumerate(walk(self.root, exclude, into=self.depth != "shallow")):
            match entry:
                case File():
                    self._file(entry)
                case Folder():
                    self._folder(entry)
                case Left():
                    self.left[entry.why] += 1
            if count % 1000 == 0:
                watch(self)
        self.largest.sort(reverse=True)
        return self

    def _file(self, file: File) -> None:
        self.files += 1
        self.size += file.size
        suffix = os.path.splitext(file.name)[1].lower() or "no extension"
        kind = self.types.setdefault(suffix if len(self.types) < TYPES or suffix in self.types else "others", Type())
        kind.files += 1
        kind.size += file.size
        keep = heapq.heappush if len(self.largest) < LARGEST else heapq.heappushpop
        keep(self.largest, (file.size, file.path))
        if project := manifests.project_of(file.name):
            self._note(file.path, project)
        if self.depth == "deep":
            if file.size > self.max_size:
                self.not_read += 1
            else:
                kind.lines += _lines(self.root / file.path)

    def _folder(self, folder: Folder) -> None:
        if folder.path:
            self.folders += 1
            if folder.is_empty:
                self.empty_count += 1
                self.empty += [folder.path] if len(self.empty) < NAMED else []

    def _note(self, path: str, project: str) -> None:
        """Those nearest to the top are kept."""
        found = (-path.count("/"), path, project)
        keep = heapq.heappush if len(self.manifests) < MANIFESTS else heapq.heappushpop
        keep(self.manifests, found)

    def _nearest(self) -> list[tuple[str, str]]:
        ordered = sorted((-depth, path, project) for depth, path, project in self.manifests)
        return [(path, project) for _, path, project in ordered]

    def projects(self) -> list[str]:
        """What kinds of project it is, those nearest to its top first; by its sources where nothing else tells."""
        nearest = self._nearest()
        if nearest:
            return list(dict.fromkeys(project for _, project in nearest))
        counted: Counter[str] = Counter()
        for suffix, kind in self.types.items():
            if suffix in SOURCES:
                counted[SOURCES[suffix]] += kind.files
        return [project for project, _ in counted.most_common()]

    def dependencies(self) -> dict[str, dict[str, list[str]]]:
        """What each manifest names, by manifest and group; `error` is why one cannot be read."""
        found: dict[str, dict[str, list[str]]] = {}
        for path, _ in self._nearest():
            named = manifests.dependencies(self.root / path, self.max_size)
            if named:
                found[path] = named
        return found

    def as_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        by_count = sorted(self.types.items(), key=lambda one: (-one[1].files, one[0]))
        lines = self.depth == "deep"
        types = {
            name: {"files": one.files, "bytes": one.size} | ({"lines": one.lines} if lines else {})
            for name, one in by_count
        }
        return {
            "path": str(self.root),
            "depth": self.depth,
            "project_types": self.projects(),
            "structure": {
                "total_files": self.files,
                "total_directories": self.folders,
                "total_bytes": self.size,
                "file_types": types,
                "largest_files": [{"path": path, "bytes": size} for size, path in self.largest],
                "empty_directories": self.empty,
                "empty_directories_count": self.empty_count,
                "ignored": self.left["ignored"],
                "unreadable": self.left["unreadable"],
                "too_large_to_read": self.not_read,
            },
            "dependencies": self.dependencies(),
        }


def _lines(file: Path) -> int:
    """How many lines a text has; what has a NUL in its first piece is none."""
    lines = 0
    try:
        with open(file, "rb") as content:
            while piece := content.read(1 << 16):
                if lines == 0 and b"\0" in piece:
                    return 0
                lines += piece.count(b"\n")
    except OSError:
        return 0
    return lines
