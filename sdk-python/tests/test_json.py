"""Encoding and decoding of values and envelopes."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import os
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astros import _json, _wire
from astros._frames import Lines, Oversized
from astros.errors import EncodeError, InvalidRequest, ParseError
from astros.types import Intent, Response

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Point:
    x: int
    near: Any = None


@given(values)
def test_every_json_value_survives(value: Any) -> None:
    assert _json.decode(_json.encode(value).decode()) == value


@given(values)
def test_one_level_walked_by_hand_reads_what_the_standard_library_reads(value: Any) -> None:
    for text in (json.dumps({"a": value, "b": [value]}, indent=2), json.dumps(value)):
        assert _json.decode_members(text) == json.loads(text)


@given(st.text(alphabet='{}[]":,\\ \n\tabu0123.eE-+tfn', max_size=30))
def test_it_also_refuses_what_the_standard_library_refuses(text: str) -> None:
    def outcome(read: Any) -> Any:
        try:
            return read(text)
        except ValueError as error:
            return type(error) if isinstance(error, _json.DuplicateMember) else ValueError

    ours, theirs = outcome(_json.decode_members), outcome(_json.decode)
    assert ours == theirs or ours is _json.DuplicateMember


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), "2026-01-02T03:04:05+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (Path("/a/ü"), "/a/ü"),
        (Path(os.fsdecode(b"/a/\xff")), {"base64": "L2Ev/w=="}),
        (os.fsdecode(b"caf\xe9"), {"base64": "Y2Fm6Q=="}),
        ("\ud800", "?"),
        ({"k\ud800": 1}, {"k?": 1}),
        (Color.RED, "red"),
        (Level.HIGH, 3),
        ({Color.RED: {Path("/p"): 1}}, {"red": {"/p": 1}}),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset(["b", 1]), ["b", 1]),
        (Point(1, Point(2)), {"x": 1, "near": {"x": 2, "near": None}}),
        (b"\x00\x01", {"base64": "AAE="}),
        (Response(message="m"), {"success": True, "message": "m", "data": {}}),
        ((1, 2), [1, 2]),
        ({1: "a", None: "b", False: "c"}, {"1": "a", "null": "b", "false": "c"}),
    ],
)
def test_types_of_python_have_a_form(value: Any, encoded: Any) -> None:
    assert json.loads(_json.encode({"v": value})) == {"v": encoded}


def test_a_naive_datetime_gets_the_local_offset() -> None:
    text = json.loads(_json.encode(datetime(2026, 1, 2, 3, 4, 5)))
    assert datetime.fromisoformat(text).tzinfo is not None


def circle() -> list[Any]:
    value: list[Any] = []
    value.append({"again": value})
    return value


def deep() -> Any:
    value: Any = 0
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": [1, float("nan")]}, "`result.a[1]` is nan"),
        ({"a": {"b": float("-inf")}}, "`result.a.b` is -inf"),
        ({"sock": object()}, "`result.sock` is a `object`"),
        ({"a": circle()}, "`result.a[0].again` contains itself"),
        ({(1, 2): 3}, "`result` has a key of type `tuple`"),
        (deep(), "nested too deeply"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(value: Any, problem: str) -> None:
    with pytest.raises(EncodeError) as caught:
        _json.encode(value, "result")
    assert problem in str(caught.value)


def test_writers_put_the_envelope_first() -> None:
    assert _wire.request(1, "m", {"a": "ü"}) == '{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"ü"}}\n'.encode()
    assert _wire.result("x", None) == b'{"jsonrpc":"2.0","id":"x","result":null}\n'
    assert _wire.notification("n", {}) == b'{"jsonrpc":"2.0","method":"n","params":{}}\n'


def test_a_newline_in_a_value_stays_within_the_line() -> None:
    assert _wire.result(1, {"a\n": "\r\n\u2028"}).count(b"\n") == 1


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(line: bytes) -> None:
    with contextlib.suppress(ParseError, InvalidRequest):
        assert isinstance(_wire.parse(line), dict)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_salvage(line: bytes) -> None:
    _wire.salvage(b'{"jsonrpc":"2.0","id":' + line)


def test_a_duplicate_member_is_refused_in_the_envelope_only() -> None:
    assert _wire.parse(b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"id":1,"id":2}}')["params"] == {"id": 2}
    with pytest.raises(InvalidRequest, match="`id` twice"):
        _wire.parse(b'{"jsonrpc":"2.0","id":1,"method":"m","\\u0069d":2}')


@given(st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), max_size=8), st.data())
def test_lines_arrive_whole_however_they_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    reader, seen, at = Lines(8), [], 0
    while at < len(stream):
        step = data.draw(st.integers(1, 20))
        seen += reader.feed(stream[at : at + step])
        at += step
    assert len(seen) == len(lines)
    for line, got in zip(lines, seen, strict=True):
        if isinstance(got, Oversized):
            assert len(line) > 8
            assert got.size == len(line)
            assert line.startswith(got.head)
        else:
            assert got == line


def test_a_line_beyond_the_limit_keeps_only_its_head() -> None:
    lines = Lines(10_000)
    for _ in range(100):
        assert lines.feed(b"x" * 10_000) == []
    big, next_line = lines.feed(b"\nnext\n")
    assert isinstance(big, Oversized)
    assert (big.size, len(big.head), next_line) == (1_000_000, 4096, b"next")


def test_an_intent_survives_the_wire() -> None:
    sent = {
        "text": "x",
        "intent_type": "t",
        "confidence": 0.5,
        "context": {"a": 1},
        "timestamp": "2026-01-02T03:04:05.5Z",
    }
    intent = Intent.from_dict({**sent, "user_id": None, "mood": "good"}, {"cwd": "/"})
    assert intent.to_dict() == {**sent, "mood": "good"}
    assert (intent.user_id, intent.session_id, intent.meta) == (None, None, {"cwd": "/"})
    assert intent.timestamp == datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=timezone.utc)


def test_everything_but_the_text_of_an_intent_is_optional() -> None:
    intent = Intent(text="hello")
    assert (intent.context, intent.intent_type, intent.confidence) == ({}, "", 1.0)
    assert abs((datetime.now(timezone.utc) - intent.timestamp).total_seconds()) < 60


def test_a_timestamp_that_is_none_is_named_when_it_is_read() -> None:
    with pytest.raises(ValueError, match="`timestamp` is no RFC 3339 time: 'yesterday'"):
        _ = Intent.from_dict({"text": "", "timestamp": "yesterday"}).timestamp


def test_further_members_of_a_response_are_attributes_and_kept() -> None:
    response = Response(success=True, data=[1], from_cache=True, to_dict_like="x")
    assert response.from_cache is True
    again = Response.from_dict(json.loads(_json.encode(response)))
    assert again == response
    assert again.to_dict_like == "x"
    with pytest.raises(AttributeError, match="no member `from_cash`"):
        _ = response.from_cash


def test_absent_and_null_members_of_a_response_have_defaults() -> None:
    response = Response.from_dict({"success": True, "data": None, "message": None, "note": None})
    assert (response.message, response.data, response.declined, response.note) == ("", {}, False, None)
    assert len(response.message) == 0
