"""Plugins that draw: `get_ui_components()` names functions that give back what `rich` can draw, or a tree.

class Greetings(UIPlugin):
    def get_ui_components(self) -> dict[str, Any]:
        return {"greeting": self.greeting}

    def greeting(self, name: str, times: int = 1) -> Panel:
        return Panel("\\n".join([f"Hello, {name}!"] * times))

The parameters are the component's props, converted as they are annotated. A generator, or an async one, is live: each
thing that it yields is drawn in the place of the one before.
"""

from __future__ import annotations

from ._base import ContextPlugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["UIPlugin", "WorkflowStatus"]


class WorkflowStatus:
    """How far a workflow is: its name, the progress in per cent, its state, and any further members."""

    def __init__(
        self, name: str, progress: float = 0.0, status: str = "running", workflow_id: str = "", **extra: Any
    ) -> None:
        self.name = name
        self.progress = progress
        self.status = status
        self.workflow_id = workflow_id
        self.__dict__.update(extra)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object."""
        return dict(vars(self))

    def __repr__(self) -> str:
        return f"WorkflowStatus({self.name!r}, {self.progress!r}, {self.status!r})"


class UIPlugin(ContextPlugin):
    """A plugin that draws components; it may be of other kinds too."""

    def get_ui_components(self) -> dict[str, Any]:
        """The components by name: functions, coroutine functions, generators or async generators."""
        return {}
