"""Measures what plugins cost a person beside handlers: help, completion and runs of commands, settings, workflows.

Whole processes, as in `daemon.py`. Each plugin here counts its starts: what is answered of what plugins said before
starts none, or there is no figure.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import daemon
import run
from daemon import Home, Plugins, line, timed, times

BEGIN, END = "<!-- commands: begin -->", "<!-- commands: end -->"
# So many are installed where there are many.
MANY = 500
PHASES, AGENTS = 10, 20
# A change is delivered by then, or never, in seconds.
PATIENCE = 30

MANIFEST = """\
metadata:
  name: {name}
  version: 1.0.0
  description: A plugin of the kind {kind}.
plugin_types: [{kind}]
run:
  python: src/main.py
  interpreter: {python}
"""
# The folder of its data is the one place where it may write.
COUNTING = """\
import pathlib

DATA = pathlib.Path(__file__).parents[3] / "astros/data/plugin-data/{name}"
with open(DATA / "starts", "a") as starts:
    starts.write("x")

"""
PROGRAM = """\
import typer

app = typer.Typer()


@app.command(name="do-0")
def do(path: str = ".", detailed: bool = False) -> None:
    \"\"\"Does it.\"\"\"
    typer.echo("done " + path)


app()
"""
COMMAND = """\
import typer
from astros.command import CommandPlugin


class Command(CommandPlugin):
    name = "{name}"
    version = "1.0.0"

    def register_commands(self, app: typer.Typer) -> None:
        @app.command(name="do-{number}")
        def do(path: str = ".", detailed: bool = False) -> None:
            \"\"\"Does it.\"\"\"
            typer.echo("done " + path)
"""
WATCHER = """\
import time

from astros.command import EnhancedCommandPlugin
from astros.plugin import plugin_handler
from astros.types import Response


class Watcher(EnhancedCommandPlugin):
    name = "watcher"
    version = "1.0.0"
    settings_schema = {"type": "object", "properties": {"size": {"type": "integer", "default": 0}}}

    async def initialize(self, context=None):
        self.add_config_watcher(self.heard)
        return await super().initialize(context)

    @plugin_handler("watch")
    async def watch(self, intent):
        return Response(success=True, message="it listens")

    def heard(self, old, new):
        (DATA / "heard").write_text(f"{new['size']} {time.time_ns()}\\n")
"""
IDLER = """\
from astros.workflow import WorkflowPlugin


class Nothing:
    def __init__(self, config):
        self.config = config

    async def execute(self, task, context):
        return {"result": None}


class Idler(WorkflowPlugin):
    name = "idler"
    version = "1.0.0"

    def get_workflow_components(self):
        return {"agents": {"nothing": Nothing}}
