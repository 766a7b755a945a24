"""A plugin's life as its author sees it: the context, the hooks, the stages that it comes to."""

from __future__ import annotations

from inspect import iscoroutinefunction, signature

from ._byhand import on_loop
from ._describe import plugin_name
from .errors import HandlerFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from typing import Any, TypeVar

    from ._hostbus import HostBus
    from ._kinds import Kind
    from ._peer import Request
    from .context import PluginContext
    from .plugin import BasePlugin

    T = TypeVar("T")


class Life:
    """Runs the plugin's hooks; it has a context, and stages, where `initialize` takes one."""

    def __init__(self, plugin: BasePlugin) -> None:
        self._plugin = plugin
        self._context: PluginContext | None = None
        self._busy = 0

    @property
    def bus(self) -> HostBus | None:
        """LocalAgent's bus, where the plugin has a context and has looked at it."""
        return None if self._context is None else vars(self._context).get("message_bus")

    @property
    def subjects(self) -> Sequence[str]:
        """What the plugin subscribed to in its `initialize`."""
        return () if self.bus is None else self.bus.declared

    async def start(self, dev_mode: bool) -> None:
        """Run `initialize`; raises HandlerFailed where it gives back False, with the reason where there is one."""
        plugin = self._plugin
        if _takes_context(plugin.initialize):
            from .context import PluginContext

            self._context = PluginContext(plugin, dev_mode=dev_mode)
            for stage in ("discovered", "loading", "initializing"):
                await self._enter(stage)
            plugin.context = self._context  # type: ignore[attr-defined]
            started = await _call(plugin.initialize, self._context)
        else:
            started = await _call(plugin.initialize)
        if started is False:
            why = getattr(plugin, "_astros_refused", "") or "the plugin will not start"
            raise HandlerFailed(f"`initialize` of `{plugin_name(plugin)}` returned False: {why}")

    async def failed(self) -> None:
        """It did not start."""
        await self._enter("error")

    async def ready(self) -> None:
        """It has started, and what it offers is known."""
        if self.bus is not None:
            self.bus.initializing = False
        await self._enter("ready")

    async def executing(self, request: Request, work: Awaitable[T]) -> T:
        """Await the work on a request. Coming back to `ready` runs no hooks: these are for its start."""
        if self._context is None:
            return await work
        self._busy += 1
        try:
            if self._busy == 1:
                await self._enter("executing", {"method": request.method, **request.params})
            return await work
        finally:
            self._busy -= 1
            if not self._busy:
                await self._context._enter("ready", hooks=False)

    def ends_at_once(self) -> bool:
        """Whether nothing of the author's is awaited at the end, as far as can be seen."""
        hooks = [self._plugin.shutdown, getattr(self._plugin, "cleanup", None)]
        return all(hook is None or _is_own(hook) or not iscoroutinefunction(hook) for hook in hooks)

    async def stop(self, kinds: Sequence[Kind]) -> None:
        """Run `shutdown` and `cleanup`, and close what the kinds keep open."""
        await self._enter("cleaning_up")
        try:
            await _call(self._plugin.shutdown)
            if (cleanup := getattr(self._plugin, "cleanup", None)) is not None and self._context is not None:
                await _call(cleanup)
        finally:
            for kind in kinds:
                if hasattr(kind, "close"):
                    await kind.close()
            await self._enter("unloaded")

    async def _enter(self, word: str, about: dict[str, Any] | None = None) -> None:
        if self._context is not None:
            await self._context._enter(word, about)


def _takes_context(hook: Any) -> bool:
    """Whether `initialize` is LocalAgent's, with a context."""
    from .plugin import BasePlugin

    if getattr(hook, "__func__", None) is BasePlugin.initialize:
        return False
    by_place = ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD", "VAR_POSITIONAL")
    try:
        return any(one.kind.name in by_place for one in signature(hook).parameters.values())
    except (TypeError, ValueError):
        return False


async def _call(hook: Any, *args: Any) -> Any:
    """An author's hook, sync or async. Sync ones run on the loop's thread: they set up, and are short."""
    result = hook(*args)
    if not hasattr(result, "__await__"):
        return result
    if not _is_own(hook):
        await on_loop()
    return await result


def _is_own(hook: Any) -> bool:
    """Whether it is the SDK's, and awaits nothing of the author's."""
    awaited = getattr(type(getattr(hook, "__self__", None)), "validate_config", hook)
    return all(str(getattr(one, "__module__", "")).startswith("astros.") for one in (hook, awaited))
