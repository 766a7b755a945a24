"""Envelopes: lines to messages and back. No I/O and no state.

Writers put jsonrpc, id, method first; an envelope is built by hand around one JSON text.
"""

from __future__ import annotations

from . import _json
from .errors import InvalidRequest, ParseError, RemoteError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeGuard

MAX_ID = 2**53 - 1


def parse(line: bytes) -> dict[str, Any]:
    """The message of a line; raises ParseError or InvalidRequest, which say what an answer should say."""
    try:
        message = _json.decode_members(line.decode())
    except _json.DuplicateMember as twice:
        raise InvalidRequest(f"the envelope has the member `{twice}` twice") from None
    except (ValueError, RecursionError) as error:
        raise ParseError(f"a line that is no JSON: {error}") from None
    if type(message) is not dict:
        if type(message) is list:
            raise InvalidRequest("expected one message a line, found an array: batches are not part of the protocol")
        raise InvalidRequest(f"expected an object, found `{type(message).__name__}`")
    if message.get("jsonrpc") != "2.0":
        raise InvalidRequest('expected `"jsonrpc": "2.0"`', id=id_of(message))
    return message


def valid_id(value: Any) -> TypeGuard[str | int]:
    """Strings, and integers that every JSON reader keeps."""
    return type(value) is str or (type(value) is int and -MAX_ID <= value <= MAX_ID)


def id_of(message: dict[str, Any]) -> str | int | None:
    """The message's id, or None where it has none that is valid."""
    id = message.get("id")
    return id if valid_id(id) else None


def _id(id: str | int | None) -> bytes:
    return b"%d" % id if type(id) is int else _json.encode(id)


def request(id: str | int, method: str, params: Any) -> bytes:
    """A request's line."""
    return b'{"jsonrpc":"2.0","id":%b,"method":%b,"params":%b}\n' % (
        _id(id),
        _json.encode(method),
        _json.encode(params, "params"),
    )


def notification(method: str, params: Any) -> bytes:
    """A notification's line."""
    return b'{"jsonrpc":"2.0","method":%b,"params":%b}\n' % (
        _json.encode(method),
        _json.encode(params, "params"),
    )


def result(id: str | int, value: Any) -> bytes:
    """A successful answer's line."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}\n' % (_id(id), _json.encode(value, "result"))


def failure(id: str | int | None, error: RemoteError) -> bytes:
    """A failed answer's line."""
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}\n' % (_id(id), _json.encode(error.to_wire(), "error"))


def message(value: dict[str, Any]) -> bytes:
    """The line of a message that is there as an object, in the order that writers keep."""
    if "method" in value:
        params = value.get("params", {})
        return request(value["id"], value["method"], params) if "id" in value else notification(value["method"], params)
    if "error" in value:
        return b'{"jsonrpc":"2.0","id":%b,"error":%b}\n' % (
            _json.encode(value.get("id")),
            _json.encode(value["error"]),
        )
    return result(value["id"], value.get("result"))


def salvage(head: bytes) -> tuple[str | int | None, bool]:
    """The id that a broken line gives away at its beginning, and whether it answers one of our requests."""
    import re

    found = re.match(
        rb'\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d{1,16})\s*,\s*"(method|result|error)"\s*:',
        head,
    )
    if found is None:
        return None, False
    try:
        id = _json.decode(found[1].decode())
    except ValueError:
        return None, False
    return (id if valid_id(id) else None), found[2] != b"method"