"""


def plugin(name: str, kind: str, code: str, python: Path) -> Plugins:
    manifest = MANIFEST.format(name=name, kind=kind, python=python)
    return {name: {"plugin.yaml": manifest, "src/main.py": COUNTING.format(name=name) + code}}


def plugins(commands: int, python: Path) -> Plugins:
    """So many with a command each, one that watches its settings, one whose agents do nothing."""
    named = {f"command-{number}": COMMAND.format(name=f"command-{number}", number=number) for number in range(commands)}
    made = [plugin(name, "command", code, python) for name, code in named.items()]
    made += [plugin("watcher", "intent", WATCHER, python), plugin("idler", "workflow", IDLER, python)]
    return {name: files for one in made for name, files in one.items()}


def workflow() -> str:
    agents = [f"      - {{agent: nothing, name: agent-{agent}}}" for agent in range(AGENTS)]
    phases = ["\n".join([f"  - name: phase-{phase}", "    agents:", *agents]) for phase in range(PHASES)]
    return "\n".join(["phases:", *phases, ""])


def starts(home: Home) -> int:
    return sum(file.stat().st_size for file in home.folder.glob("astros/data/plugin-data/*/starts"))


def answers(home: Home, count: int, where: str, bounds: tuple[float, float]) -> list[list[str]]:
    """What is answered of what plugins said before."""
    help_bound, list_bound = bounds
    asked = {"ASTROS_COMPLETE": "bash", "_CLAP_COMPLETE_COMP_TYPE": "9", "_CLAP_COMPLETE_SPACE": "true"}
    word, flag = {**asked, "_CLAP_COMPLETE_INDEX": "1"}, {**asked, "_CLAP_COMPLETE_INDEX": "2"}
    rows: list[tuple[str, list[str], dict[str, str], float]] = [
        ("`astros do-0 --help`", ["do-0", "--help"], {}, help_bound),
        ("`astros plugins list`", ["plugins", "list"], {}, list_bound),
        ("completion of `astros do-`", ["--", "astros", "do-"], word, list_bound),
        ("completion of `astros do-0 --d`", ["--", "astros", "do-0", "--d"], flag, list_bound),
    ]
    lines = []
    for what, words, variables, bound in rows:
        before = starts(home)
        lines.append(line(f"{what}, {where}", times(home, count, *words, **variables), "ms", bound))
        if starts(home) != before:
            raise RuntimeError(f"{what} started a plugin, {where}")
    return lines


def overhead(home: Home, count: int, where: str, python: Path) -> list[str]:
    """A command beside the same program run by itself, one after the other so that the machine is the same."""
    program = home.folder / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    direct = [str(python), str(program)]
    pairs = [(home.run("do-0"), timed(direct, home.environment)) for _ in range(count + 1)][1:]
    more = [command - alone for command, alone in pairs]
    return line(f"`astros do-0` beyond the same program run by itself, {where}", more, "ms", 30)


def delivered(home: Home, count: int, where: str) -> list[str]:
    """From the write of `astros.yaml` to the watcher of a plugin that runs."""
    home.run("plugins", "call", "watcher", "watch")
    heard = home.folder / "astros/data/plugin-data/watcher/heard"
    took = []
    for size in range(1, count + 1):
        # Nothing of the change before is under way any more.
        time.sleep(0.3)
        begun = time.time_ns()
        text = f"plugins: {{watcher: {{settings: {{size: {size}}}}}}}\n"
        (home.folder / "astros/astros.yaml").write_text(text, encoding="utf-8")
        deadline = time.monotonic() + PATIENCE
        while not (said := heard.read_text().split() if heard.exists() else []) or said[0] != str(size):
            if time.monotonic() > deadline:
                raise RuntimeError(f"a change of settings is not delivered, {where}")
            time.sleep(0.001)
        took.append((int(said[1]) - begun) / 1e6)
    return line(f"a changed setting is delivered, {where}", took, "ms", 300)


def runs(home: Home, count: int, where: str, bound: float | None) -> list[str]:
    folder = home.folder / "astros/workflows"
    folder.mkdir(exist_ok=True)
    (folder / "idle.yaml").write_text(workflow(), encoding="utf-8")
    what = f"`astros workflow run`, {PHASES} phases × {AGENTS} agents that do nothing, {where}"
    return line(what, times(home, count, "workflow", "run", "idle", "--json"), "ms", bound)


def measure(astros: Path, python: Path, count: int) -> str:
    lines = []
    few = max(3, count // 3)
    for commands in (1, MANY):
        installed = f"{commands} installed"
        print(f"{installed}: what they offer is learned first", file=sys.stderr)
        with daemon.home(astros, plugins(commands, python)) as home:
            # The one asks those that may have commands until it has its word, the other asks all.
            home.run("do-0")
            home.run("ask", "--dry-run", "say hello to Ada")
            lines += answers(home, count, f"{installed}, without a daemon", (20, 50))
            if commands == 1:
                lines.append(overhead(home, count, "without a daemon", python))
                lines.append(runs(home, few, "without a daemon", None))
            with home.daemon():
                lines += answers(home, count, f"{installed}, a daemon runs", (20, 50))
                lines.append(delivered(home, few, installed))
                if commands == 1:
                    lines.append(overhead(home, count, "a daemon runs", python))
                    lines.append(runs(home, few, "a daemon runs", 1_000))
    return "\n".join([*run.table(["what", "median", "nine in ten", "goal", ""], lines), ""])


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests/bench/commands", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=30, help="how often each is timed; what takes long, a third of it")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/src/speed.md too")
    parser.add_argument("--python", type=Path, default=run.ROOT / ".venv/bin/python", help="one that has typer")
    parser.add_argument("--astros", type=Path, default=run.ROOT / "target/release/astros", help="the executable")
    options = parser.parse_args()
    # Not resolved: a virtual environment is one by its path.
    python = options.python.absolute()
    timed([str(python), "-c", "import typer"], {})
    text = measure(options.astros.resolve(), python, options.count)
    print(text)
    if options.docs:
        run.rewrite(text, BEGIN, END)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, OSError) as error:
        sys.exit(f"error: {error}")
