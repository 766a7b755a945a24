"""A cache that outlives the process: `set_cache`, `get_cache`, kept in the plugin's storage.

What `set_cache` was given is saved before the request that it was called in is answered, and where it is called on a
thread, or by a command, before it returns. A write that fails makes the request fail.

Commands, and every instance of the plugin, are processes of their own: what another one saved is read before a request
is begun, and on a thread by `get_cache` itself. Of two that write a key at the same time the later one holds.
"""

from __future__ import annotations

import asyncio
import time
from functools import cached_property

from ._json import encode
from ._peer import current
from .command import EnhancedCommandPlugin
from .errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path
    from typing import Any

__all__ = ["PersistentPlugin"]

PREFIX = "cache:"
CHANGED = "cache-changed"  # every process gives this key a new version when it wrote an entry


class PersistentPlugin(EnhancedCommandPlugin):
    """A plugin with a cache, and a folder for files."""

    _astros_loop: asyncio.AbstractEventLoop | None = None
    _astros_seen = 0  # the version of CHANGED that `cache` is of

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
        if self._astros_may_wait():
            self._astros_do(self._astros_read(key))
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
            self._astros_do(self._astros_forget(key))

    async def load_persistent_data(self) -> None:
        """Read every entry that is kept, but those that were changed here and are not saved yet."""
        _, seen = await self.storage.get_versioned(CHANGED)
        before = set(self._astros_saved)
        kept = {key[len(PREFIX) :]: await self.storage.get(key) for key in await self.storage.list(PREFIX)}
        for key in before | kept.keys():
            if key not in before or key in self._astros_saved:  # else it was deleted here meanwhile
                self._astros_take(key, kept.get(key))
        self._astros_seen = seen

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

    async def _astros_refresh(self) -> None:
        """Before a request is begun: read what other processes have written since."""
        async with self._astros_turn:  # what is being written here comes first
            if (await self.storage.get_versioned(CHANGED))[1] != self._astros_seen:
                await self.load_persistent_data()

    async def _astros_read(self, key: str) -> None:
        self._astros_take(key, await self.storage.get(PREFIX + key))

    def _astros_take(self, key: str, entry: Any) -> None:
        """Put what storage has of a key into the cache, unless it was changed here."""
        here = self.cache.get(key)
        if here is not None and self._astros_saved.get(key) != encode(here):
            return
        if isinstance(entry, dict) and "value" in entry:
            self.cache[key] = entry
            self._astros_saved[key] = encode(entry)
        else:
            self.cache.pop(key, None)
            self._astros_saved.pop(key, None)

    async def _astros_save(self, key: str, entry: dict[str, Any], ttl: float | None) -> None:
        saved = encode(entry)
        await self.storage.set(PREFIX + key, entry, ttl=ttl)
        self._astros_saved[key] = saved
        await self._astros_tell()

    async def _astros_forget(self, key: str) -> None:
        if await self.storage.delete(PREFIX + key):
            await self._astros_tell()

    async def _astros_tell(self) -> None:
        """Let other processes read anew; this one has to as well where another was faster."""
        try:
            self._astros_seen = await self.storage.set(CHANGED, True, if_version=self._astros_seen)
        except StorageError as error:
            if error.reason != "conflict":
                raise
            await self.storage.set(CHANGED, True)

    def _astros_may_wait(self) -> bool:
        """Whether this is a thread that is not the loop's, while there is one."""
        try:
            return self._astros_loop is not None and asyncio.get_running_loop() is not self._astros_loop
        except RuntimeError:
            return True

    def _astros_do(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it now where this thread may wait, else before the request is answered."""
        loop = self._astros_loop
        if loop is None:  # not started: `save_persistent_data` writes what is left
            work.close()
        elif self._astros_may_wait():
            asyncio.run_coroutine_threadsafe(self._astros_in_turn(work), loop).result()
        else:
            write = loop.create_task(self._astros_in_turn(work))
            if (request := current.get()) is not None:
                request.unsaved = [*(request.unsaved or ()), write]

    async def _astros_in_turn(self, work: Coroutine[Any, Any, Any]) -> None:
        async with self._astros_turn:  # the host may do at the same time what was asked one after the other
            await work

    @cached_property
    def _astros_turn(self) -> asyncio.Lock:
        return asyncio.Lock()
