"""How a plugin is found: folders, files, modules, classes, instances and functions."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Start
from .host import PluginProcess

HEAD = "from astros.plugin import BasePlugin, plugin_handler\n"
CLASS = (
    HEAD + "class {name}(BasePlugin):\n    @plugin_handler('who')\n    async def who(self, intent): return '{name}'\n"
)


def who(start: Start, target: str, **env: str) -> str:
    process = start(target, **env)
    process.initialize()
    return str(process.result(process.call("who"))["message"])


@pytest.mark.parametrize("entry", ["src/main.py", "main.py", "plugin.py"])
def test_a_folder_has_its_entry_at_a_usual_place(start: Start, tmp_path: Path, entry: str) -> None:
    (tmp_path / entry).parent.mkdir(exist_ok=True)
    (tmp_path / entry).write_text(CLASS.format(name="Mine"))
    assert who(start, str(tmp_path)) == "Mine"
    assert who(start, str(tmp_path / entry)) == "Mine"
    assert who(start, f"{tmp_path / entry}:Mine") == "Mine"


def test_imports_work_from_the_folder_and_from_its_src(start: Start, tmp_path: Path) -> None:
    (tmp_path / "src" / "handlers").mkdir(parents=True)
    (tmp_path / "src" / "handlers" / "__init__.py").write_text("")
    (tmp_path / "src" / "handlers" / "words.py").write_text("WORD = 'deep'")
    (tmp_path / "src" / "utils.py").write_text("import src.main\nfrom .handlers.words import WORD")
    (tmp_path / "src" / "main.py").write_text(
        HEAD + "from src.utils import WORD\nfrom handlers.words import WORD as again\n"
        "class P(BasePlugin):\n    @plugin_handler('who')\n    async def who(self, intent): return WORD + again\n"
    )
    assert who(start, str(tmp_path)) == "deepdeep"


@pytest.mark.parametrize("file", ["json.py", "my-plugin.py", "asyncio.py"])
def test_a_file_may_have_any_name(start: Start, tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text(CLASS.format(name="Odd"))
    assert who(start, str(tmp_path / file)) == "Odd"


def test_an_instance_is_taken_as_it_is(start: Start, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(CLASS.format(name="Made") + "plugin = Made()\nplugin.name = 'made-here'\n")
    process = start(str(tmp_path))
    assert process.initialize()["plugin"]["name"] == "made-here"


def test_functions_make_a_plugin(start: Start, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(
        '"""Two functions."""\n' + HEAD + "name = 'duo'\n"
        "@plugin_handler('who')\nasync def who(intent): return 'a function'\n"
        "@plugin_handler('me')\nasync def me(self, intent): return self.name\n"
    )
    process = start(str(tmp_path))
    described = process.initialize()["plugin"]
    assert (described["name"], described["description"]) == ("duo", "Two functions.")
    assert process.result(process.call("who"))["message"] == "a function"
    assert process.result(process.call("me"))["message"] == "duo"


def test_an_imported_base_is_not_mistaken_for_the_plugin(start: Start, tmp_path: Path) -> None:
    (tmp_path / "base.py").write_text(CLASS.format(name="Base") + "class Other(BasePlugin): pass\n")
    (tmp_path / "plugin.py").write_text("from base import Base, Other\nclass Mine(Base): pass\n")
    assert who(start, str(tmp_path)) == "Base"


def test_several_classes_are_named(start: Start, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(CLASS.format(name="One") + CLASS.format(name="Two"))
    process = start(str(tmp_path))
    assert process.ends() == 1
    assert f"has 2 plugins: `One`, `Two`; name one: `{tmp_path}:One`" in process.errors()
    assert "in plugin.yaml `run: {python: 'plugin:One'}`" in process.errors()
    assert who(start, f"{tmp_path}:Two") == "Two"


PROVIDER = """\
from astros.ai import register_provider
from astros.ai.base import BaseAIProvider
class Own(BaseAIProvider):
    async def complete(self, prompt, **options): return {"content": prompt}
"""


def offered(process: PluginProcess) -> list[str]:
    return [one["name"] for one in process.initialize(plugin={"name": "mine"})["plugin"]["providers"]]


def test_a_provider_alone_is_a_plugin(start: Start, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(PROVIDER)
    assert offered(start(f"{tmp_path / 'main.py'}:Own")) == ["mine"]
    (tmp_path / "main.py").write_text(PROVIDER + "register_provider('own', Own)\n")
    assert offered(start(str(tmp_path))) == ["own"]


def test_the_manifest_names_modules_of_providers(start: Start, tmp_path: Path) -> None:
    (tmp_path / "own_ai.py").write_text(PROVIDER)
    (tmp_path / "main.py").write_text(CLASS.format(name="Mine"))
    target = str(tmp_path / "main.py")
    assert offered(start(target, "own=own_ai:Own", "again=main:Mine")) == ["own"]
    failed = start(target, "own=own_ai:Other")
    assert failed.ends() == 1
    assert "`own_ai:Other`, which the manifest names as the provider `own`" in failed.errors()


def test_a_module_is_imported_by_name(start: Start, tmp_path: Path) -> None:
    (tmp_path / "weather_pkg").mkdir()
    (tmp_path / "weather_pkg" / "__init__.py").write_text(CLASS.format(name="Rain"))
    from .host import SRC

    assert who(start, "weather_pkg:Rain", PYTHONPATH=f"{SRC}:{tmp_path}") == "Rain"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/no/such/folder", "`/no/such/folder` does not exist"),
        ("no_such_module:X", "`no_such_module` is neither a file nor a folder nor a module"),
        ("EMPTY", "has no plugin: expected one of src/main.py"),
        ("EMPTY/../one.py:Three", "the module has no plugin class `Three`; there is `One`"),
    ],
)
def test_what_is_not_there_is_named(start: Start, tmp_path: Path, target: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "one.py").write_text(CLASS.format(name="One"))
    process = start(target.replace("EMPTY", str(tmp_path / "empty")))
    assert process.ends() == 1
    assert message in process.errors()
