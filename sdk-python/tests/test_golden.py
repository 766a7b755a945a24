"""The protocol's golden messages, each through the SDK's decoder and encoder.

A file is an array of {"name", "from": "host" or "plugin", "message"}; `invalid.json` has {"name", "line", "why"}.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from astros import _wire
from astros.errors import InvalidRequest, ParseError, RemoteError
from astros.types import Intent, Response

FOLDER = Path(__file__).parents[2] / "protocol" / "golden"


def messages() -> list[Any]:
    return [
        pytest.param(golden["message"], id=f"{file.stem}: {golden['name']}")
        for file in sorted(FOLDER.glob("*.json"))
        for golden in json.loads(file.read_text("utf-8"))
        if "message" in golden
    ]


def invalid_lines() -> list[Any]:
    file = FOLDER / "invalid.json"
    lines = json.loads(file.read_text("utf-8")) if file.exists() else []
    return [pytest.param(line["line"], id=line["name"]) for line in lines]


def test_there_are_golden_messages() -> None:
    sources = {file.name for file in FOLDER.parent.glob("src/**/*.rs")}
    if sources <= {"lib.rs"} and not FOLDER.exists():
        pytest.skip("no types of the protocol beside the SDK, so no golden messages")
    assert messages()


def write(message: dict[str, Any]) -> bytes:
    """The line that the SDK's own writers make of a message."""
    if "result" in message:
        return _wire.result(message["id"], message["result"])
    if "error" in message:
        return _wire.failure(message["id"], RemoteError.from_wire(message["error"]))
    params = message.get("params", {})
    if "id" in message:
        return _wire.request(message["id"], message["method"], params)
    return _wire.notification(message["method"], params)


@pytest.mark.parametrize("message", messages())
def test_a_golden_message_survives(message: dict[str, Any]) -> None:
    read = _wire.parse(json.dumps(message).encode())
    assert read == message
    order = [name for name in ("jsonrpc", "id", "method", "params", "result", "error") if name in message]
    written = json.loads(write(read))
    assert list(written)[: len(order)] == order
    if "error" in order:
        order.remove("error")  # it gains `kind` and `retryable`; the next test looks at it
    assert {name: written[name] for name in order} == {name: message[name] for name in order}


@pytest.mark.parametrize("message", messages())
def test_the_types_of_a_golden_message_survive(message: dict[str, Any]) -> None:
    if message.get("method") == "handle_intent":
        intent = Intent.from_dict(message["params"]["intent"], message["params"].get("meta"))
        assert Intent.from_dict(intent.to_dict(), intent.meta) == intent
        said = {name: value for name, value in message["params"]["intent"].items() if value is not None}
        assert said.items() <= intent.to_dict().items()
    if isinstance(result := message.get("result"), dict) and "success" in result:
        response = Response.from_dict(result)
        assert Response.from_dict(response.to_dict()) == response
    if "error" in message:
        error = RemoteError.from_wire(message["error"])
        assert (error.code, error.message) == (message["error"]["code"], message["error"]["message"])
        assert message["error"].get("data", {}).items() <= error.to_wire()["data"].items()


@pytest.mark.parametrize("line", invalid_lines())
def test_what_is_no_message_is_refused(line: str) -> None:
    with pytest.raises((ParseError, InvalidRequest)):
        _wire.parse(line.encode())
