"""A cache that outlives the process: `set_cache`, `get_cache`, kept in the plugin's storage.

What `set_cache` was given is saved before the request that it was called in is answered, and where it is called on a
thread, or by a command, before it returns. A write that fails makes the request fail.
"""

from __future__ import annotations

import asyncio
import time
from functools import cached_property

from ._json import encode
from ._peer import current
from .command import EnhancedCommandPlugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path
    from typing import Any

__all__ = ["PersistentPlugin"]

PREFIX = "cache:"


class PersistentPlugin(EnhancedCommandPlugin):
    """A plugin with a cache, and a folder for files."""

    _astros_loop: asyncio.AbstractEventLoop | None = None

    @cached_property
    def cache(self) -> dict[str, dict[str, Any]]:
        """The entries in memory, each with value, timestamp and, where it expires, expires (seconds since 1970)."""
        return {}

    @cached_property
    def data_dir(self) -> Path:
        """The plugin's folder for files, `context.config_dir / "plugins" / NAME`; it is there."""
        folder: Path = self.context.config_dir / "plugins" / self.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    async def initialize(self, *args: Any, **kwargs: Any) -> bool:
        """As before, then load what was kept."""
        if not await super().initialize(*args, **kwargs):
            return False
        self._astros_loop = asyncio.get_running_loop()
        await self.load_persistent_data()
        return True

    async def cleanup(self) -> None:
        """Save what was changed in `self.cache` itself."""
        await self.save_persistent_data()
        await super().cleanup()

    def set_cache(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Keep a value, for `ttl` seconds where that is said; 0 and below is over at once."""
        now = time.time()
        entry = {"value": value, "timestamp": now}
        if ttl is not None:
            entry["expires"] = now + ttl
        self.cache[key] = entry
        self._astros_do(self._astros_save(key, entry, ttl))

    def get_cache(self, key: str, default: Any = None) -> Any:
        """The value that was kept, or `default` where there is none or its time is over."""
        entry = self.cache.get(key)
        if entry is None:
            return default
        if time.time() >= entry.get("expires", float("inf")):
            self.delete_cache(key)
            return default
        return entry["value"]

    def delete_cache(self, key: str) -> None:
        """Forget a value."""
        if self.cache.pop(key, None) is not None:
            self._astros_saved.pop(key, None)
            self._astros_do(self.storage.delete(PREFIX + key))

    async def load_persistent_data(self) -> None:
        """Read every entry that is kept; another process of the plugin may have written since."""
        for key in await self.storage.list(PREFIX):
            entry = await self.storage.get(key)
            if isinstance(entry, dict) and "value" in entry:
                self.cache[key[len(PREFIX) :]] = entry
                self._astros_saved[key[len(PREFIX) :]] = encode(entry)

    async def save_persistent_data(self) -> None:
        """Write what is in `self.cache` and was not written by `set_cache`."""
        for key, entry in list(self.cache.items()):
            if self._astros_saved.get(key) != encode(entry):
                left = entry.get("expires", float("inf")) - time.time()
                await self._astros_save(key, entry, None if left == float("inf") else left)

    # --- the SDK's own ----------------------------------------------------------------------------------

    @cached_property
    def _astros_saved(self) -> dict[str, bytes]:
        return {}  # what storage has of each entry

    async def _astros_save(self, key: str, entry: dict[str, Any], ttl: float | None) -> None:
        await self.storage.set(PREFIX + key, entry, ttl=ttl)
        self._astros_saved[key] = encode(entry)

    def _astros_do(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it now where this thread may wait, else before the request is answered."""
        loop = self._astros_loop
        if loop is None:  # not started: `save_persistent_data` writes what is left
            work.close()
            return
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is not loop:
            asyncio.run_coroutine_threadsafe(self._astros_in_turn(work), loop).result()
            return
        write = loop.create_task(self._astros_in_turn(work))
        if (request := current.get()) is not None:
            request.unsaved = [*(request.unsaved or ()), write]

    async def _astros_in_turn(self, work: Coroutine[Any, Any, Any]) -> None:
        async with self._astros_turn:  # the host may do at the same time what was asked one after the other
            await work

    @cached_property
    def _astros_turn(self) -> asyncio.Lock:
        return asyncio.Lock()
