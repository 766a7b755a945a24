"""Values to JSON text and back, with the protocol's rules.

datetime, Path, Enum, set, dataclass and bytes are encoded; NaN, cycles and unknown types are refused with the
place where they are; a string with lone surrogates (a file name that is not UTF-8) becomes {"base64": …}.
"""

from __future__ import annotations

from json.decoder import JSONDecoder, scanstring  # type: ignore[attr-defined]
from json.encoder import JSONEncoder

from .errors import EncodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn


def encode(value: Any, where: str = "") -> bytes:
    """One line of UTF-8 JSON; raises EncodeError naming the place under `where`."""
    try:
        return _fast(value).encode()
    except (TypeError, ValueError, RecursionError):
        # The fast way says only that something is wrong. Walking the value finds where, or mends it.
        try:
            return _fast(_walk(value, where, ())).encode()
        except RecursionError:
            raise EncodeError(f"`{where or 'value'}` is nested too deeply for JSON") from None


def decode(text: str) -> Any:
    """The value of a JSON text; NaN and infinities are refused (ValueError)."""
    return _decode(text)


def decode_members(text: str) -> Any:
    """As `decode`, but an object that has a member twice is refused; the objects within it are not looked at.

    Only the outermost level is walked here, so the price does not grow with the payload.
    """
    at = _past_space(text, 0)
    if text[at : at + 1] != "{":
        return _decode(text)
    members: dict[str, Any] = {}
    try:
        at = _past_space(text, at + 1)
        if text[at] == "}" and _past_space(text, at + 1) == len(text):
            return members
        while text[at] == '"':
            name, at = _scan_string(text, at + 1)
            if name in members:
                raise DuplicateMember(name)
            if text[at] != ":":
                at = _past_space(text, at)
                if text[at] != ":":
                    break
            members[name], at = _scan(text, _past_space(text, at + 1))
            if text[at] in _SPACE:
                at = _past_space(text, at)
            if text[at] == "}" and _past_space(text, at + 1) == len(text):
                return members
            if text[at] != ",":
                break
            at = _past_space(text, at + 1)
    except (IndexError, StopIteration):
        pass
    raise ValueError(f"something else was expected at character {at}")


class DuplicateMember(ValueError):
    """An object has a member twice."""


def _past_space(text: str, at: int) -> int:
    while text[at : at + 1] in _SPACE and at < len(text):
        at += 1
    return at


def plain(value: Any) -> Any:
    """What JSON holds for a value of a type that it does not know; raises TypeError."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"base64": _base64(bytes(value))}
    if hasattr(value, "__fspath__"):
        return _text(str(value))
    if hasattr(value, "isoformat"):
        return _moment(value)
    if isinstance(value, (set, frozenset)):
        return _ordered(value)
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if hasattr(type(value), "__members__"):  # an Enum: its class lists its members
        return value.value
    if hasattr(value, "keys") and hasattr(value, "__getitem__"):
        return {key: value[key] for key in value.keys()}  # noqa: SIM118 (any mapping, not only dict)
    raise TypeError(f"a `{type(value).__name__}`, which JSON cannot hold")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_fast = JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=plain).encode
_decoder = JSONDecoder(parse_constant=_refuse)
_decode = _decoder.decode
_scan = _decoder.scan_once  # type: ignore[attr-defined]
_scan_string: Callable[[str, int], tuple[str, int]] = scanstring
_SPACE = " \t\r\n"


def _walk(value: Any, where: str, above: tuple[int, ...]) -> Any:
    """A copy that the fast encoder takes, or EncodeError with the place of what it cannot take."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        if value - value != 0:  # NaN and infinities
            raise EncodeError(f"`{where or 'value'}` is {value!r}, which JSON cannot hold")
        return value
    if id(value) in above:
        raise EncodeError(f"`{where or 'value'}` contains itself, which JSON cannot hold")
    above = (*above, id(value))
    if isinstance(value, dict):
        dot = f"{where}." if where else ""
        return {_key(key, where): _walk(item, f"{dot}{key}", above) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_walk(item, f"{where}[{index}]", above) for index, item in enumerate(value)]
    try:
        return _walk(plain(value), where, above)
    except TypeError as error:
        raise EncodeError(f"`{where or 'value'}` is {error}") from None


def _key(key: Any, where: str) -> str:
    if hasattr(type(key), "__members__"):
        key = key.value
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    if isinstance(key, (str, int, float)) or hasattr(key, "__fspath__"):
        return str(key).encode("utf-8", "replace").decode()
    if hasattr(key, "isoformat"):
        return str(_moment(key))
    raise EncodeError(f"`{where or 'value'}` has a key of type `{type(key).__name__}`; JSON's keys are strings")


def _text(value: str) -> Any:
    try:
        value.encode()
        return value
    except UnicodeEncodeError:
        try:
            return {"base64": _base64(value.encode("utf-8", "surrogateescape"))}
        except UnicodeEncodeError:
            return value.encode("utf-8", "replace").decode()


def _moment(value: Any) -> Any:
    # RFC 3339 wants an offset; a datetime without a zone means local time, as everywhere in Python.
    if hasattr(value, "hour") and hasattr(value, "year") and value.tzinfo is None:
        value = value.astimezone()
    return value.isoformat()


def _ordered(value: Any) -> list[Any]:
    try:
        return sorted(value)
    except TypeError:
        return sorted(value, key=repr)


def _base64(value: bytes) -> str:
    import binascii

    return binascii.b2a_base64(value, newline=False).decode("ascii")
