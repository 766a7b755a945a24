"""`pytest --astros PATH`: the options, and LocalAgent's module names; the rest is in `_conformance`."""

from __future__ import annotations

from . import _aliases

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("astros", "AstrOS plugins")
    group.addoption("--astros", metavar="PATH", help="hold a plugin, its folder or file, to the rules of the protocol")
    group.addoption("--astros-command", metavar="COMMAND", help="the same for a plugin that this command starts")
    group.addoption("--astros-level", choices=["core", "full"], default="full", help="which rules; all by default")


def pytest_configure(config: pytest.Config) -> None:
    _aliases.install()
    if config.getoption("astros") or config.getoption("astros_command"):
        from ._conformance import Conformance

        config.pluginmanager.register(Conformance(config), "astros-conformance")
