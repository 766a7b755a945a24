"""Props of a component: JSON values made into what the annotations of its parameters say, and their JSON Schema."""

from __future__ import annotations

import inspect
import sys
import typing

from .errors import InvalidParams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object", list: "array"}
MISFIT = (TypeError, ValueError, KeyError)


class Misfit(ValueError):
    """A value within another one that does not fit; `where` is its JSON pointer."""

    def __init__(self, name: object, error: Exception) -> None:
        inner = error if isinstance(error, Misfit) else None
        self.where: str = f"/{name}{inner.where if inner else ''}"
        self.why: str = inner.why if inner else _why(error)
        super().__init__(f"`{self.where}`: {self.why}")


def hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function; those that cannot be evaluated are left out."""
    function = getattr(function, "__func__", function)
    try:
        return typing.get_type_hints(function)
    except Exception:  # a name that is imported for type checkers only
        known = getattr(function, "__annotations__", {})
        return {name: kind for name, kind in known.items() if not isinstance(kind, str)}


def bind(function: Callable[..., Any], props: dict[str, Any], name: str) -> dict[str, Any]:
    """The arguments for a function; raises InvalidParams where props are missing, unknown or of another type."""
    known = hints(function)
    try:
        inspect.signature(function).bind(**props)
    except TypeError as error:
        raise InvalidParams(f"the props of `{name}` do not fit: {error}") from None
    made = {}
    for prop, value in props.items():
        try:
            made[prop] = convert(value, known.get(prop))
        except MISFIT as error:
            raise InvalidParams(f"the prop `{prop}` of `{name}` does not fit: {_why(error)}") from None
    return made


def convert(value: Any, kind: Any) -> Any:
    """A JSON value as the type that is annotated; what has no rule stays as it is."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is None or kind is typing.Any or kind is inspect.Parameter.empty:
        return value
    if value is None:
        return None
    if origin is typing.Union or type(kind).__name__ == "UnionType":
        return _first(value, inner)
    if origin in (list, set, tuple, frozenset) or _is_sequence(origin):
        return _sequence(value, origin, inner)
    if origin is dict or _is_mapping(origin):
        if not isinstance(value, dict):
            raise _unfit("object", value)
        names, items = inner if inner else (None, None)
        return {_inner(name, name, names): _inner(name, item, items) for name, item in value.items()}
    if not isinstance(kind, type) or isinstance(value, kind):
        return value
    if kind is float and isinstance(value, int):
        return float(value)
    return _made(value, kind)


def _inner(name: object, value: Any, kind: Any) -> Any:
    try:
        return convert(value, kind)
    except MISFIT as error:
        raise Misfit(name, error) from None


def _unfit(expected: str, value: Any) -> TypeError:
    return TypeError(f"expected {expected}, found {NAMES.get(type(value), type(value).__name__)}")


def _why(error: Exception) -> str:
    return f"`{error.args[0]}` is missing" if isinstance(error, KeyError) and error.args else str(error)


def _first(value: Any, kinds: tuple[Any, ...]) -> Any:
    """As the first of several types that takes it."""
    for kind in kinds:
        if isinstance(kind, type) and isinstance(value, kind):
            return value
    for kind in kinds:
        try:
            return convert(value, kind)
        except MISFIT:
            continue
    return value


def _sequence(value: Any, origin: Any, inner: tuple[Any, ...]) -> Any:
    if not isinstance(value, (list, tuple)):
        raise _unfit("array", value)
    if origin is tuple and inner and inner[-1] is not Ellipsis:
        if len(value) != len(inner):
            raise ValueError(f"expected {len(inner)} items, found {len(value)}")
        return tuple(_inner(index, item, kind) for index, (item, kind) in enumerate(zip(value, inner, strict=True)))
    items = [_inner(index, item, inner[0] if inner else None) for index, item in enumerate(value)]
    return origin(items) if origin in (set, tuple, frozenset) else items


def _made(value: Any, kind: type) -> Any:
    """An object of a class: of its own reader, of an ISO text, or of the members or the only argument."""
    for reader in ("model_validate", "from_dict"):
        if isinstance(value, dict) and hasattr(kind, reader):
            return getattr(kind, reader)(value)
    if isinstance(value, str) and hasattr(kind, "fromisoformat"):
        return kind.fromisoformat(value.replace("Z", "+00:00"))
    if hasattr(kind, "__members__"):  # an Enum, by value or by name
        named = {**kind.__members__, **{one.value: one for one in kind}}  # type: ignore[attr-defined]
        if value not in named:
            choices = ", ".join(f"`{one.value}`" for one in kind)  # type: ignore[attr-defined]
            raise ValueError(f"expected one of {choices}, found {value!r:.80}")
        return named[value]
    if kind.__module__ == "builtins":
        raise _unfit(NAMES.get(kind, kind.__name__), value)
    if isinstance(value, dict):
        inner = hints(kind.__init__) if not hasattr(kind, "__dataclass_fields__") else hints(kind)  # type: ignore[misc]
        return kind(**{name: _inner(name, item, inner.get(name)) for name, item in value.items()})
    if hasattr(kind, "__dataclass_fields__") or hasattr(kind, "model_validate"):
        raise _unfit("object", value)
    return kind(value)


def _is_sequence(origin: Any) -> bool:
    return getattr(origin, "__module__", "") == "collections.abc" and origin.__name__ in (
        "Sequence",
        "Iterable",
        "Collection",
        "MutableSequence",
    )


def _is_mapping(origin: Any) -> bool:
    return getattr(origin, "__module__", "") == "collections.abc" and origin.__name__ in ("Mapping", "MutableMapping")


def schema(function: Callable[..., Any]) -> dict[str, Any] | None:
    """The JSON Schema of a function's parameters; None where it takes none."""
    known = hints(function)
    properties: dict[str, Any] = {}
    required, more = [], False
    for name, one in inspect.signature(function).parameters.items():
        if one.kind is one.VAR_KEYWORD:
            more = True
        elif one.kind is not one.VAR_POSITIONAL:
            properties[name] = _schema_of(known.get(name))
            if one.default is one.empty:
                required.append(name)
            elif isinstance(one.default, (str, int, float, bool)):
                properties[name]["default"] = one.default
    if not properties and not more:
        return None
    said: dict[str, Any] = {"type": "object", "properties": properties}
    return said | ({"required": required} if required else {}) | ({} if more else {"additionalProperties": False})


def _schema_of(kind: Any) -> dict[str, Any]:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Union or type(kind).__name__ == "UnionType":
        kinds = [one for one in inner if one is not type(None)]
        return _schema_of(kinds[0]) if len(kinds) == 1 else {}
    if origin in (list, set, tuple, frozenset) or _is_sequence(origin):
        same = bool(inner) and (origin is not tuple or inner[-1] is Ellipsis)
        return {"type": "array"} | ({"items": _schema_of(inner[0])} if same else {})
    if origin is dict or _is_mapping(origin):
        return {"type": "object"}
    if not isinstance(kind, type):
        return {}
    if hasattr(kind, "__members__"):
        return {"enum": [one.value for one in kind]}  # type: ignore[attr-defined]
    if kind in NAMES:
        return {"type": NAMES[kind]}
    module = sys.modules.get(kind.__module__)
    is_text = hasattr(kind, "__fspath__") or hasattr(kind, "fromisoformat")
    return {"type": "string"} if is_text else {"type": "object"} if module is not None else {}
