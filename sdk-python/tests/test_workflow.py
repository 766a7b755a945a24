"""Parts of workflows through the wire."""

from __future__ import annotations

import re
from typing import Any

import pytest

from astros.errors import HandlerFailed
from astros.testing import AstrOSTestClient
from astros.workflow import WorkflowPlugin

from .conftest import Start
from .host import PLUGINS, PluginProcess


@pytest.fixture
def kit(start: Start) -> PluginProcess:
    process = start("parts.py")
    process.initialize(settings={"depth": 4})
    return process


def run(process: PluginProcess, kind: str, name: str, task: Any, *, progress: bool = False, **context: Any) -> Any:
    params = {"kind": kind, "name": name, "task": task, "context": context, "meta": {"progress": progress}}
    return process.ask("workflow/run", params)


def test_parts_are_described(start: Start) -> None:
    assert start("parts.py").initialize()["plugin"]["workflow_parts"] == [
        {"kind": "phase", "name": "review", "description": ""},
        {"kind": "agent", "name": "reader", "description": "Reads things."},
        {"kind": "agent", "name": "blocking", "description": ""},
        {"kind": "orchestrator", "name": "chooser", "description": ""},
    ]


def test_an_agent_that_says_nothing_of_success_has_it(kit: PluginProcess) -> None:
    asked = run(kit, "agent", "reader", "look", what="a book", progress=True)
    assert kit.next(method="$/progress")["params"]["value"] == {"done": 1, "total": 2, "message": "reading"}
    assert kit.result(asked) == {
        "agent": "reader",
        "task": "look",
        "success": True,
        "result": 4,
        "evidence": [{"read": "a book"}],
    }
    assert kit.result(run(kit, "agent", "blocking", "it")) == {"success": True, "result": "did it", "evidence": []}


def test_a_phase_has_the_success_and_the_evidence_of_its_agents(kit: PluginProcess) -> None:
    found = kit.result(run(kit, "phase", "review", "look", what="x"))
    assert (found["success"], found["phase"], len(found["result"])) == (True, "review", 2)
    assert found["evidence"] == [{"read": "x"}, {"read": "x"}]
    assert kit.result(run(kit, "phase", "review", "look", spoil=True))["success"] is False
    assert kit.result(run(kit, "phase", "review", "look", agents=[]))["success"] is True


@pytest.mark.parametrize(
    ("task", "steps"),
    [
        ("first", [{"kind": "agent", "name": "reader"}]),
        ("pair", [{"kind": "phase", "name": "review"}]),
        ("many", [{"kind": "agent", "name": "reader"}, {"kind": "phase", "name": "review"}]),
        ("nothing", []),
    ],
)
def test_an_orchestrator_says_what_is_next(kit: PluginProcess, task: str, steps: list[Any]) -> None:
    found = kit.result(run(kit, "orchestrator", "chooser", task))
    assert (found["success"], found["next"]) == (True, steps)


def test_what_fails_is_an_error_and_the_plugin_lives_on(kit: PluginProcess) -> None:
    error = kit.error(run(kit, "agent", "blocking", "break"))
    assert error["message"] == "OSError: no such thing"
    assert 'raise OSError("no such thing")' in error["data"]["detail"], "for reports with traces"
    assert kit.error(run(kit, "agent", "raeder", ""))["data"]["hint"] == "did you mean `reader`?"
    assert kit.error(run(kit, "captain", "reader", ""))["data"]["kind"] == "invalid_params"
    assert kit.result(run(kit, "agent", "blocking", "it"))["success"] is True


async def test_parts_run_in_a_test_client() -> None:
    async with AstrOSTestClient() as client:
        await client.load_plugin(str(PLUGINS / "parts.py"), settings={"depth": 2})
        assert (await client.run_part("agent", "reader", "look"))["result"] == 2


class Idle:
    """No part of any kind."""


@pytest.mark.parametrize(
    ("components", "message"),
    [
        ({"phase": {"a": Idle}}, "`get_workflow_components` has `phase`: did you mean `phases`?"),
        ({"agents": [Idle]}, "`get_workflow_components` gave back {'agents': "),
        (
            {"agents": {"a": Idle}},
            "the agent `a`: `Idle` has no `execute`, expected a class with `execute(task",
        ),
        ({"phases": {"a": Idle()}}, "the phase `a` is a `Idle`, expected a class with `execute(context)`"),
        (
            {"orchestrators": {"a": print}},
            "the orchestrator `a` is a `builtin_function_or_method`, expected",
        ),
    ],
)
async def test_what_is_no_part_is_told_by_name(components: dict[str, Any], message: str) -> None:
    class Odd(WorkflowPlugin):
        def get_workflow_components(self) -> dict[str, Any]:
            return components

    async with AstrOSTestClient() as client:
        with pytest.raises(HandlerFailed, match=re.escape(message)):
            await client.load_plugin(Odd)
