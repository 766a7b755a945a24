"""The shapes that the plugin guide uses, with plugins of our own."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import ANY, AsyncMock, Mock, patch

import pytest

from astros.ai import AIError, AIProvider, register_provider, registered_providers
from astros.ai.base import BaseAIProvider
from astros.errors import CallFailed, HandlerFailed, NotConnected, StorageError
from astros.plugin import BasePlugin, plugin_handler
from astros.testing import AstrOSTestClient
from astros.types import Intent, Response


class Greeter(BasePlugin):
    """Greets people."""

    name = "greeter"
    version = "1.0.0"
    description = "Greets whoever comes"
    author = "A. Author <a@example.org>"
    handles = ["greetings"]
    requires_ai = False

    @plugin_handler("greet")
    async def greet(self, intent: Intent) -> Response:
        """Greet a person."""
        name = intent.context.get("user_name", "friend")
        return Response(success=True, message=f"Hello, {name}!", data={"at": intent.timestamp})

    @plugin_handler("nothing", priority=10)
    async def nothing(self, intent: Intent) -> Response:  # type: ignore[empty-body]
        """A handler that is not written yet."""


class Notebook(BasePlugin):
    def __init__(self) -> None:
        super().__init__()
        self.state: dict[str, Any] = {}

    async def initialize(self) -> None:
        self.state["since"] = datetime.now()
        await self.load_user_preferences()

    async def shutdown(self) -> None:
        await self.save_user_preferences()

    @plugin_handler("remember")
    async def remember(self, intent: Intent) -> Response:
        key, value = intent.context.get("key"), intent.context.get("value")
        await self.storage.set(f"user_pref_{key}", value)
        return Response(success=True, message=f"Remembered {key}")

    @plugin_handler("prefer")
    async def prefer(self, intent: Intent) -> Response:
        self.preferences.update(intent.context)
        return Response(success=True)

    @plugin_handler("reload")
    async def reload(self, intent: Intent) -> dict[str, Any]:
        await self.save_user_preferences()
        self.preferences.clear()
        return {"preferences": await self.load_user_preferences()}


class Coordinator(BasePlugin):
    @plugin_handler("coordinate")
    async def coordinate(self, intent: Intent) -> Response:
        listed = await self.call_plugin("files", "list_files", {"path": "/tmp"})
        if not listed.success:
            return Response(success=False, message="no list", data=listed.error)
        files = listed.data.get("files", [])
        await self.call_plugin("notifier", "send_notification", {"title": "Done", "message": f"{len(files)} files"})
        return Response(success=True, message=f"{len(files)} files")


class Files(BasePlugin):
    name = "files"

    @plugin_handler("list_files")
    def list_files(self, intent: Intent) -> Response:
        return Response(data={"files": ["a", "b"], "caller": intent.meta["caller"], "user": intent.user_id})


class Notifier(BasePlugin):
    name = "notifier"

    def __init__(self) -> None:  # without super().__init__(), as authors do
        self.sent: list[dict[str, Any]] = []

    @plugin_handler("send_notification")
    async def send_notification(self, intent: Intent) -> Response:
        self.sent.append(intent.context)
        return Response()


async def test_the_minimal_plugin_answers() -> None:
    async with AstrOSTestClient() as client:
        await client.load_plugin(Greeter)
        response = await client.call("greet", {"user_name": "Ada"})
        assert (response.success, response.message) == (True, "Hello, Ada!")
        assert datetime.fromisoformat(response.data["at"]).tzinfo is not None
        assert (await client.call("nothing")).declined


async def test_the_stateful_plugin_keeps_preferences() -> None:
    client = AstrOSTestClient()
    plugin = await client.load_plugin(Notebook)
    assert isinstance(plugin, Notebook)
    assert "since" in plugin.state
    await client.call("remember", {"key": "color", "value": "blue"})
    await client.call("prefer", {"size": 3})
    reloaded = await client.call("reload")
    assert reloaded.data["preferences"] == {"color": "blue", "size": 3}


async def test_saving_preferences_overwrites_nothing_that_was_set_since() -> None:
    client = AstrOSTestClient()
    plugin = await client.load_plugin(Notebook)
    await client.call("remember", {"key": "color", "value": "blue"})
    await client.call("reload")
    await client.call("remember", {"key": "color", "value": "green"})
    await plugin.save_user_preferences()
    assert (await client.call("reload")).data["preferences"] == {"color": "green"}


async def test_plugins_call_each_other() -> None:
    async with AstrOSTestClient() as client:
        notifier = Notifier()
        for plugin in (Coordinator, Files, notifier):
            await client.load_plugin(plugin)
        response = await client.call("coordinate", user_id="ada")
        assert response.message == "2 files"
        assert notifier.sent == [{"title": "Done", "message": "2 files"}]


async def test_a_callee_that_is_missing_is_a_failed_response() -> None:
    client = AstrOSTestClient()
    await client.load_plugin(Coordinator)
    response = await client.call("coordinate")
    assert (response.success, response.message) == (False, "no list")
    assert response.data["kind"] == "plugin_not_found"


async def test_mocks_that_a_test_assigns_are_kept() -> None:
    plugin = Notebook()
    plugin.logger = Mock()
    plugin.storage = AsyncMock()
    with patch.object(plugin, "remember", return_value="patched"):
        assert await plugin.remember(Intent(text="x")) == "patched"
    response = await plugin.remember(Intent(text="x", context={"key": "a", "value": 1}))
    assert response.success
    plugin.storage.set.assert_awaited_once_with("user_pref_a", 1)


async def test_a_handler_runs_without_any_host() -> None:
    response = await Greeter().greet(Intent(text="hi", user_id="u", context={}))
    assert response.message == "Hello, friend!"
    with pytest.raises(StorageError, match="has no host"):
        await Greeter().storage.get("x")
    with pytest.raises(NotConnected, match="has no host"):
        await Greeter().call_plugin("a", "b")


def debug(function: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    @functools.wraps(function)
    async def wrapper(self: BasePlugin, intent: Intent) -> Response:
        self.logger.debug(f"{function.__name__} called", keys=list(intent.context))
        return await function(self, intent)

    return wrapper


async def test_a_decorator_above_the_handler_is_part_of_it() -> None:
    class Debuggable(BasePlugin):
        @debug
        @plugin_handler("work")
        async def work(self, intent: Intent) -> Response:
            return Response(message="worked")

    client = AstrOSTestClient()
    await client.load_plugin(Debuggable)
    assert (await client.call("work", {"a": 1})).message == "worked"
    fields = {"keys": ["a"], "correlation_id": ANY}
    assert client.logs == [{"level": "debug", "message": "work called", "fields": fields, "logger": "debuggable"}]


def test_the_decorator_gives_the_same_function_back() -> None:
    async def process(self: object, intent: Intent) -> Response:
        return Response()

    assert plugin_handler("process_files")(process) is process


@pytest.mark.parametrize("wrong", [print, "", None])
def test_a_decorator_without_a_name_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="write `@plugin_handler"):
        plugin_handler(wrong)


def test_effects_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="'delete', expected one of none, read, write, destructive"):
        plugin_handler("x", effects="delete")


async def test_an_overriding_method_stays_the_handler() -> None:
    class Shouter(Greeter):
        async def greet(self, intent: Intent) -> Response:
            return Response(message="HELLO")

    client = AstrOSTestClient()
    await client.load_plugin(Shouter)
    assert (await client.call("greet")).message == "HELLO"


async def test_logs_have_levels_arguments_and_fields_and_never_fail() -> None:
    class Talker(BasePlugin):
        @plugin_handler("talk")
        async def talk(self, intent: Intent) -> Response:
            self.logger.info("moved %s to %d", "a", 3, user_id="u")
            self.logger.warning("odd %d", "x", thing=object)
            try:
                raise KeyError("k")
            except KeyError:
                self.logger.exception("failed")
            return Response()

    client = AstrOSTestClient()
    await client.load_plugin(Talker)
    await client.call("talk")
    first, second, third = client.logs
    assert (first["level"], first["message"], first["logger"]) == ("info", "moved a to 3", "talker")
    assert first["fields"] == {"user_id": "u", "correlation_id": "test-1"}
    assert (second["level"], second["message"], second["fields"]["thing"]) == ("warn", "odd %d x", "<class 'object'>")
    assert "KeyError: 'k'" in third["fields"]["traceback"]


def test_without_a_host_logs_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Greeter().logger.error("no luck", count=3)
    assert capsys.readouterr().err == "ERROR greeter: no luck count=3\n"


class Thinker(BasePlugin):
    async def initialize(self) -> None:
        self.ai = AIProvider(provider="openai", model="gpt-4", config={"temperature": 0.1})

    @plugin_handler("think")
    async def think(self, intent: Intent) -> Response:
        try:
            answer = await self.ai.complete("Think of: " + intent.text, max_tokens=500)
        except AIError as error:
            return Response(success=False, message=f"AI failed: {error}")
        return Response(message=answer["content"], data={"category": answer.get("category", "other")})

    @plugin_handler("see")
    async def see(self, intent: Intent) -> Response:
        seen = await self.ai.analyze_image("cat.png", prompt="What is it?")
        talked = await self.ai.chat(messages=[{"role": "user", "content": seen["content"]}], max_tokens=3)
        return Response(data=talked)


async def test_ai_goes_through_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cat.png").write_bytes(b"\x89PNG")  # noqa: ASYNC240
    asked: list[tuple[str, dict[str, Any]]] = []

    def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
        asked.append((method, params))
        return {"content": '{"category": "code"}', "model": "m"}

    client = AstrOSTestClient(ai=answer)
    await client.load_plugin(Thinker)
    response = await client.call("think", text="loops")
    assert response.data == {"category": "code"}
    method, params = asked[0]
    assert method == "complete"
    assert params.pop("meta").keys() == {"parent"}
    assert params == {
        "prompt": "Think of: loops",
        "provider": "openai",
        "model": "gpt-4",
        "config": {"temperature": 0.1},
        "max_tokens": 500,
    }
    await client.call("see", check=True)
    Path("cat.png").unlink()  # noqa: ASYNC240
    assert "`cat.png` cannot be read" in (await client.call("see")).message
    assert asked[1][1]["image"] == {"base64": "iVBORw==", "media_type": "image/png"}
    assert asked[2][1]["messages"] == [{"role": "user", "content": '{"category": "code"}'}]


async def test_ai_without_a_provider_is_an_ai_error() -> None:
    client = AstrOSTestClient()
    await client.load_plugin(Thinker)
    assert "set the test client's `ai`" in (await client.call("think")).message
    with pytest.raises(AIError, match="no host to ask"):
        await AIProvider().complete("x")


async def test_a_registered_provider_is_used_in_its_process() -> None:
    class Own(BaseAIProvider):
        def __init__(self, config: dict[str, Any]) -> None:
            super().__init__(config)
            self.key = config.get("api_key")

        async def complete(self, prompt: str, **kwargs: Any) -> dict[str, Any]:
            return {"content": f"{prompt} {self.key} {kwargs['max_tokens']}"}

    register_provider("own", Own)
    assert registered_providers()["own"] is Own
    provider = AIProvider("own", config={"api_key": "k"})
    assert (await provider.complete("p", max_tokens=3))["content"] == "p k 3"
    with pytest.raises(AIError, match="the provider `Own` has no `embed`"):
        await provider.embed("text")


async def test_the_default_ai_needs_no_set_up() -> None:
    class Plain(BasePlugin):
        @plugin_handler("ask")
        async def ask(self, intent: Intent) -> str:
            answer = await self.ai.complete("x")
            return str(answer["content"])

    client = AstrOSTestClient(ai={"complete": "forty-two"})
    await client.load_plugin(Plain)
    assert (await client.call("ask")).message == "forty-two"


async def test_a_checked_call_raises_what_went_wrong() -> None:
    class Failing(BasePlugin):
        @plugin_handler("explode")
        async def explode(self, intent: Intent) -> Response:
            raise ZeroDivisionError("by zero")

        @plugin_handler("decline_politely")
        async def decline(self, intent: Intent) -> Response:
            return Response(success=False, message="not today")

    client = AstrOSTestClient()
    await client.load_plugin(Failing)
    with pytest.raises(HandlerFailed, match="ZeroDivisionError: by zero"):
        await client.call("explode", check=True)
    with pytest.raises(CallFailed, match="not today") as caught:
        await client.call("decline_politely", check=True)
    assert caught.value.response.message == "not today"
