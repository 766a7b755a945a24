"""What `@plugin_handler` writes on a function, and how a plugin's handlers are found."""

from __future__ import annotations

import contextvars
import inspect

from .errors import LoadError
from .types import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor
    from typing import Any

    from .types import Intent

MARK = "_astros_handler"
EFFECTS = ("none", "read", "write", "destructive")


class Spec:
    """What the decorator was told."""

    __slots__ = ("description", "effects", "examples", "idempotent", "name", "parameters", "priority", "timeout_ms")

    def __init__(
        self,
        name: str,
        priority: int,
        examples: Sequence[str],
        parameters: dict[str, Any] | None,
        effects: str | None,
        idempotent: bool | None,
        timeout_ms: int | None,
        description: str | None,
    ) -> None:
        self.name = name
        self.priority = priority
        self.examples = [examples] if isinstance(examples, str) else list(examples)
        self.parameters = parameters
        self.effects = effects
        self.idempotent = idempotent
        self.timeout_ms = timeout_ms
        self.description = description


class Handler:
    """A spec and the bound function that does it."""

    __slots__ = ("_blocking", "function", "spec")

    def __init__(self, spec: Spec, function: Callable[..., Any]) -> None:
        self.spec = spec
        self.function = function
        self._blocking = not inspect.iscoroutinefunction(function)

    async def run(self, intent: Intent, threads: Callable[[], Executor]) -> Response:
        """Call it: a coroutine on the loop, anything else on a thread, so that it does not stall the others."""
        if self._blocking:
            answer = await attend(self.function, intent, threads)
        else:
            answer = await self.function(intent)
        return answer if type(answer) is Response else as_response(answer, self.spec.name)

    def describe(self) -> dict[str, Any]:
        """The handler's part of the PluginDescription; what was not said is left out."""
        spec = self.spec
        said: dict[str, Any] = {
            "name": spec.name,
            "description": spec.description or first_paragraph(self.function.__doc__),
            "priority": spec.priority,
            "examples": spec.examples,
            "parameters": spec.parameters,
            "effects": spec.effects,
            "idempotent": spec.idempotent,
            "timeout_ms": spec.timeout_ms,
        }
        return {name: value for name, value in said.items() if value not in (None, [], "")}


def as_handler(name: str, function: Callable[..., Any]) -> Handler:
    """A handler that nobody marked."""
    return Handler(Spec(name, 0, (), None, None, None, None, None), function)


async def attend(function: Callable[..., Any], argument: Any, threads: Callable[[], Executor]) -> Any:
    """Call an author's function: a coroutine on the loop, anything else on a thread."""
    if inspect.iscoroutinefunction(function):
        return await function(argument)

    def call() -> Any:
        try:
            return function(argument)
        except StopIteration as error:  # a future cannot carry it: nobody would ever be answered
            raise RuntimeError(f"the handler raised StopIteration({error})") from error

    import asyncio

    answer = await asyncio.get_running_loop().run_in_executor(threads(), contextvars.copy_context().run, call)
    return await answer if hasattr(answer, "__await__") else answer  # a plain wrapper around a coroutine function


def as_response(answer: Any, handler: str) -> Response:
    """What a handler gave back, as a Response: None declines, a string is the message, a dict members or data."""
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return Response(success=False, declined=True)
    if isinstance(answer, str):
        return Response(message=answer)
    if isinstance(answer, dict):
        if answer.keys() & {"success", "message", "data", "declined"}:
            return Response.from_dict(answer)
        return Response(data=answer)
    raise TypeError(
        f"the handler `{handler}` returned `{type(answer).__name__}`, expected a Response, dict, str or None"
    )


def find_handlers(plugin: object) -> dict[str, Handler]:
    """A plugin's handlers by name; a method that overrides a marked one stays that handler."""
    specs: dict[str, Spec] = {}
    for cls in reversed(type(plugin).__mro__):
        for attribute, value in vars(cls).items():
            function = getattr(value, "__func__", value)  # within a staticmethod or classmethod
            spec = getattr(function, "__dict__", {}).get(MARK)
            if isinstance(spec, Spec):
                specs[attribute] = spec
    handlers: dict[str, Handler] = {}
    for attribute, spec in specs.items():
        if spec.name in handlers:
            other = handlers[spec.name].function.__name__
            raise LoadError(f"two methods are the handler `{spec.name}`: `{other}` and `{attribute}`; rename one")
        handlers[spec.name] = Handler(spec, getattr(plugin, attribute))
    return handlers


def first_paragraph(doc: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((doc or "").strip().split("\n\n")[0].split())
