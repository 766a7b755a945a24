"""Commands of a plugin, through the wire and on a terminal."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Start
from .terminal import TerminalProcess

On = Callable[..., TerminalProcess]


@pytest.fixture(params=["by hand", "on a loop"])
def on_terminal(request: pytest.FixtureRequest) -> Iterator[On]:
    """Start the workshop on a terminal, initialized; it begins without an event loop, or has one from the start."""
    how: dict[str, Any] = {"EAGER": "1"} if request.param == "on a loop" else {}
    running: list[TerminalProcess] = []

    def run(file: str = "commands.py", **options: Any) -> TerminalProcess:
        process = TerminalProcess(file, **options, **how)
        running.append(process)
        process.initialize()
        return process

    yield run
    for process in running:
        process.destroy()


def described(start: Start) -> dict[str, Any]:
    process = start("commands.py")
    commands = process.initialize()["plugin"]["commands"]
    return {command["name"]: command for command in commands}


def test_a_typer_app_becomes_a_description(start: Start) -> None:
    commands = described(start)
    measure = commands["measure"]
    assert measure["description"] == "Measure something.\n\nWith a ruler."
    assert measure["epilog"] == "See also: weigh."
    parameters = {one.pop("name"): one for one in measure["parameters"]}
    assert parameters["path"] == {"description": "What to measure", "type": "path", "default": "."}
    assert parameters["depth"] == {
        "description": "How deep [from 1]",
        "type": "integer",
        "flags": ["--depth", "-d"],
        "default": 3,
    }
    assert parameters["loud"] == {"type": "boolean", "flags": ["--loud", "-l"], "default": False}
    assert parameters["color"] == {
        "type": "string",
        "flags": ["--color"],
        "choices": ["red", "blue"],
        "default": "red",
    }
    assert parameters["tag"] == {"type": "string", "flags": ["--tag"], "repeated": True}
    assert parameters["size"] == {"type": "integer", "flags": ["--size"], "default": [1, 2], "values": 2}
    assert parameters["fast"]["off_flags"] == ["--no-fast"]
    assert parameters["verbose"]["type"] == "count"
    assert parameters["secret"] == {"type": "string", "flags": ["--secret"], "metavar": "WORD", "hidden": True}
    # Typer asks for what is missing, so the host must not refuse it.
    assert "required" not in commands["ask-me"]["parameters"][0]
    assert commands["end"]["parameters"] == [{"name": "how", "type": "string", "required": True}]
    opened = commands["box"]["commands"][0]
    old = commands["old"]
    assert old["description"] == "(deprecated) Lists show this.\n\nHelp shows this."
    told = {one["name"]: (one.get("description", ""), one.get("ignore_case", False)) for one in old["parameters"]}
    assert told == {
        "hue": ("", True),
        "times": ("How often [from 1 up to 9] [env: ASTROS_WORKSHOP_TIMES]", False),
        "share": ("[up to 1]", False),
    }
    assert [name for name, one in commands.items() if one.get("rest")] == ["pass-on"]
    assert (commands["box"]["description"], opened["name"]) == ("Boxes.", "open")
    assert opened["parameters"][0]["repeated"] is True


def test_words_are_read_by_typer_in_the_persons_folder(on_terminal: On, tmp_path: Path) -> None:
    process = on_terminal()
    options = [
        "-d",
        "5",
        "--loud",
        "--color",
        "blue",
        "--tag",
        "a",
        "--tag",
        "b",
        "--size",
        "3",
        "4",
        "--no-fast",
        "-vv",
    ]
    assert process.code(process.run("measure", "x", *options, cwd=str(tmp_path))) == 0
    expected = f"{tmp_path.name}|x|5|True|blue|['a', 'b']|(3, 4)|False|2|None"
    process.see(expected)


def test_arguments_of_a_host_that_passes_no_words_are_put_together(on_terminal: On) -> None:
    process = on_terminal()
    args = {"path": "-y", "depth": 5, "loud": True, "color": "red", "tag": ["a"], "size": [3, 4], "fast": False}
    params = {"command": "measure", "args": {**args, "verbose": 2}, "cwd": "/"}
    assert process.code(process.ask("command/run", params)) == 0
    process.see("|-y|5|True|red|['a']|(3, 4)|False|2|None")
    assert process.code(process.ask("command/run", {"command": "box open", "args": {"names": ["p", "q"]}})) == 0
    process.see("opened p q")


def test_coroutines_and_loops_of_ones_own_both_run(on_terminal: On) -> None:
    process = on_terminal()
    assert process.code(process.run("nap")) == 0
    assert process.code(process.run("run")) == 0
    process.see("slept on the plugin's loop: True")
    process.see("ran a loop of its own")


def test_the_terminal_is_the_persons(on_terminal: On) -> None:
    process = on_terminal(width=77)
    assert process.code(process.run("tty")) == 0
    process.see("True True 77")
    asked = process.run("ask-me")
    process.see("Your name")
    process.type("Ada\n")
    assert process.code(asked) == 0
    process.see("Hello, Ada!")


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [("exit", 7, ""), ("abort", 1, "Aborted"), ("bad", 2, "not like this"), ("text", 1, "with words")],
)
def test_ends_are_those_of_any_typer_program(on_terminal: On, how: str, code: int, words: str) -> None:
    process = on_terminal()
    assert process.code(process.run("end", how)) == code
    process.see(words)
    assert "Traceback" not in process.text()


def test_wrong_usage_is_2_and_names_the_command_as_the_person_knows_it(on_terminal: On) -> None:
    process = on_terminal()
    assert process.code(process.run("measure", "--wide")) == 2
    process.see("Usage: astros measure")
    process.see("No such option")
    assert process.code(process.run("box", "open", "--help")) == 0
    process.see("Usage: astros box open")


def test_an_exception_shows_the_authors_code_only(on_terminal: On) -> None:
    process = on_terminal()
    assert process.code(process.run("end", "break")) == 1
    process.see("RuntimeError: it broke")
    process.see("commands.py")
    assert "site-packages" not in process.text()
    assert "_command.py" not in process.text()


DENIED = {"kind": "permission_denied", "hint": "`astros plugins grant workshop ai`"}
NOBODY = {"kind": "plugin_not_found", "hint": "did you mean `somebody`?"}


@pytest.mark.parametrize(
    ("over", "error", "code", "lines"),
    [
        ("model", (-32006, "no\npermission", DENIED), 6, ["error: no", "  permission", f"  {DENIED['hint']}"]),
        ("storage", (-32006, "not yours", DENIED), 6, ["error: not yours", f"  {DENIED['hint']}"]),
        ("storage", (-32017, "no room", {"kind": "storage_failed"}), 8, ["error: no room"]),
        (
            "bus",
            (-32001, "no plugin `nobody`", NOBODY),
            2,
            ["error: no handler is registered for `nobody`: no plugin `nobody`", f"  {NOBODY['hint']}"],
        ),
    ],
)
def test_what_the_host_refuses_is_a_sentence_with_its_hint_and_exit_code(
    on_terminal: On, over: str, error: tuple[int, str, dict[str, Any]], code: int, lines: list[str]
) -> None:
    process = on_terminal(width=200)
    asked = process.run("trip", over)
    process.refuse(*error)
    assert process.code(asked) == code
    process.see(lines[-1])
    assert process.text().splitlines() == lines


@pytest.mark.parametrize(
    ("over", "last", "stacks"), [("value", "EncodeError: ", 1), ("caught", "RuntimeError: no answer", 2)]
)
def test_a_stack_has_none_of_the_sdk_around_the_authors_code(
    on_terminal: On, over: str, last: str, stacks: int
) -> None:
    process = on_terminal(width=200)
    asked = process.run("trip", over)
    if over == "caught":
        process.refuse(-32006, "no permission", DENIED)
    assert process.code(asked) == 1
    process.see(last)
    assert process.text().count("Traceback") == stacks
    files = [line for line in process.text().splitlines() if line.startswith("  File")]
    assert len(files) == stacks
    assert all("tests/plugins/commands.py" in line for line in files)


def test_commands_that_cannot_be_registered_name_the_hook(start: Start, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(
        "from astros.command import CommandPlugin\n\n\nclass Odd(CommandPlugin):\n"
        "    def register_commands(self, app):\n        raise ValueError('oh no')\n"
    )
    process = start(str(tmp_path))
    error = process.error(process.ask("initialize", {"protocol_versions": ["1.0"]}))
    assert error["message"] == "`register_commands` failed: ValueError: oh no"
    process.close_input()
    process.ends()
    assert process.errors().count("File ") == 1, process.errors()


@pytest.mark.parametrize("command", ["wait", "nap"])
def test_ctrl_c_is_130_and_cleans_up(on_terminal: On, command: str) -> None:
    process = on_terminal()
    asked = process.run(*(["wait"] if command == "wait" else ["nap", "--seconds", "60"]))
    if command == "wait":
        process.see("waiting")
    else:
        process.see("napping")
    process.signal(signal.SIGINT)
    assert process.code(asked) == 130
    process.see("woken" if command == "wait" else "up again")
    assert "Traceback" not in process.text()
    process.answer(process.ask("shutdown", {"reason": "done", "grace_ms": 1000}))
    assert process.ends() == 0


def test_terminating_a_command_lets_it_clean_up(on_terminal: On) -> None:
    process = on_terminal()
    asked = process.run("wait")
    process.see("waiting")
    process.signal(signal.SIGTERM)
    assert process.code(asked) == 143
    process.see("woken")


def test_a_host_that_goes_away_ends_the_command(on_terminal: On) -> None:
    process = on_terminal()
    process.run("wait")
    process.see("waiting")
    assert process.ends() == 0
    process.see("cleaned up")


def test_a_reader_that_has_enough_is_no_error(on_terminal: On) -> None:
    reading, writing = os.pipe()
    process = on_terminal(stdout=writing)
    os.close(writing)
    asked = process.run("end", "many")
    assert os.read(reading, 1) == b"0"
    os.close(reading)
    assert process.code(asked) == 1
    assert process.text() == ""
    assert process.ends() == 0


@pytest.fixture
def plain() -> Iterator[TerminalProcess]:
    """Commands that need no event loop, on a terminal."""
    process = TerminalProcess("plain.py")
    process.initialize()
    yield process
    process.destroy()


def test_a_plain_command_takes_no_event_loop(plain: TerminalProcess) -> None:
    assert plain.code(plain.run("look")) == 0
    plain.see("False")
    plain.answer(plain.ask("shutdown", {"reason": "done", "grace_ms": 1000}))
    assert plain.ends() == 0


def test_the_end_of_a_command_leaves_nothing_unsaid(plain: TerminalProcess, tmp_path: Path) -> None:
    assert plain.code(plain.run("write", str(tmp_path))) == 0
    assert plain.ends() == 0
    said = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert said == {"own": "mine", "hidden": "hidden", "exit": "ran"}
    plain.see("given up")


def test_threads_of_a_command_end_their_work(plain: TerminalProcess, tmp_path: Path) -> None:
    assert plain.code(plain.run("work-on", str(tmp_path))) == 0
    assert plain.ends() == 0
    assert (tmp_path / "thread").read_text() == "done"


def test_a_plain_command_is_taken_back_at_once(plain: TerminalProcess) -> None:
    asked = plain.run("wait")
    plain.see("waiting")
    plain.send({"jsonrpc": "2.0", "method": "$/cancel", "params": {"id": asked}})
    assert plain.answer(asked)["error"]["data"]["kind"] == "cancelled"
    plain.see("woken")
    assert plain.code(plain.run("look")) == 0
    assert plain.ends() == 0


def test_a_plain_command_does_not_keep_the_plugin_from_its_end(plain: TerminalProcess) -> None:
    plain.run("wait")
    plain.see("waiting")
    stopped = plain.ask("shutdown", {"reason": "done", "grace_ms": 1000})
    plain.answer(stopped)
    assert plain.ends() == 0
    plain.see("woken")


def test_a_command_in_a_shared_process_prints_into_the_log(start: Start) -> None:
    process = start("commands.py")
    process.initialize()
    asked = process.ask("command/run", {"command": "measure", "argv": ["measure"], "cwd": "/"})
    assert process.result(asked) == {"exit_code": 0}
    unknown = process.error(process.ask("command/run", {"command": "mesure", "argv": ["mesure"]}))
    assert unknown["data"]["hint"] == "did you mean `measure`?"
    process.close_input()
    assert process.ends() == 0
    assert "|.|3|False|red|[]|(1, 2)|True|0|None" in process.errors()
    assert all(json.loads(line) for line in process.raw)


def test_a_command_imports_nothing_from_the_persons_folder(tmp_path: Path) -> None:
    own, persons = tmp_path / "own" / "src" / "pack", tmp_path / "persons" / "pack"
    for folder, words in ((own, "mine"), (persons, "theirs")):
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "plugin.py").write_text(
            "from astros.command import CommandPlugin\n"
            f"class P(CommandPlugin):\n    name = 'p'\n    description = '{words}'\n"
        )
    start = "import sys; sys.path[0] = sys.argv.pop(1); from astros.run import main; sys.exit(main(sys.argv[1:]))"
    command = ["-c", start, str(tmp_path / "own"), "pack.plugin:P"]
    process = TerminalProcess("", command=command, cwd=str(persons.parent))
    try:
        assert process.initialize()["description"] == "mine"
    finally:
        process.destroy()
