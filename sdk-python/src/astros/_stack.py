"""Stacks as authors need them: from the first step in their own code to the last one, without the SDK's around it."""

from __future__ import annotations

import contextlib
import os
import sys

from .errors import AstrOSError, HandlerFailed, PluginError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from traceback import FrameSummary, TracebackException

SDK = os.path.dirname(os.path.abspath(__file__)) + os.sep
# What stands between the SDK and the author's code.
BETWEEN = ("asyncio", "click", "concurrent", "importlib", "typer")


def text(error: BaseException) -> str:
    """The stack of an error, with those that led to it; one that is the SDK's alone stays whole."""
    from traceback import TracebackException

    shown = TracebackException(type(error), error, error.__traceback__)
    _shorten(shown, _between())
    return "".join(shown.format())


def show(what: object, error: BaseException) -> str:
    """Write to stderr what failed, with its stack, which is given back."""
    stack = text(error)
    print(f"error: `{what}` failed\n{stack}", end="", file=sys.stderr)
    return stack


def last_own(error: BaseException) -> FrameSummary | None:
    """The last step in the author's own code."""
    from traceback import extract_tb

    between = _between()
    return next((step for step in reversed(extract_tb(error.__traceback__)) if _is_own(step, between)), None)


@contextlib.contextmanager
def naming(hook: str) -> Iterator[None]:
    """Calls a hook of the author's: what it raises becomes HandlerFailed with its name, and its stack is shown."""
    try:
        yield
    except AstrOSError as error:
        if isinstance(error, PluginError):
            raise _failed(hook, error) from error
        raise
    except Exception as error:
        raise _failed(hook, error) from error


def _failed(hook: str, error: Exception) -> HandlerFailed:
    show(hook, error)
    return HandlerFailed(f"`{hook}` failed: {type(error).__name__}: {error}".rstrip(": "))


def _shorten(shown: TracebackException, between: tuple[str, ...]) -> None:
    own = [index for index, step in enumerate(shown.stack) if _is_own(step, between)]
    if own:
        first, last = own[0], own[-1] + 1
        # Below the author's code may be a library, of which the steps help, or the SDK, of which they do not.
        if any(step.filename.startswith(SDK) for step in shown.stack[last:]):
            del shown.stack[last:]
        del shown.stack[:first]
    group = getattr(shown, "exceptions", None) or ()  # Python 3.11
    for before in (shown.__cause__, shown.__context__, *group):
        if before is not None:
            _shorten(before, between)
    if _is_inner(shown.__cause__, between):
        shown.__cause__ = None
        shown.__suppress_context__ = True
    if _is_inner(shown.__context__, between):
        shown.__context__ = None


def _is_inner(before: TracebackException | None, between: tuple[str, ...]) -> bool:
    """Whether it was raised and caught within the SDK, so that what came of it says it all."""
    return before is not None and bool(before.stack) and not any(_is_own(step, between) for step in before.stack)


def _is_own(step: FrameSummary, between: tuple[str, ...]) -> bool:
    return not step.filename.startswith(("<frozen", SDK, *between))


def _between() -> tuple[str, ...]:
    files = (getattr(sys.modules.get(name), "__file__", None) for name in BETWEEN)
    return tuple(os.path.dirname(file) + os.sep for file in files if file)
