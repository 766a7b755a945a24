"""Fixtures: plugin processes that never outlive their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

from .host import PLUGINS, PluginProcess

# No files left behind, and no failure because a machine is busy.
settings.register_profile("astros", database=None, deadline=None)
settings.load_profile("astros")

Start = Callable[..., PluginProcess]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a plugin by its file's name in tests/plugins, or by a whole target."""
    running: list[PluginProcess] = []

    def run(target: str, *more: str, **env: str) -> PluginProcess:
        file = PLUGINS / target
        process = PluginProcess(str(file) if file.exists() else target, *more, **env)
        running.append(process)
        return process

    yield run
    for process in running:
        process.destroy()


@pytest.fixture
def adversary(start: Start) -> PluginProcess:
    """The adversarial plugin, initialized."""
    process = start("adversary.py")
    process.initialize()
    return process
