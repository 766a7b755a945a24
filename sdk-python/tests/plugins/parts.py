"""Parts of workflows: in the guide's manner, plain ones, and ones that fail."""

from __future__ import annotations

import asyncio
from typing import Any

from app.cli.plugins.framework import WorkflowPlugin  # type: ignore[import-not-found]

from astros.workflow import progress


class Reader:
    """Reads things."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.name = config.get("name", "someone")
        self.depth = config.get("depth", 1)

    async def execute(self, task: Any, context: dict[str, Any]) -> dict[str, Any]:
        await progress(1, 2, "reading")
        return {"agent": self.name, "task": task, "result": self.depth, "evidence": [{"read": context.get("what")}]}


class Blocking:
    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def execute(self, task: Any, context: dict[str, Any]) -> str:
        if task == "break":
            raise OSError("no such thing")
        return asyncio.run(self._inside(task))

    async def _inside(self, task: Any) -> str:
        return f"did {task}"


class Review:
    def __init__(self, phase_id: str, config: dict[str, Any]) -> None:
        self.phase_id = phase_id
        self.config = config

    async def execute(self, context: dict[str, Any]) -> dict[str, Any]:
        agents = [Reader({"name": name}) for name in context.get("agents", ["a", "b"])]
        results = await asyncio.gather(*[agent.execute(context["task"], context) for agent in agents])
        if context.get("spoil"):
            results[0]["success"] = False
        return {
            "phase": self.phase_id,
            "results": results,
            "success": all(one.get("success", False) for one in results),
        }


class Chooser:
    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    async def next(self, context: dict[str, Any]) -> Any:
        review = {"kind": "phase", "name": "review"}
        return {"first": "reader", "pair": ("phase", "review"), "many": ["reader", review]}.get(context["task"])


class Kit(WorkflowPlugin):  # type: ignore[misc]
    name = "kit"

    def get_workflow_components(self) -> dict[str, Any]:
        return {
            "phases": {"review": Review},
            "agents": {"reader": Reader, "blocking": Blocking},
            "orchestrators": {"chooser": Chooser},
        }
