"""Serving `command/run`: the plugin's Typer app, run as a program of its own would be."""

from __future__ import annotations

import os
import sys
from functools import cached_property

from . import _typer
from ._desk import Ended
from ._hints import nearest
from ._stack import naming
from .errors import CallFailed, HandlerNotFound, LoadError, NotConnected, RemoteError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._peer import Request
    from ._server import Server

# Errors whose words say it all to the person.
SAID = (CallFailed, LoadError, NotConnected, RemoteError)
# How `astros` ends by the kind of an error; any other is a fault of AstrOS.
EXITS = {
    **dict.fromkeys(("invalid_params", "invalid_request", "plugin_not_found", "handler_not_found"), 2),
    **dict.fromkeys(("method_not_found", "call_cycle", "invalid_settings"), 2),
    "not_understood": 4,
    **dict.fromkeys(("plugin_crashed", "handler_failed", "bad_response", "frame_too_large"), 5),
    **dict.fromkeys(("ai_failed", "not_initialized"), 5),
    **dict.fromkeys(("plugin_unavailable", "permission_denied", "overloaded", "shutting_down"), 6),
    "unsupported_version": 6,
    "deadline_exceeded": 7,
    "cancelled": _typer.INTERRUPTED,
}
FAULT = 8


class Commands:
    """The commands of a plugin with `register_commands`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.methods: dict[str, Callable[[Request], Any]] = {"command/run": self._run}

    def describe(self) -> dict[str, Any]:
        """Its part of the PluginDescription."""
        return {"commands": self._descriptions}

    @cached_property
    def group(self) -> Any:
        """The click group of all commands; raises LoadError where Typer is missing."""
        try:
            import typer
            from typer.main import get_group
        except ImportError as error:
            raise LoadError(
                f"its commands need `typer`, and {error.name} is not there for {sys.executable}: "
                "install it there, or into a `.venv` in the plugin's folder"
            ) from error
        app = typer.Typer(add_completion=False)
        with naming("register_commands"):
            self._server.plugin.register_commands(app)  # type: ignore[attr-defined]
            group = get_group(app)  # a group also where there is one command: it keeps its name
        _typer.awaiting(group, self._server.desk.wait)
        return group

    @cached_property
    def _descriptions(self) -> list[dict[str, Any]]:
        return [_typer.describe(name, command) for name, command in self.group.commands.items()]

    async def _run(self, request: Request) -> dict[str, Any]:
        params = request.params
        argv = params.get("argv")
        named = str(params.get("command") or "")
        if not isinstance(argv, list) or not argv:
            args = params.get("args")
            argv = [*named.split(), *_typer.words(self._described(named), args if isinstance(args, dict) else {})]
        argv = [str(word) for word in argv]
        if argv[:1] == [] or argv[0] not in self.group.commands:
            raise self._unknown(argv[0] if argv else "")
        cwd = params.get("cwd")
        try:
            code = await self._server.desk.do(lambda: self.main(argv, cwd if isinstance(cwd, str) else None))
        except Ended as end:
            code = end.code
        return {"exit_code": code}

    def _described(self, command: str) -> dict[str, Any]:
        found: dict[str, Any] = {"commands": self._descriptions}
        for word in command.split():
            below = [one for one in found.get("commands", ()) if one["name"] == word]
            if not below:
                raise self._unknown(command)
            found = below[0]
        return found

    def _unknown(self, command: str) -> HandlerNotFound:
        return HandlerNotFound(f"there is no command `{command}`", hint=nearest(command, sorted(self.group.commands)))

    def main(self, argv: list[str], cwd: str | None = None) -> int:
        """Run a command on this thread, as `astros ARGV`; gives back its exit code, whatever happens."""
        try:
            if cwd is not None and os.path.isdir(cwd):
                os.chdir(cwd)
            self.group.main(args=argv, prog_name="astros")
            code = 0
        except SystemExit as end:
            code = _code(end)
        except KeyboardInterrupt:
            code = _typer.INTERRUPTED
        except BaseException as error:
            code = _failed(error)
        return _flushed(code)


def _code(end: SystemExit) -> int:
    """As the interpreter reads it: None is 0, a text goes to stderr and is 1."""
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    print(end.code, file=sys.stderr)
    return 1


def _failed(error: BaseException) -> int:
    """Show it: in a sentence where the SDK or its host says what is wrong, else where the author's code failed."""
    if isinstance(error, SAID):
        said = str(error) or type(error).__name__
        print("error:", said.replace("\n", "\n  "), file=sys.stderr)
        if hint := getattr(error, "hint", None):
            print(f"  {hint}", file=sys.stderr)
        return EXITS.get(getattr(error, "kind", ""), FAULT) if isinstance(error, RemoteError) else 1
    from ._stack import text

    print(text(error), end="", file=sys.stderr)
    return 1


def _flushed(code: int) -> int:
    """Write what is left; who reads no more, as `head` does, is no error to talk about."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(null, stream.fileno())
            except (OSError, ValueError):
                pass
            finally:
                os.close(null)
            code = code or 1
    return code
