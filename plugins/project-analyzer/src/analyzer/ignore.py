"""Which files a project leaves out: `.gitignore` files, each for its folder and below, as git reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from pathspec import GitIgnoreSpec


class Rules:
    """The lines of one `.gitignore`; paths are relative to its folder, and a folder's path ends with `/`."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = [line for line in lines if line.strip() and not line.startswith("#")]
        self._spec = GitIgnoreSpec.from_lines(self._lines)

    def ignores(self, path: str, name: str) -> bool | None:
        """Whether it is left out; None where no line is about it. `name` is the last part of `path`."""
        # Most files are named by no line: one look at all lines tells, where asking each takes seconds for many files.
        if not (self._named.match(name) or self._placed.match(path)):
            return None
        return self._spec.check_file(path).include

    @cached_property
    def _named(self) -> re.Pattern[str]:
        """Lines such as `*.pyc` and `build/`, which hold in every folder: the name is all that counts."""
        return self._any(line for line in self._lines if not _has_place(line))

    @cached_property
    def _placed(self) -> re.Pattern[str]:
        return self._any(line for line in self._lines if _has_place(line))

    @staticmethod
    def _any(lines: Iterable[str]) -> re.Pattern[str]:
        patterns = (pattern.regex for pattern in GitIgnoreSpec.from_lines(lines).patterns)
        texts = [re.sub(r"\(\?P<\w+>", "(?:", regex.pattern) for regex in patterns if regex is not None]
        return re.compile("|".join(texts) or r"(?!)")


def _has_place(line: str) -> bool:
    return "/" in line.rstrip().rstrip("/")


class Ignored:
    """The rules for one folder: its own, and those of the folders above it, of which the nearest holds."""

    def __init__(self, rules: Rules | None = None, above: Ignored | None = None, folder: str = "") -> None:
        self._rules = rules
        self._above = above
        self._start = len(folder)

    def ignores(self, path: str, name: str) -> bool:
        level: Ignored | None = self
        while level is not None:
            if level._rules is not None:
                said = level._rules.ignores(path[level._start :], name)
                if said is not None:
                    return said
            level = level._above
        return False

    def below(self, folder: Path, prefix: str) -> Ignored:
        """The rules for a folder; `prefix` is its path with a `/` at the end, as paths are asked for."""
        rules = _read(folder / ".gitignore")
        return self if rules is None else Ignored(rules, self, prefix)


def of_project(root: Path) -> tuple[Ignored, str]:
    """The rules from above the folder, where it lies in a git repository; and how paths in it begin for them."""
    repository = next((one for one in (root, *root.parents) if (one / ".git").exists()), root)
    rules = Ignored(_read(repository / ".git" / "info" / "exclude"))
    prefix = ""
    for name in root.relative_to(repository).parts:
        rules = rules.below(repository / prefix, prefix)
        prefix += f"{name}/"
    return rules, prefix


def _read(file: Path) -> Rules | None:
    try:
        return Rules(file.read_text("utf-8", "replace").splitlines())
    except (OSError, ValueError):
        return None
