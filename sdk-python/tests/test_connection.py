"""The protocol over real pipes: answers, errors, cancellation, concurrency, progress, bad input."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from .conftest import Start
from .host import PluginProcess

MIB = 1024 * 1024


def test_initialize_describes_the_plugin(start: Start) -> None:
    process = start("adversary.py")
    described = process.result(process.ask("describe", {"protocol_versions": ["1.0"]}))
    answer = process.initialize()
    assert answer["protocol_version"] == "1.0"
    assert answer["limits"] == {"max_frame_bytes": 16 * MIB, "max_in_flight": 64}
    assert answer["plugin"] == described["plugin"]
    assert answer["plugin"]["name"] == "adversary"
    assert answer["plugin"]["version"] == "1.2.3"
    assert answer["plugin"]["language"] == "python"
    assert answer["plugin"]["description"] == "Misbehaves on request."
    assert answer["plugin"]["handlers"][0] == {
        "name": "echo",
        "description": "Give back what came.",
        "priority": 3,
        "examples": ["echo {word}"],
        "effects": "none",
        "idempotent": True,
        "timeout_ms": 500,
    }


@pytest.mark.parametrize("offered", [["1.7"], ["2.1", "1.3"], ["1.0", "1.4", "x", 7]])
def test_the_lower_minor_of_a_common_major_is_spoken(start: Start, offered: list[Any]) -> None:
    assert start("adversary.py").initialize(protocol_versions=offered)["protocol_version"] == "1.0"


def test_no_common_version_names_both_lists(start: Start) -> None:
    process = start("adversary.py")
    error = process.error(process.ask("initialize", {"protocol_versions": ["2.0"]}))
    assert error["code"] == -32010
    assert error["data"] == {
        "kind": "unsupported_version",
        "retryable": False,
        "host": ["2.0"],
        "plugin": ["1.0"],
        "hint": "update the older of the two",
    }


@pytest.mark.parametrize(("how", "reason"), [("refuse", "returned False"), ("raise", "OSError: no such device")])
def test_a_failed_start_gives_its_reason(start: Start, how: str, reason: str) -> None:
    process = start("adversary.py")
    error = process.error(process.ask("initialize", {"protocol_versions": ["1.0"], "settings": {"initialize": how}}))
    assert error["code"] == -32012
    assert reason in error["message"]


def test_nothing_is_handled_before_initialize(start: Start) -> None:
    process = start("adversary.py")
    assert process.error(process.call("echo"))["code"] == -32600
    process.initialize()
    assert process.result(process.call("echo"))["success"] is True


@pytest.mark.parametrize("id", [7, -3, "seven", "", "ü", 2**53 - 1])
def test_ids_come_back_in_their_type(adversary: PluginProcess, id: str | int) -> None:
    assert adversary.answer(adversary.call("echo", id=id))["id"] == id


@pytest.mark.parametrize("id", [None, 1.5, True, [1], 2**53])
def test_other_ids_are_refused(adversary: PluginProcess, id: Any) -> None:
    adversary.send({"jsonrpc": "2.0", "id": id, "method": "ping", "params": {}})
    assert adversary.error(None)["code"] == -32600


def test_a_request_whose_id_is_open_is_dropped(adversary: PluginProcess) -> None:
    adversary.call("wait", id="a", progress=True)
    adversary.next(method="$/progress")
    adversary.call("echo", id="a")
    adversary.tell("$/cancel", {"id": "a"})
    assert adversary.error("a")["code"] == -32005
    adversary.result(adversary.call("echo", id="b"))
    assert sum(b'"id":"a"' in line and b"progress" not in line for line in adversary.raw) == 1


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"garbage", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":', -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":NaN}}', -32700),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
        (b"7", -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","id":2}', -32600),
        (b'{"jsonrpc":"1.0","method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","params":{}}', -32600),
    ],
)
def test_a_line_that_is_no_message_is_answered_and_survived(adversary: PluginProcess, line: bytes, code: int) -> None:
    adversary.write(line + b"\n")
    assert adversary.error(None)["code"] == code
    assert adversary.result(adversary.call("echo"))["success"] is True


def test_blank_lines_unknown_members_and_notifications_are_tolerated(adversary: PluginProcess) -> None:
    adversary.write(b"\n  \r\n")
    adversary.tell("$/whatever", {"x": 1})
    adversary.send({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"new": 1}, "trace": {}})
    assert adversary.result(1) == {"in_flight": 0}


def test_an_unknown_method_is_unsupported_and_hints_at_the_nearest(adversary: PluginProcess) -> None:
    error = adversary.error(adversary.ask("settings/change"))
    assert (error["code"], error["data"]["hint"]) == (-32601, "did you mean `settings/changed`?")


def test_an_unknown_handler_hints_at_the_nearest(adversary: PluginProcess) -> None:
    error = adversary.error(adversary.call("ecko"))
    assert (error["code"], error["data"]["hint"]) == (-32013, "did you mean `echo`?")


def test_params_that_are_no_object_are_refused(adversary: PluginProcess) -> None:
    assert adversary.error(adversary.ask("handle_intent", [1]))["code"] == -32602
    assert adversary.error(adversary.ask("handle_intent", {"handler": "echo"}))["code"] == -32602


def test_a_line_beyond_the_limit_is_refused_in_bounded_memory(adversary: PluginProcess) -> None:
    def peak() -> int:
        status = Path(f"/proc/{adversary.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024

    before = peak()
    adversary.write(b'{"jsonrpc":"2.0","id":"big","method":"handle_intent","params":"')
    for _ in range(64):
        adversary.write(b"x" * MIB)
    adversary.write(b'"}\n')
    error = adversary.error("big")
    assert error["code"] == -32009
    assert adversary.result(adversary.call("echo"))["success"] is True
    assert peak() - before < 40 * MIB


def test_a_large_intent_and_a_large_answer_pass(adversary: PluginProcess) -> None:
    text = "ü" * (2 * MIB)
    assert adversary.result(adversary.call("echo", {"text": text}))["data"]["context"]["text"] == text


def test_an_answer_beyond_the_hosts_limit_is_a_failure(start: Start) -> None:
    process = start("adversary.py")
    process.initialize(limits={"max_frame_bytes": 10_000})
    error = process.error(process.call("large", {"size": 10_000}))
    assert error["code"] == -32009
    assert "more than the 10000" in error["message"]


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        ("fail", "KeyError: 'no key like this'"),
        ("exit", "SystemExit: 3"),
        ("stop_iteration", "RuntimeError: the handler raised StopIteration(enough)"),
        ("nan", "EncodeError: `result.data.scores[1]` is nan, which JSON cannot hold"),
    ],
)
def test_an_exception_is_one_answer_and_its_stack_stays_on_stderr(
    adversary: PluginProcess, handler: str, message: str
) -> None:
    error = adversary.error(adversary.call(handler))
    assert error == {
        "code": -32012,
        "message": message,
        "data": {"kind": "handler_failed", "retryable": False},
    }
    assert adversary.result(adversary.call("echo"))["success"] is True
    adversary.close_input()
    adversary.ends()
    assert "Traceback" in adversary.errors()


def test_an_error_of_the_protocol_keeps_its_code(adversary: PluginProcess) -> None:
    error = adversary.error(adversary.call("refuse_params"))
    assert (error["code"], error["message"]) == (-32602, "`path` is missing")


@pytest.mark.parametrize(
    ("what", "members"),
    [
        ("none", {"success": False, "declined": True}),
        ("text", {"success": True, "message": "done"}),
        ("members", {"success": False, "message": "no"}),
        ("data", {"success": True, "data": {"n": 1}}),
    ],
)
def test_what_a_handler_gives_back_becomes_a_response(
    adversary: PluginProcess, what: str, members: dict[str, Any]
) -> None:
    assert members.items() <= adversary.result(adversary.call("return", {"what": what})).items()


def test_a_result_of_another_type_is_named(adversary: PluginProcess) -> None:
    assert (
        "returned `int`, expected a Response" in adversary.error(adversary.call("return", {"what": "odd"}))["message"]
    )


def test_cancelling_reaches_the_handler_and_is_answered_once(adversary: PluginProcess) -> None:
    id = adversary.call("wait", progress=True)
    adversary.next(method="$/progress")
    adversary.tell("$/cancel", {"id": id})
    adversary.tell("$/cancel", {"id": id})
    assert adversary.error(id)["code"] == -32005
    assert adversary.next(method="log")["params"]["message"] == "cleaned up"
    adversary.tell("$/cancel", {"id": id})
    adversary.result(adversary.call("echo"))
    assert sum(f'"id":{id},"error"'.encode() in line for line in adversary.raw) == 1


def test_a_request_cancelled_before_it_began_is_answered(adversary: PluginProcess) -> None:
    intent = {"text": "", "context": {}}
    ask = {"jsonrpc": "2.0", "id": 50, "method": "handle_intent", "params": {"handler": "wait", "intent": intent}}
    cancel = {"jsonrpc": "2.0", "method": "$/cancel", "params": {"id": 50}}
    adversary.write(json.dumps(ask).encode() + b"\n" + json.dumps(cancel).encode() + b"\n")
    assert adversary.error(50)["code"] == -32005
    assert adversary.result(adversary.ask("ping")) == {"in_flight": 0}


def test_a_handler_may_finish_although_cancelled(adversary: PluginProcess) -> None:
    id = adversary.call("stubborn", progress=True)
    adversary.next(method="$/progress")
    adversary.tell("$/cancel", {"id": id})
    assert adversary.result(id)["message"] == "finished all the same"


def test_blocking_handlers_run_beside_each_other(adversary: PluginProcess) -> None:
    ids = [adversary.call("meet") for _ in range(8)]
    assert [adversary.result(id)["message"] for id in ids] == ["met"] * 8


def test_ping_is_answered_while_a_handler_blocks_the_loop(adversary: PluginProcess, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    id = adversary.call("hold_loop", {"fifo": str(fifo)})
    with open(fifo, "w"):  # opens once the handler reads, so it holds the loop now
        assert adversary.result(adversary.ask("ping")) == {"in_flight": 1}
    assert adversary.result(id)["message"] == "released"


def test_ping_is_answered_while_a_handler_computes(adversary: PluginProcess, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    id = adversary.call("spin", {"flag": str(flag)})
    assert "in_flight" in adversary.result(adversary.ask("ping"))
    flag.touch()
    assert adversary.result(id)["message"] == "released"


def test_progress_waits_for_acknowledgements(adversary: PluginProcess) -> None:
    id = adversary.call("steps", {"count": 40}, progress=True)
    seen = [adversary.next(method="$/progress")["params"] for _ in range(32)]
    adversary.result(adversary.call("echo"))  # the handler stands still, and the others go on
    assert sum(b"$/progress" in line for line in adversary.raw) == 32
    adversary.tell("$/ack", {"id": id, "count": 3})
    seen += [adversary.next(method="$/progress")["params"] for _ in range(3)]
    adversary.tell("$/ack", {"id": id, "count": 32})
    seen += [adversary.next(method="$/progress")["params"] for _ in range(5)]
    assert adversary.result(id)["success"] is True
    assert seen == [{"id": id, "value": {"done": step}} for step in range(40)]


def test_progress_that_nobody_awaits_never_passes_the_window(adversary: PluginProcess) -> None:
    id = adversary.call("steps_in_a_hurry", {"count": 1000}, progress=True)
    assert adversary.result(id)["success"] is True
    assert sum(b"$/progress" in line for line in adversary.raw) == 32


def test_progress_that_nobody_wants_is_not_sent(adversary: PluginProcess) -> None:
    adversary.result(adversary.call("steps", {"count": 40}))
    assert not any(b"$/progress" in line for line in adversary.raw)


@pytest.mark.parametrize("handler", ["call", "call_from_thread"])
def test_a_call_names_its_parent_by_itself(adversary: PluginProcess, handler: str) -> None:
    first, second = adversary.call(handler, {"n": 1}, id="p1"), adversary.call(handler, {"n": 1}, id="p2")
    asked = [adversary.next(method="call_plugin") for _ in range(2)]
    assert {call["params"]["meta"]["parent"] for call in asked} == {first, second}
    assert asked[0]["params"]["plugin"] == "other"
    for call in asked:
        parent = call["params"]["meta"]["parent"]
        adversary.send({"jsonrpc": "2.0", "id": call["id"], "result": {"success": True, "message": parent}})
    assert [adversary.result(id)["message"] for id in (first, second)] == ["p1", "p2"]


def test_a_failed_callee_is_a_response(adversary: PluginProcess) -> None:
    id = adversary.call("call")
    call = adversary.next(method="call_plugin")
    error = {"code": -32001, "message": "no plugin `other`", "data": {"kind": "plugin_not_found", "hint": "otter?"}}
    adversary.send({"jsonrpc": "2.0", "id": call["id"], "error": error})
    answer = adversary.result(id)
    assert (answer["success"], answer["message"]) == (False, "no plugin `other`")
    assert answer["error"]["kind"] == "plugin_not_found"
    assert answer["error"]["hint"] == "otter?"


def test_a_checked_call_raises(adversary: PluginProcess) -> None:
    id = adversary.call("call_checked")
    call = adversary.next(method="call_plugin")
    adversary.send({"jsonrpc": "2.0", "id": call["id"], "result": {"success": False, "message": "disk full"}})
    assert adversary.error(id)["message"] == "CallFailed: `other.work` did not succeed: disk full"


def test_cancelling_a_handler_cancels_its_calls(adversary: PluginProcess) -> None:
    id = adversary.call("call")
    call = adversary.next(method="call_plugin")
    adversary.tell("$/cancel", {"id": id})
    assert adversary.next(method="$/cancel")["params"] == {"id": call["id"]}
    assert adversary.error(id)["code"] == -32005


def test_a_call_that_is_out_of_time_is_cancelled(adversary: PluginProcess) -> None:
    id = adversary.call("call", timeout=0.05)
    call = adversary.next(method="call_plugin")
    assert call["params"]["meta"]["deadline_ms"] == 50
    assert adversary.next(method="$/cancel")["params"] == {"id": call["id"]}
    assert adversary.result(id)["error"]["kind"] == "deadline_exceeded"


def test_progress_of_a_callee_is_acknowledged_and_precedes_the_answer(adversary: PluginProcess) -> None:
    id = adversary.call("call_listening")
    call = adversary.next(method="call_plugin")
    assert call["params"]["meta"]["progress"] is True
    for step in range(5):
        adversary.tell("$/progress", {"id": call["id"], "value": {"done": step}})
    adversary.send({"jsonrpc": "2.0", "id": call["id"], "result": {"success": True}})
    assert [adversary.next(method="$/ack")["params"] for _ in range(5)] == [{"id": call["id"], "count": 1}] * 5
    assert adversary.result(id)["data"]["seen"] == [{"done": step} for step in range(5)]


def test_a_broken_answer_fails_the_call_that_it_names(adversary: PluginProcess) -> None:
    id = adversary.call("call")
    call = adversary.next(method="call_plugin")
    adversary.write(b'{"jsonrpc":"2.0","id":%d,"result":{"success":tru}\n' % call["id"])
    assert adversary.result(id)["error"]["kind"] == "bad_response"


def test_settings_change_live_and_may_be_refused(start: Start) -> None:
    process = start("adversary.py")
    process.initialize(settings={"color": "red", "deep": {"er": 1}})
    show = {"color": "red", "all": {"color": "red", "deep": {"er": 1}}}
    assert process.result(process.call("settings"))["data"] == show
    assert process.result(process.ask("settings/changed", {"old": {}, "new": {"color": "blue"}})) is None
    assert process.result(process.call("settings"))["data"]["color"] == "blue"
    error = process.error(process.ask("settings/changed", {"old": {}, "new": {"color": "plaid"}}))
    assert (error["code"], error["message"]) == (-32011, "`/color` is plaid, expected a plain colour")
    assert process.result(process.call("settings"))["data"]["color"] == "blue"
