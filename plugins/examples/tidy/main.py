"""Looks for what is left to do in a project: two agents that read, and a phase that judges what they found.

`workflows/tidy.yaml` says in which order: `astros workflow run tidy --task "before the release" --input folder=.`
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from astros.workflow import WorkflowPlugin, progress

TEXTS = {".md", ".py", ".rs", ".sh", ".txt", ".yaml"}


class Finder:
    """Finds lines in the texts of a folder; `find` says which."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def find(self, line: str) -> bool:
        raise NotImplementedError

    def execute(self, task: Any, context: dict[str, Any]) -> dict[str, Any]:
        files = list(texts(Path(context["inputs"]["folder"])))
        found = [place for file in files for place in self.places(file)]
        return {"result": {"files": len(files), "found": len(found)}, "evidence": found}

    def places(self, file: Path) -> Iterator[str]:
        lines = file.read_text("utf-8", "replace").splitlines()
        return (f"{file}:{number}: {line.strip()}" for number, line in enumerate(lines, 1) if self.find(line))


class Todos(Finder):
    """Finds what somebody left for later."""

    def find(self, line: str) -> bool:
        return re.search(r"\b(TODO|FIXME|XXX)\b", line) is not None


class LongLines(Finder):
    """Finds lines that no screen has room for."""

    def find(self, line: str) -> bool:
        return len(line) > 120


class Verdict:
    """Fails where more was found than is allowed."""

    def __init__(self, phase_id: str, config: dict[str, Any]) -> None:
        self.phase_id = phase_id

    async def execute(self, context: dict[str, Any]) -> dict[str, Any]:
        found = {name: one["found"] for name, one in context["results"]["looking"]["result"].items()}
        await progress(1, 1, "judging")
        fits = sum(found.values()) <= context["inputs"]["allowed"]
        return {
            "success": fits,
            "result": found,
            "message": "tidy" if fits else f"there is more than is allowed: {found}",
        }


def texts(folder: Path) -> Iterator[Path]:
    """The texts of a folder and below it, but in hidden folders; raises where there is no such folder."""
    if not folder.is_dir():
        raise NotADirectoryError(f"there is no folder `{folder}` that can be read")
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.suffix in TEXTS and not hidden and file.is_file():
            yield file


class Tidy(WorkflowPlugin):
    """Looks for what is left to do in a project's files."""

    name = "tidy"
    version = "1.0.0"

    def get_workflow_components(self) -> dict[str, Any]:
        return {"agents": {"todos": Todos, "long-lines": LongLines}, "phases": {"verdict": Verdict}}
