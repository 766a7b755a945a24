"""Write a plugin: BasePlugin and plugin_handler.

class Weather(BasePlugin):
    name = "weather"

    @plugin_handler("weather_in", examples=["weather in {city}"])
    async def weather_in(self, intent: Intent) -> Response:
        return Response(message=f"It is fine in {intent.context['city']}.")
"""

from __future__ import annotations

from functools import cached_property

from ._context import peer_or_none, report
from ._describe import plugin_name
from ._handlers import EFFECTS, MARK, Spec
from ._messages import MARK as SUBJECTS
from ._messages import MESSAGE, RENDER
from ._peer import current
from ._progress import Step
from .errors import CallFailed, NotConnected, RemoteError
from .types import Progress, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any, TypeVar

    from ._log import Logger
    from ._peer import Peer
    from ._settings import Settings
    from ._storage import Storage

    F = TypeVar("F", bound="Callable[..., Any]")

__all__ = ["BasePlugin", "message_handler", "plugin_handler", "subscribe"]

PREFERENCE = "user_pref_"


def plugin_handler(
    name: str,
    priority: int = 0,
    *,
    examples: Sequence[str] = (),
    parameters: dict[str, Any] | None = None,
    effects: str | None = None,
    idempotent: bool | None = None,
    timeout_ms: int | None = None,
    description: str | None = None,
) -> Callable[[F], F]:
    """Make a function the handler `name`. The same function is given back, marked.

    examples: utterances with {slot}s; parameters: a JSON schema of the intent's context; effects: none, read,
    write or destructive (write where it is not said); idempotent: it may be tried again; timeout_ms: its longest
    time; description: else the first paragraph of the docstring. Where several handlers fit about equally, the
    one of higher priority is tried first.
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f'`plugin_handler` needs a name: write `@plugin_handler("name")`, found {name!r:.100}')
    if effects is not None and effects not in EFFECTS:
        raise ValueError(f"`effects` of the handler `{name}` is {effects!r}, expected one of {', '.join(EFFECTS)}")
    spec = Spec(name, priority, examples, parameters, effects, idempotent, timeout_ms, description)

    def mark(function: F) -> F:
        function.__dict__[MARK] = spec
        return function

    return mark


def message_handler(function: F) -> F:
    """Make a function the one that takes direct messages: `call_plugin(name, "$message", {…})` of other plugins."""
    return plugin_handler(MESSAGE)(function)


def subscribe(*subjects: str) -> Callable[[F], F]:
    """Make a function hear what is published on these subjects; it is called with the message, a dict of subject,
    data and sender. `*` stands for one token of a subject, `>` for all that follow. A message starts the plugin
    where it does not run; the next one comes when the function has ended.
    """
    if not subjects or not all(isinstance(one, str) and one for one in subjects):
        raise TypeError(f'`subscribe` needs a subject: write `@subscribe("topic.news")`, found {subjects!r:.100}')

    def mark(function: F) -> F:
        function.__dict__[SUBJECTS] = list(subjects)
        return function

    return mark


class BasePlugin:
    """A plugin. Every attribute has a default, and `super().__init__()` may be left out.

    `storage`, `logger`, `settings`, `ai` and `preferences` are made at their first use; an attribute that the
    author assigns (a mock, another logger) is never touched. The SDK's own names begin with `_astros_`.
    """

    name: str = ""
    version: str = "0.0.0"
    description: str = ""
    author: str = ""
    license: str = ""
    homepage: str = ""
    handles: Sequence[str] = ()
    subscriptions: Sequence[str] = ()
    dependencies: Sequence[str] = ()
    requires_permissions: Sequence[str] = ()
    requires_config: bool = False
    requires_ai: bool = False
    supports_voice: bool = False
    supports_gui: bool = False
    settings_schema: dict[str, Any] | None = None
    max_in_flight: int | None = None

    _astros_name: str = ""
    _astros_peer: Peer | None = None
    _astros_settings: dict[str, Any] = {}
    _astros_directories: dict[str, Any] = {}
    _astros_providers: dict[str, Any] = {}  # settings of the providers that the plugin brings, by their names

    # --- the author's hooks -----------------------------------------------------------------------------

    def initialize(self, *args: Any, **kwargs: Any) -> Any:
        """Called once, before the first request; sync or async. Returning False is a failed start.

        Write it as `initialize(self)`, or as `initialize(self, context)`, which gets a PluginContext.
        """
        return Step(None)  # `super().initialize()` may be awaited, and need not be

    def shutdown(self) -> Any:
        """Called once, when the plugin is stopped; sync or async."""
        return Step(None)

    def on_settings_changed(self, old: dict[str, Any], new: dict[str, Any]) -> Any:
        """Called after the settings changed; sync or async. Raise InvalidSettings to keep the old ones."""
        return Step(None)

    def on_message(self, message: dict[str, Any]) -> Any:
        """Called with each message that the plugin has subscribed to and no `@subscribe` hears; sync or async."""
        return Step(None)

    # --- what the host offers ---------------------------------------------------------------------------

    @cached_property
    def storage(self) -> Storage:
        """The plugin's own keys and values."""
        from ._storage import Storage

        return Storage(self._astros_host)

    @cached_property
    def logger(self) -> Logger:
        """Structured log: `self.logger.info("moved %s", name, files=3)`."""
        from ._log import Logger

        return Logger(plugin_name(self), lambda: self._astros_peer)

    @cached_property
    def settings(self) -> Settings:
        """The settings, live: `self.settings.max_items`."""
        from ._settings import Settings

        return Settings(lambda: self._astros_settings)

    @cached_property
    def ai(self) -> Any:
        """The host's AI by default; assign an AIProvider to choose provider and model."""
        from .ai import AIProvider

        return AIProvider()

    @cached_property
    def preferences(self) -> dict[str, Any]:
        """What `load_user_preferences` read; `save_user_preferences` writes what changed in it."""
        return {}

    @property
    def directories(self) -> dict[str, Path]:
        """The plugin's own folders: data, cache, config."""
        from pathlib import Path

        return {name: Path(path) for name, path in self._astros_directories.items() if isinstance(path, str)}

    async def call_plugin(
        self,
        plugin: str,
        handler: str,
        params: dict[str, Any] | None = None,
        *,
        check: bool = False,
        timeout: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> Response:
        """Call a handler of another plugin; `params` are its intent's context, `timeout` is in seconds.

        A call that fails is a Response with `success` False, `error` and `message`; with `check` it raises
        instead: a RemoteError, or CallFailed where the other plugin answered `success: false`.
        `on_progress`, a function or coroutine function, takes each step that the other plugin reports, a Progress.
        """
        listen = None if on_progress is None else lambda step: on_progress(Progress.from_dict(step))
        try:
            response = Response.from_dict(await self._astros_call(plugin, handler, params, timeout, listen))
        except RemoteError as error:
            if check:
                raise
            return Response(success=False, message=str(error), error=error.to_dict())
        if check and not response.success:
            words = response.message or "no reason given"
            raise CallFailed(f"`{plugin}.{handler}` did not succeed: {words}", response)
        return response

    async def render(self, plugin: str, component: str, props: dict[str, Any] | None = None) -> Any:
        """Draw a component of another plugin; gives back its tree, as the protocol's `ui/render` describes it.

        Within a component or a command it is drawn as wide as that is.
        """
        asked: dict[str, Any] = {"component": component, "props": props or {}}
        request = current.get()
        if request is not None and isinstance(request.params.get("terminal"), dict):
            asked["terminal"] = request.params["terminal"]
        return (await self.call_plugin(plugin, RENDER, asked, check=True)).data

    async def publish(self, subject: str, data: Any = None) -> None:
        """Publish a message under the plugin's own name or `topic.`; who has subscribed to the subject hears it."""
        await self._astros_host().request("bus/publish", {"subject": subject, "data": data})

    async def subscribe(self, subject: str) -> None:
        """Let `on_message` hear this subject too, until the process ends."""
        await self._astros_host().request("bus/subscribe", {"subject": subject})

    async def unsubscribe(self, subject: str) -> None:
        """Take a `subscribe` back."""
        await self._astros_host().request("bus/unsubscribe", {"subject": subject})

    def progress(
        self,
        done: float | None = None,
        total: float | None = None,
        message: str | None = None,
        data: Any = None,
    ) -> Step:
        """Report a step of the request that is being handled; dropped where nobody listens.

        Await it where every step matters: it waits while the listener is behind. Without awaiting, a newer step
        takes the place of one that waits, which also works in a blocking handler.
        """
        return report(Progress(done, total, message, data))

    async def ask_user(self, question: str, choices: Sequence[str] | None = None, **options: Any) -> Any:
        """Ask the person; gives back their answer, None where they decline.

        Raises RemoteError where nobody can be asked.
        """
        request = current.get()
        asked: dict[str, Any] = {"question": question, **options}
        if choices is not None:
            asked["choices"] = list(choices)
        asked["meta"] = {} if request is None else {"parent": request.id}
        answer = await self._astros_host().request("user/ask", asked)
        if not isinstance(answer, dict):
            return answer
        return None if answer.get("declined") is True else answer.get("answer")

    async def load_user_preferences(self) -> dict[str, Any]:
        """Read every `user_pref_*` key into `self.preferences`, without the prefix, and give that back."""
        keys = await self.storage.list(PREFERENCE)
        found = {key[len(PREFERENCE) :]: await self.storage.get(key) for key in keys}
        self.preferences.update(found)
        self.__dict__["_astros_preferences"] = dict(found)
        return self.preferences

    async def save_user_preferences(self) -> None:
        """Write what changed in `self.preferences` since it was loaded; nothing else is touched."""
        loaded = self.__dict__.get("_astros_preferences", {})
        for name, value in self.preferences.items():
            if name not in loaded or loaded[name] != value:
                await self.storage.set(PREFERENCE + name, value)
        for name in loaded.keys() - self.preferences.keys():
            await self.storage.delete(PREFERENCE + name)
        self.__dict__["_astros_preferences"] = dict(self.preferences)

    # --- the SDK's own ----------------------------------------------------------------------------------

    async def _astros_call(
        self,
        plugin: str,
        handler: str,
        params: dict[str, Any] | None,
        timeout: float | None,
        listen: Callable[[dict[str, Any]], object] | None = None,
    ) -> dict[str, Any]:
        """`call_plugin`, and its answer as it came."""
        meta: dict[str, Any] = {}
        request = current.get()
        if request is not None:
            meta["parent"] = request.id
        if timeout is not None:
            meta["deadline_ms"] = max(0, round(timeout * 1000))
        if listen is not None:
            meta["progress"] = True
        asked = {"plugin": plugin, "handler": handler, "params": params or {}, "meta": meta}
        answer = await self._astros_host().request("call_plugin", asked, timeout=timeout, on_progress=listen)
        return answer if isinstance(answer, dict) else {"data": answer}

    def _astros_host(self) -> Peer:
        peer = self._astros_peer or peer_or_none()
        if peer is None:
            raise NotConnected(
                f"`{plugin_name(self)}` has no host: run it under `astros`, load it into "
                "`astros.testing.AstrOSTestClient`, or assign a mock in a test"
            )
        return peer
