"""The plugins that the book shows for the other kinds do what it says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from astros.plugin import BasePlugin, plugin_handler
from astros.testing import AstrOSTestClient
from astros.types import Intent

PAGE = Path(__file__).parents[2] / "docs" / "src" / "python-kinds.md"


@pytest.fixture
def shown(tmp_path: Path) -> list[Path]:
    """Each plugin of the page in a folder of its own, in their order."""
    blocks = [part.partition("```")[0] for part in PAGE.read_text("utf-8").split("\n```python\n")[1:]]
    folders = []
    for index, block in enumerate(block for block in blocks if "Plugin):" in block):
        folder = tmp_path / f"shown_{index}"
        folder.mkdir()
        (folder / "plugin.py").write_text(block)
        folders.append(folder)
    return folders


async def test_the_workflow_pages_plugin_has_the_parts_of_the_pages_file(tmp_path: Path) -> None:
    page = (PAGE.parent / "workflows.md").read_text("utf-8")
    (tmp_path / "plugin.py").write_text(page.split("```python\n")[1].split("```")[0])
    short, long = tmp_path / "short.txt", tmp_path / "long.txt"
    short.write_text("one\nthree\n")
    long.write_text("x" * 121)
    async with AstrOSTestClient() as client:
        await client.load_plugin(tmp_path)

        async def read(path: Path) -> Any:
            return (await client.run_part("agent", "read", "look", {"inputs": {"path": str(path)}}))["result"]

        assert await read(short) == {"path": str(short), "longest": 5}
        for found, success in (({"first": await read(short)}, True), ({"last": await read(long)}, False)):
            context = {"results": {"reading": {"result": found}}}
            assert (await client.run_part("phase", "judge", "look", context))["success"] is success
        lead: dict[str, Any] = {"inputs": {"paths": ["a", "b"]}, "steps": [{"name": "read", "success": True}]}
        wanted = {"kind": "agent", "name": "read", "context": {"inputs": {"path": "b"}}}
        assert (await client.run_part("orchestrator", "lead", "look", lead))["next"] == [wanted]
        lead["steps"] = [*lead["steps"], {"name": "read", "success": True}]
        assert (await client.run_part("orchestrator", "lead", "look", lead))["next"] == []


class Asker(BasePlugin):
    @plugin_handler("ask")
    async def ask(self, intent: Intent) -> dict[str, Any]:
        parts = [part async for part in self.ai.stream("one two")]
        return {"parts": parts, "whole": (await self.ai.complete("one two"))["content"]}


async def test_the_books_plugins_do_what_it_says(shown: list[Path], tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("to be or not to be")
    async with AstrOSTestClient() as client:
        for folder in shown:
            await client.load_plugin(f"{folder}/plugin.py")
        assert list(client._host.plugins) == ["words", "echo", "charts", "reviews", "visits"]
        assert await client.run_command("count-words", str(text)) == (0, "6\n")
        assert await client.run_command("count-words", str(text), "-u") == (0, "4\n")
        assert (await client.run_command("forget-words")).exit_code == 0
        table = await client.render("scores", {"points": {"Ada": 3}})
        assert (table["title"], table["rows"]) == ("Scores", [["Ada", "3"]])
        seen: list[Any] = []
        began = time.monotonic()
        await client.render("countdown", {"seconds": 2}, on_progress=seen.append)
        assert [tree["text"] for tree in seen] == ["2 …", "1 …"]
        assert time.monotonic() - began >= 2, "it counts seconds"
        reviewed = await client.run_part("agent", "reviewer", "it")
        assert (reviewed["success"], reviewed["evidence"]) == (True, ["reviewer read it"])
        assert (await client.run_part("orchestrator", "decider"))["next"] == [{"kind": "agent", "name": "reviewer"}]
        assert [(await client.call("visit", {"city": "Oslo"})).message for _ in range(2)] == ["Oslo: 1", "Oslo: 2"]
        await client.load_plugin(Asker)
        assert (await client.call("ask", check=True)).data == {"parts": ["one ", "two "], "whole": "one two"}
