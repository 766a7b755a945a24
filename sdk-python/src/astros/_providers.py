"""Serving `provider/…`: the providers of a plugin, made at their first use and kept until its end."""

from __future__ import annotations

import asyncio

from . import _ask_provider as ask
from ._context import report
from ._describe import plugin_name
from ._handlers import first_paragraph
from ._hints import nearest
from ._kinds import registered
from ._stack import naming, show
from .errors import AIError, HandlerFailed, RemoteError
from .provider import as_usage
from .types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._peer import Request
    from ._server import Server

METHODS = ("complete", "chat", "analyze_image", "embed")


class Providers:
    """What `get_provider_class` names, and what `register_provider` was told in the plugin's modules."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._made: dict[str, Any] = {}
        self._making = asyncio.Lock()
        self.methods: dict[str, Callable[[Request], Any]] = {
            f"provider/{what}": self._method(what) for what in METHODS
        } | {"provider/health_check": self._health_check}

    def describe(self) -> dict[str, Any]:
        """Its part of the PluginDescription."""
        return {"providers": [self._describe(name, cls) for name, cls in self._classes().items()]}

    def _classes(self) -> dict[str, Any]:
        plugin = self._server.plugin
        found = registered(self._server)
        if hasattr(plugin, "get_provider_class"):
            with naming("get_provider_class"):
                cls = plugin.get_provider_class()
            name = getattr(plugin, "provider_name", "") or plugin_name(plugin)
            found = found if cls in found.values() else {name: cls, **found}
        return found

    def _describe(self, name: str, cls: Any) -> dict[str, Any]:
        expected = "expected a class with one of " + ", ".join(f"`{what}`" for what in (*METHODS, ask.STREAM))
        if not isinstance(cls, type):
            raise HandlerFailed(f"the provider `{name}` is a `{type(cls).__name__}`, {expected}")
        methods = [what for what in METHODS if ask.can(cls, what)]
        if not methods:
            raise HandlerFailed(f"the provider `{name}`: `{cls.__name__}` can do nothing, {expected}")
        said = {
            "name": name,
            "description": first_paragraph(vars(cls).get("__doc__")),
            "methods": methods,
            "models": _models(cls),
        }
        return {key: value for key, value in said.items() if value or key in ("name", "methods")}

    # --- the work ---------------------------------------------------------------------------------------

    def _method(self, what: str) -> Callable[[Request], Any]:
        async def serve(request: Request) -> dict[str, Any]:
            name, asked = str(request.params.get("provider")), request.params.get("request")
            provider = await self._provider(name)
            members = asked if isinstance(asked, dict) else {}
            try:
                hear = _tell if request.meta.get("progress") is True else None
                answer = await ask.ask(provider, what, members, self._server.threads, hear)
            except Exception as error:
                raise _shown(name, error) from error
            models = _models(type(provider))
            only = models[0] if len(models) == 1 else ""
            return _answer(what, answer, name, members.get("model") or only)

        return serve

    async def _health_check(self, request: Request) -> dict[str, Any]:
        name = str(request.params.get("provider"))
        try:
            provider = await self._provider(name)
            check = getattr(provider, "health_check", None)
            found = await ask.call(check) if check is not None else {"healthy": True}
        except Exception as error:
            if name not in self._classes():
                raise
            return {"healthy": False, "message": str(error) or type(error).__name__}
        return _health(found)

    async def _provider(self, name: str) -> Any:
        """The provider, made and initialized; raises AIError where there is none, or it does not start."""
        classes = self._classes()
        if name not in classes:
            raise AIError(f"there is no provider `{name}` here", provider=name, hint=nearest(name, sorted(classes)))
        async with self._making:
            if name not in self._made:
                plugin = self._server.plugin
                config = dict(getattr(plugin, "config", None) or plugin._astros_settings)
                config |= plugin._astros_providers.get(name) or {}
                try:
                    provider = classes[name](config)
                    started = await _initialize(provider, config)
                except Exception as error:
                    raise _shown(name, error) from error
                if started is False:
                    await _close(provider)
                    words = f"the provider `{name}` did not start: its `initialize` returned False"
                    raise AIError(words, provider=name, retryable=True)
                self._made[name] = provider
            return self._made[name]

    async def changed(self) -> None:
        """The settings are others: providers are made anew when they are needed."""
        await self.close()

    async def close(self) -> None:
        """Clean up every provider that was made."""
        made, self._made = self._made, {}
        for provider in made.values():
            await _close(provider)


def _shown(provider: str, error: Exception) -> RemoteError:
    """The error that travels; the stack of what is none yet goes to the log, as that of a handler."""
    if not isinstance(error, RemoteError):
        show(provider, error)
    return ask.failure(provider, error)


async def _tell(words: str) -> None:
    await report(Progress(data={"content": words}))


async def _initialize(provider: Any, config: dict[str, Any]) -> Any:
    hook = getattr(provider, "initialize", None)
    if hook is None:
        return True
    return await ask.call(hook, config) if ask.takes_one(hook) else await ask.call(hook)


async def _close(provider: Any) -> None:
    for name in ("cleanup", "close"):
        if (hook := getattr(provider, name, None)) is not None:
            try:
                await ask.call(hook)
            except Exception as error:
                show(f"{type(provider).__name__}.{name}", error)
            return


def _models(cls: Any) -> list[str]:
    return [str(model) for model in getattr(cls, "models", ())]


def _answer(what: str, answer: Any, provider: str, model: str) -> dict[str, Any]:
    """The protocol's AiAnswer or Embeddings of whatever a provider gave back; `model` where that says none."""
    if hasattr(answer, "to_dict"):
        answer = answer.to_dict()
    if what == "embed":
        said = answer if isinstance(answer, dict) else {"embeddings": answer}
        if not isinstance(said.get("embeddings"), (list, tuple)):
            raise AIError("an `embed` gives back a list of vectors", provider=provider)
    elif isinstance(answer, dict):
        said = {**answer, "content": answer.get("content") or ""}
    elif answer is None or isinstance(answer, str):
        said = {"content": answer or ""}
    else:
        words = f"`{what}` gave back `{type(answer).__name__}`, expected a CompletionResponse, a dict or a str"
        raise AIError(words, provider=provider)
    if said.get("usage"):
        said = {**said, "usage": as_usage(said["usage"])}
    named = {"provider": said.get("provider") or provider, "model": said.get("model") or model}
    return {key: value for key, value in {**said, **named}.items() if value is not None}


def _health(found: Any) -> dict[str, Any]:
    """The protocol's ProviderHealth; what else a check says is kept."""
    if not isinstance(found, dict):
        return {"healthy": bool(found)}
    said = dict(found)
    said["healthy"] = bool(said.get("healthy", True))
    message = said.get("message") or said.get("error")
    if message:
        said["message"] = str(message)
    models = said.get("models")
    if models is None and isinstance(said.get("models_available"), (list, tuple)):
        models = said["models_available"]
    said["models"] = [str(model) for model in models] if isinstance(models, (list, tuple)) else []
    return said
