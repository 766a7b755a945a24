"""A host that says anything in any order: each request is answered once, by its own id; the end of input is seen."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import settings as run
from hypothesis import strategies as st

from astros._frames import Lines
from astros._server import Server
from astros._stdio import Pipe, Reader
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Intent, Response

PATIENCE = 20.0
INITIALIZE = {"protocol_versions": ["1.0"], "features": [], "settings": {}, "limits": {}}


class Everything(BasePlugin):
    """What a handler can do while the host does what it likes."""

    name = "any"

    @plugin_handler("echo")
    async def echo(self, intent: Intent) -> Response:
        return Response(data=intent.context)

    @plugin_handler("thread")
    def thread(self, intent: Intent) -> str:
        return "from a thread"

    @plugin_handler("fail")
    async def fail(self, intent: Intent) -> None:
        raise OSError("no such device")

    @plugin_handler("call")
    async def call(self, intent: Intent) -> Response:
        return await self.call_plugin("other", "h", {})

    @plugin_handler("stream")
    async def stream(self, intent: Intent) -> None:
        for done in range(40):
            self.progress(done=done)
            await asyncio.sleep(0)

    @plugin_handler("wait")
    async def wait(self, intent: Intent) -> None:
        await asyncio.Event().wait()


ids = st.sampled_from([1, 2, 3, -1, "1", "2", "é", 2**53 - 1])
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def intent(handler: str, context: Any) -> dict[str, Any]:
    asked = {"text": "", "intent_type": handler, "confidence": 1, "context": context}
    return {"handler": handler, "intent": asked, "meta": {"progress": True}}


handlers = st.sampled_from(["echo", "thread", "fail", "call", "stream", "wait", "nobody", "$message"])
calls = st.builds(lambda handler, context: ("handle_intent", intent(handler, context)), handlers, odd)
methods = st.sampled_from(["ping", "describe", "settings/changed", "bus/deliver", "initialize", "x/y", ""])
others = st.tuples(methods, st.just(INITIALIZE) | st.just({"old": {}, "new": {}}) | odd)
outcomes = st.sampled_from(
    [
        {"result": {"success": True}},
        {"result": None},
        {"error": {"code": -32001, "message": "nobody"}},
        {"error": "no object"},
        {"result": 1, "error": {"code": 1, "message": "both"}},
    ]
)
raw = st.sampled_from([b"nonsense", b"[]", b'{"jsonrpc":"2.0","id":1', b"\r", b"", b"\xff\xfe", b"NaN"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), ids, calls | others),
        st.tuples(st.just("ask"), ids, calls),
        st.tuples(st.just("tell"), st.sampled_from(["$/cancel", "$/ack", "$/progress", "x/z"]), ids | odd),
        st.tuples(st.just("answer"), st.integers(0, 9), outcomes),
        st.tuples(st.just("write"), raw | st.binary(max_size=30).filter(lambda line: b"\n" not in line), st.none()),
        st.tuples(st.just("turn"), st.none(), st.none()),
    ),
    max_size=30,
)


class Host:
    """The other end of two pipes."""

    def __init__(self, reading: int, writing: int) -> None:
        self.reading, self.writing = reading, writing
        self.sent: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.asked: list[Any] = []
        self.lines = Lines(1 << 24)
        os.set_blocking(reading, False)

    def write(self, line: bytes) -> None:
        os.write(self.writing, line + b"\n")

    def say(self, **message: Any) -> None:
        self.write(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def ask(self, id: str | int, method: str, params: Any) -> None:
        self.sent[json.dumps(id)] += 1
        self.say(id=id, method=method, params=params)

    def hear(self) -> None:
        """Take what there is; each line is one message."""
        try:
            lines = self.lines.feed(os.read(self.reading, 1 << 20))
        except BlockingIOError:
            return
        for line in lines:
            assert isinstance(line, bytes)
            message = json.loads(line)
            assert message["jsonrpc"] == "2.0"
            if "method" in message:
                self.asked += [message["id"]] if "id" in message else []
                continue
            assert ("result" in message) != ("error" in message)
            if message["id"] is not None:
                id = json.dumps(message["id"])
                self.answered[id] += 1
                assert self.answered[id] <= self.sent[id], f"{id} is answered too often"

    def take(self, step: tuple[str, Any, Any]) -> None:
        match step:
            case "ask", id, (method, params):
                self.ask(id, method, params)
            case "tell", method, id:
                self.say(method=method, params={"id": id, "count": 1, "value": {}})
            case "answer", at, outcome if self.asked:
                self.say(id=self.asked[at % len(self.asked)], **outcome)
            case "write", line, _:
                self.write(line)

    async def is_answered(self) -> None:
        """Take back what is open, and answer what the plugin waits for, until each request has its answer."""
        # One that came while another of its id was open is dropped.
        while any(self.answered[id] == 0 for id in self.sent):
            for id in self.sent:
                self.say(method="$/cancel", params={"id": json.loads(id)})
            while self.asked:
                self.say(id=self.asked.pop(), error={"code": -32001, "message": "over"})
            await asyncio.sleep(0.001)
            self.hear()


async def is_idle(server: Server) -> None:
    """What is taken back at the end has its turn after that."""
    while server.peer.in_flight:  # noqa: ASYNC110 -- the server tells nobody
        await asyncio.sleep(0.001)


async def play(steps: list[tuple[str, Any, Any]]) -> None:
    (their_input, our_output), (our_input, their_output) = os.pipe(), os.pipe()
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    pipe = Pipe(their_output)
    server = Server(Everything(), pipe)

    def deliver(batch: list[Any]) -> None:
        for message, line in batch:
            server.peer.receive(message, line)

    def post(call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: loop.call_soon_threadsafe(call, *args)

    reader = Reader(their_input, pipe, post(deliver), post(ended.set), server.gauges)
    reader.start()
    host = Host(our_input, our_output)
    host.ask(0, "initialize", INITIALIZE)
    for step in steps:
        host.take(step)
        host.hear()
        if step[0] == "turn":
            await asyncio.sleep(0.001)
    await asyncio.wait_for(host.is_answered(), PATIENCE)
    os.close(our_output)
    await asyncio.wait_for(ended.wait(), PATIENCE)
    # As `_serve` ends: an id that came twice and was answered once may still be open.
    server.peer.hang_up("the host is gone")
    server.peer.cancel_all()
    await server.stop()
    reader.join()
    await asyncio.wait_for(is_idle(server), PATIENCE)
    for fd in (their_input, their_output, our_input):
        os.close(fd)


# The same ones each time: what fails for somebody fails for everybody.
@run(max_examples=300, derandomize=True)
@given(steps=steps)
def test_every_request_is_answered_once(steps: list[tuple[str, Any, Any]]) -> None:
    asyncio.run(play(steps))


def test_what_had_not_begun_at_the_end_is_answered() -> None:
    reading, writing = os.pipe()
    pipe = Pipe(writing)

    async def begun_and_taken_back() -> None:
        server = Server(Everything(), pipe)
        server.peer.receive({"jsonrpc": "2.0", "id": 1, "method": "ping"})
        server.peer.cancel_all()
        assert server.peer.in_flight == 0

    asyncio.run(begun_and_taken_back())
    pipe.flush(PATIENCE)
    answer = json.loads(os.read(reading, 1 << 16))
    assert (answer["id"], answer["error"]["code"]) == (1, -32005)
    os.close(reading)
    os.close(writing)
