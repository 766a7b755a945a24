"""Files that say what kind of project it is, and what it depends on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

PROJECTS = {
    "pyproject.toml": "python", "setup.py": "python", "setup.cfg": "python", "package.json": "nodejs",
    "Cargo.toml": "rust", "go.mod": "golang", "pom.xml": "java", "build.gradle": "java", "build.gradle.kts": "java",
    "composer.json": "php", "Gemfile": "ruby", "CMakeLists.txt": "cpp", "Dockerfile": "docker",
    "docker-compose.yml": "docker", "docker-compose.yaml": "docker", "compose.yaml": "docker",
}  # fmt: skip

Groups = dict[str, list[str]]


def project_of(name: str) -> str | None:
    """The kind of project that a file of this name belongs to."""
    return PROJECTS.get(name) or ("python" if _is_requirements(name) else None)


def dependencies(file: Path, max_size: float) -> Groups:
    """What a manifest names, by group; `error` where it cannot be read, nothing where it is of another sort."""
    read = _requirements if _is_requirements(file.name) else READERS.get(file.name)
    if read is None:
        return {}
    try:
        if file.stat().st_size > max_size:
            return {"error": ["it is larger than `max_file_size_mb` allows"]}
        found = read(file.read_text("utf-8"))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:  # whatever stands in it
        return {"error": [f"it cannot be read: {error}"]}
    return {group: names for group, names in found.items() if names}


def _is_requirements(name: str) -> bool:
    return re.fullmatch(r"requirements([-_.].+)?\.txt", name) is not None


def _requirements(text: str) -> Groups:
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.replace("\\\n", " ").splitlines())
    return {"dependencies": [line.split(" --")[0].strip() for line in lines if line and not line.startswith("-")]}


def _pyproject(text: str) -> Groups:
    content = tomllib.loads(text)
    project = content.get("project", {})
    poetry = content.get("tool", {}).get("poetry", {})
    groups = {"dependencies": [*project.get("dependencies", []), *poetry.get("dependencies", {})]}
    named = [*project.get("optional-dependencies", {}).items(), *content.get("dependency-groups", {}).items()]
    named += [(name, group.get("dependencies", {})) for name, group in poetry.get("group", {}).items()]
    for name, group in named:
        groups[name] = [one for one in group if isinstance(one, str)]
    return groups


def _cargo(text: str) -> Groups:
    content = tomllib.loads(text)
    tables = [content, content.get("workspace", {}), *content.get("target", {}).values()]
    kinds = ("dependencies", "dev-dependencies", "build-dependencies")
    return {kind: _unique(name for table in tables for name in table.get(kind, {})) for kind in kinds}


def _of_json(*kinds: str) -> Callable[[str], Groups]:
    def read(text: str) -> Groups:
        content: dict[str, Any] = json.loads(text)
        return {kind: list(content.get(kind, {})) for kind in kinds}

    return read


def _go(text: str) -> Groups:
    groups: Groups = {"dependencies": [], "indirect": []}
    required = re.findall(r"^require\s*(?:\(([^)]*)\)|([^(\s].*)$)", text, re.M)
    for line in "\n".join(block or single for block, single in required).splitlines():
        module, _, comment = line.partition("//")
        if module.strip():
            groups["indirect" if "indirect" in comment else "dependencies"].append(module.split()[0])
    return groups


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


READERS: dict[str, Callable[[str], Groups]] = {
    "pyproject.toml": _pyproject,
    "Cargo.toml": _cargo,
    "go.mod": _go,
    "package.json": _of_json("dependencies", "devDependencies", "peerDependencies", "optionalDependencies"),
    "composer.json": _of_json("require", "require-dev"),
}
