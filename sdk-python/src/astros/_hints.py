"""What could have been meant, for errors about names that do not exist."""

from __future__ import annotations

from .errors import MethodNotFound


def unknown_method(name: str, known: list[str]) -> MethodNotFound:
    """The error for a method that is not served, with the nearest one as its hint."""
    return MethodNotFound(f"no method `{name}`", hint=nearest(name, known))


def nearest(name: str, known: list[str]) -> str:
    """A hint that names what could have been meant, or all there is."""
    import difflib

    # What is longer than any name is near none, and would take for ever to compare.
    close = difflib.get_close_matches(name, known, 1, 0.5) if len(name) <= 256 else []
    if close:
        return f"did you mean `{close[0]}`?"
    return "there is " + ", ".join(f"`{one}`" for one in known[:20]) if known else "there is none"
