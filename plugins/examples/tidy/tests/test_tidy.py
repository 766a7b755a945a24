"""tidy's parts, in memory, over real files."""

from pathlib import Path
from typing import Any

import pytest

from astros.errors import HandlerFailed
from astros.testing import AstrOSTestClient


async def run(kind: str, name: str, context: dict[str, Any]) -> dict[str, Any]:
    async with AstrOSTestClient() as client:
        await client.load_plugin(Path(__file__).parents[1])
        return await client.run_part(kind, name, "look", context)


async def test_agents_find_what_is_left_and_say_where(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\ny = 2  # TODO: more\n")
    (tmp_path / "b.md").write_text("x" * 121 + "\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/c.txt").write_text("TODO")
    context = {"inputs": {"folder": str(tmp_path)}}
    todos = await run("agent", "todos", context)
    assert todos["result"] == {"files": 2, "found": 1}
    assert todos["evidence"] == [f"{tmp_path}/a.py:2: y = 2  # TODO: more"]
    assert (await run("agent", "long-lines", context))["result"]["found"] == 1


async def test_a_folder_that_is_not_there_is_no_tidy_one(tmp_path: Path) -> None:
    for missing in (tmp_path / "typo", Path(__file__)):
        with pytest.raises(HandlerFailed, match=f"there is no folder `{missing}`"):
            await run("agent", "todos", {"inputs": {"folder": str(missing)}})


@pytest.mark.parametrize(("allowed", "success"), [(3, True), (2, False)])
async def test_the_verdict_is_by_what_is_allowed(allowed: int, success: bool) -> None:
    found = {"todos": {"files": 2, "found": 1}, "long-lines": {"files": 2, "found": 2}}
    context = {"inputs": {"allowed": allowed}, "results": {"looking": {"result": found}}}
    verdict = await run("phase", "verdict", context)
    assert verdict["success"] is success
    assert verdict["result"] == {"todos": 1, "long-lines": 2}
