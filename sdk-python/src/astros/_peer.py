"""One end of a connection, for either side: requests both ways, cancellation, progress with a window.

`receive` runs on the event loop; `request` may be awaited on any loop, and what sends may be called from any
thread. Each request that comes in runs in a task of its own and is answered exactly once.
"""

from __future__ import annotations

import contextvars
import itertools
import sys

from . import _wire
from ._calls import Call
from ._progress import WINDOW, Stream
from .errors import (
    BadResponse,
    Cancelled,
    DeadlineExceeded,
    FrameTooLarge,
    HandlerFailed,
    InvalidParams,
    NotConnected,
    RemoteError,
    RetryableError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any, Protocol

    from ._frames import Oversized
    from ._transport import Transport

    OnProgress = Callable[[dict[str, Any]], object]

    class Task(Protocol):
        """What serves a request; `cancel` is False where that will not hear of it."""

        def cancel(self) -> bool: ...


# What a plugin may answer with by itself; every other exception becomes handler_failed.
_OWN_CODES = {-32700, *range(-32603, -32599), -32005, *range(-32013, -32008), -32015, -32016}

# Stacks are for people: they go to stderr, and travel only to reports, so many characters of them.
TRACED = ("workflow/run",)
STACK = 8000

# Who took it back waits for no answer; who waits has asked a plugin that is being stopped.
TAKEN_BACK = "the request was taken back, or the plugin stops"

current: contextvars.ContextVar[Request | None] = contextvars.ContextVar("astros_request", default=None)


class Request:
    """A request that this side serves."""

    __slots__ = ("cancelled", "id", "meta", "method", "params", "peer", "started", "stream", "task", "unsaved")

    def __init__(self, peer: Peer, id: str | int, method: str, params: dict[str, Any]) -> None:
        self.peer = peer
        self.id = id
        self.method = method
        self.params = params
        meta = params.get("meta")
        self.meta: dict[str, Any] = meta if isinstance(meta, dict) else {}
        self.task: Task | None = None
        self.started = False
        self.cancelled = False
        self.stream: Stream | None = None
        self.unsaved: list[asyncio.Future[Any]] | None = None  # writes that the answer waits for


class Peer:
    """A connection's end. `serve` answers the requests that come in, `notified` takes the notifications."""

    def __init__(
        self,
        transport: Transport,
        serve: Callable[[Request], Awaitable[Any]],
        notified: Callable[[str, dict[str, Any]], None] | None = None,
        *,
        any_code: bool = False,
    ) -> None:
        self.transport = transport
        self._serve = serve
        self._notified = notified
        self._any_code = any_code  # a host may answer with every code of the protocol
        # How a request is begun, and where the loop is: as a rule it is the one that `receive` runs on.
        self.begin: Callable[[Coroutine[Any, Any, None]], Task] = _begin
        self.loop: Callable[[], asyncio.AbstractEventLoop] = _running_loop
        self._ids = itertools.count(1)
        self._calls: dict[str | int, Call] = {}
        self._open: dict[str | int, Request] = {}
        self._gone: str | None = None

    # --- asking -----------------------------------------------------------------------------------------

    async def request(
        self, method: str, params: Any, *, timeout: float | None = None, on_progress: OnProgress | None = None
    ) -> Any:
        """Ask, and give back the `result`; raises RemoteError for an error, NotConnected where nobody answers.

        `timeout` is in seconds. Cancelling the awaiting task cancels the request on the other side.
        """
        import asyncio

        if self._gone is not None:
            raise NotConnected(self._gone)
        loop = asyncio.get_running_loop()
        id = next(self._ids)
        call = Call(loop, on_progress is not None)
        frame = _wire.request(id, method, params)
        self._measure(frame, f"the request `{method}`")
        self._calls[id] = call
        timer = None
        if timeout is not None:
            late = DeadlineExceeded(f"`{method}` got no answer within {timeout:g} s")
            timer = loop.call_later(timeout, call.settle, None, late)
        try:
            self.transport.send(frame)
            if on_progress is not None:
                await self._listen(id, call, on_progress)
            return await call.answer
        finally:
            if timer is not None:
                timer.cancel()
            # Still there: no answer came, and none is of use any more.
            if self._calls.pop(id, None) is not None:
                self.notify("$/cancel", {"id": id})

    async def _listen(self, id: int, call: Call, on_progress: OnProgress) -> None:
        assert call.events is not None
        while (event := await call.events.get()) is not None:
            step = on_progress(event[0])
            if hasattr(step, "__await__"):
                await step
            call.unread -= 1
            self.notify("$/ack", {"id": id, "count": 1})

    def notify(self, method: str, params: Any, *, droppable: bool = False) -> None:
        """Send a notification; a host that is gone is no error."""
        frame = _wire.notification(method, params)
        if len(frame) <= self.transport.limit:
            self.transport.send(frame, droppable=droppable)

    def _measure(self, frame: bytes, what: str) -> None:
        if len(frame) > self.transport.limit:
            raise FrameTooLarge(
                f"{what} has {len(frame)} bytes, more than the {self.transport.limit} that the other side takes; "
                "pass large data as a file"
            )

    # --- hearing ----------------------------------------------------------------------------------------

    def receive(self, message: dict[str, Any] | Oversized | RemoteError, line: bytes = b"") -> None:
        """Take one parsed line, or what was wrong with it (`line` is its text then)."""
        if not isinstance(message, dict):
            self._broken(message, line)
            return
        method = message.get("method")
        if method is None:
            self._answered(message)
        else:
            self._asked(method, message)

    def hang_up(self, why: str) -> None:
        """The other side is gone: every open call gets that as its outcome."""
        self._gone = why
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.settle(None, NotConnected(why))

    def cancel_all(self) -> None:
        """Cancel what is being served."""
        for request in list(self._open.values()):
            self._take_back(request)

    @property
    def in_flight(self) -> int:
        """How many requests are being served."""
        return len(self._open)

    def find(self, id: Any) -> Request | None:
        """The request of that id that is being served."""
        return self._open.get(id) if _wire.valid_id(id) else None

    def _asked(self, method: str, message: dict[str, Any]) -> None:
        params = message.get("params")
        if params is None:
            params = {}
        if "id" not in message:
            if type(params) is dict:
                self._heard(method, params)
            return
        id = message["id"]
        if id in self._open:
            print(f"astros: dropped a request whose id {id!r:.80} is still open", file=sys.stderr)
        elif type(params) is not dict:
            self._refuse(id, InvalidParams(f"params are an object, found `{type(params).__name__}`"))
        else:
            self._begin(Request(self, id, method, params))

    def _begin(self, request: Request) -> None:
        self._open[request.id] = request
        # The task copies the context in which it is made: that is how a call finds its parent.
        current.set(request)
        request.task = self.begin(self._run(request))

    async def _run(self, request: Request) -> None:
        request.started = True
        frame: bytes | None = None
        try:
            try:
                frame = _wire.result(request.id, await self._serve(request))
                self._measure(frame, "the answer")
            except GeneratorExit:
                raise
            except BaseException as error:  # SystemExit too: a handler must not end the plugin
                was_cancelled = _is_cancelled(error)
                frame = _wire.failure(
                    request.id, Cancelled(TAKEN_BACK) if was_cancelled else self._as_wire(request, error)
                )
                if was_cancelled and not request.cancelled:
                    raise
        finally:
            is_open = self._open.pop(request.id, None) is not None
            request.task = None  # its context holds the request: without this, each call leaves a cycle
            if request.stream is not None:
                request.stream.close()
            if frame is not None and is_open:
                self._reply(request.id, frame)

    def _reply(self, id: str | int | None, frame: bytes) -> None:
        """Send an answer; one that the other side would not read is replaced by an error that it will."""
        if len(frame) > self.transport.limit:
            limit = self.transport.limit
            frame = _wire.failure(id, FrameTooLarge(f"the answer has {len(frame)} bytes, the limit is {limit}"))
        self.transport.send(frame)

    def _as_wire(self, request: Request, error: BaseException) -> RemoteError:
        if isinstance(error, RemoteError) and (self._any_code or error.code in _OWN_CODES):
            return error
        from ._stack import show

        stack = show(request.params.get("handler", request.method), error)
        words = str(error)
        again = isinstance(error, RetryableError)
        more: dict[str, Any] = {"detail": stack[-STACK:]} if request.method in TRACED else {}
        name = type(error).__name__
        return HandlerFailed(f"{name}: {words}" if words else name, retryable=again, **more)

    def _heard(self, method: str, params: dict[str, Any]) -> None:
        id = params.get("id")
        if method == "$/cancel":
            self._cancel(self.find(id))
        elif method == "$/progress":
            self._progressed(id, params.get("value"))
        elif method == "$/ack":
            request, count = self.find(id), params.get("count", 1)
            if request is not None and request.stream is not None and type(count) is int and count > 0:
                request.stream.acknowledged(count)
        elif self._notified is not None:
            self._notified(method, params)

    def _cancel(self, request: Request | None) -> None:
        if request is None or request.task is None or request.method in ("initialize", "shutdown"):
            return
        request.cancelled = True
        self._take_back(request)

    def _take_back(self, request: Request) -> None:
        if request.task is None:
            return
        hears = request.task.cancel()
        # A task that is cancelled before its first step never runs, so it cannot answer.
        if not (hears and request.started) and self._open.pop(request.id, None) is not None:
            self._refuse(request.id, Cancelled(TAKEN_BACK))

    def _progressed(self, id: Any, value: Any) -> None:
        call = self._calls.get(id) if _wire.valid_id(id) else None
        if call is None:
            return
        if call.events is None:
            self.notify("$/ack", {"id": id, "count": 1})
            return
        call.unread += 1
        if call.unread > WINDOW:
            call.settle(None, BadResponse(f"more than {WINDOW} steps of progress without waiting for `$/ack`"))
        else:
            call.progress(value if isinstance(value, dict) else {"data": value})

    def _answered(self, message: dict[str, Any]) -> None:
        id = message.get("id")
        call = self._calls.pop(id, None) if _wire.valid_id(id) else None
        if call is None:
            if id is None and "error" in message:
                print(f"astros: the host could not read a message: {message['error']!r:.300}", file=sys.stderr)
        elif "error" not in message:
            call.settle(message["result"], None)
        else:
            call.settle(None, RemoteError.from_wire(message["error"]))

    def _broken(self, problem: Oversized | RemoteError, line: bytes) -> None:
        if isinstance(problem, RemoteError):
            id, answers = _wire.salvage(line)
            told = problem.data.pop("id", None)
        else:
            id, answers = _wire.salvage(problem.head)
            told = id
            problem = FrameTooLarge(f"a line of {problem.size} bytes is longer than a frame may be")
        if answers:
            call = self._calls.pop(id, None) if id is not None else None
            if call is not None:
                call.settle(None, BadResponse(problem.message))
        else:
            self._refuse(told, problem)

    def _refuse(self, id: str | int | None, error: RemoteError) -> None:
        self._reply(id, _wire.failure(id, error))


def _begin(work: Coroutine[Any, Any, None]) -> Task:
    return _running_loop().create_task(work)


def _running_loop() -> asyncio.AbstractEventLoop:
    import asyncio

    return asyncio.get_running_loop()


def _is_cancelled(error: BaseException) -> bool:
    asyncio = sys.modules.get("asyncio")  # where nobody imported it, nobody has raised it
    return asyncio is not None and isinstance(error, asyncio.CancelledError)
