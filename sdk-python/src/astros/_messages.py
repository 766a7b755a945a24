"""Messages of the bus: what `@subscribe` writes on a method, and who hears what."""

from __future__ import annotations

import inspect

from ._handlers import attend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from typing import Any

MARK = "_astros_subjects"
# Handlers that no description lists: of direct messages, and of components.
MESSAGE = "$message"
RENDER = "$render"


class Listener:
    """A method that hears what is published on its subjects."""

    __slots__ = ("function", "subjects")

    def __init__(self, subjects: list[str], function: Callable[..., Any]) -> None:
        self.subjects = subjects
        self.function = function

    def hears(self, subject: str) -> bool:
        return any(matches(one, subject) for one in self.subjects)

    async def hear(self, message: dict[str, Any], threads: Callable[[], Executor]) -> None:
        """Call it: a coroutine on the loop, anything else on a thread, as handlers are."""
        await attend(self.function, message, threads)


def find_listeners(plugin: object) -> list[Listener]:
    """A plugin's listeners; a method that overrides a marked one stays one."""
    marked: dict[str, list[str]] = {}
    for cls in reversed(type(plugin).__mro__):
        for attribute, value in vars(cls).items():
            if inspect.isfunction(value) and MARK in value.__dict__:
                marked[attribute] = value.__dict__[MARK]
    return [Listener(subjects, getattr(plugin, attribute)) for attribute, subjects in marked.items()]


def matches(pattern: str, subject: str) -> bool:
    """Whether a subscription takes a subject in: `*` stands for one token, `>` for one or more at the end."""
    wanted, tokens = pattern.split("."), subject.split(".")
    if wanted[-1] == ">" and len(tokens) >= len(wanted):
        wanted, tokens = wanted[:-1], tokens[: len(wanted) - 1]
    return len(wanted) == len(tokens) and all(w in ("*", token) for w, token in zip(wanted, tokens, strict=True))
