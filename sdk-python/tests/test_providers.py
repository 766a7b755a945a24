"""Providers of a plugin through the wire, and callers that stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from astros.ai import AIError, AIProvider
from astros.errors import HandlerFailed
from astros.plugin import BasePlugin, plugin_handler
from astros.provider import BaseProvider, CompletionRequest, CompletionResponse, ProviderPlugin
from astros.testing import AstrOSTestClient
from astros.types import Intent

from .conftest import Start
from .host import PLUGINS, PluginProcess

PROVIDER = str(PLUGINS / "provider.py")


@pytest.fixture
def parrot(start: Start) -> PluginProcess:
    process = start("provider.py")
    process.initialize(settings={"api_key": "k"}, plugin={"name": "parrot"})
    return process


def ask(process: PluginProcess, what: str, request: dict[str, Any], provider: str = "parrot", **meta: Any) -> Any:
    return process.ask(f"provider/{what}", {"provider": provider, "request": request, "meta": meta})


def test_a_provider_describes_itself(start: Start) -> None:
    plugin = start("provider.py").initialize()["plugin"]
    assert plugin["providers"] == [
        {
            "name": "parrot",
            "description": "Says it again.",
            "methods": ["complete", "chat"],
            "models": ["grey", "green"],
        },
        {
            "name": "plain",
            "description": "Functions that block.",
            "methods": ["complete", "chat", "analyze_image", "embed"],
        },
    ]
    assert plugin["settings_schema"]["properties"]["api_key"]["writeOnly"] is True


def test_it_is_made_once_with_its_settings_and_closed_at_the_end(parrot: PluginProcess) -> None:
    first = parrot.result(ask(parrot, "complete", {"prompt": "hi", "max_tokens": 5}))
    assert (first["content"], first["provider"], first["model"]) == ("hi!", "parrot", "grey")
    assert first["usage"] == {"input_tokens": 2, "output_tokens": 3}
    assert first["asked"] == {"prompt": "hi", "max_tokens": 5, "made": 1, "same_loop": True}
    assert parrot.result(ask(parrot, "complete", {"prompt": "hi"}))["asked"]["made"] == 1
    parrot.close_input()
    assert parrot.ends() == 0
    assert "closed k" in parrot.errors()


def test_a_health_check_is_a_dict_of_the_providers_own(parrot: PluginProcess) -> None:
    found = parrot.result(ask(parrot, "health_check", {}))
    assert found == {"healthy": True, "models": ["grey", "green"], "open_connections": 3, "models_available": 2}


def test_one_that_does_not_start_says_so_and_is_tried_again(start: Start) -> None:
    process = start("provider.py")
    process.initialize(settings={"api_key": "wrong"})
    error = process.error(ask(process, "complete", {"prompt": "hi"}))
    assert (error["data"]["kind"], error["data"]["provider"], error["data"]["retryable"]) == (
        "ai_failed",
        "parrot",
        True,
    )
    assert process.result(ask(process, "health_check", {}))["healthy"] is False
    process.result(process.ask("settings/changed", {"old": {}, "new": {"api_key": "right"}}))
    assert process.result(ask(process, "complete", {"prompt": "hi"}))["content"] == "hi!"


def test_words_come_as_progress_where_somebody_listens(parrot: PluginProcess) -> None:
    asked = ask(parrot, "complete", {"prompt": "one two"}, progress=True)
    steps = [parrot.next(method="$/progress")["params"]["value"] for _ in range(2)]
    assert [step["data"]["content"] for step in steps] == ["one ", "two "]
    assert parrot.result(asked)["content"] == "one two "


def test_cancelling_ends_the_stream(parrot: PluginProcess) -> None:
    asked = ask(parrot, "complete", {"prompt": "forever"}, progress=True)
    parrot.next(method="$/progress")
    parrot.tell("$/cancel", {"id": asked})
    assert parrot.error(asked)["data"]["kind"] == "cancelled"
    parrot.close_input()
    parrot.ends()
    assert "stream closed" in parrot.errors()


def test_a_conversation_falls_back_to_its_text(parrot: PluginProcess) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    answer = parrot.result(ask(parrot, "chat", {"messages": messages}))
    assert answer["content"] == "system: Be brief.\nuser: Hi\nassistant:!"
    assert answer["asked"]["messages"] == messages


def test_failures_name_provider_status_and_whether_to_try_again(parrot: PluginProcess) -> None:
    busy = parrot.error(ask(parrot, "complete", {"prompt": "fail"}))["data"]
    assert (busy["kind"], busy["provider"], busy["status"], busy["retryable"]) == ("ai_failed", "parrot", 429, True)
    assert parrot.error(ask(parrot, "complete", {"prompt": "lost"}))["data"]["retryable"] is True
    parrot.close_input()
    parrot.ends()
    assert 'raise RetryableError("the line is bad")' in parrot.errors(), "its stack is in the log"


def test_what_is_not_there_is_named(parrot: PluginProcess) -> None:
    unknown = parrot.error(ask(parrot, "complete", {"prompt": "x"}, "parott"))
    assert unknown["data"]["hint"] == "did you mean `parrot`?"
    assert "has no `embed`" in parrot.error(ask(parrot, "embed", {"input": ["x"]}))["message"]


def test_plain_functions_run_on_threads(parrot: PluginProcess) -> None:
    assert parrot.result(ask(parrot, "complete", {"prompt": "a b"}, "plain"))["content"] == "ab"
    asked = ask(parrot, "complete", {"prompt": "a b"}, "plain", progress=True)
    assert parrot.next(method="$/progress")["params"]["value"]["data"] == {"content": "a"}
    assert parrot.result(asked)["content"] == "ab"
    assert parrot.result(ask(parrot, "embed", {"input": ["a", "bcd"]}, "plain"))["embeddings"] == [[1.0], [3.0]]
    asked = ask(parrot, "analyze_image", {"image": "/x.png", "prompt": "See"}, "plain")
    assert parrot.result(asked)["content"] == "See /x.png"


class Quiet(BaseProvider):
    """Does nothing."""


class Brief(BaseProvider):
    models = ("brief-1",)

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        return CompletionResponse("yes")


@pytest.mark.parametrize(("brought", "words"), [(Quiet, ": `Quiet` can do nothing"), (Brief(), " is a `Brief`")])
async def test_a_provider_that_can_do_nothing_is_told_by_name(brought: Any, words: str) -> None:
    class Bringer(ProviderPlugin):
        name = "bringer"

        def get_provider_class(self) -> Any:
            return brought

    async with AstrOSTestClient() as client:
        with pytest.raises(
            HandlerFailed, match=f"the provider `bringer`{words}, expected a class with one of `complete`"
        ):
            await client.load_plugin(Bringer)


async def test_an_answer_without_a_model_has_the_only_one() -> None:
    class Bringer(ProviderPlugin):
        name = "bringer"

        def get_provider_class(self) -> type[Brief]:
            return Brief

        @plugin_handler("ask")
        async def ask(self, intent: Intent) -> dict[str, Any]:
            return {"models": [(await self.ai.complete("?", **intent.context))["model"]]}

    async with AstrOSTestClient() as client:
        await client.load_plugin(Bringer)
        assert (await client.call("ask")).data == {"models": ["brief-1"]}
        assert (await client.call("ask", {"model": "other"})).data == {"models": ["other"]}


class Writer(BasePlugin):
    @plugin_handler("write")
    async def write(self, intent: Intent) -> dict[str, Any]:
        heard: list[str] = []
        answer = await self.ai.complete("one two", on_progress=heard.append)
        streamed = [part async for part in AIProvider("parrot").stream("three four")]
        talked = [part async for part in self.ai.stream([{"role": "user", "content": "five"}])]
        async for part in AIProvider("parrot").stream("forever"):
            heard.append(part)
            break
        return {"heard": heard, "answer": answer["content"], "streamed": streamed, "talked": talked}


async def test_callers_stream_what_another_plugin_provides() -> None:
    async with AstrOSTestClient() as client:
        await client.load_plugin(PROVIDER, settings={"api_key": "k"})
        await client.load_plugin(Writer)
        data = (await client.call("write", check=True)).data
    assert data["heard"] == ["one ", "two ", "forever "]
    assert data["answer"] == "one two "
    assert data["streamed"] == ["three ", "four "]
    assert data["talked"] == ["five "]


async def test_a_stream_yields_the_whole_of_who_does_not_stream() -> None:
    class Asker(BasePlugin):
        @plugin_handler("ask")
        async def ask(self, intent: Intent) -> dict[str, Any]:
            return {"parts": [part async for part in self.ai.stream("x")]}

    async with AstrOSTestClient(ai={"complete": "whole"}) as client:
        await client.load_plugin(Asker)
        assert (await client.call("ask")).data == {"parts": ["whole"]}


async def test_a_stream_raises_what_the_provider_does() -> None:
    class Asker(BasePlugin):
        @plugin_handler("ask")
        async def ask(self, intent: Intent) -> str:
            try:
                async for _ in self.ai.stream("fail"):
                    pass
            except AIError as error:
                return str(error)
            return "nothing"

    async with AstrOSTestClient() as client:
        await client.load_plugin(Asker)
        assert "no answer for `ai/complete`" in (await client.call("ask")).message


def test_a_package_app_of_the_authors_own_comes_first(start: Start, tmp_path: Path) -> None:
    own = tmp_path / "app" / "cli" / "plugins"
    own.mkdir(parents=True)
    for folder in (own, own.parent, own.parent.parent):
        (folder / "__init__.py").write_text("OWN = True\n")
    (tmp_path / "plugin.py").write_text(
        "import app, app.cli.plugins\n"
        "from app.cli.plugins.framework import CommandPlugin\n"
        "class P(CommandPlugin):\n    description = str(app.OWN and app.cli.plugins.OWN)\n"
    )
    assert start(str(tmp_path)).initialize()["plugin"]["description"] == "True"
    (own / "framework.py").write_text(
        "from astros.plugin import BasePlugin as CommandPlugin\nCommandPlugin.author='own'"
    )
    assert start(str(tmp_path)).initialize()["plugin"]["author"] == "own"
