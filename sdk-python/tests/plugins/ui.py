"""Components of every manner: renderables, words, those that draw themselves, live ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Dict, List, Optional  # noqa: UP035 (as authors of older Pythons write)

from app.cli.plugins.framework import UIPlugin, WorkflowStatus  # type: ignore[import-not-found]
from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.markdown import Markdown
from rich.panel import Panel
from rich.progress import Progress
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from rich.tree import Tree


@dataclass
class Point:
    x: int
    y: float = 0.5


class Shade(Enum):
    LIGHT = "l"
    DARK = "d"


class Gallery(UIPlugin):  # type: ignore[misc]
    name = "gallery"

    def get_ui_components(self) -> Dict[str, Any]:  # noqa: UP006
        names = (
            "table",
            "panel",
            "columns",
            "tree",
            "markdown",
            "code",
            "words",
            "styled",
            "bar",
            "group",
            "frames",
            "listing",
            "grid",
            "shade",
            "own",
            "ruled",
            "point",
        )
        live = ("dashboard", "clock", "ticker")
        return {name: getattr(self, name) for name in (*names, *live)}

    def table(self, data: List[Dict], title: str = "Data") -> Table:  # type: ignore[type-arg]  # noqa: UP006
        """Draw rows.

        Of anything.
        """
        table = Table(title=title)
        for key in data[0]:
            table.add_column(key.title(), style="cyan")
        for row in data:
            table.add_row(*[str(value) for value in row.values()])
        return table

    def panel(self) -> Panel:
        return Panel("inside", title="A [b]title[/b]", border_style="green")

    def columns(self) -> Columns:
        return Columns(["a", Panel("b")])

    def tree(self) -> Tree:
        tree = Tree("root")
        tree.add("leaf").add("below")
        return tree

    def markdown(self) -> Markdown:
        return Markdown("# Title")

    def code(self) -> Syntax:
        return Syntax("x = 1", "python")

    def words(self, text: str) -> str:
        return text

    async def styled(self) -> Text:
        await asyncio.sleep(0)
        return Text("red", style="red")

    def bar(self) -> Progress:
        progress = Progress()
        progress.add_task("load", total=10, completed=4)
        return progress

    def group(self) -> Group:
        return Group("one", "two")

    def frames(self) -> Columns:
        return Columns([Panel(f"number {number}") for number in range(6)])

    def listing(self) -> Syntax:
        return Syntax("x = 1\ny = 2", "python", line_numbers=True)

    def grid(self) -> Panel:
        return Panel(Markdown("| a | b |\n|---|---|\n| 1 | 2 |"))

    def shade(self, of: Shade) -> str:
        return of.name

    def own(self, say: str) -> Panel:
        Console().print(say)
        return Panel("")

    def ruled(self) -> Panel:
        Console().rule()
        return Panel("")

    def point(self, at: Point, others: Optional[List[Point]] = None) -> str:  # noqa: UP006, UP045
        return f"{at!r} {others!r}"

    def dashboard(self, workflows: List[WorkflowStatus]) -> Panel:  # noqa: UP006
        panel = Panel("")
        with Live(panel, refresh_per_second=20) as live:
            for workflow in workflows:
                time.sleep(0.01)
                live.update(Panel(f"{workflow.name}: {workflow.progress}", title="Active"))
        return panel

    async def clock(self, times: int) -> AsyncIterator[str]:
        try:
            for number in range(times):
                yield f"tick {number}"
                await asyncio.sleep(0.005)
        finally:
            print("clock stopped", flush=True)

    def ticker(self) -> Iterator[Panel]:
        for number in range(3):
            yield Panel(str(number))
