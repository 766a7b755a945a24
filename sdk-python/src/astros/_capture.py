"""What a component prints while it draws itself, kept apart from what others print at the same time."""

from __future__ import annotations

import contextvars
import os
import sys
from contextlib import contextmanager
from io import StringIO
from threading import Lock

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


class _Columns:
    """COLUMNS, by which `rich` and others know how wide they draw where no terminal is.

    The environment is the process's: of two that draw at once the later one's width holds.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._drawing: list[int] = []
        self._before: str | None = None

    @contextmanager
    def set(self, width: int) -> Iterator[None]:
        with self._lock:
            if not self._drawing:
                self._before = os.environ.get("COLUMNS")
            self._drawing.append(width)
            self._tell()
        try:
            yield
        finally:
            with self._lock:
                self._drawing.remove(width)
                self._tell()

    def _tell(self) -> None:
        width = str(self._drawing[-1]) if self._drawing else self._before
        if width is None:
            os.environ.pop("COLUMNS", None)
        else:
            os.environ["COLUMNS"] = width


columns = _Columns()


@contextmanager
def capture() -> Iterator[StringIO]:
    """Catch what this code, and threads that share its context, print."""
    if not isinstance(sys.stdout, _Router):
        sys.stdout = _Router(sys.stdout)
    text = StringIO()
    token = _target.set(text)
    try:
        yield text
    finally:
        _target.reset(token)
