"""AI through the host: a provider is chosen by name, keys stay with the host.

`AIProvider` needs no host to be made; without one its calls raise AIError.
"""

from __future__ import annotations

import asyncio
from os import fspath

from .. import _json
from .._context import peer_or_none
from .._peer import current
from ..errors import AIError, AstrOSError
from .base import BaseAIProvider

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from os import PathLike
    from typing import Any

    OnWords = Callable[[str], object]

__all__ = ["AIError", "AIProvider", "BaseAIProvider", "register_provider", "registered_providers"]

_providers: dict[str, type[Any]] = {}


def register_provider(name: str, provider: type[Any]) -> None:
    """Make a provider's class known under a name, in a module that the plugin imports.

    The plugin's host offers it to every plugin; `AIProvider(provider=name)` uses it directly in this process.
    """
    methods = (getattr(provider, one, None) for one in ("complete", "stream_complete", "chat", "embed"))
    if not (isinstance(provider, type) and any(map(callable, methods))):
        raise TypeError(f"`register_provider({name!r}, …)` needs a class like BaseAIProvider, found {provider!r:.100}")
    _providers[name] = provider


def registered_providers() -> dict[str, type[Any]]:
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
        self._own: Any = None

    async def complete(self, prompt: str, *, on_progress: OnWords | None = None, **options: Any) -> dict[str, Any]:
        """Continue a text. Options: max_tokens, temperature, stop, schema, model…

        `on_progress`, a function or coroutine function, is called with the words as they come.
        """
        return await self._ask("complete", {"prompt": prompt}, options, on_progress)

    async def chat(
        self, messages: Sequence[Mapping[str, Any]], *, on_progress: OnWords | None = None, **options: Any
    ) -> dict[str, Any]:
        """Answer a conversation of {"role", "content"}. Options as for complete, and tools."""
        return await self._ask("chat", {"messages": list(messages)}, options, on_progress)

    async def stream(self, asked: str | Sequence[Mapping[str, Any]], **options: Any) -> AsyncIterator[str]:
        """The words of an answer as they come: to a text, or to a conversation.

        Leaving the loop cancels the request. A provider that does not stream yields its whole answer at once.
        """
        heard: asyncio.Queue[str] = asyncio.Queue(1)
        what, question = ("complete", "prompt") if isinstance(asked, str) else ("chat", "messages")
        task = asyncio.ensure_future(self._ask(what, {question: asked}, options, heard.put))
        silent = True
        try:
            while not (task.done() and heard.empty()):
                getting = asyncio.ensure_future(heard.get())
                await asyncio.wait({getting, task}, return_when=asyncio.FIRST_COMPLETED)
                if getting.done():
                    silent = False
                    yield getting.result()
                else:
                    getting.cancel()
            answer = await task
            if silent and answer.get("content"):
                yield answer["content"]
        finally:
            task.cancel()

    async def analyze_image(self, image: str | PathLike[str] | bytes, prompt: str, **options: Any) -> dict[str, Any]:
        """Say something about an image: a path, or its bytes.

        The file is read here: the process of a provider sees none of this plugin's.
        """
        sent = await asyncio.to_thread(_image, image)
        return await self._ask("analyze_image", {"image": sent, "prompt": prompt}, options)

    async def embed(self, input: str | Sequence[str], **options: Any) -> dict[str, Any]:
        """Vectors for texts."""
        texts = [input] if isinstance(input, str) else list(input)
        return await self._ask("embed", {"input": texts}, options)

    async def _ask(
        self, what: str, params: dict[str, Any], options: dict[str, Any], hear: OnWords | None = None
    ) -> dict[str, Any]:
        try:
            if self.provider in _providers:
                return await self._ask_own(what, params, options, hear)
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
            meta: dict[str, Any] = {} if request is None else {"parent": request.id}
            if hear is not None:
                meta["progress"] = True
            listen = None if hear is None else lambda step: _heard(hear, step)
            answer = await peer.request(f"ai/{what}", {**sent, "meta": meta}, on_progress=listen)
        except AIError:
            raise
        except AstrOSError as error:
            hint = getattr(error, "hint", None)
            more = {"detail": type(error).__name__} | ({"hint": hint} if hint else {})
            raise AIError(str(error), kind=getattr(error, "kind", None), **more) from error
        if not isinstance(answer, dict):
            raise AIError(f"`ai/{what}` answered with `{type(answer).__name__}`, expected an object")
        return _with_members(answer)

    async def _ask_own(
        self, what: str, params: dict[str, Any], options: dict[str, Any], hear: OnWords | None
    ) -> dict[str, Any]:
        from .._ask_provider import ask, failure

        assert self.provider is not None
        if self._own is None:
            self._own = _providers[self.provider](self.config)
        if self.model is not None:
            options = {"model": self.model, **options}

        async def tell(words: str) -> None:
            assert hear is not None
            await _heard(hear, {"data": {"content": words}})

        try:
            answer = await ask(self._own, what, {**params, **options}, lambda: None, None if hear is None else tell)
        except Exception as error:
            raise failure(self.provider, error) from error
        if isinstance(answer, dict):
            return answer
        said: dict[str, Any] = answer.to_dict() if hasattr(answer, "to_dict") else {"content": answer}
        return said


def _image(image: str | PathLike[str] | bytes) -> dict[str, Any]:
    """The protocol's image."""
    from base64 import b64encode
    from mimetypes import guess_type

    if isinstance(image, bytes):
        return {"base64": b64encode(image).decode()}
    try:
        with open(image, "rb") as file:
            content = file.read()
    except OSError as error:
        raise AIError(f"the image `{image}` cannot be read: {error.strerror or error}") from error
    media_type, _ = guess_type(fspath(image))
    kind = {} if media_type is None else {"media_type": media_type}
    return {"base64": b64encode(content).decode(), **kind}


async def _heard(hear: OnWords, step: dict[str, Any]) -> None:
    """Hand on the words of a step; a step without any says how far it is, and is passed over."""
    data = step.get("data")
    words = data.get("content") if isinstance(data, dict) else None
    if isinstance(words, str) and words:
        done = hear(words)
        if hasattr(done, "__await__"):
            await done


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
