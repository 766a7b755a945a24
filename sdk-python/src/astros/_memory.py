"""A host in memory, for tests: the real dispatcher and the real JSON, without a process.

Storage, calls between the loaded plugins, progress, deadlines and cancellation behave as under the daemon.
"""

from __future__ import annotations

import asyncio
import itertools

from . import _wire
from ._describe import plugin_name
from ._hints import nearest, unknown_method
from ._messages import RENDER, matches
from ._peer import Peer, Request
from ._progress import Stream
from ._server import SPOKEN, Server
from ._store import Store
from ._transport import MAX_FRAME, Transport
from .errors import AIError, CallCycle, LoadError, PluginNotFound, RemoteError
from .plugin import BasePlugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._peer import OnProgress

DEADLINE_MS = 30_000
DEPTH = 16


class _Link(Transport):
    """Delivers to the other end's peer on the host's loop, from any thread."""

    def __init__(self, host: MemoryHost) -> None:
        self._host = host
        self.to: Peer | None = None

    def send(self, frame: bytes, *, droppable: bool = False) -> None:
        if self._host.loop is not None and not self._host.loop.is_closed():
            self._host.loop.call_soon_threadsafe(self._deliver, frame)

    def _deliver(self, frame: bytes) -> None:
        assert self.to is not None
        self.to.receive(_wire.parse(frame))


class _Loaded:
    """A plugin in this host: its own end and the host's end of the connection."""

    def __init__(self, host: MemoryHost, plugin: BasePlugin, name: str) -> None:
        self.name = name
        self.store = Store()
        self.subjects: set[str] = set()
        self.turn = asyncio.Lock()
        to_host, to_plugin = _Link(host), _Link(host)
        self.server = Server(plugin, to_host, alone=False)
        self.peer = Peer(to_plugin, lambda request: host.serve(self, request), host.heard, any_code=True)
        to_host.to, to_plugin.to = self.peer, self.server.peer

    @property
    def handlers(self) -> list[str]:
        return [handler["name"] for handler in self.server.description()["handlers"]]


