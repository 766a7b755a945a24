"""A Typer app, read as the protocol describes commands; and words of a command line from typed arguments.

Typer's commands are those of click, be it the package or Typer's own copy: nothing is imported here, and what they
have is read by name.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

# What click calls the types of values; ranges are `integer range` and `float range`.
TYPES = {"integer": "integer", "float": "number", "boolean": "boolean", "path": "path", "filename": "path"}


INTERRUPTED = 130


def describe(name: str, command: Any) -> dict[str, Any]:
    """The CommandDescription of a command or a group."""
    marked = getattr(command, "rich_markup_mode", None) == "rich"
    text = (command.help or command.short_help or "").replace("\b", "").partition("\f")[0].strip()
    said: dict[str, Any] = {
        "name": name,
        "description": _unmarked(text, marked),
        "parameters": [known for one in command.params if (known := _parameter(one, marked)) is not None],
        "commands": [describe(word, below) for word, below in sorted(getattr(command, "commands", {}).items())],
        "runs": bool(getattr(command, "invoke_without_command", False)),
        "hidden": bool(command.hidden),
        "epilog": _unmarked(command.epilog or "", marked),
    }
    return {name: value for name, value in said.items() if value or name in ("name", "description")}


def each(command: Any) -> Iterator[Any]:
    """The command and all below it."""
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from each(below)


def words(description: dict[str, Any], args: dict[str, Any]) -> list[str]:
    """The words that say these arguments to the command of this description."""
    options: list[str] = []
    placed: list[str] = []
    for one in description.get("parameters", ()):
        value = args.get(one["name"])
        if value is None or value == one.get("default"):
            continue
        flags = one.get("flags", [])
        values = [str(item) for item in value] if isinstance(value, list) else [str(value)]
        if not flags:
            placed += values
        elif one["type"] == "boolean":
            options += flags[:1] if value else one.get("off_flags", [])[:1]
        elif one["type"] == "count":
            options += flags[:1] * int(value)
        elif one.get("values"):
            options += [flags[0], *values]
        else:
            options += [word for item in values for word in (flags[0], item)]
    return [*options, "--", *placed] if placed else options


def _unmarked(text: str, marked: bool) -> str:
    """Help without the colours that Typer would draw."""
    if not marked or "[" not in text:
        return text
    try:
        from rich.markup import render

        return render(text).plain
    except Exception:  # no `rich`, or no markup
        return text


def _parameter(one: Any, marked: bool) -> dict[str, Any] | None:
    """The CommandParameter; `--help` and what runs at once, such as `--version`, are none of them."""
    if one.is_eager and not one.expose_value:
        return None
    is_option = one.param_type_name == "option"
    kind, choices = _type(one)
    several = is_option and bool(one.multiple)
    prompts, from_environment = bool(getattr(one, "prompt", None)), bool(one.envvar)
    said: dict[str, Any] = {
        "name": one.name,
        "description": _unmarked(getattr(one, "help", None) or "", marked),
        "type": kind,
        "flags": list(one.opts) if is_option else [],
        "off_flags": list(one.secondary_opts),
        "choices": choices,
        "default": _plain(one.default, several or one.nargs != 1),
        # Typer itself asks for what is missing, or looks for it in the environment.
        "required": bool(one.required) and not prompts and not from_environment,
        "repeated": several or one.nargs == -1,
        "values": one.nargs if one.nargs > 1 else None,
        "metavar": one.metavar,
        "hidden": bool(getattr(one, "hidden", False)),
    }
    return {name: value for name, value in said.items() if value not in (None, [], "", False) or name == "type"} | (
        {"default": False} if said["default"] is False else {}
    )


def _type(one: Any) -> tuple[str, list[str]]:
    """What a parameter takes, and its choices."""
    if getattr(one, "count", False):
        return "count", []
    if getattr(one, "is_flag", False):
        return "boolean", []
    told = getattr(one, "type", None) or one.type_descriptor
    choices = getattr(told, "choices", None)
    if choices:
        return "string", [str(getattr(choice, "value", choice)) for choice in choices]
    if not isinstance(getattr(told, "name", None), str):
        return _annotated(told.annotation), []
    kinds = {TYPES.get(one.name.removesuffix(" range"), "string") for one in getattr(told, "types", [told])}
    return kinds.pop() if len(kinds) == 1 else "string", []


def _annotated(annotation: Any) -> str:
    """By the annotation, which the newer Typer has in place of click's types."""
    inner = [one for one in getattr(annotation, "__args__", ()) if one not in (type(None), Ellipsis)]
    if inner:
        kinds = {_annotated(one) for one in inner}
        return kinds.pop() if len(kinds) == 1 else "string"
    if isinstance(annotation, type):
        for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number")):
            if issubclass(annotation, kind):
                return name
        if hasattr(annotation, "__fspath__") or "File" in annotation.__name__:
            return "path"
    return "string"


def _plain(value: Any, is_list: bool) -> Any:
    """A default as JSON; what is found out when the command runs, or says nothing, is none."""
    if isinstance(value, (list, tuple)):
        return [_plain(item, False) for item in value] or None
    value = getattr(value, "value", value) if hasattr(type(value), "__members__") else value
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value) if hasattr(value, "__fspath__") or hasattr(value, "isoformat") else None


def awaiting(command: Any, run: Callable[[Any], Any]) -> None:
    """Let `run` await what the coroutine functions among the commands give back."""
    for one in each(command):
        if one.callback is not None:
            one.callback = _awaiting(one.callback, run)
        results = getattr(one, "_result_callback", None)
        if results is not None:
            one._result_callback = _awaiting(results, run)


def _awaiting(callback: Callable[..., Any], run: Callable[[Any], Any]) -> Callable[..., Any]:
    from functools import wraps

    @wraps(callback)
    def awaited(*args: Any, **kwargs: Any) -> Any:
        try:
            given = callback(*args, **kwargs)
            return run(given) if hasattr(given, "__await__") else given
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None  # older Typers would make it `Aborted!` and 1

    return awaited
