"""Serving `workflow/run`: phases, agents and orchestrators of a plugin, made anew for each piece of work."""

from __future__ import annotations

from functools import partial

from . import _ask_provider as ask
from ._handlers import first_paragraph
from ._hints import nearest
from ._stack import naming
from .errors import HandlerFailed, HandlerNotFound, InvalidParams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._peer import Request
    from ._server import Server

GROUPS = {"phase": "phases", "agent": "agents", "orchestrator": "orchestrators"}
CALLS = {"phase": "execute(context)", "agent": "execute(task, context)", "orchestrator": "next(context)"}
KNOWN = ("success", "result", "evidence", "next")


class Parts:
    """The parts of workflows of a plugin with `get_workflow_components`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.methods: dict[str, Callable[[Request], Any]] = {"workflow/run": self._run}

    def describe(self) -> dict[str, Any]:
        """Its part of the PluginDescription."""
        components = self._components()
        for kind, group in GROUPS.items():
            for name, cls in components.get(group, {}).items():
                _must_be(kind, name, cls)
        return {
            "workflow_parts": [
                {"kind": kind, "name": name, "description": first_paragraph(vars(cls).get("__doc__"))}
                for kind, group in GROUPS.items()
                for name, cls in components.get(group, {}).items()
            ]
        }

    def _components(self) -> dict[str, dict[str, Any]]:
        hook = "get_workflow_components"
        with naming(hook):
            found: dict[str, dict[str, Any]] = self._server.plugin.get_workflow_components()  # type: ignore[attr-defined]
        known = sorted(GROUPS.values())
        if not isinstance(found, dict) or not all(isinstance(group, dict) for group in found.values()):
            raise HandlerFailed(f"`{hook}` gave back {found!r:.100}, expected {{'agents': {{NAME: CLASS}}}}")
        if unknown := [group for group in found if group not in known]:
            raise HandlerFailed(f"`{hook}` has `{unknown[0]}`: {nearest(str(unknown[0]), known)}")
        return found

    async def _run(self, request: Request) -> dict[str, Any]:
        params = request.params
        kind, name = params.get("kind"), params.get("name")
        context = params.get("context") or {}
        if kind not in GROUPS or not isinstance(name, str) or not isinstance(context, dict):
            raise InvalidParams("`workflow/run` needs a `kind` (phase, agent, orchestrator), a `name`, a `context`")
        known = self._components().get(GROUPS[kind], {})
        if name not in known:
            raise HandlerNotFound(f"there is no {kind} `{name}`", hint=nearest(name, sorted(known)))
        task = params.get("task")
        given = await self._work(kind, name, known[name], task, {**context, "task": task})
        return result(kind, given)

    async def _work(self, kind: str, name: str, cls: Any, task: Any, context: dict[str, Any]) -> Any:
        settings = getattr(self._server.plugin, "config", None) or self._server.plugin._astros_settings
        config = {**settings, "name": name}
        threads = self._server.threads
        if kind == "phase":
            return await ask.outcome(partial(cls(name, config).execute, context), threads)
        part = cls(config)
        if kind == "orchestrator":
            return await ask.outcome(partial(part.next, context), threads)
        return await ask.outcome(partial(part.execute, task, context), threads)


def _must_be(kind: str, name: str, cls: Any) -> None:
    """Raises HandlerFailed where that is no class of a part of this kind."""
    expected = f"expected a class with `{CALLS[kind]}`"
    method = CALLS[kind].partition("(")[0]
    if not isinstance(cls, type):
        raise HandlerFailed(f"the {kind} `{name}` is a `{type(cls).__name__}`, {expected}")
    if not callable(getattr(cls, method, None)):
        raise HandlerFailed(f"the {kind} `{name}`: `{cls.__name__}` has no `{method}`, {expected}")


def result(kind: str, given: Any) -> dict[str, Any]:
    """The WorkflowResult of whatever a part gave back; no exception is a success, unless it says otherwise."""
    if kind == "orchestrator":
        said = given if isinstance(given, dict) and "next" in given else {"next": given}
        steps = said.get("next") or []
        steps = steps if isinstance(steps, (list, tuple)) and not _is_pair(steps) else [steps]
        return {"result": None, **said, "success": said.get("success", True) is True, "next": [_step(s) for s in steps]}
    if not isinstance(given, dict):
        return {"success": True, "result": given, "evidence": []}
    inner = [one for one in given.get("results") or () if isinstance(one, dict)]
    success = given.get("success", True) is True
    if not success and any("success" not in one for one in inner):
        # It asked its agents for a success of which they do not speak.
        success = all(one.get("success", True) is True for one in inner)
    outcome = given.get("result", given.get("results"))
    if "result" not in given and "results" not in given:
        outcome = {name: value for name, value in given.items() if name not in KNOWN}
    evidence = given.get("evidence")
    if evidence is None:
        evidence = [piece for one in inner for piece in one.get("evidence") or ()]
    more = {name: value for name, value in given.items() if name not in (*KNOWN, "results")}
    listed = list(evidence) if isinstance(evidence, (list, tuple)) else [evidence]
    return {**more, "success": success, "result": outcome, "evidence": listed}


def _is_pair(steps: Any) -> bool:
    return isinstance(steps, tuple) and len(steps) == 2 and steps[0] in GROUPS


def _step(step: Any) -> dict[str, Any]:
    """What to run next: a name is an agent's, a pair is kind and name, a dict says more."""
    if isinstance(step, str):
        return {"kind": "agent", "name": step}
    if _is_pair(step):
        return {"kind": step[0], "name": step[1]}
    if isinstance(step, dict) and "name" in step:
        return {"kind": "agent", **step}
    raise TypeError(f"a step that is next is a name, (kind, name) or a dict with `name`, found {step!r:.100}")
