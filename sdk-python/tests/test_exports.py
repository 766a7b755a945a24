"""What the package shows: sorted `__all__`s that exist, errors that form one tree, a light start."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import astros
from astros import errors

from .host import environment

PUBLIC = ["astros", "astros.ai", "astros.ai.base", "astros.errors", "astros.plugin", "astros.run", "astros.testing"]
KINDS = ["bus", "command", "context", "framework", "helpers", "lifecycle", "localagent", "persistence", "provider"]
KINDS += ["ui", "workflow"]


@pytest.mark.parametrize("name", [*PUBLIC, "astros.types", *(f"astros.{one}" for one in KINDS)])
def test_what_a_module_exports_is_there_and_sorted(name: str) -> None:
    module = importlib.import_module(name)
    assert list(module.__all__) == sorted(module.__all__)
    assert all(hasattr(module, one) for one in module.__all__)
    assert set(module.__all__) <= set(dir(module))


def test_the_version_is_that_of_the_package() -> None:
    assert astros.__version__ == "1.0.0"


def test_every_exception_is_exported_and_drawn() -> None:
    tree = errors.__doc__ or ""
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.AstrOSError)
        assert name in tree


def test_every_error_survives_the_wire() -> None:
    for cls in errors.RemoteError.__subclasses__():
        error = cls("words", retryable=True, hint="do this")
        again = errors.RemoteError.from_wire(error.to_wire())
        assert type(again) is cls
        assert again.to_wire() == error.to_wire()
        assert again.hint == "do this"


def test_an_unknown_code_is_kept() -> None:
    wire = {"code": -31999, "message": "m", "data": {"kind": "new_kind", "retryable": False, "more": 1}}
    assert errors.RemoteError.from_wire(wire).to_wire() == wire


@pytest.mark.parametrize("wire", [None, 7, [], {}, {"code": "x"}, {"code": 1, "data": "text"}])
def test_no_error_object_breaks_the_reader(wire: object) -> None:
    assert isinstance(errors.RemoteError.from_wire(wire), errors.RemoteError)


def test_a_plugins_start_imports_little() -> None:
    script = (
        "import asyncio, json, sys; before = set(sys.modules)\n"
        "import astros._serve, astros._load, astros._server\n"
        "print(sorted(m for m in set(sys.modules) - before if not m.startswith(('astros', '_astros'))))"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['__future__', 'gc']"
