"""The rules of the protocol as pytest's items: `astros conformance` runs them, once, when tests are collected."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from . import _ask, _manifest
from .errors import AstrOSError

PATIENCE = 600.0  # seconds; a run takes a few, and each rule has a bound of its own


class Conformance:
    """Registered where the option is used: an item for each rule, and the grade at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.report: dict[str, Any] | None = None
        self.rules: list[RuleItem] = []

    @pytest.hookimpl(tryfirst=True)  # before `-k` and `-m` choose
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        path, command = self.config.getoption("astros"), self.config.getoption("astros_command")
        if path and command:
            raise pytest.UsageError("`--astros` and `--astros-command` name the same thing; give one of them")
        try:
            started = shlex.split(command) if command else command_of(Path(path))
            self.report = run(started, self.config.getoption("astros_level"))
        except (AstrOSError, ValueError) as error:
            raise pytest.UsageError(f"cannot hold `{path or command}` to the rules: {error}") from None
        parent = Plugin.from_parent(session, name=path or command, nodeid=path or command)
        self.rules = [RuleItem.from_parent(parent, name=one["rule"], entry=one) for one in self.report["rules"]]
        items.extend(self.rules)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """A plugin that does not begin fails, also where `-k` chose other rules: nobody could hold those."""
        begins = self.report is None or self.report.get("plugin") is not None
        if not begins and self.rules[0] not in session.items and any(one in session.items for one in self.rules):
            session.items.append(self.rules[0])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.report is None:
            return
        outcomes = [entry["outcome"] for entry in self.report["rules"]]
        counts = ", ".join(f"{outcomes.count(one)} {one}" for one in ("passed", "failed", "skipped") if one in outcomes)
        plugin = self.report.get("plugin") or {}
        name = " ".join(str(plugin[one]) for one in ("name", "version") if plugin.get(one)) or "the plugin"
        terminalreporter.section("AstrOS")
        terminalreporter.write_line(f"{name}: {self.report['grade']} at level {self.report['level']} ({counts})")


class Plugin(pytest.Collector):
    """The plugin that is held to the rules, the parent of their items."""

    def collect(self) -> list[pytest.Item]:
        return []


class RuleItem(pytest.Item):
    """One rule; its outcome is known when it is collected."""

    def __init__(self, *, entry: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entry = entry
        self.extra_keyword_matches.update([entry["group"], entry["title"]])

    def runtest(self) -> None:
        if self.entry["outcome"] == "skipped":
            pytest.skip(self.entry.get("why") or "nothing to hold it against")
        if self.entry["outcome"] != "passed":
            raise Missed

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if not isinstance(excinfo.value, Missed):
            return super().repr_failure(excinfo, style)
        members = ("sent", "expected", "received", "why", "reference")
        told = [f"  {name:<9} {self.entry[name]}" for name in members if self.entry.get(name)]
        return "\n".join([f"{self.entry['rule']}: a plugin {self.entry['title']}", *told])

    def reportinfo(self) -> tuple[str, None, str]:
        return self.parent.name if self.parent else "", None, f"{self.entry['rule']} {self.entry['title']}"


class Missed(Exception):
    """The rule was not kept."""


def command_of(path: Path) -> list[str]:
    """What starts the plugin of a folder or file: what its manifest says, else itself, else this SDK."""
    if not path.exists():
        raise AstrOSError(f"`{path}` does not exist; name a plugin's folder or file, or use `--astros-command`")
    path = path.resolve()
    section = _manifest.run_section(path) if path.is_dir() else {}
    arguments = [str(one) for one in section.get("args") or []]
    if command := section.get("command"):
        return [*(_within(path, str(one)) for one in command), *arguments]
    if name := section.get("executable"):
        return [_executable(path, str(name)), *arguments]
    if python := section.get("python"):
        return [*_sdk(), str(path / str(python)) if str(python).partition(":")[0].endswith(".py") else str(python)]
    if path.is_file() and path.suffix != ".py":
        return [str(path)]
    return [*_sdk(), str(path)]


def _sdk() -> list[str]:
    return [sys.executable, "-m", "astros.run"]


def _within(folder: Path, word: str) -> str:
    """A word of a command line that is a file of the folder, as its path."""
    return str(folder / word) if (folder / word).is_file() else word


def _executable(folder: Path, name: str) -> str:
    """As the host looks for it: in the folder, beside `astros`, on PATH."""
    beside = Path(_ask.find_command("`pytest --astros`")).resolve().parent
    for place in (folder / name, beside / name):
        if os.access(place, os.X_OK) and place.is_file():
            return str(place)
    found = shutil.which(name)
    if found is None:
        raise AstrOSError(f"its executable `{name}` is neither in `{folder}` nor in `{beside}` nor on PATH; build it")
    return found


def run(plugin: list[str], level: str) -> dict[str, Any]:
    """The report of `astros conformance`; raises AstrOSError where there is none."""
    if not plugin:
        raise AstrOSError("the command is empty")
    command = [_ask.find_command("`pytest --astros`"), "conformance", "--json", "--level", level, "--", *plugin]
    ours = str(Path(__file__).resolve().parents[1])
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [ours, os.environ.get("PYTHONPATH")]))}
    try:
        done = subprocess.run(command, env=env, capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE)
        report = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise AstrOSError(f"`{command[0]} conformance` did not end within {PATIENCE:g} s") from None
    except (OSError, ValueError) as error:
        said = done.stderr.decode("utf-8", "replace").strip()[-2000:] if isinstance(error, ValueError) else error
        raise AstrOSError(f"`{command[0]} conformance` gave no report: {said or 'it was silent'}") from None
    failure = report.get("error") if isinstance(report, dict) else None
    if isinstance(failure, dict) and failure.get("message"):
        raise AstrOSError(str(failure["message"]))
    if not isinstance(report, dict) or not isinstance(report.get("rules"), list):
        raise AstrOSError(f"`{command[0]} conformance` gave a report of another version; expected `rules`")
    return report
