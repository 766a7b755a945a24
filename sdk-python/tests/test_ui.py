"""Components of a plugin, as trees and on a terminal."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from astros._props import bind, convert
from astros.errors import HandlerFailed, InvalidParams
from astros.plugin import plugin_handler
from astros.testing import AstrOSTestClient
from astros.types import Intent
from astros.ui import UIPlugin

from .conftest import Start
from .host import PLUGINS, PluginProcess
from .terminal import TerminalProcess

GALLERY = str(PLUGINS / "ui.py")
ROWS = [{"file": "a.py", "lines": 3}]


@pytest.fixture
def gallery(start: Start) -> PluginProcess:
    process = start("ui.py")
    process.initialize()
    return process


def draw(process: PluginProcess, component: str, width: int = 40, color: bool = False, **props: Any) -> Any:
    terminal = {"width": width, "color": color, "interactive": False}
    params = {"component": component, "props": props, "terminal": terminal, "meta": {}}
    return process.result(process.ask("ui/render", params))


def test_components_describe_their_props(start: Start) -> None:
    known = {one["name"]: one for one in start("ui.py").initialize()["plugin"]["ui_components"]}
    assert known["table"]["description"] == "Draw rows."
    assert known["table"]["props"] == {
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": {"type": "object"}},
            "title": {"type": "string", "default": "Data"},
        },
        "required": ["data"],
        "additionalProperties": False,
    }
    assert known["clock"]["live"] is True
    assert known["dashboard"]["props"]["properties"]["workflows"] == {"type": "array", "items": {"type": "object"}}
    assert known["panel"] == {"name": "panel"}
    assert [name for name, one in known.items() if one.get("terminal")] == ["dashboard"]


def test_what_rich_draws_becomes_a_tree(gallery: PluginProcess) -> None:
    assert draw(gallery, "table", data=ROWS) == {
        "type": "table",
        "title": "Data",
        "columns": ["File", "Lines"],
        "rows": [["a.py", "3"]],
    }
    assert draw(gallery, "panel") == {
        "type": "panel",
        "title": "A title",
        "content": {"type": "text", "text": "inside"},
    }
    assert [item["type"] for item in draw(gallery, "columns")["items"]] == ["text", "panel"]
    assert draw(gallery, "tree")["children"] == [{"label": "leaf", "children": [{"label": "below"}]}]
    assert draw(gallery, "markdown") == {"type": "markdown", "text": "# Title"}
    assert draw(gallery, "code") == {"type": "code", "text": "x = 1", "language": "python"}
    assert draw(gallery, "bar") == {"type": "progress", "label": "load", "done": 4, "total": 10}
    assert draw(gallery, "words", text="plain [1]") == {"type": "text", "text": "plain [1]"}


def test_what_the_tree_has_no_kind_for_is_drawn(gallery: PluginProcess) -> None:
    assert draw(gallery, "group") == {"type": "ansi", "text": "one\ntwo\n"}
    assert draw(gallery, "styled", color=True) == {"type": "ansi", "text": "\x1b[31mred\x1b[0m\n"}
    assert draw(gallery, "styled") == {"type": "ansi", "text": "red\n"}
    assert "\x1b[1m" in draw(gallery, "words", color=True, text="[bold]b[/bold]")["text"]


def test_what_the_tree_would_lose_is_drawn(gallery: PluginProcess) -> None:
    frames = draw(gallery, "frames", 40)
    assert frames["type"] == "ansi"
    assert frames["text"].count("╭") == 6
    assert "2 y = 2" in draw(gallery, "listing")["text"]
    grid = draw(gallery, "grid", 40)["content"]
    assert grid["type"] == "ansi"
    assert "|" not in grid["text"]
    assert max(map(len, grid["text"].splitlines())) <= 36, "it has room in its frame"


def test_props_are_made_into_what_is_annotated(gallery: PluginProcess) -> None:
    drawn = draw(gallery, "point", at={"x": 1, "y": 2}, others=[{"x": 3}])
    assert drawn["text"] == "Point(x=1, y=2.0) [Point(x=3, y=0.5)]"
    for props in ({}, {"at": 3}, {"at": {"z": 1}}, {"at": {"x": 1}, "more": 1}):
        error = gallery.error(gallery.ask("ui/render", {"component": "point", "props": props}))
        assert error["code"] == InvalidParams.default_code
        assert "`point`" in error["message"]
    assert [draw(gallery, "shade", of=of)["text"] for of in ("d", "DARK")] == ["DARK", "DARK"]
    error = gallery.error(gallery.ask("ui/render", {"component": "shade", "props": {"of": "x"}}))
    assert "expected one of `l`, `d`, found 'x'" in error["message"]
    assert gallery.error(gallery.ask("ui/render", {"component": "tabel"}))["data"]["hint"] == "did you mean `table`?"


def scores(points: dict[str, int], pairs: Sequence[tuple[int, Day]] = (), flags: Sequence[bool] = ()) -> None: ...


@dataclass
class Day:
    hours: dict[str, float]

    @staticmethod
    def from_dict(members: dict[str, Any]) -> Day:
        return Day(convert(members["hours"], dict[str, float]))


@pytest.mark.parametrize(
    ("props", "why"),
    [
        ({"points": {"Ada": "x"}}, "`points` of `scores` does not fit: `/Ada`: expected integer, found string"),
        ({"points": [1]}, "`points` of `scores` does not fit: expected object, found array"),
        (
            {"points": {}, "flags": [True, 1.5]},
            "does not fit: `/1`: expected boolean, found number",
        ),
        ({"points": {}, "flags": {}}, "`flags` of `scores` does not fit: expected array, found object"),
        ({"points": {}, "pairs": [[1]]}, "`pairs` of `scores` does not fit: `/0`: expected 2 items, found 1"),
        ({"points": {}, "pairs": [[1, {}]]}, "`pairs` of `scores` does not fit: `/0/1`: `hours` is missing"),
        ({"points": {}, "pairs": [[1, {"hours": {"a": "b"}}]]}, "`/0/1/a`: expected number, found string"),
    ],
)
def test_a_prop_that_does_not_fit_is_told_by_place_in_the_protocols_words(props: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        bind(scores, props, "scores")
    assert caught.value.message.endswith(why)


def test_one_that_draws_itself_is_captured_and_not_drawn_twice(gallery: PluginProcess) -> None:
    assert draw(gallery, "own", say="by myself") == {"type": "ansi", "text": "by myself\n"}
    for width in (40, 33):
        assert draw(gallery, "ruled", width) == {"type": "ansi", "text": "─" * width + "\n"}
    drawn = draw(gallery, "dashboard", workflows=[{"name": "build", "progress": 30}, {"name": "test"}])
    assert drawn["type"] == "ansi"
    assert "test: 0.0" in drawn["text"]
    gallery.close_input()
    gallery.ends()
    assert gallery.errors() == ""


@pytest.mark.parametrize(("component", "props"), [("clock", {"times": 3}), ("ticker", {})])
def test_a_live_one_streams_trees(gallery: PluginProcess, component: str, props: dict[str, Any]) -> None:
    params = {"component": component, "props": props, "meta": {"progress": True}}
    asked = gallery.ask("ui/render", params)
    steps = [gallery.next(method="$/progress")["params"]["value"]["data"] for _ in range(3)]
    assert gallery.result(asked) == steps[-1]
    assert len({str(step) for step in steps}) == 3


def test_a_live_one_is_drawn_once_where_nobody_listens_and_stops_when_cancelled(gallery: PluginProcess) -> None:
    assert draw(gallery, "clock", times=1_000_000) == {"type": "text", "text": "tick 0"}
    asked = gallery.ask("ui/render", {"component": "clock", "props": {"times": 10**6}, "meta": {"progress": True}})
    gallery.next(method="$/progress")
    gallery.tell("$/cancel", {"id": asked})
    assert gallery.error(asked)["data"]["kind"] == "cancelled"
    gallery.close_input()
    gallery.ends()
    assert gallery.errors().count("clock stopped") == 2


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ("Widget", "the component `odd` is the class `Widget`, expected a function or method, which"),
        ("Widget()", "the component `odd` is a `Widget`, expected a function or method, which"),
    ],
)
async def test_what_is_no_component_is_told_by_name(component: str, message: str) -> None:
    class Odd(UIPlugin):
        def get_ui_components(self) -> dict[str, Any]:
            return {"odd": eval(component, {"Widget": type("Widget", (), {})})}

    async with AstrOSTestClient() as client:
        with pytest.raises(HandlerFailed, match=re.escape(message)):
            await client.load_plugin(Odd)


async def test_a_component_that_gives_nothing_to_draw_is_told_by_name() -> None:
    class Odd(UIPlugin):
        def get_ui_components(self) -> dict[str, Any]:
            return {"nothing": lambda: None, "thing": lambda: object(), "later": self.later, "quiet": self.quiet}

        async def later(self) -> Any:
            return None

        def quiet(self) -> None: ...

    async with AstrOSTestClient() as client:
        await client.load_plugin(Odd)
        for name in ("nothing", "later"):
            with pytest.raises(HandlerFailed, match=f"`{name}` gave back None and drew nothing"):
                await client.render(name)
        with pytest.raises(HandlerFailed, match="`thing` gave back a `object`, expected words"):
            await client.render("thing")
        assert await client.render("quiet") == {"type": "text", "text": ""}


@pytest.fixture
def screen() -> Iterator[TerminalProcess]:
    process = TerminalProcess("ui.py", width=60)
    process.initialize()
    yield process
    process.destroy()


def test_on_a_terminal_it_draws_itself_there(screen: TerminalProcess) -> None:
    props = {"workflows": [{"name": "build", "progress": 30}]}
    answer = screen.answer(screen.ask("ui/render", {"component": "dashboard", "props": props}))
    assert answer["result"] == {"type": "text", "text": ""}
    screen.see("build: 30")
    answer = screen.answer(screen.ask("ui/render", {"component": "panel"}))
    assert answer["result"]["type"] == "panel"


def test_ctrl_c_ends_one_that_draws_itself(screen: TerminalProcess) -> None:
    props = {"workflows": [{"name": f"w{number}"} for number in range(10_000)]}
    asked = screen.ask("ui/render", {"component": "dashboard", "props": props})
    screen.see("Active")
    screen.signal(signal.SIGINT)
    assert screen.answer(asked)["result"] == {"type": "text", "text": ""}


class Painter(UIPlugin):
    def get_ui_components(self) -> dict[str, Any]:
        return {"frame": self.frame}

    async def frame(self) -> dict[str, Any]:
        return dict(await self.render("gallery", "ruled"))

    @plugin_handler("paint")
    async def paint(self, intent: Intent) -> dict[str, Any]:
        return dict(await self.render("gallery", "table", {"data": ROWS}))


async def test_one_plugin_draws_anothers_component() -> None:
    async with AstrOSTestClient() as client:
        await client.load_plugin(GALLERY)
        await client.load_plugin(Painter)
        assert (await client.call("paint", check=True)).data["columns"] == ["File", "Lines"]
        assert (await client.render("frame", width=33))["text"] == "─" * 33 + "\n"
        seen: list[Any] = []
        await client.render("ticker", on_progress=seen.append)
        assert [tree["content"]["text"] for tree in seen] == ["0", "1", "2"]


def test_the_reserved_handler_draws_too(gallery: PluginProcess) -> None:
    asked = {"component": "markdown", "props": {}, "terminal": {"width": 80}}
    assert gallery.result(gallery.call("$render", asked))["data"] == {"type": "markdown", "text": "# Title"}
