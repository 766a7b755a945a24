"""What a component prints while it draws itself, kept apart from what others print at the same time."""

from __future__ import annotations

import contextvars
import sys
from contextlib import contextmanager
from io import StringIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TextIO

_target: contextvars.ContextVar[StringIO | None] = contextvars.ContextVar("astros_capture", default=None)


class _Router:
    """Stands for sys.stdout: what is written goes to the capture of the code that writes it, else on."""

    def __init__(self, beyond: TextIO) -> None:
        self._beyond = beyond

    def write(self, text: str) -> int:
        return (_target.get() or self._beyond).write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(_target.get() or self._beyond, name)


@contextmanager
def capture(wanted: bool = True) -> Iterator[StringIO | None]:
    """Catch what this code, and threads that share its context, print; None where that is not wanted."""
    if not wanted:
        yield None
        return
    if not isinstance(sys.stdout, _Router):
        sys.stdout = _Router(sys.stdout)
    text = StringIO()
    token = _target.set(text)
    try:
        yield text
    finally:
        _target.reset(token)
