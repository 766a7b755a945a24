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
# What lets a command take what it does not declare.
REST = ("allow_extra_args", "ignore_unknown_options")
# Variables that begin otherwise are kept from plugins.
PASSED = ("ASTROS_", "LOCALAGENT_")
INTERRUPTED = 130


def describe(name: str, command: Any) -> dict[str, Any]:
    """The CommandDescription of a command or a group."""
    marked = getattr(command, "rich_markup_mode", None) == "rich"
    below = getattr(command, "commands", {})
    told = getattr(command, "context_settings", None) or {}
    said: dict[str, Any] = {
        "name": name,
        "description": _unmarked(_help(command), marked),
        "parameters": [known for one in command.params if (known := _parameter(one, marked)) is not None],
        "commands": [describe(word, one) for word, one in sorted(below.items())],
        "rest": not below and any(told.get(lets, getattr(command, lets, False)) for lets in REST),
        "runs": bool(getattr(command, "invoke_without_command", False)),
        "hidden": bool(command.hidden),
        "epilog": _unmarked(command.epilog or "", marked),
    }
    return {name: value for name, value in said.items() if value or name in ("name", "description")}


def _help(command: Any) -> str:
    """What it does; lists show the first line."""
    text = (command.help or "").replace("\b", "").partition("\f")[0].strip()
    short = (command.short_help or "").strip()
    if short and not text.startswith(short):
        text = f"{short}\n\n{text}".strip()
    deprecated = getattr(command, "deprecated", False)
    mark = f"(deprecated: {deprecated})" if isinstance(deprecated, str) else "(deprecated)" if deprecated else ""
    return f"{mark} {text}".strip()


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
        "description": _said_of(one, marked),
        "type": kind,
        "flags": list(one.opts) if is_option else [],
        "off_flags": list(one.secondary_opts),
        "choices": choices,
        "ignore_case": bool(choices) and _of(one, "case_sensitive") is False,
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


def _said_of(one: Any, marked: bool) -> str:
    """What it is for; and what the description has no member for: its bounds, and a variable that says it too."""
    low, high, names = _of(one, "min"), _of(one, "max"), one.envvar or ()
    above = "" if low is None else f"above {low}" if _of(one, "min_open") else f"from {low}"
    below = "" if high is None else f"below {high}" if _of(one, "max_open") else f"up to {high}"
    bounds = f"{above} {below}".strip()
    names = ", ".join(name for name in ([names] if isinstance(names, str) else names) if name.startswith(PASSED))
    said = [
        _unmarked(getattr(one, "help", None) or "", marked),
        bounds and f"[{bounds}]",
        names and f"[env: {names}]",
    ]
    return " ".join(filter(None, said))


def _told(one: Any) -> Any:
    """What is made of its values: click's type, or what the newer Typer has in its place."""
    return getattr(one, "type", None) or getattr(one, "type_descriptor", None)


def _of(one: Any, name: str) -> Any:
    """A member of that."""
    told = _told(one)
    places = (told, getattr(told, "parameter_info", None))
    return next((found for place in places if (found := getattr(place, name, None)) is not None), None)


def _type(one: Any) -> tuple[str, list[str]]:
    """What a parameter takes, and its choices."""
    if getattr(one, "count", False):
        return "count", []
    if getattr(one, "is_flag", False):
        return "boolean", []
    told = _told(one)
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
