"""`self.logger`: levels, %-style arguments, fields as keywords; to the host, or to stderr without one."""

from __future__ import annotations

import sys

from ._peer import current
from .errors import AstrOSError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._peer import Peer


class Logger:
    """Logging never fails: what cannot be encoded is logged as its repr."""

    def __init__(self, name: str, peer: Callable[[], Peer | None]) -> None:
        self.name = name
        self._peer = peer

    def debug(self, message: object, *args: object, **fields: Any) -> None:
        """What only its author wants to know."""
        self.log("debug", message, *args, **fields)

    def info(self, message: object, *args: object, **fields: Any) -> None:
        """What happened."""
        self.log("info", message, *args, **fields)

    def warning(self, message: object, *args: object, **fields: Any) -> None:
        """What went on, but not as it should."""
        self.log("warn", message, *args, **fields)

    warn = warning

    def error(self, message: object, *args: object, **fields: Any) -> None:
        """What failed."""
        self.log("error", message, *args, **fields)

    critical = error

    def exception(self, message: object, *args: object, **fields: Any) -> None:
        """What failed, with the traceback of the exception that is being handled."""
        self.log("error", message, *args, **{"exc_info": True, **fields})

    def log(self, level: str, message: object, *args: object, **fields: Any) -> None:
        """One record at a level: debug, info, warn or error."""
        text = _text(message, args)
        # The standard library's names for the same things.
        fields.update(fields.pop("extra", None) or {})
        send(self._peer(), self.name, level, text, fields)


def send(peer: Peer | None, name: str, level: str, text: str, fields: dict[str, Any]) -> None:
    """One record to the host, or to stderr without one; `exc_info` becomes a traceback."""
    if problem := fields.pop("exc_info", None):
        fields["traceback"] = _traceback(problem)
    if peer is None:
        shown = "".join(f" {field}={value!r}" for field, value in fields.items())
        print(f"{level.upper()} {name}: {text}{shown}", file=sys.stderr)
        return
    request = current.get()
    if request is not None and isinstance(known := request.meta.get("correlation_id"), str):
        fields.setdefault("correlation_id", known)
    record = {"level": level, "message": text, "fields": fields, "logger": name}
    try:
        peer.notify("log", record, droppable=True)
    except AstrOSError:
        record["fields"] = {field: repr(value) for field, value in fields.items()}
        peer.notify("log", record, droppable=True)


def _text(message: object, args: tuple[object, ...]) -> str:
    text = str(message)
    if not args:
        return text
    try:
        return text % (args[0] if len(args) == 1 and isinstance(args[0], dict) else args)
    except (TypeError, ValueError, KeyError):
        return " ".join([text, *map(str, args)])


def _traceback(problem: object) -> str:
    from ._stack import text

    error = problem if isinstance(problem, BaseException) else sys.exc_info()[1]
    return "" if error is None else text(error)
