"""Plugins that bring AI providers: a `ProviderPlugin` names a `BaseProvider` class, which the SDK makes and keeps.

class Echo(BaseProvider):
    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        return CompletionResponse(content=request.prompt)

class EchoPlugin(ProviderPlugin):
    name = "echo"

    def get_provider_class(self) -> type[BaseProvider]:
        return Echo
"""

from __future__ import annotations

from ._base import ContextPlugin
from .errors import AIError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from typing import Any

__all__ = ["BaseProvider", "CompletionRequest", "CompletionResponse", "ProviderPlugin"]


class CompletionRequest:
    """What is asked of a model; every member can be read as an attribute or by name, and is None where not said.

    prompt: the text, also of a conversation, whose `messages` are there as well; model, max_tokens, temperature,
    stop, schema and tools as the caller said them; `image` and `input` where that is the question.
    """

    def __init__(self, prompt: str = "", **members: Any) -> None:
        self._members: dict[str, Any] = {"prompt": prompt, **members}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._members.get(name)

    def __getitem__(self, name: str) -> Any:
        return self._members[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The member, or `default` where it was not said."""
        return self._members.get(name, default)

    def to_dict(self) -> dict[str, Any]:
        """The members that were said."""
        return {name: value for name, value in self._members.items() if value is not None}

    @staticmethod
    def from_dict(members: Mapping[str, Any]) -> CompletionRequest:
        """A request of these members; a conversation's prompt is its messages, one after the other."""
        known = dict(members)
        prompt = known.pop("prompt", None)
        if prompt is None:
            prompt = as_prompt(known.get("messages") or ())
        return CompletionRequest(prompt, **known)

    def __repr__(self) -> str:
        return f"CompletionRequest({self.to_dict()!r:.300})"


class CompletionResponse:
    """What a model answered: content, model, provider, usage, finish_reason, tool_calls, and any further members."""

    def __init__(
        self,
        content: str = "",
        model: str = "",
        provider: str = "",
        usage: Mapping[str, Any] | None = None,
        finish_reason: str | None = None,
        tool_calls: Sequence[Any] = (),
        **extra: Any,
    ) -> None:
        self.content = content
        self.model = model
        self.provider = provider
        self.usage: dict[str, Any] = dict(usage or {})
        self.finish_reason = finish_reason
        self.tool_calls = list(tool_calls)
        self.extra: dict[str, Any] = extra

    def to_dict(self) -> dict[str, Any]:
        """The JSON object; what was not said is left out."""
        known = {name: value for name, value in vars(self).items() if name != "extra" and (value or name == "content")}
        return {**self.extra, **known}

    @staticmethod
    def from_dict(members: Mapping[str, Any]) -> CompletionResponse:
        """A response of the JSON object that services answer with; `text`, `completion` and `response` mean content."""
        known = {str(name): value for name, value in members.items() if value is not None}
        for name in ("text", "completion", "response"):
            if "content" not in known and isinstance(known.get(name), str):
                known["content"] = known.pop(name)
        known["usage"] = as_usage(known.get("usage"))
        return CompletionResponse(**known)

    def __repr__(self) -> str:
        return f"CompletionResponse({self.to_dict()!r:.300})"


class BaseProvider:
    """A provider. It is made once, at its first use, gets `initialize(config)`, and lives until the plugin stops.

    Override `complete` or `stream_complete`, and what else it can do: `chat`, `analyze_image`, `embed`, each with the
    request. A provider without a `chat` is asked to complete the conversation.
    """

    models: Sequence[str] = ()

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.config: dict[str, Any] = dict(config or {})

    async def initialize(self, config: dict[str, Any]) -> bool:
        """Connect; giving back False means that the provider cannot be used now."""
        return await self.test_connection()

    async def cleanup(self) -> None:
        """Close what is open."""

    async def test_connection(self) -> bool:
        """Whether the provider can be reached."""
        return True

    async def list_models(self) -> list[str]:
        """The names of its models."""
        return list(self.models)

    async def count_available_models(self) -> int:
        """How many models there are."""
        return len(await self.list_models())

    async def health_check(self) -> dict[str, Any]:
        """How it is: a dict of its own with `healthy`, `models`, and whatever else is worth knowing."""
        return {"healthy": await self.test_connection(), "models": await self.list_models()}

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        """Go on with a text."""
        raise self._cannot("complete")

    def stream_complete(self, request: CompletionRequest) -> AsyncIterator[str]:
        """Go on with a text, and yield the words as they come."""
        raise self._cannot("stream_complete")

    async def chat(self, request: CompletionRequest) -> CompletionResponse:
        """Answer a conversation."""
        raise self._cannot("chat")

    async def analyze_image(self, request: CompletionRequest) -> CompletionResponse:
        """Say what is in an image."""
        raise self._cannot("analyze_image")

    async def embed(self, request: CompletionRequest) -> Any:
        """A vector for each text of `request.input`."""
        raise self._cannot("embed")

    def _cannot(self, what: str) -> AIError:
        return AIError(f"the provider `{type(self).__name__}` has no `{what}`")


class ProviderPlugin(ContextPlugin):
    """A plugin that brings a provider, under the plugin's name or `provider_name`."""

    provider_name: str = ""

    def get_provider_class(self) -> Any:
        """The class of the provider; it is made with the plugin's settings."""
        raise NotImplementedError(f"`{type(self).__name__}` has no `get_provider_class`: expected a provider's class")

    def get_provider_config_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the provider's settings; mark keys and passwords `writeOnly`."""
        return None

    def get_config_schema(self) -> dict[str, Any] | None:
        """The provider's schema, else the plugin's."""
        return self.get_provider_config_schema() or super().get_config_schema()


def as_prompt(messages: Sequence[Any]) -> str:
    """A conversation as one text, for models that only go on with texts."""
    said = [(str(one.get("role", "user")), _words(one.get("content"))) for one in messages if isinstance(one, dict)]
    if len(said) == 1:
        return said[0][1]
    return "\n".join([*(f"{role}: {words}" for role, words in said), "assistant:"]) if said else ""


def _words(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def as_usage(usage: Any) -> dict[str, Any]:
    """What it took, by the protocol's names; others are kept."""
    if not isinstance(usage, dict):
        return {}
    known = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}
    return {known.get(str(name), str(name)): value for name, value in usage.items()}
