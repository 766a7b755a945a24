"""The standard library's log, for loggers below `localagent` and `astros`: their records go to the host."""

from __future__ import annotations

import logging

from ._context import peer_or_none
from ._log import send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAMES = ("localagent", "astros")
# What every record has; the rest is what `extra` said.
USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Records(logging.Handler):
    """Makes each record one of the host's, with its level, its logger and the fields of `extra`."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fields: dict[str, Any] = {name: value for name, value in vars(record).items() if name not in USUAL}
            if record.exc_info and record.exc_info[1] is not None:
                fields["exc_info"] = record.exc_info[1]
            send(peer_or_none(), record.name, _level(record.levelno), record.getMessage(), fields)
        except Exception:
            self.handleError(record)


def install() -> None:
    """Send these loggers' records to the host; a level that the author sets holds."""
    for name in NAMES:
        logger = logging.getLogger(name)
        if not any(isinstance(one, Records) for one in logger.handlers):
            logger.addHandler(Records())
            logger.propagate = False
            if logger.level == logging.NOTSET:
                logger.setLevel(logging.DEBUG)


def _level(number: int) -> str:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warn"
    return "info" if number >= logging.INFO else "debug"
