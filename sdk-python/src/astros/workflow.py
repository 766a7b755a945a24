"""Plugins that bring parts of workflows: phases, agents and orchestrators, as classes.

class Reviewer:
    def __init__(self, config: dict[str, Any]) -> None:
        self.name = config["name"]

    async def execute(self, task: Any, context: dict[str, Any]) -> dict[str, Any]:
        return {"result": f"{task} is fine", "evidence": ["read it"]}

A phase is made with `(phase_id, config)` and has `execute(context)`, where `context["task"]` is the task; an
orchestrator is made with `(config)` and has `next(context)`, which gives back what is to run now, or nothing at the
end. What is no exception is a success, unless `success` says otherwise.
"""

from __future__ import annotations

from ._base import ContextPlugin
from ._context import report
from .types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._progress import Step

__all__ = ["WorkflowPlugin", "progress"]


class WorkflowPlugin(ContextPlugin):
    """A plugin that brings parts of workflows; it may be of other kinds too."""

    def get_workflow_components(self) -> dict[str, Any]:
        """The classes by name, in `phases`, `agents` and `orchestrators`."""
        return {}


def progress(
    done: float | None = None, total: float | None = None, message: str | None = None, data: Any = None
) -> Step:
    """Report how far the part is, from within it; as `BasePlugin.progress`, for who has no plugin at hand."""
    return report(Progress(done, total, message, data))