class MemoryHost:
    """Loads plugins and serves what they ask. `ai` and `answers` stand in for providers and for the person."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.plugins: dict[str, _Loaded] = {}
        self.logs: list[dict[str, Any]] = []
        self.ai: Any = None
        self.answers: list[Any] = []
        self.published: list[dict[str, Any]] = []
        self._ids = itertools.count(1)
        self._deliveries: list[asyncio.Future[None]] = []

    async def load(self, plugin: BasePlugin, settings: dict[str, Any]) -> None:
        """Initialize a plugin; raises what its `initialize` answers."""
        self.loop = asyncio.get_running_loop()
        name = plugin_name(plugin)
        loaded = _Loaded(self, plugin, name)
        self.plugins[name] = loaded
        params = {
            "protocol_versions": SPOKEN,
            "features": [],
            "host": {"name": "astros.testing", "version": SPOKEN[0]},
            "plugin": {"name": name, "instance": f"{name}-test"},
            "settings": settings,
            "permissions": [],
            "sandbox": "none",
            "directories": {},
            "limits": {"max_frame_bytes": MAX_FRAME, "max_in_flight": 64, "default_deadline_ms": DEADLINE_MS},
            "dev_mode": True,
        }
        try:
            await loaded.peer.request("initialize", params)
        except BaseException:
            del self.plugins[name]
            raise

    async def unload(self) -> None:
        """Shut every plugin down."""
        self.loop = asyncio.get_running_loop()
        await asyncio.gather(*self._deliveries, return_exceptions=True)
        while self.plugins:
            _, loaded = self.plugins.popitem()
            await loaded.peer.request("shutdown", {"reason": "test ended", "grace_ms": 5000})

    async def ask(
        self,
        plugin: str,
        handler: str,
        intent: dict[str, Any],
        meta: dict[str, Any],
        on_progress: OnProgress | None = None,
    ) -> dict[str, Any]:
        """One `handle_intent`, within its deadline."""
        self.loop = asyncio.get_running_loop()
        if plugin not in self.plugins:
            raise PluginNotFound(f"no plugin `{plugin}` is loaded", hint=nearest(plugin, sorted(self.plugins)))
        known: dict[str, Any] = {
            "chain": [],
            "attempt": 1,
            "correlation_id": f"test-{next(self._ids)}",
            "deadline_ms": DEADLINE_MS,
        }
        meta = known | meta
        meta["progress"] = on_progress is not None
        params = {"handler": handler, "intent": intent, "meta": meta}
        answer: dict[str, Any] = await self.plugins[plugin].peer.request(
            "handle_intent", params, timeout=meta["deadline_ms"] / 1000, on_progress=on_progress
        )
        return answer

    async def tell(self, plugin: str, method: str, params: dict[str, Any], listen: OnProgress | None = None) -> Any:
        """One request of another method."""
        self.loop = asyncio.get_running_loop()
        if plugin not in self.plugins:
            raise PluginNotFound(f"no plugin `{plugin}` is loaded", hint=nearest(plugin, sorted(self.plugins)))
        params.setdefault("meta", {"correlation_id": f"test-{next(self._ids)}"})["progress"] = listen is not None
        return await self.plugins[plugin].peer.request(method, params, on_progress=listen)

    def who_has(self, kind: str, name: str) -> str:
        """The plugin whose description lists this command, component or part; raises LoadError where none does."""
        known = []
        for plugin, loaded in self.plugins.items():
            names = [one["name"] for one in loaded.server.description().get(kind, [])]
            if name in names:
                return plugin
            known += names
        raise LoadError(f"no loaded plugin has `{name}` among its `{kind}`; {nearest(name, known)}")

    async def serve(self, plugin: _Loaded, request: Request) -> Any:
        """What a plugin asks of its host."""
        method, params = request.method, request.params
        if method == "call_plugin":
            return await self._call_plugin(plugin, request)
        area, _, what = method.partition("/")
        if area == "storage" and what in ("get", "set", "delete", "list"):
            return getattr(plugin.store, what)(params)
        if area == "bus":
            return await self._bus(plugin, what, params)
        if area == "ai":
            return await self._ask_ai(what, request)
        if method == "user/ask":
            if not self.answers:
                raise RemoteError("nobody to ask: put answers into the test client's `answers`")
            answer = self.answers.pop(0)
            return {"answer": answer, "declined": answer is None}
        raise unknown_method(method, ["ai/complete", "call_plugin", "storage/get", "storage/set", "user/ask"])

    def heard(self, method: str, params: dict[str, Any]) -> None:
        """What a plugin tells its host."""
        if method == "log":
            self.logs.append(params)

    async def _call_plugin(self, caller: _Loaded, request: Request) -> Any:
        params, asked = request.params, request.meta
        open_here = caller.server.peer
        parent = open_here.find(asked.get("parent"))
        above: dict[str, Any] = {} if parent is None else parent.meta
        name, handler = str(params.get("plugin")), str(params.get("handler"))
        serving = caller.name if parent is None else f"{caller.name}.{parent.params.get('handler')}"
        chain = [*above.get("chain", []), serving]
        if len(chain) > DEPTH:
            raise CallCycle(f"calls are nested more than {DEPTH} deep", chain=chain)
        kept = ("correlation_id", "user_id", "session_id", "locale", "cwd")
        meta: dict[str, Any] = {key: above[key] for key in kept if key in above}
        meta |= {"caller": caller.name, "chain": chain}
        limits = [ms for ms in (asked.get("deadline_ms"), above.get("deadline_ms")) if isinstance(ms, int)]
        meta["deadline_ms"] = min(limits, default=DEADLINE_MS)
        user, session = meta.get("user_id"), meta.get("session_id")
        intent = {"text": "", "intent_type": handler, "confidence": 1.0, "context": params.get("params") or {}}
        intent |= {"user_id": user, "session_id": session}
        if handler == RENDER:
            asked = {**(params.get("params") or {}), "meta": meta}
            tree = await self.tell(name, "ui/render", asked)
            return {"success": True, "message": "", "data": tree}
        if asked.get("progress") is not True:
            return await self.ask(name, handler, intent, meta)
        stream = request.stream = Stream(request)
        return await self.ask(name, handler, intent, meta, stream.push)

    async def _bus(self, plugin: _Loaded, what: str, params: dict[str, Any]) -> None:
        subject = str(params.get("subject"))
        if what == "publish":
            message = {"subject": subject, "data": params.get("data"), "sender": plugin.name}
            self.published.append(message)
            # Nobody waits for those who hear it.
            self._deliveries.append(asyncio.ensure_future(self.deliver(message)))
        else:
            (plugin.subjects.add if what == "subscribe" else plugin.subjects.discard)(subject)

    async def deliver(self, message: dict[str, Any]) -> None:
        """Bring a message to every plugin that has subscribed to it, in order for each; raises what one answers."""
        await asyncio.gather(*(self._deliver(loaded, message) for loaded in list(self.plugins.values())))

    async def _deliver(self, loaded: _Loaded, message: dict[str, Any]) -> None:
        declared = loaded.server.description().get("subscriptions", [])
        if any(matches(one, message["subject"]) for one in (*declared, *loaded.subjects)):
            async with loaded.turn:
                await loaded.peer.request("bus/deliver", {"message": message})

    async def _ask_ai(self, what: str, request: Request) -> Any:
        answer = self.ai
        if answer is None and (found := self.provider(request.params.get("provider"))) is not None:
            return await self._forward(found, what, request)
        if callable(answer):
            answer = answer(what, request.params)
            if hasattr(answer, "__await__"):
                answer = await answer
        elif isinstance(answer, dict):
            answer = answer.get(what)
        if answer is None:
            raise AIError(f"no answer for `ai/{what}`: set the test client's `ai`, or load a plugin with a provider")
        return {"content": answer} if isinstance(answer, str) else answer

    def provider(self, wish: Any) -> tuple[_Loaded, str] | None:
        """The plugin that has the provider, and the provider's name; without a wish, the first one."""
        for loaded in self.plugins.values():
            for provider in loaded.server.description().get("providers", []):
                if wish in (None, provider["name"]):
                    return loaded, provider["name"]
        return None

    async def _forward(self, found: tuple[_Loaded, str], what: str, request: Request) -> Any:
        loaded, name = found
        asked = {key: value for key, value in request.params.items() if key not in ("meta", "provider")}
        listens = request.meta.get("progress") is True
        request.stream = Stream(request) if listens else None
        params = {"provider": name, "request": asked, "meta": {"progress": listens}}
        on_progress = request.stream.push if request.stream is not None else None
        return await loaded.peer.request(f"provider/{what}", params, on_progress=on_progress)
