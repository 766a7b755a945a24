"""A plugin's storage in memory, for tests: the semantics of the host's."""

from __future__ import annotations

import itertools
import time

from . import _json
from .errors import InvalidParams, StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

QUOTA = 64 * 1024 * 1024


class Store:
    """One plugin's keys: TTL, versions that never repeat, compare-and-set, a quota in bytes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._versions = itertools.count(1)
        self._entries: dict[str, tuple[bytes, int, float | None]] = {}

    def get(self, params: dict[str, Any]) -> dict[str, Any]:
        entry = self._entry(_key(params))
        if entry is None:
            return {"value": params.get("default"), "version": 0}
        return {"value": _json.decode(entry[0].decode()), "version": entry[1]}

    def set(self, params: dict[str, Any]) -> dict[str, Any]:
        key = _key(params)
        self._check(key, params.get("if_version"))
        value, ttl = _json.encode(params.get("value"), "value"), params.get("ttl_ms")
        others = sum(len(name) + len(entry[0]) for name, entry in self._entries.items() if name != key)
        if others + len(key) + len(value) > QUOTA:
            raise StorageError(f"`{key}` does not fit: a plugin may keep {QUOTA} bytes", reason="quota")
        version = next(self._versions)
        self._entries[key] = (value, version, None if ttl is None else self._clock() + ttl / 1000)
        return {"version": version}

    def delete(self, params: dict[str, Any]) -> dict[str, Any]:
        key = _key(params)
        self._check(key, params.get("if_version"))
        there = self._entry(key) is not None
        self._entries.pop(key, None)
        return {"deleted": there}

    def list(self, params: dict[str, Any]) -> dict[str, Any]:
        prefix, after = params.get("prefix") or "", params.get("cursor") or ""
        keys = [key for key in sorted(self._entries) if key.startswith(prefix) and key > after and self._entry(key)]
        limit = params.get("limit") or 1000
        page: dict[str, Any] = {"keys": keys[:limit]}
        if len(keys) > limit:
            page["cursor"] = keys[limit - 1]
        return page

    def _entry(self, key: str) -> tuple[bytes, int, float | None] | None:
        entry = self._entries.get(key)
        if entry is not None and entry[2] is not None and entry[2] <= self._clock():
            del self._entries[key]
            return None
        return entry

    def _check(self, key: str, expected: int | None) -> None:
        entry = self._entry(key)
        version = 0 if entry is None else entry[1]
        if expected is not None and expected != version:
            raise StorageError(f"`{key}` has version {version}, expected {expected}", reason="conflict")


def _key(params: dict[str, Any]) -> str:
    key = params.get("key")
    if not isinstance(key, str):
        raise InvalidParams(f"a key is a string, found `{type(key).__name__}`")
    return key
