"""`self.storage`: the plugin's own keys and values, kept by the host."""

from __future__ import annotations

from .errors import AstrOSError, StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._peer import Peer


class Storage:
    """Keys are strings, values any JSON. What was answered is saved. Every failure is a StorageError."""

    def __init__(self, peer: Callable[[], Peer]) -> None:
        self._peer = peer

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or `default` where there is none."""
        value, _ = await self.get_versioned(key, default)
        return value

    async def get_versioned(self, key: str, default: Any = None) -> tuple[Any, int]:
        """The value and its version; a missing key has version 0."""
        answer = await self._ask("get", key=key)
        version = answer.get("version", 1 if answer.get("value") is not None else 0)
        return (answer.get("value"), version) if version else (default, 0)

    async def set(self, key: str, value: Any, ttl: float | None = None, if_version: int | None = None) -> int:
        """Save a value and give back its version.

        It expires after `ttl` seconds (at once for 0 and below). With `if_version` it is saved only where the key
        still has that version, 0 for a key that must not exist; else StorageError with `reason` "conflict".
        """
        params: dict[str, Any] = {"key": key, "value": value}
        if ttl is not None:
            params["ttl_ms"] = max(0, round(ttl * 1000))
        if if_version is not None:
            params["if_version"] = if_version
        version = (await self._ask("set", **params)).get("version", 0)
        return version if isinstance(version, int) else 0

    async def delete(self, key: str, if_version: int | None = None) -> bool:
        """Remove a key; says whether it was there."""
        params: dict[str, Any] = {"key": key} if if_version is None else {"key": key, "if_version": if_version}
        return (await self._ask("delete", **params)).get("deleted") is True

    async def list(self, prefix: str = "") -> list[str]:
        """All keys that begin with `prefix`, sorted."""
        keys: list[str] = []
        params: dict[str, Any] = {"prefix": prefix}
        while True:
            page = await self._ask("list", **params)
            keys += page.get("keys", [])
            if page.get("cursor") is None:
                return sorted(keys)
            params["cursor"] = page["cursor"]

    async def _ask(self, what: str, **params: Any) -> dict[str, Any]:
        try:
            answer = await self._peer().request(f"storage/{what}", params)
        except StorageError:
            raise
        except AstrOSError as error:
            hint = getattr(error, "hint", None)
            more = {"hint": hint} if hint else {}
            raise StorageError(str(error), kind=getattr(error, "kind", None), **more) from error
        if not isinstance(answer, dict):
            raise StorageError(f"`storage/{what}` answered with `{type(answer).__name__}`, expected an object")
        return answer
