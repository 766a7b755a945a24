"""Runs every row in every round, each round in a new order, and compares.

Ratios are taken within a round, where the machine's load is the same, and then their median over the rounds:
compare ratios, not microseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PAGE = ROOT / "docs/src/speed.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

# Row: what it is, host, child.
ROWS = {
    "pipe-json": ("the limit: bare blocking loops, envelopes parsed only", "limit-host", ["{bin}/limit-child"]),
    "astros": ("AstrOS → a plugin made with the Rust SDK", "astros-host", ["{bin}/astros-child"]),
    "peer": ("the connection alone → the same plugin", "peer-host", ["{bin}/astros-child"]),
    "rmcp": ("rmcp 3.9 on both sides, as lean as it gets", "rmcp-host", ["{bin}/rmcp-child"]),
    "astros-python": ("AstrOS → a plugin made with the Python SDK", "astros-host", ["{here}/python/echo.py"]),
    "python-sdk": (
        "the connection alone → the same plugin",
        "peer-host",
        ["{python}", "-m", "astros.run", "{here}/python/echo.py"],
    ),
    "python-asyncio": (
        "the connection alone → a bare asyncio loop that parses and answers JSON",
        "peer-host",
        ["{python}", "{here}/python/bare.py"],
    ),
}

# Column: figure, decimals, whether more is better.
COLUMNS = {
    "300 B, µs": ("latency_300_us", 1, False),
    "64 KiB, µs": ("latency_64k_us", 0, False),
    "300 B, 64 in flight, calls/s": ("calls_300_s", 0, True),
    "64 KiB, 64 in flight, calls/s": ("calls_64k_s", 0, True),
    "host's CPU a call, µs": ("cpu_300_us", 2, False),
    "start, ms": ("start_ms", 1, False),
    "start at best, ms": ("start_min_ms", 1, False),
    "50 starts at once, ms": ("mass_ms", 1, False),
    "route, µs": ("route_us", 1, False),
}

# Row, base, column, the ratio to reach: at most where less is better, at least where more is.
GOALS = [
    ("astros", "pipe-json", "host's CPU a call, µs", 3.0),
    ("astros", "pipe-json", "route, µs", 2.5),
    ("astros", "pipe-json", "50 starts at once, ms", 3.0),
    ("astros", "pipe-json", "300 B, µs", 2.5),
    ("astros", "pipe-json", "64 KiB, µs", 1.3),
    ("astros", "pipe-json", "300 B, 64 in flight, calls/s", 1 / 3),
    ("astros", "pipe-json", "64 KiB, 64 in flight, calls/s", 0.8),
    ("python-sdk", "python-asyncio", "start at best, ms", 1.3),
    ("python-sdk", "python-asyncio", "300 B, µs", 1.5),
]

# Row, base, column, how much more it may be.
MORE = [("astros", "pipe-json", "start, ms", 1.5)]

Rounds = list[dict[str, dict[str, float]]]


def run(row: str, quick: bool, binaries: Path) -> dict[str, float]:
    _, host, child = ROWS[row]
    places = {"bin": binaries, "here": HERE, "python": sys.executable}
    command = [str(binaries / host), *(["--quick"] if quick else []), "--"]
    command += [word.format(**places) for word in child]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "sdk-python/src")}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if ended.returncode != 0:
        raise RuntimeError(f"row `{row}` failed with status {ended.returncode}:\n{ended.stderr.strip()}")
    figures: dict[str, float] = json.loads(ended.stdout)
    return figures


def measure(rows: list[str], rounds: int, quick: bool, binaries: Path) -> Rounds:
    measured: Rounds = []
    for number in range(1, rounds + 1):
        figures = {}
        for row in random.sample(rows, len(rows)):
            print(f"round {number} of {rounds}: {row}", file=sys.stderr)
            figures[row] = run(row, quick, binaries)
        measured.append(figures)
    return measured


def median(rounds: Rounds, row: str, figure: str) -> float | None:
    found = [measured[row][figure] for measured in rounds if figure in measured[row]]
    return statistics.median(found) if found else None


def pairs(rounds: Rounds, row: str, base: str, figure: str) -> list[tuple[float, float]]:
    """What both reached in the same round."""
    both = [(measured[row], measured[base]) for measured in rounds if base in measured and row in measured]
    return [(mine[figure], its[figure]) for mine, its in both if figure in mine and figure in its]


def ratios(rounds: Rounds, row: str, base: str, figure: str) -> list[float]:
    return [mine / its for mine, its in pairs(rounds, row, base, figure)]


def differences(rounds: Rounds, row: str, base: str, figure: str) -> list[float]:
    return [mine - its for mine, its in pairs(rounds, row, base, figure)]


def ratio(rounds: Rounds, row: str, base: str, figure: str) -> float | None:
    found = ratios(rounds, row, base, figure)
    return statistics.median(found) if found else None


def shown(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:,.{decimals}f}"


def table(head: list[str], lines: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *lines]]


def report(rounds: Rounds, rows: list[str]) -> str:
    figures = [
        [f"`{row}`", *(shown(median(rounds, row, figure), decimals) for figure, decimals, _ in COLUMNS.values())]
        for row in rows
    ]
    multiples = [
        [f"`{row}`", *(shown(ratio(rounds, row, "pipe-json", figure), 2) for figure, _, _ in COLUMNS.values())]
        for row in rows
    ]
    goals = []
    for row, base, column, bound in GOALS:
        figure, _, more = COLUMNS[column]
        found = ratios(rounds, row, base, figure)
        if found:
            reached = statistics.median(found)
            met = reached >= bound if more else reached <= bound
            goal = f"{'at least' if more else 'at most'} {bound:.2g}"
            spread = f"{min(found):.2f} to {max(found):.2f}"
            goals.append(
                [f"`{row}` ÷ `{base}`", column, f"{reached:.2f}", spread, goal, "met" if met else "**missed**"]
            )
    for row, base, column, bound in MORE:
        figure, decimals, _ = COLUMNS[column]
        found = differences(rounds, row, base, figure)
        if found:
            reached = statistics.median(found)
            spread = f"{min(found):.{decimals}f} to {max(found):.{decimals}f}"
            met = "met" if reached <= bound else "**missed**"
            goals.append([f"`{row}` − `{base}`", column, f"{reached:.{decimals}f}", spread, f"at most {bound}", met])
    columns = list(COLUMNS)
    return "\n".join(
        [
            *(f"- `{row}`: {ROWS[row][0]}" for row in rows),
            "",
            f"Medians of {len(rounds)} round{'s' if len(rounds) > 1 else ''}:",
            "",
            *table(["row", *columns], figures),
            "",
            "The same as multiples of `pipe-json`, taken within a round:",
            "",
            *table(["row", *columns], multiples),
            "",
            *table(["", "of", "reached", "in the rounds", "goal", ""], goals),
            "",
        ]
    )


def rewrite(text: str, begin: str = BEGIN, end: str = END) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise RuntimeError(f"`{PAGE}` has no `{begin}` with an `{end}` after it, between which the tables belong")
    PAGE.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(ROWS), help=f"some of: {', '.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls: to see that everything works")
    parser.add_argument("--docs", action="store_true", help="write the tables into docs/src/speed.md too")
    parser.add_argument("--bin", type=Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    rows = options.only.split(",")
    for row in rows:
        if row not in ROWS:
            parser.error(f"there is no row `{row}`, there are {', '.join(ROWS)}")
    rounds = measure(rows, options.rounds, options.quick, options.bin)
    text = report(rounds, rows)
    print(text)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "latest.md").write_text(text, encoding="utf-8")
    (results / "latest.json").write_text(json.dumps(rounds, indent=1) + "\n", encoding="utf-8")
    if options.docs:
        rewrite(text)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"error: {error}")
