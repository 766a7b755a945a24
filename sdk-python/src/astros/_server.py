"""A plugin behind a connection: the methods that the host asks, and what is legal when."""

from __future__ import annotations

import contextlib

from . import _kinds
from ._byhand import by_hand, on_loop
from ._describe import describe, plugin_name, settings_schema
from ._handlers import as_handler, find_handlers
from ._hints import nearest, unknown_method
from ._life import Life
from ._messages import MESSAGE, RENDER, find_listeners
from ._peer import Peer, Request, current
from ._progress import Step
from ._transport import MAX_FRAME
from .errors import (
    HandlerNotFound,
    InvalidParams,
    InvalidRequest,
    InvalidSettings,
    ShuttingDown,
    UnsupportedVersion,
)
from .plugin import BasePlugin
from .types import Intent, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor
    from typing import Any

    from ._desk import Desk
    from ._handlers import Handler
    from ._transport import Transport

SPOKEN = ["1.0"]
IN_FLIGHT = 64
# What a process may begin without an event loop.
BY_HAND = ("initialize", "describe", "ping", "command/run", "shutdown")


class Server:
    """Serves one plugin. `stage` runs through new, starting, ready, stopping, stopped."""

    def __init__(
        self, plugin: BasePlugin, transport: Transport, desk: Desk | None = None, *, alone: bool = True
    ) -> None:
        self.plugin = plugin
        self.alone = alone  # whether the process has no other plugin
        self.stage = "new"
        self.peer = Peer(transport, self.serve)
        self._desk = desk
        self.kinds = _kinds.of(self)
        self._life = Life(plugin)
        self._handlers = find_handlers(plugin)
        self._listeners = find_listeners(plugin)
        self._threads: ThreadPoolExecutor | None = None
        self._stopping: Future[None] | Step | None = None
        self._methods: dict[str, Callable[[Request], Any]] = {
            "handle_intent": self._handle_intent,
            "initialize": self._initialize,
            "describe": self._describe,
            "ping": self._ping,
            "settings/changed": self._settings_changed,
            "bus/deliver": self._deliver,
            "shutdown": self._shutdown,
        }
        self._work = {name: method for kind in self.kinds for name, method in kind.methods.items()}

    async def serve(self, request: Request) -> Any:
        """The result of a request, when all is saved that was to be; raises what becomes its error."""
        answer = await self._serve(request)
        if request.unsaved:
            import asyncio

            await asyncio.gather(*request.unsaved)
        return answer

    async def _serve(self, request: Request) -> Any:
        if request.method not in BY_HAND:
            await on_loop()
        if (method := self._work.get(request.method)) is not None:
            await self._prepare()
            return await self._life.executing(request, method(request))
        if (method := self._methods.get(request.method)) is None:
            raise unknown_method(request.method, sorted([*self._methods, *self._work]))
        return await method(request)

    # --- the work ---------------------------------------------------------------------------------------

    async def _prepare(self) -> None:
        self._must_be_ready()
        if (refresh := getattr(self.plugin, "_astros_refresh", None)) is not None:  # what other processes saved
            await refresh()

    async def _handle_intent(self, request: Request) -> Response:
        await self._prepare()
        name, intent = request.params.get("handler"), request.params.get("intent")
        if not isinstance(name, str) or not isinstance(intent, dict):
            raise InvalidParams("`handle_intent` needs a `handler` (a string) and an `intent` (an object)")
        if not isinstance(intent.get("context") or {}, dict):
            raise InvalidParams("`intent.context` is an object")
        handler = self._handlers.get(name) or self._reserved(name)
        if handler is None:
            hint = nearest(name, sorted(self._handlers))
            raise HandlerNotFound(f"the plugin `{plugin_name(self.plugin)}` has no handler `{name}`", hint=hint)
        work = handler.run(Intent.from_dict(intent, request.meta), self.threads)
        return await self._life.executing(request, work)

    def _reserved(self, name: str) -> Handler | None:
        """Handlers that no description lists: direct messages of LocalAgent's bus, and components by `$render`."""
        bus = self._life.bus
        if name == MESSAGE and bus is not None and bus.direct_handlers:
            return as_handler(name, bus.take)
        ui = next((kind for kind in self.kinds if "ui/render" in kind.methods), None)
        if name != RENDER or ui is None:
            return None

        async def render(intent: Intent) -> Response:
            asked, request = intent.context, current.get()
            assert request is not None
            tree = await ui.render(asked.get("component"), asked.get("props"), asked.get("terminal"), request)  # type: ignore[attr-defined]
            return Response(data=tree)

        return as_handler(name, render)

    async def _settings_changed(self, request: Request) -> None:
        self._must_be_ready()
        old, new = self.plugin._astros_settings, request.params.get("new")
        if not isinstance(new, dict):
            raise InvalidParams("`settings/changed` needs `new`, an object")
        _must_fit(new, settings_schema(self.plugin))
        getattr(self.plugin, "config", None)  # LocalAgent's is read at its first use: before there are new ones
        self.plugin._astros_settings = new
        try:
            await self._call(self.plugin.on_settings_changed, old, new)
        except InvalidSettings:
            self.plugin._astros_settings = old
            raise
        for kind in self.kinds:
            if hasattr(kind, "changed"):
                await kind.changed()

    async def _deliver(self, request: Request) -> dict[str, Any]:
        await self._prepare()
        message = _object(request.params, "message")
        listeners = [one for one in self._listeners if one.hears(str(message.get("subject")))]
        for listener in listeners:
            await listener.hear(message, self.threads)
        bus = self._life.bus
        if bus is not None and bus.hears(str(message.get("subject"))):
            await bus.deliver(message)
        elif not listeners:
            await self._call(self.plugin.on_message, message)
        return {}

    async def _ping(self, request: Request) -> dict[str, Any]:
        return self.gauges()

    def gauges(self) -> dict[str, Any]:
        """What `ping` answers; called from the reader's thread too."""
        return {"in_flight": self.peer.in_flight}

    # --- the life ---------------------------------------------------------------------------------------

    async def _initialize(self, request: Request) -> dict[str, Any]:
        if self.stage != "new":
            raise InvalidRequest("`initialize` came twice")
        version = _agree(request.params)
        self.stage = "starting"
        plugin, params = self.plugin, request.params
        limits = _object(params, "limits")
        if isinstance(limit := limits.get("max_frame_bytes"), int) and limit > 0:
            self.peer.transport.limit = limit
        if isinstance(name := _object(params, "plugin").get("name"), str):
            plugin._astros_name = name
        if not plugin.name:
            with contextlib.suppress(AttributeError):  # a property of the author's
                plugin.name = plugin_name(plugin)
        plugin._astros_peer = self.peer
        plugin._astros_settings = _object(params, "settings")
        plugin._astros_directories = _object(params, "directories")
        plugin._astros_providers = _object(params, "providers")
        try:
            await self._life.start(params.get("dev_mode") is True)
            said = {
                "protocol_version": version,
                "features": [],
                "limits": {"max_frame_bytes": MAX_FRAME, "max_in_flight": plugin.max_in_flight or IN_FLIGHT},
                "plugin": self.description(),
            }
        except BaseException:
            self.stage = "new"
            await self._life.failed()
            raise
        self.stage = "ready"
        await self._life.ready()
        return said

    async def _describe(self, request: Request) -> dict[str, Any]:
        return {"protocol_version": _agree(request.params), "plugin": self.description()}

    def description(self) -> dict[str, Any]:
        """The PluginDescription."""
        handlers = [handler.describe() for name, handler in self._handlers.items() if name != MESSAGE]
        subjects = [subject for one in self._listeners for subject in one.subjects]
        said = describe(self.plugin, handlers, [*subjects, *self._life.subjects])
        for kind in self.kinds:
            said.update(kind.describe())
        return said

    async def _shutdown(self, request: Request) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Run the plugin's own shutdown, once, and only where it was started.

        Whoever waits for it may be cancelled; the shutdown itself is not.
        """
        if not self._life.ends_at_once():
            await on_loop()
        if self._stopping is None:
            # Said at once: what stands in the next line comes after it, and is not begun.
            started, self.stage = self.stage == "ready", "stopping"
            if by_hand():
                self._stopping = Step(None)
                await self._stop(started)
            else:
                import asyncio

                self._stopping = asyncio.ensure_future(self._stop(started))
        if not by_hand():
            import asyncio

            await asyncio.shield(self._stopping)

    async def leave(self) -> None:
        """`stop` at the end of the process, where what was taken back cleans up first, and nobody is told of errors."""
        try:
            if not by_hand():
                import asyncio

                await asyncio.sleep(0)
            await self.stop()
        except Exception as error:
            from ._stack import show

            show("shutdown", error)

    async def _stop(self, started: bool) -> None:
        try:
            if started:
                await self._life.stop(self.kinds)
        finally:
            self.stage = "stopped"
            if self._threads is not None:
                self._threads.shutdown(wait=False, cancel_futures=True)

    def _must_be_ready(self) -> None:
        if self.stage in ("new", "starting"):
            raise InvalidRequest(f"`{plugin_name(self.plugin)}` is not initialized: `initialize` comes first")
        if self.stage in ("stopping", "stopped"):
            raise ShuttingDown(f"`{plugin_name(self.plugin)}` is shutting down", retryable=True)

    # --- threads ----------------------------------------------------------------------------------------

    async def _call(self, hook: Callable[..., Any], *args: Any) -> Any:
        """An author's hook, sync or async. Sync ones run on the loop's thread: they set up, and are short."""
        result = hook(*args)
        return await result if hasattr(result, "__await__") else result

    @property
    def desk(self) -> Desk:
        """Where commands and components run."""
        if self._desk is None:
            from ._desk import Desk

            self._desk = Desk(self.threads)
        return self._desk

    def threads(self) -> ThreadPoolExecutor:
        """The threads on which an author's plain functions run."""
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor

            self._threads = ThreadPoolExecutor(self.plugin.max_in_flight or IN_FLIGHT, "astros-handler")
        return self._threads


