"""A plugin's process: what it prints, how it starts and how it ends."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Start
from .host import PLUGINS, PluginProcess, environment


def test_printing_never_reaches_the_protocol(adversary: PluginProcess) -> None:
    answer = adversary.result(adversary.call("pollute"))
    assert answer["message"] == "read ''"
    adversary.close_input()
    assert adversary.ends() == 0
    assert all(line.startswith(b'{"jsonrpc":"2.0"') for line in adversary.raw)
    assert b"forged" not in b"".join(adversary.raw)
    for word in ("printed", "forged", "no newline", "raw bytes", "from a child", "\\udce9 a surrogate"):
        assert word in adversary.errors()


def test_children_inherit_no_descriptor_of_the_protocol(adversary: PluginProcess) -> None:
    # 0, 1, 2 and the one that lists the folder
    assert adversary.result(adversary.call("descriptors"))["data"]["inherited"] == "[0, 1, 2, 3]"


def test_end_of_input_shuts_the_plugin_down(adversary: PluginProcess) -> None:
    adversary.close_input()
    assert adversary.ends(5) == 0
    assert adversary.errors().count("shutdown ran") == 1


def test_end_of_input_cancels_what_is_open(adversary: PluginProcess) -> None:
    adversary.call("wait", progress=True)
    adversary.next(method="$/progress")
    adversary.close_input()
    assert adversary.ends(5) == 0
    assert "shutdown ran" in adversary.errors()


def test_sigterm_ends_a_plugin_whose_handler_holds_the_loop(adversary: PluginProcess, tmp_path: Path) -> None:
    adversary.call("spin", {"flag": str(tmp_path / "never")})
    adversary.result(adversary.ask("ping"))
    adversary.process.send_signal(signal.SIGTERM)
    assert adversary.ends(5.5) == 0


def test_sigterm_shuts_the_plugin_down(adversary: PluginProcess) -> None:
    adversary.process.send_signal(signal.SIGTERM)
    assert adversary.ends(5) == 0
    assert "shutdown ran" in adversary.errors()


def test_sigint_is_left_to_the_host(adversary: PluginProcess) -> None:
    adversary.process.send_signal(signal.SIGINT)
    assert adversary.result(adversary.call("echo"))["success"] is True


def test_shutdown_runs_once_and_then_the_end_of_input_ends_it(adversary: PluginProcess) -> None:
    assert adversary.result(adversary.ask("shutdown", {"reason": "idle", "grace_ms": 1000})) is None
    assert adversary.error(adversary.call("echo"))["code"] == -32015
    adversary.close_input()
    assert adversary.ends(5) == 0
    assert adversary.errors().count("shutdown ran") == 1


def test_the_protocol_runs_on_named_descriptors() -> None:
    to_plugin, from_plugin = os.pipe(), os.pipe()
    with subprocess.Popen(
        [sys.executable, "-m", "astros.run", str(PLUGINS / "adversary.py")],
        env=environment(ASTROS_RPC_FDS=f"{to_plugin[0]},{from_plugin[1]}"),
        pass_fds=(to_plugin[0], from_plugin[1]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as process:
        os.close(to_plugin[0])
        os.close(from_plugin[1])
        with open(from_plugin[0], "rb") as answers, open(to_plugin[1], "wb", buffering=0) as requests:
            requests.write(b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocol_versions":["1.0"]}}\n')
            assert b'"id":1,"result"' in answers.readline()
        printed, _ = process.communicate(timeout=20)
    assert (process.returncode, printed) == (0, b"shutdown ran\n")


def test_descriptors_that_are_not_open_are_named() -> None:
    command = [sys.executable, "-m", "astros.run", str(PLUGINS / "adversary.py")]
    done = subprocess.run(command, env=environment(ASTROS_RPC_FDS="77,78"), capture_output=True, text=True)
    assert done.returncode == 2
    assert "ASTROS_RPC_FDS" in done.stderr


@pytest.mark.parametrize("by_hand", ["no ASTROS_PROTOCOL", "a terminal"])
def test_started_by_hand_it_says_what_it_is(by_hand: str) -> None:
    env = environment()
    ours, theirs = pty.openpty()
    if by_hand == "no ASTROS_PROTOCOL":
        del env["ASTROS_PROTOCOL"]
    command = [sys.executable, "-m", "astros.run", str(PLUGINS / "adversary.py")]
    done = subprocess.run(command, env=env, stdin=theirs, capture_output=True, text=True, timeout=20)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 2
    assert "astros ask" in done.stderr


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import no_such_module_here", "plugin.py:1: ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("x = 1\ndef f(:\n    pass", "plugin.py:2: SyntaxError"),
        ("raise SystemExit('bye')", "plugin.py:1: SystemExit: bye"),
        ("x = 1", "has no plugin: expected a subclass of BasePlugin"),
    ],
)
def test_a_plugin_that_does_not_load_names_file_and_cause(start: Start, tmp_path: Path, code: str, cause: str) -> None:
    (tmp_path / "plugin.py").write_text(code)
    process = start(str(tmp_path))
    assert process.ends() == 1
    last = process.errors().strip().splitlines()[-1]
    assert last.startswith("error: cannot load")
    assert str(tmp_path) in last
    assert cause in last
    assert "importlib" not in process.errors()
    assert process.raw == []


def test_a_plugin_without_a_name_takes_the_hosts(start: Start, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text("from astros.plugin import BasePlugin\nclass P(BasePlugin): ...\n")
    answer = start(str(tmp_path)).initialize(plugin={"name": "from-the-folder"})
    assert answer["plugin"]["name"] == "from-the-folder"


def test_two_handlers_of_one_name_are_refused(start: Start, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(
        "from astros.plugin import BasePlugin, plugin_handler\n"
        "class P(BasePlugin):\n"
        "    @plugin_handler('x')\n    async def one(self, intent): ...\n"
        "    @plugin_handler('x')\n    async def two(self, intent): ...\n"
    )
    process = start(str(tmp_path))
    assert process.ends() == 1
    assert "the handler `x`: `one` and `two`" in process.errors()


def test_input_that_ends_during_the_shutdown_does_not_cut_it_short(start: Start, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(
        "import asyncio\nfrom astros.plugin import BasePlugin\n"
        "class P(BasePlugin):\n"
        "    async def shutdown(self):\n"
        "        print('begins')\n        await asyncio.sleep(0.2)\n        print('finished')\n"
    )
    process = start(str(tmp_path))
    process.initialize()
    process.ask("shutdown", {"reason": "stop", "grace_ms": 5000})
    process.close_input()
    assert process.ends(5) == 0
    assert process.errors() == "begins\nfinished\n"


def test_a_plugin_that_is_terminated_may_still_save(start: Start, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(
        "from astros.plugin import BasePlugin\n"
        "class P(BasePlugin):\n"
        "    async def shutdown(self):\n        await self.storage.set('last', 'word', ttl=1.5)\n"
    )
    process = start(str(tmp_path))
    process.initialize()
    process.process.send_signal(signal.SIGTERM)
    asked = process.next(method="storage/set")
    assert asked["params"] == {"key": "last", "value": "word", "ttl_ms": 1500}
    process.send({"jsonrpc": "2.0", "id": asked["id"], "result": {"version": 1}})
    assert process.ends(5) == 0
    assert process.errors() == ""
