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
    problem = _problem(message)
    if problem is not None:
        raise InvalidRequest(problem, id=id_of(message))
    return message


def _problem(message: dict[str, Any]) -> str | None:
    """What keeps an object from being a message, if anything."""
    if message.get("jsonrpc") != "2.0":
        return 'expected `"jsonrpc": "2.0"`'
    id = message.get("id")
    if not (valid_id(id) or (id is None and "id" not in message) or (id is None and "error" in message)):
        return f"an id is a string or an integer within ±(2^53-1), found {id!a:.80}"
    answers = ("result" in message) + ("error" in message)
    if "method" in message:
        method = message["method"]
        if type(method) is not str or not _is_unicode(method):
            return f"a method is a string, found {method!a:.80}"
        return "a message with a `method` has neither `result` nor `error`" if answers else None
    if answers != 1:
        return "a message has a `method`, a `result` or an `error`, and only one of them"
    if "id" not in message:
        return "an answer has the `id` of its request"
    error = message.get("error")
    if "error" in message and not (
        type(error) is dict and type(error.get("code")) is int and type(error.get("message")) is str
    ):
        return "an error is an object with a `code` and a `message`"
    return None


def valid_id(value: Any) -> TypeGuard[str | int]:
    """Strings, and integers that every JSON reader keeps."""
    if type(value) is str:
        return _is_unicode(value)
    return type(value) is int and -MAX_ID <= value <= MAX_ID


def _is_unicode(text: str) -> bool:
    """Whether it has no lone surrogates, which UTF-8 cannot hold."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
