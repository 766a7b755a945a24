"""`pytest --astros`: rules as items in an author's own runner, by the real command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from astros import _ask, _conformance
from astros.errors import AstrOSError

ROOT = Path(__file__).parents[2]
GOOD = ROOT / "tests" / "conformance" / "mutants" / "good.py"


@pytest.fixture
def astros() -> str:
    try:
        command = _ask.find_command("this test")
    except AstrOSError as error:
        pytest.skip(str(error))
    if subprocess.run([command, "conformance", "--help"], capture_output=True).returncode != 0:
        pytest.skip(f"`{command}` is older than `astros conformance`")
    return command


def run(*arguments: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), *arguments]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(command, cwd=folder, env=inherited | env, capture_output=True, text=True)


def test_a_good_plugin_is_gold_beside_its_own_tests(tmp_path: Path, astros: str) -> None:
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")
    hello = ROOT / "plugins" / "hello-world"
    done = run("-v", "--astros", str(hello), folder=tmp_path, ASTROS_BIN=astros)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hello-world 1.0.0: gold at level full" in done.stdout
    assert "test_own.py::test_own PASSED" in done.stdout
    assert f"{hello}::R01 PASSED" in done.stdout


def test_a_rule_that_is_broken_is_an_item_that_failed(tmp_path: Path, astros: str) -> None:
    command = f"{sys.executable} {GOOD} --break R20:code"
    done = run("--astros-command", command, folder=tmp_path, ASTROS_BIN=astros)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 56 passed" in done.stdout
    assert "R20: a plugin refuses a handler that it does not have" in done.stdout
    assert all(word in done.stdout for word in ("sent", "expected", "received", "-32602"))


def test_a_plugin_that_does_not_start_fails_the_first_rule(tmp_path: Path, astros: str) -> None:
    (tmp_path / "broken.py").write_text("raise ValueError('half done')\n")
    for chosen in ["R01", "R07"]:
        done = run("--astros", "broken.py", "-k", chosen, folder=tmp_path, ASTROS_BIN=astros)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "half done" in done.stdout


def test_what_cannot_be_run_is_said_before_anything_runs(tmp_path: Path) -> None:
    nowhere = {"PATH": os.path.dirname(sys.executable), "ASTROS_BIN": str(tmp_path / "astros")}
    for arguments, env, words in [
        (["--astros", "missing"], {}, "`missing` does not exist"),
        (["--astros", "."], nowhere, "is no executable"),
        (["--astros", ".", "--astros-command", "x"], {}, "give one of them"),
    ]:
        done = run(*arguments, folder=tmp_path, **env)
        assert done.returncode == pytest.ExitCode.USAGE_ERROR
        assert words in done.stderr


def test_a_command_that_does_not_exist_is_named(tmp_path: Path, astros: str) -> None:
    done = run("--astros-command", "no-such-command", folder=tmp_path, ASTROS_BIN=astros)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "`no-such-command` does not exist" in done.stderr


def test_who_does_not_use_the_option_imports_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import sys\n\ndef test_own():\n"
        "    ours = [m for m in sys.modules if m.startswith('astros')]\n"
        "    assert ours == ['astros', 'astros._aliases', 'astros._pytest']\n"
    )
    done = run(folder=tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_plugin_is_started_as_its_manifest_says(tmp_path: Path) -> None:
    def command(manifest: str) -> list[str]:
        (tmp_path / "plugin.yaml").write_text(f"metadata:\n  name: one\nrun:\n{manifest}")
        return _conformance.command_of(tmp_path)

    sdk = [sys.executable, "-m", "astros.run"]
    (tmp_path / "one.js").touch()
    assert command("  command: [node, one.js]\n  args: [-v]\n") == ["node", str(tmp_path / "one.js"), "-v"]
    assert command("  python: src/one.py\n") == [*sdk, str(tmp_path / "src" / "one.py")]
    assert command("  python: src/one.py:One\n") == [*sdk, f"{tmp_path / 'src' / 'one.py'}:One"]
    assert command("  language: python\n") == [*sdk, str(tmp_path)]
