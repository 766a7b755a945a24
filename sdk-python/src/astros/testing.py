"""Test a plugin in your own test runner, without a daemon.

async def test_greets() -> None:
    async with AstrOSTestClient() as client:
        await client.load_plugin(HelloPlugin)
        response = await client.call("say_hello", {"user_name": "Ada"})
        assert response.success
"""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from . import _aliases, _ask
from ._capture import capture
from ._load import load
from ._manifest import default_settings
from ._memory import MemoryHost
from .errors import CallFailed, HandlerNotFound, LoadError, RemoteError
from .plugin import BasePlugin
from .types import Progress, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

__all__ = ["AstrOSTestClient", "CommandOutcome"]

_aliases.install()


class CommandOutcome(NamedTuple):
    """How a command ended, and what it printed."""

    exit_code: int
    output: str


class AstrOSTestClient:
    """Loads plugins into this process and calls their handlers through the SDK's own dispatcher.

    `ai` answers `self.ai`: a dict of method to result, or a function of (method, params). `answers` are taken one
    by one by `ask_user`. `logs` holds every record that a plugin logged. Closing is optional: what the client
    made is removed when the process ends; `async with` shuts the plugins down as well.
    """

    def __init__(self, *, ai: Any = None, answers: list[Any] | None = None) -> None:
        self._host = MemoryHost()
        self._host.ai = ai
        self._host.answers = answers if answers is not None else []
        self._folders: dict[str, Path] = {}
        self._home: Path | None = None

    @property
    def ai(self) -> Any:
        """What answers `self.ai` of the plugins."""
        return self._host.ai

    @ai.setter
    def ai(self, answer: Any) -> None:
        self._host.ai = answer

    @property
    def answers(self) -> list[Any]:
        """What the person will answer."""
        return self._host.answers

    @property
    def logs(self) -> list[dict[str, Any]]:
        """The records that were logged: level, message, fields, logger."""
        return self._host.logs

    @property
    def published(self) -> list[dict[str, Any]]:
        """The messages that plugins published: subject, data, sender."""
        return self._host.published

    async def publish(self, subject: str, data: Any = None, *, sender: str = "user") -> None:
        """Publish a message, and wait until the plugins that have subscribed to it have heard it."""
        await self._host.deliver({"subject": subject, "data": data, "sender": sender})

    async def load_plugin(
        self, plugin: str | os.PathLike[str] | BasePlugin | type[BasePlugin], *, settings: dict[str, Any] | None = None
    ) -> BasePlugin:
        """Load and initialize a plugin: an object, a class, a path, `module:Class`, or the name of a folder.

        A name is looked for from the working directory upwards, there and in `plugins/`, and in
        ASTROS_PLUGIN_PATH. `settings` go over the defaults of its manifest. Raises LoadError, or what the
        plugin's `initialize` answered.
        """
        if isinstance(plugin, BasePlugin):
            loaded = plugin
        elif isinstance(plugin, type):
            loaded = plugin()
        else:
            target = _find(os.fspath(plugin))
            loaded = load(target)
            if folder := _folder(target):
                self._folders[folder.name] = folder
                settings = default_settings(folder) | (settings or {})
        await self._host.load(loaded, dict(settings or {}))
        return loaded

    async def call(
        self,
        handler: str,
        params: dict[str, Any] | None = None,
        *,
        plugin: str | None = None,
        text: str = "",
        user_id: str | None = None,
        session_id: str | None = None,
        check: bool = False,
        timeout: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> Response:
        """Call a handler; `params` are its intent's context. Failures are as for `call_plugin`."""
        meta: dict[str, Any] = {"user_id": user_id, "session_id": session_id}
        if timeout is not None:
            meta["deadline_ms"] = round(timeout * 1000)
        intent = {"text": text, "intent_type": handler, "confidence": 1.0, "context": params or {}}
        intent |= {"user_id": user_id, "session_id": session_id}
        try:
            name = plugin or self._whose(handler)
            listen = None if on_progress is None else lambda step: on_progress(Progress.from_dict(step))
            answer = await self._host.ask(name, handler, intent, meta, listen)
        except RemoteError as error:
            if check:
                raise
            return Response(success=False, message=str(error), error=error.to_dict())
        response = Response.from_dict(answer)
        if check and not response.success:
            raise CallFailed(f"`{name}.{handler}` did not succeed: {response.message or 'no reason given'}", response)
        return response

    async def run_command(self, *argv: str) -> CommandOutcome:
        """Run a command of a loaded plugin, as `astros ARGV` would; what it prints is kept."""
        name = self._host.who_has("commands", argv[0])
        with capture() as printed:
            ran = await self._host.tell(name, "command/run", {"command": argv[0], "argv": list(argv)})
        return CommandOutcome(ran["exit_code"], printed.getvalue())

    async def render(
        self,
        component: str,
        props: dict[str, Any] | None = None,
        *,
        width: int = 80,
        on_progress: Callable[[Any], object] | None = None,
    ) -> Any:
        """The tree of a component; `on_progress` gets each tree of a live one."""
        terminal = {"width": width, "color": False, "interactive": False}
        params = {"component": component, "props": props or {}, "terminal": terminal}
        listen = None if on_progress is None else lambda step: on_progress(step.get("data"))
        return await self._host.tell(self._host.who_has("ui_components", component), "ui/render", params, listen)

    async def run_part(self, kind: str, name: str, task: Any = None, context: dict[str, Any] | None = None) -> Any:
        """Run a phase, an agent or an orchestrator; gives back its result, a dict with `success`."""
        params = {"kind": kind, "name": name, "task": task, "context": context or {}}
        return await self._host.tell(self._host.who_has("workflow_parts", name), "workflow/run", params)

    async def change_settings(self, settings: dict[str, Any], *, plugin: str | None = None) -> None:
        """Give a loaded plugin other settings; raises InvalidSettings where it refuses them."""
        name = plugin or next(iter(self._host.plugins), "")
        await self._host.tell(name, "settings/changed", {"old": {}, "new": settings})

    async def process_text(self, text: str, *, session: str = "test", timeout: float = 60.0) -> Response:
        """Say something to the real `astros` command, which sees the plugins loaded from folders.

        One home for the client's life: an answer with `requires_followup` gets the next text of its session.
        Raises AstrOSError where there is no command.
        """
        home = self._own_home()
        return await asyncio.to_thread(_ask.ask, text, home, home / "test-plugins", session, timeout)

    async def close(self) -> None:
        """Shut the plugins down and remove what was made."""
        try:
            await self._host.unload()
        finally:
            self._remove_home()

    async def __aenter__(self) -> AstrOSTestClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _whose(self, handler: str) -> str:
        for name, loaded in self._host.plugins.items():
            if handler in loaded.handlers:
                return name
        if not self._host.plugins:
            raise LoadError("no plugin is loaded: `await client.load_plugin(…)` comes first")
        known = ", ".join(f"`{one}`" for loaded in self._host.plugins.values() for one in loaded.handlers)
        raise HandlerNotFound(f"no loaded plugin has a handler `{handler}`; there is {known or 'none'}")

    def _own_home(self) -> Path:
        if self._host.plugins and not self._folders:
            names = ", ".join(f"`{name}`" for name in sorted(self._host.plugins))
            raise LoadError(f"`process_text` runs plugins from their folders; {names} came as classes or objects")
        if self._home is None:
            self._home = Path(tempfile.mkdtemp(prefix="astros-test-"))
            (self._home / "test-plugins").mkdir()
            atexit.register(self._remove_home)
        for name, folder in self._folders.items():
            link = self._home / "test-plugins" / name
            if not link.is_symlink():
                link.symlink_to(folder, target_is_directory=True)
        return self._home

    def _remove_home(self) -> None:
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None
            atexit.unregister(self._remove_home)


def _find(target: str) -> str:
    """A path or `module:Class` stays; a bare name becomes the folder of that plugin, where there is one."""
    if os.path.exists(target) or os.sep in target or ":" in target:
        return target
    for place in _places(target):
        if place.is_dir():
            return str(place)
    raise LoadError(
        f"no plugin `{target}`: looked in the working directory and above, in `plugins/` there, "
        "and in ASTROS_PLUGIN_PATH"
    )


def _places(name: str) -> Iterator[Path]:
    cwd = Path.cwd()
    for base in (cwd, *cwd.parents):
        if base.name == name or f"name: {name}" in _manifest(base):
            yield base
        yield base / name
        yield base / "plugins" / name
    for folder in os.environ.get("ASTROS_PLUGIN_PATH", "").split(os.pathsep):
        if folder:
            yield Path(folder) / name


def _manifest(folder: Path) -> str:
    """The manifest's text without quotes, enough to see the plugin's name in it."""
    try:
        return (folder / "plugin.yaml").read_text("utf-8").replace('"', "").replace("'", "")
    except (OSError, ValueError):
        return ""


def _folder(target: str) -> Path | None:
    """The plugin's folder: what holds its manifest, or the folder itself."""
    path = Path(target.rpartition(":")[0] if not os.path.exists(target) else target).resolve()
    if not path.exists():
        return None
    start = path if path.is_dir() else path.parent
    return next((folder for folder in (start, start.parent) if (folder / "plugin.yaml").is_file()), start)
