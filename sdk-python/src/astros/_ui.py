"""Serving `ui/render`: a component is called, and what it gives back becomes the protocol's tree."""

from __future__ import annotations

import asyncio
import inspect

from . import _props, _uitree
from ._ask_provider import parts
from ._capture import capture, columns
from ._context import report
from ._desk import Ended
from ._handlers import first_paragraph
from ._hints import nearest
from ._stack import naming
from .errors import HandlerFailed, HandlerNotFound, InvalidParams
from .types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._peer import Request
    from ._server import Server

NOTHING: dict[str, Any] = {"type": "text", "text": ""}


class Components:
    """The components of a plugin with `get_ui_components`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.methods: dict[str, Callable[[Request], Any]] = {"ui/render": self._render}

    def describe(self) -> dict[str, Any]:
        """Its part of the PluginDescription."""
        functions = self._functions()
        for name, one in functions.items():
            if not callable(one) or (isinstance(one, type) and not _is_drawn(one)):
                found = f"the class `{one.__name__}`" if isinstance(one, type) else f"a `{type(one).__name__}`"
                expected = "expected a function or method, which gives back what is drawn"
                raise HandlerFailed(f"the component `{name}` is {found}, {expected}")
        return {"ui_components": [_describe(name, function) for name, function in functions.items()]}

    def _functions(self) -> dict[str, Callable[..., Any]]:
        with naming("get_ui_components"):
            found: dict[str, Callable[..., Any]] = self._server.plugin.get_ui_components()  # type: ignore[attr-defined]
        if not isinstance(found, dict):
            raise HandlerFailed(f"`get_ui_components` gave back `{type(found).__name__}`, expected a dict of functions")
        return found

    async def _render(self, request: Request) -> dict[str, Any]:
        params = request.params
        return await self.render(params.get("component"), params.get("props"), params.get("terminal"), request)

    async def render(self, name: Any, props: Any, terminal: Any, request: Request) -> dict[str, Any]:
        """The tree of a component; each step of a live one is reported, and the last one is the answer."""
        known = self._functions()
        function = known.get(name)
        if function is None:
            raise HandlerNotFound(f"there is no component `{name}`", hint=nearest(str(name), sorted(known)))
        if not isinstance(props or {}, dict):
            raise InvalidParams("`props` is an object")
        arguments = _props.bind(function, props or {}, name)
        terminal = terminal if isinstance(terminal, dict) else {}
        if _is_live(function):
            return await self._live(lambda: function(**arguments), terminal, request.meta.get("progress") is True)
        if inspect.iscoroutinefunction(function):
            return _uitree.tree(_something(name, await function(**arguments)), terminal)
        try:
            tree: dict[str, Any] = await self._server.desk.do(lambda: self._drawn(name, function, arguments, terminal))
            return tree
        except Ended:
            return NOTHING

    async def _live(self, call: Callable[[], Any], terminal: dict[str, Any], heard: bool) -> dict[str, Any]:
        tree = NOTHING
        stream = parts(call, self._server.threads)
        try:
            async for thing in stream:
                tree = await asyncio.to_thread(_uitree.tree, thing, terminal)
                if not heard:
                    break  # printed once
                await report(Progress(data=tree))
        finally:
            await stream.aclose()  # type: ignore[attr-defined]
        return tree

    def _drawn(
        self, name: str, function: Callable[..., Any], arguments: dict[str, Any], terminal: dict[str, Any]
    ) -> Any:
        """What the function gives back, after what it drew itself; on a terminal that is drawn already."""
        try:
            if self._server.desk.on_terminal:
                itself, thing = None, function(**arguments)
            else:
                with capture() as itself, columns.set(_uitree.width(terminal)):
                    thing = function(**arguments)
        except KeyboardInterrupt:
            return NOTHING
        drew = itself.getvalue() if itself is not None else ""
        if itself is not None and not drew and not _draws_itself(function):
            _something(name, thing)
        if (drew or itself is None) and _uitree.is_empty(thing):
            return {"type": "ansi", "text": drew} if drew else NOTHING
        if drew:
            return {"type": "ansi", "text": drew + _uitree.drawn(thing, terminal)}
        return _uitree.tree(thing, terminal)


def _something(name: str, thing: Any) -> Any:
    """What a component gave back; raises HandlerFailed where that is nothing, or what nobody can draw."""
    cls = type(thing)
    if thing is None:
        raise HandlerFailed(f"the component `{name}` gave back None and drew nothing; `return` what is to be drawn")
    if not _is_drawn(cls):
        expected = "expected words, what `rich` draws, or a tree"
        raise HandlerFailed(f"the component `{name}` gave back a `{cls.__name__}`, {expected}")
    return thing


def _is_drawn(cls: type) -> bool:
    """Whether objects of the class are more than their address to who looks at them."""
    own = any(vars(one).keys() & {"__str__", "__repr__"} for one in cls.__mro__[:-1])
    return own or any(hasattr(cls, name) for name in ("__rich__", "__rich_console__"))


def _is_live(function: Callable[..., Any]) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _draws_itself(function: Callable[..., Any]) -> bool:
    """A plain function that uses rich's Live, or says that it gives nothing back: all that it shows it draws."""
    if _is_live(function) or inspect.iscoroutinefunction(function):
        return False
    code = getattr(inspect.unwrap(function), "__code__", None)
    gives_nothing = inspect.signature(function).return_annotation in (None, "None")
    return gives_nothing or (code is not None and "Live" in code.co_names)


def _describe(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    said = {
        "name": name,
        "description": first_paragraph(function.__doc__),
        "props": _props.schema(function),
        "live": _is_live(function),
        "terminal": _draws_itself(function),
    }
    return {key: value for key, value in said.items() if value}
