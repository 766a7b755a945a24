"""One request to a provider of either guide: which method, which arguments, streamed where somebody listens.

LocalAgent's providers take one request; those of AstrOS's `BaseAIProvider` take a prompt or messages, and options.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
from functools import partial

from .ai.base import BaseAIProvider
from .errors import AIError, RemoteError, RetryableError
from .provider import BaseProvider, CompletionRequest, CompletionResponse, as_prompt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from concurrent.futures import Executor
    from typing import Any

    Hear = Callable[[str], Awaitable[Any]]
    Threads = Callable[[], Executor | None]

QUESTION = {"complete": "prompt", "chat": "messages", "analyze_image": "image", "embed": "input"}
STEP = 16 * 1024  # characters in a step of a stream, which has at most 64 KiB
STREAM = "stream_complete"


def can(cls: Any, what: str) -> bool:
    """Whether a provider's class does that, by itself or by something that stands for it."""
    if what == "complete":
        return _own(cls, "complete") or _own(cls, STREAM)
    return _own(cls, what) or (what == "chat" and can(cls, "complete"))


def _own(cls: Any, name: str) -> bool:
    method = getattr(cls, name, None)
    return method is not None and method not in (getattr(BaseProvider, name, None), getattr(BaseAIProvider, name, None))


async def ask(provider: Any, what: str, members: dict[str, Any], threads: Threads, hear: Hear | None = None) -> Any:
    """What the provider answers; `hear` gets the words as they come, where it can stream them."""
    cls = type(provider)
    if not can(cls, what):
        raise AIError(f"the provider `{cls.__name__}` has no `{what}`")
    streams = what in ("complete", "chat") and _own(cls, STREAM) and not (what == "chat" and _own(cls, "chat"))
    if streams and (hear is not None or not _own(cls, "complete")):
        return await _joined(parts(_bound(provider, STREAM, what, members), threads), hear)
    answer = await outcome(_bound(provider, what if _own(cls, what) else "complete", what, members), threads)
    if hasattr(answer, "__aiter__") or inspect.isgenerator(answer):
        return await _joined(parts(lambda: answer, threads), hear)
    return answer


def _bound(provider: Any, method: str, what: str, members: dict[str, Any]) -> Callable[[], Any]:
    """The call, in the manner of the provider."""
    function = getattr(provider, method)
    if isinstance(provider, BaseProvider) or _takes_request(function):
        return partial(function, CompletionRequest.from_dict(members))
    options = {name: value for name, value in members.items() if name != "provider"}
    question = options.pop(QUESTION[what], None)
    if what == "chat" and method != "chat":
        question = as_prompt(question or ())
    more = [options.pop("prompt", "")] if what == "analyze_image" else []
    return partial(function, question, *more, **options)


def _takes_request(function: Any) -> bool:
    return next(iter(inspect.signature(function).parameters), "") == "request"


async def _joined(stream: AsyncIterator[Any], hear: Hear | None) -> CompletionResponse:
    """All words of a stream, and what its last part said besides; each is heard as it comes."""
    words: list[str] = []
    last = CompletionResponse()
    async for part in stream:
        if isinstance(part, (bytes, bytearray)):
            part = part.decode("utf-8", "replace")
        if isinstance(part, dict):
            part = CompletionResponse.from_dict(part)
        if isinstance(part, CompletionResponse):
            last, part = part, part.content
        if not isinstance(part, str):
            raise TypeError(f"a stream yields str, found `{type(part).__name__}`")
        words.append(part)
        for start in range(0, len(part) if hear is not None else 0, STEP):
            assert hear is not None
            await hear(part[start : start + STEP])
    last.content = "".join(words)
    return last


async def parts(call: Callable[[], Any], threads: Threads) -> AsyncIterator[Any]:
    """What a generator yields, be it async or not; it is closed when nobody wants more."""
    stream = call() if inspect.isgeneratorfunction(call) else await outcome(call, threads)
    if hasattr(stream, "__aiter__"):
        try:
            async for part in stream:
                yield part
        finally:
            if hasattr(stream, "aclose"):
                await stream.aclose()
        return
    iterator, end = iter(stream), object()
    try:
        while (part := await in_thread(lambda: next(iterator, end), threads)) is not end:
            yield part
    finally:
        if inspect.isgenerator(iterator):
            with contextlib.suppress(ValueError):  # its thread still runs, and ends by itself
                iterator.close()


async def outcome(call: Callable[[], Any], threads: Threads) -> Any:
    """What an author's function gives back; a plain one runs on a thread."""
    on_loop = inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)
    answer = call() if on_loop else await in_thread(call, threads)
    return await answer if inspect.isawaitable(answer) else answer


async def in_thread(function: Callable[[], Any], threads: Threads) -> Any:
    """Call it on a thread, with the context of the request."""
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(threads(), context.run, function)


async def call(hook: Callable[..., Any], *args: Any) -> Any:
    """A hook, sync or async."""
    answer = hook(*args)
    return await answer if inspect.isawaitable(answer) else answer


def takes_one(hook: Callable[..., Any]) -> bool:
    """Whether it can be called with one argument."""
    try:
        inspect.signature(hook).bind(None)
    except TypeError:
        return False
    return True


def failure(provider: str, error: Exception) -> RemoteError:
    """An AIError that names the provider and, where they can be told, the status and whether to try again."""
    if isinstance(error, AIError):
        error.data.setdefault("provider", provider)
        return error
    places = ((error, "status"), (error, "status_code"), (getattr(error, "response", None), "status_code"))
    told = [found for where, name in places if isinstance(found := getattr(where, name, None), int)]
    status = told[0] if told else None
    lost = isinstance(error, (ConnectionError, TimeoutError, asyncio.TimeoutError, RetryableError))
    busy = status is not None and (status in (408, 409, 429) or status >= 500)
    words = f"`{provider}` failed: {type(error).__name__}: {error}".rstrip(": ")
    data = {"provider": provider} if status is None else {"provider": provider, "status": status}
    return AIError(words, retryable=lost or busy, **data)
