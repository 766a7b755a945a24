"""AI through the host: a provider is chosen by name, keys stay with the host.

`AIProvider` needs no host to be made; without one its calls raise AIError.
"""

from __future__ import annotations

from os.path import abspath

from .. import _json
from .._context import peer_or_none
from .._peer import current
from ..errors import AIError, AstrOSError
from .base import BaseAIProvider

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from typing import Any

__all__ = ["AIError", "AIProvider", "BaseAIProvider", "register_provider", "registered_providers"]

_providers: dict[str, type[BaseAIProvider]] = {}


def register_provider(name: str, provider: type[BaseAIProvider]) -> None:
    """Make a provider's class known under a name; `AIProvider(provider=name)` then uses it in this process."""
    if not (isinstance(provider, type) and callable(getattr(provider, "complete", None))):
        raise TypeError(f"`register_provider({name!r}, …)` needs a class like BaseAIProvider, found {provider!r:.100}")
    _providers[name] = provider


def registered_providers() -> dict[str, type[BaseAIProvider]]:
    """The providers of this process, by name."""
    return dict(_providers)


class AIProvider:
    """Asks the host's AI. `provider` and `model` are wishes, None takes the host's choice; `config` are options.

    Results are dicts: content, provider, model, usage, finish_reason, tool_calls. Every failure is an AIError.
    """

    def __init__(
        self, provider: str | None = None, model: str | None = None, config: Mapping[str, Any] | None = None
    ) -> None:
        self.provider = provider
        self.model = model
        self.config: dict[str, Any] = dict(config or {})
        self._own: BaseAIProvider | None = None

    async def complete(self, prompt: str, **options: Any) -> dict[str, Any]:
        """Continue a text. Options: max_tokens, temperature, stop, schema, model…"""
        return await self._ask("complete", {"prompt": prompt}, options)

    async def chat(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> dict[str, Any]:
        """Answer a conversation of {"role", "content"}. Options as for complete, and tools."""
        return await self._ask("chat", {"messages": list(messages)}, options)

    async def analyze_image(self, image: str | PathLike[str] | bytes, prompt: str, **options: Any) -> dict[str, Any]:
        """Say something about an image: a path, or its bytes."""
        if not isinstance(image, bytes):
            image = abspath(image)  # noqa: ASYNC240 (asks for the working directory only)
        return await self._ask("analyze_image", {"image": image, "prompt": prompt}, options)

    async def embed(self, input: str | Sequence[str], **options: Any) -> dict[str, Any]:
        """Vectors for texts."""
        texts = [input] if isinstance(input, str) else list(input)
        return await self._ask("embed", {"input": texts}, options)

    async def _ask(self, what: str, params: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        try:
            if self.provider in _providers:
                return await self._ask_own(what, params, options)
            request = current.get()
            wishes = {"provider": self.provider, "model": self.model, "config": self.config or None}
            everything = {**wishes, **params, **options}
            sent = {name: value for name, value in everything.items() if value is not None}
            peer = peer_or_none()
            if peer is None:
                raise AIError(
                    f"no host to ask for `ai/{what}`: run the plugin under `astros`, "
                    "or give `astros.testing.AstrOSTestClient` an `ai`"
                )
            meta = {} if request is None else {"parent": request.id}
            answer = await peer.request(f"ai/{what}", {**sent, "meta": meta})
        except AIError:
            raise
        except AstrOSError as error:
            raise AIError(str(error), kind=getattr(error, "kind", None), detail=type(error).__name__) from error
        if not isinstance(answer, dict):
            raise AIError(f"`ai/{what}` answered with `{type(answer).__name__}`, expected an object")
        return _with_members(answer)

    async def _ask_own(self, what: str, params: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        if self._own is None:
            assert self.provider is not None
            self._own = _providers[self.provider](self.config)
        if self.model is not None:
            options = {"model": self.model, **options}
        method = getattr(self._own, what)
        answer: dict[str, Any] = await method(*params.values(), **options)
        return answer


def _with_members(answer: dict[str, Any]) -> dict[str, Any]:
    """Where the content is a JSON object, its members are readable beside it."""
    content = answer.get("content")
    if not (isinstance(content, str) and content.lstrip().startswith("{")):
        return answer
    try:
        members = _json.decode(content)
    except ValueError:
        return answer
    return {**members, **answer}
