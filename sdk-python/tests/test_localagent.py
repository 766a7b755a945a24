"""LocalAgent's application object, over folders of plugins."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from astros import _aliases
from astros.localagent import LocalAgentCLI

from .host import PLUGINS, environment

TOOL = """
import typer
from app.cli.plugins.framework import CommandPlugin

class Tool(CommandPlugin):
    name = "tool"

    def register_commands(self, app: typer.Typer) -> None:
        @app.command("use-tool")
        def use(times: int = 1) -> None:
            typer.echo("used " * times)
"""


async def test_plugins_are_found_loaded_and_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, text in (("tool", TOOL), ("broken", "raise ImportError('no')"), ("empty", "x = 1")):
        (tmp_path / "dev-plugins" / name).mkdir(parents=True)
        (tmp_path / "dev-plugins" / name / "plugin.py").write_text(text)
    shutil.copy(PLUGINS / "parts.py", tmp_path / "dev-plugins" / "empty" / "plugin.py")
    agent = LocalAgentCLI()
    assert await agent.initialize() is True
    found = await agent.plugin_manager.discover_plugins()
    assert sorted(found) == ["broken", "empty", "tool"]
    assert await agent.plugin_manager.load_plugin("tool") is True
    assert await agent.plugin_manager.load_plugin("missing") is False
    assert list(agent.plugin_manager.loaded_plugins) == ["tool"]
    ran = CliRunner().invoke(agent.app, ["use-tool", "--times", "2"])
    assert (ran.exit_code, ran.stdout) == (0, "used used \n")
    assert await agent.plugin_manager.load_plugin("empty") is True
    done = await agent.workflow_manager.execute_workflow("look")
    assert done["success"] is True
    assert list(done["results"]) == ["review"]
    await agent.cleanup()


def test_every_module_of_localagent_has_its_names() -> None:
    import importlib

    for name, target in _aliases.MODULES.items():
        module = importlib.import_module(name)
        if target:
            ours = importlib.import_module(target)
            assert all(getattr(module, one) is getattr(ours, one) for one in ours.__all__)
            assert not hasattr(module, "no_such_name")


def test_the_framework_imports_only_what_is_asked_for() -> None:
    script = (
        "import sys; from astros import _aliases; _aliases.install()\n"
        "from app.cli.plugins.framework import CommandPlugin\n"
        "print([m for m in ('provider', 'ui', 'workflow', 'persistence', 'bus') if f'astros.{m}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
