"""What LocalAgent's plugins get: context, settings, bus, lifecycle, a cache; plugins of our own over that API."""

from __future__ import annotations

import asyncio
import logging
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from astros._describe import describe
from astros.errors import HandlerFailed, InvalidSettings
from astros.framework import (
    CommandPlugin,
    ConfigurablePlugin,
    EnhancedCommandPlugin,
    LifecycleManager,
    PluginLifecycleStage,
    ProviderPlugin,
)
from astros.plugin import BasePlugin, plugin_handler
from astros.testing import AstrOSTestClient
from astros.types import Intent

from .conftest import Start

SCHEMA = {
    "type": "object",
    "properties": {
        "depth": {"type": "integer", "minimum": 1, "default": 3},
        "mode": {"type": "string", "enum": ["fast", "slow"], "default": "fast"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "limit": {"type": "integer", "format": "size"},
        "loud": {"type": "boolean"},
    },
}


# --- context and settings -------------------------------------------------------------------------------


class Careful(EnhancedCommandPlugin):
    name = "careful"
    settings_schema = SCHEMA


async def test_settings_are_defaults_then_the_persons_then_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {"TAGS": "a, b", "LIMIT": "2KiB", "LOUD": "yes", "DEPTH": "9"}.items():
        monkeypatch.setenv(f"LOCALAGENT_CAREFUL_{key}", value)
    monkeypatch.setenv("ASTROS_CAREFUL_DEPTH", "7")
    async with AstrOSTestClient() as client:
        plugin = await client.load_plugin(Careful, settings={"mode": "slow"})
        assert isinstance(plugin, Careful)
        assert plugin.config == {"depth": 7, "mode": "slow", "tags": ["a", "b"], "limit": 2048, "loud": True}
        assert plugin.get_default_config() == {"depth": 3, "mode": "fast"}
        assert plugin.context.config.plugins["careful"]["config"] == {"mode": "slow"}
        assert plugin.context.config["mode"] == plugin.context.config.mode == "slow"
        assert plugin.convert_env_value("depth", "4") == 4
        assert plugin.context.config.plugins.get("another") is None


async def test_settings_that_do_not_fit_are_a_failed_start_with_its_reason() -> None:
    client = AstrOSTestClient()
    with pytest.raises(HandlerFailed, match=r"returned False: `/mode`: 'medium' is not one of"):
        await client.load_plugin(Careful, settings={"mode": "medium"})


async def test_a_start_that_gives_back_false_says_so() -> None:
    class Refusing(CommandPlugin):
        async def initialize(self, context: Any) -> bool:
            return False

    with pytest.raises(HandlerFailed, match="`initialize` of `refusing` returned False"):
        await AstrOSTestClient().load_plugin(Refusing)


async def test_changed_settings_are_live_then_the_watchers_hear() -> None:
    class Watching(ConfigurablePlugin):
        name = "watching"
        settings_schema = SCHEMA

        async def initialize(self, context: Any) -> bool:
            await super().initialize(context)
            self.heard: list[Any] = []
            self.add_config_watcher(self.changed)
            self.add_config_watcher(lambda old, new: self.heard.append("plain"))
            return True

        async def changed(self, old: dict[str, Any], new: dict[str, Any]) -> None:
            self.heard.append((old["depth"], new["depth"], self.config["depth"]))

    async with AstrOSTestClient() as client:
        plugin = await client.load_plugin(Watching, settings={"depth": 1})
        assert isinstance(plugin, Watching)
        await client.change_settings({"depth": 2})
        assert plugin.heard == [(1, 2, 2), "plain"]
        with pytest.raises(InvalidSettings, match="/depth"):
            await client.change_settings({"depth": 0})
        assert plugin.config["depth"] == plugin.settings.depth == 2
        assert len(plugin.heard) == 2


def test_a_schema_file_may_begin_with_a_comment(start: Start, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(
        "from app.cli.plugins.framework import EnhancedCommandPlugin\nclass P(EnhancedCommandPlugin): ...\n"
    )
    (tmp_path / "config_schema.json").write_text('# of the plugin\n{"properties": {"n": {"minimum": 3}}}')
    process = start(str(tmp_path))
    assert process.initialize()["plugin"]["settings_schema"] == {"properties": {"n": {"minimum": 3}}}
    refused = start(str(tmp_path))
    error = refused.error(refused.ask("initialize", {"protocol_versions": ["1.0"], "settings": {"n": 1}}))
    assert "`/n`" in error["message"]


async def test_the_config_dir_is_a_view_of_the_plugins_own_folders(tmp_path: Path) -> None:
    plugin = Careful()
    plugin._astros_directories = {"config": str(tmp_path / "c"), "data": str(tmp_path / "d")}
    from astros.context import PluginContext

    view = PluginContext(plugin).config_dir
    assert view / "careful.yaml" == tmp_path / "c" / "careful.yaml"
    assert view / "plugins" / "careful" == tmp_path / "d"
    assert view.joinpath("plugins", "careful", "x.json") == tmp_path / "d" / "x.json"
    assert view / "plugins" / "another" == tmp_path / "c" / "plugins" / "another"


async def test_progress_of_an_awaited_thing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 3

    assert await Careful().execute_with_progress(work(), "counting") == 3
    assert "counting" in capsys.readouterr().out


async def test_providers_are_there_by_name() -> None:
    class Asking(CommandPlugin):
        @plugin_handler("ask")
        async def ask(self, intent: Intent) -> str:
            manager = self.context.provider_manager
            answer = await manager.providers["any"].complete("x")
            return str(answer["content"] + (await manager.get_provider().complete("y"))["content"])

    async with AstrOSTestClient(ai=lambda what, params: f"{params.get('provider')}:{params['prompt']} ") as client:
        await client.load_plugin(Asking)
        assert (await client.call("ask", check=True)).message == "any:x None:y "


# --- lifecycle ------------------------------------------------------------------------------------------


class Stage(Enum):
    """A copy in an author's own file."""

    READY = "ready"
    CLEANING_UP = "cleaning_up"


Stage.__name__ = "PluginLifecycleStage"


class Staged(EnhancedCommandPlugin):
    name = "staged"

    async def initialize(self, context: Any) -> bool:
        self.stages: list[Any] = []
        manager = context.lifecycle_manager
        for stage in PluginLifecycleStage:
            manager.add_hook(stage, self.note)
        manager.add_hook(Stage.READY, self.plain)
        self.first = dict(manager.plugin_states)
        return await super().initialize(context)

    async def note(self, name: str, old: Any, new: Any, context: dict[str, Any]) -> None:
        self.stages.append((name, new.value, context.get("handler")))

    def plain(self, name: str, old: Any, new: Any, context: dict[str, Any]) -> None:
        assert new == Stage.READY
        self.stages.append("plain")
        raise RuntimeError("hooks may fail")

    @plugin_handler("work")
    async def work(self, intent: Intent) -> str:
        return str(self.context.lifecycle_manager.plugin_states["staged"].value)

    async def cleanup(self) -> None:
        self.stages.append("cleanup")
        await super().cleanup()


async def test_all_stages_happen_and_hooks_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    client = AstrOSTestClient()
    plugin = await client.load_plugin(Staged)
    assert isinstance(plugin, Staged)
    assert plugin.first == {"staged": PluginLifecycleStage.INITIALIZING}
    assert (await client.call("work")).message == "executing"
    states = plugin.context.lifecycle_manager.plugin_states
    assert states["staged"] == PluginLifecycleStage.READY
    await client.close()
    assert plugin.stages == [
        ("staged", "ready", None),
        "plain",
        ("staged", "executing", "work"),
        ("staged", "cleaning_up", None),
        "cleanup",
        ("staged", "unloaded", None),
    ]
    assert "a hook of `staged` for the stage `ready` failed: hooks may fail" in caplog.text


async def test_a_manager_of_ones_own_works_alike() -> None:
    manager, seen = LifecycleManager(), list[Any]()
    manager.add_hook(PluginLifecycleStage.ERROR, lambda *said: seen.append(said))
    await manager.transition_plugin("p", PluginLifecycleStage.READY, PluginLifecycleStage.ERROR, {"why": 1})
    assert seen == [("p", PluginLifecycleStage.READY, PluginLifecycleStage.ERROR, {"why": 1})]
    assert manager.plugin_states == {"p": PluginLifecycleStage.ERROR}


# --- log ------------------------------------------------------------------------------------------------


def test_records_of_the_standard_library_reach_the_host(start: Start, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(
        "from app.cli.plugins.framework import EnhancedCommandPlugin\n"
        "from astros.plugin import BasePlugin, plugin_handler\n"
        "class P(EnhancedCommandPlugin):\n"
        "    name = 'p'\n"
        "    @plugin_handler('log')\n"
        "    async def log(self, intent):\n"
        "        try:\n            raise KeyError('k')\n"
        "        except KeyError:\n            self.logger.exception('lost %s', 'it', extra={'count': 3})\n"
        "        return 'done'\n"
    )
    process = start(str(tmp_path))
    process.initialize(plugin={"name": "p"})
    process.call("log", correlation_id="c-1")
    record = process.next(method="log")["params"]
    assert (record["level"], record["message"], record["logger"]) == ("error", "lost it", "localagent.plugin.p")
    assert (record["fields"]["count"], record["fields"]["correlation_id"]) == (3, "c-1")
    assert "KeyError: 'k'" in record["fields"]["traceback"]


def test_loggers_stay_as_they_are_outside_of_a_plugins_process() -> None:
    assert logging.getLogger("localagent").handlers == []


async def test_settings_that_were_never_read_are_held_to_their_schema_too() -> None:
    class Lazy(CommandPlugin):
        name = "lazy"
        settings_schema = SCHEMA

    async with AstrOSTestClient() as client:
        plugin = await client.load_plugin(Lazy, settings={"depth": 5})
        assert isinstance(plugin, Lazy)
        with pytest.raises(InvalidSettings):
            await client.change_settings({"depth": "deep"})
        assert plugin.config["depth"] == plugin.settings.depth == 5


def test_a_plugin_without_commands_needs_no_typer(start: Start, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(
        "import sys\nsys.modules['typer'] = sys.modules['rich'] = None\n"
        "from app.cli.plugins.framework import EnhancedCommandPlugin\nclass P(EnhancedCommandPlugin): ...\n"
    )
    assert "commands" not in start(str(tmp_path)).initialize()["plugin"]


def test_who_has_commands_and_no_typer_is_told_what_to_install(start: Start, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(
        "import sys\nsys.modules['typer'] = None\n"
        "class P:\n    pass\n"
        "from astros.command import CommandPlugin\n"
        "class Q(CommandPlugin):\n    def register_commands(self, app): ...\n"
    )
    process = start(str(tmp_path))
    error = process.error(process.ask("initialize", {"protocol_versions": ["1.0"]}))
    assert "its commands need `typer`" in error["message"]
    assert ".venv" in error["message"]


async def test_a_plugin_of_astros_is_held_to_its_schema_too() -> None:
    class Plain(BasePlugin):
        settings_schema = SCHEMA

    async with AstrOSTestClient() as client:
        await client.load_plugin(Plain, settings={"depth": 5})
        with pytest.raises(InvalidSettings, match="`/depth`"):
            await client.change_settings({"depth": "deep"})


async def test_what_a_schema_names_as_a_secret_is_marked_as_one() -> None:
    class Keyed(ProviderPlugin):
        name = "keyed"

        def get_provider_config_schema(self) -> dict[str, Any]:
            return KEYED

    properties = describe(Keyed(), [])["settings_schema"]["properties"]
    more = properties.pop("more")["properties"]
    assert {name for name, about in {**properties, **more}.items() if about.get("writeOnly")} == {
        "api_key",
        "bot-token",
        "password",
    }
    assert "writeOnly" not in KEYED["properties"]["api_key"], "the author's own stays as it is"


KEYED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "api_key": {"type": "string"},
        "bot-token": {},
        "shown_secret": {"type": "string", "writeOnly": False},
        "max_tokens": {"type": "integer"},
        "token_url": {"type": "string"},
        "more": {"type": "object", "properties": {"password": {"type": ["string", "null"]}}},
    },
}
