"""Measures the command and the daemon as whole processes: `astros ask` and `plugins list`, and an idle daemon's memory.

A process is timed from before it is started until it has ended. Everything happens in a home of its own that is
thrown away afterwards; medians are told, and the range of nine in ten.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import run

ROOT = run.ROOT
BEGIN, END = "<!-- daemon: begin -->", "<!-- daemon: end -->"
MANIFEST = """\
metadata:
  name: {name}
  version: 1.0.0
  description: Does what example {number} says.
run:
  python: src/main.py
"""
CODE = """\
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Intent, Response


class Example(BasePlugin):
    name = "{name}"
    version = "1.0.0"

    @plugin_handler("do_{number}", examples=["do example {number}"])
    async def do(self, intent: Intent) -> Response:
        return Response(success=True, message="done")
"""


# The files of plugins, by the plugins' names.
Plugins = dict[str, dict[str, str]]


def examples(count: int) -> Plugins:
    """So many plugins that understand texts."""
    named = {f"example-{number}": number for number in range(count)}
    return {
        name: {
            "plugin.yaml": MANIFEST.format(name=name, number=number),
            "src/main.py": CODE.format(name=name, number=number),
        }
        for name, number in named.items()
    }


class Home:
    """A home with these plugins beside the bundled ones."""

    def __init__(self, astros: Path, folder: Path, plugins: Plugins, installed: bool = False) -> None:
        self.astros = astros
        self.folder = folder
        self.environment = {**os.environ, "HOME": str(folder), "ASTROS_HOME": str(folder / "astros")}
        # Those that are installed and that nobody has enabled are not asked what they offer.
        named = folder / ("astros/data/plugins" if installed else "plugins")
        named.mkdir(parents=True)
        for name, files in plugins.items():
            for file, text in files.items():
                (named / name / file).parent.mkdir(parents=True, exist_ok=True)
                (named / name / file).write_text(text, encoding="utf-8")
        if plugins and not installed:
            self.environment["ASTROS_PLUGIN_PATH"] = str(named)

    def run(self, *arguments: str, **variables: str) -> float:
        """The milliseconds that a command takes."""
        return timed([str(self.astros), *arguments], {**self.environment, **variables})

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen([self.astros, "daemon"], env=self.environment, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            status = [self.astros, "status", "--json"]
            while subprocess.run(status, env=self.environment, capture_output=True).returncode != 0:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("`astros daemon` does not come up")
                time.sleep(0.02)
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)


def timed(command: list[str], environment: dict[str, str]) -> float:
    """The milliseconds that a command takes."""
    begun = time.perf_counter()
    ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    took = (time.perf_counter() - begun) * 1e3
    if ended.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` failed with status {ended.returncode}:\n{ended.stderr}")
    return took


@contextmanager
def home(astros: Path, plugins: Plugins, installed: bool = False) -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix="astros-bench-"))
    try:
        yield Home(astros, folder, plugins, installed)
    finally:
        shutil.rmtree(folder)


def memory(process: subprocess.Popen[bytes]) -> float:
    """The resident memory of a process, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) / 1e3 for line in status.splitlines() if line.startswith("VmRSS:"))


def times(home: Home, count: int, *arguments: str, **variables: str) -> list[float]:
    home.run(*arguments, **variables)
    return [home.run(*arguments, **variables) for _ in range(count)]


def line(what: str, values: list[float], unit: str, goal: float | None) -> list[str]:
    median = statistics.median(values)
    low, high = (min(values), max(values)) if len(values) < 10 else statistics.quantiles(values, n=20)[::18]
    met = "" if goal is None else "met" if median <= goal else "**missed**"
    told = "–" if goal is None else f"at most {goal:g} {unit}"
    return [what, f"{median:.1f} {unit}", f"{low:.1f} to {high:.1f}", told, met]


def measure(astros: Path, count: int) -> str:
    lines = []
    with home(astros, {}) as empty:
        text = ["ask", "say hello to Ada"]
        lines.append(line("`astros ask`, without a daemon", times(empty, count, *text), "ms", None))
        with empty.daemon():
            lines.append(line("`astros ask`, the plugin runs in a daemon", times(empty, count, *text), "ms", 15))
            lines.append(
                line("`astros plugins list`, a daemon runs", times(empty, count, "plugins", "list"), "ms", None)
            )
    idle = []
    for _ in range(3):
        with home(astros, examples(6)) as ten:
            # What they offer is learned by the first, so that the next starts none of them.
            with ten.daemon():
                ten.run("ask", "--dry-run", "do example 1")
            with ten.daemon() as process:
                ten.run("plugins", "list")
                idle.append(memory(process))
    lines.append(line("an idle daemon with 10 plugins that are not started", idle, "MB", 12))
    with home(astros, examples(1_000), installed=True) as many:
        listing = ["plugins", "list"]
        lines.append(
            line("`astros plugins list`, 1,000 installed, without a daemon", times(many, count, *listing), "ms", None)
        )
        with many.daemon():
            lines.append(
                line("`astros plugins list`, 1,000 installed, a daemon runs", times(many, count, *listing), "ms", 50)
            )
    return "\n".join([*run.table(["whole process", "median", "nine in ten", "goal", ""], lines), ""])


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests/bench/daemon", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=30, help="how often each command is timed")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/src/speed.md too")
    parser.add_argument("--astros", type=Path, default=ROOT / "target/release/astros", help="the executable")
    options = parser.parse_args()
    text = measure(options.astros.resolve(), options.count)
    print(text)
    if options.docs:
        run.rewrite(text, BEGIN, END)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"error: {error}")