def _object(params: dict[str, Any], name: str) -> dict[str, Any]:
    value = params.get(name)
    return value if isinstance(value, dict) else {}


def _must_fit(settings: dict[str, Any], schema: dict[str, Any] | None) -> None:
    if schema:
        from ._schema import problems

        if found := problems(settings, schema):
            raise InvalidSettings(f"the settings do not fit: {'; '.join(found)}")


def _agree(params: dict[str, Any]) -> str:
    """The version to speak: of a MAJOR in common the lower MINOR."""
    offered = params.get("protocol_versions")
    theirs = _versions(offered if isinstance(offered, list) else [])
    ours = _versions(SPOKEN)
    common = max(theirs.keys() & ours.keys(), default=None)
    if common is None:
        raise UnsupportedVersion(
            f"no protocol version in common: the host speaks {offered!r:.200}, this SDK {SPOKEN!r}",
            host=offered,
            plugin=SPOKEN,
            hint="update the older of the two",
        )
    return f"{common}.{min(theirs[common], ours[common])}"


def _versions(texts: list[Any]) -> dict[int, int]:
    """The highest MINOR of each MAJOR; what is no version is passed over."""
    best: dict[int, int] = {}
    for text in texts:
        major, dot, minor = text.partition(".") if isinstance(text, str) else ("", "", "")
        if dot and major.isascii() and major.isdigit() and minor.isascii() and minor.isdigit():
            best[int(major)] = max(int(minor), best.get(int(major), 0))
    return best
