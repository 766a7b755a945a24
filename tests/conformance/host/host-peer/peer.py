"""The plugin that `host-probe` calls to see what its host does: it reports what it got, and misbehaves on demand.

Python's standard library, no SDK. It serves one request at a time (`max_in_flight: 1`), which is a duty to watch, too.
"""

import json
import os
import pathlib
import select
import sys
import time

HANDLERS = ["echo", "work", "slow", "relay", "abandon", "keep", "kept", "die", "die_once", "leave_once", "error"]
HANDLERS += ["stray", "malformed", "huge", "stream", "flood", "journal"]

got = []  # what this process received, as the probe judges it
pending = []  # lines that were read while something else was waited for
buffer = b""
limit = 16 << 20
data = None  # the folder of its own
last = 0


def raw(line):
    view = memoryview(line)
    while view:
        view = view[os.write(1, view) :]


def say(**message):
    raw(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


def receive(seconds=None):
    """The next message of the host's within this time; None where there is none. The end of the input ends all."""
    global buffer
    until = None if seconds is None else time.monotonic() + seconds
    while b"\n" not in buffer:
        left = None if until is None else max(0, until - time.monotonic())
        if not select.select([0], [], [], left)[0]:
            return None
        part = os.read(0, 1 << 16)
        if not part:
            sys.exit(0)
        buffer += part
    line, buffer = buffer.split(b"\n", 1)
    message = json.loads(line)
    got.append({"line": line.decode("utf-8", "replace")[:4000], "at": time.monotonic()})
    return message


def watch(seconds, stop=lambda message: False):
    """Reads for so long, or until a message that is waited for; requests that come are served afterwards."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        message = receive(left)
        if message is None:
            return None
        if stop(message):
            return message
        if "method" in message and not message["method"].startswith("$/"):
            pending.append(message)
    return None


def request(method, params, seconds=5):
    global last
    last += 1
    say(id=last, method=method, params=params)
    return watch(seconds, lambda message: message.get("id") == last and "method" not in message)


def cancels(id):
    return lambda message: message.get("method") == "$/cancel" and message["params"].get("id") == id


def times(name):
    """How often this was asked, over restarts."""
    with open(data / name, "a") as file:
        file.write("x")
    return len((data / name).read_text())


def serve(id, handler, intent, meta):
    context = intent.get("context", {})
    answer = lambda **data: say(id=id, result={"data": data})
    if handler == "echo":
        more = {"x_more": {"kept": [1, None, "ü"]}, "suggested_actions": ["echo"]}
        say(id=id, result={"success": True, "message": "echo", "data": {"intent": intent, "meta": meta}, **more})
    elif handler in ("work", "slow"):
        start = len(got)
        taken_back = watch(context.get("seconds", 3), cancels(id)) is not None
        # All that came while it worked, and is no cancellation.
        came = [json.loads(one["line"]).get("method") for one in got[start:]]
        (data / "work").write_text(json.dumps({"key": context.get("key"), "cancelled": taken_back, "came": came}))
        answer(cancelled=taken_back, came=came)
    elif handler == "relay":
        reply = request("call_plugin", {**context["call"], "meta": {"parent": id}}, 10)
        answer(reply=reply)
    elif handler == "abandon":
        say(id="abandoned", method="call_plugin", params={**context["call"], "meta": {"parent": id}})
        time.sleep(0.2)
        answer()
        watch(5, lambda message: message.get("id") == "abandoned")
    elif handler == "keep":
        answer(reply=request("storage/set", {"key": "kept", "value": context["value"]}))
    elif handler == "kept":
        answer(reply=request("storage/get", {"key": "kept"}), process=os.getpid())
    elif handler == "die":
        times(context["key"])
        os._exit(7)
    elif handler == "die_once":
        if times(context["key"]) == 1:
            os._exit(7)
        answer(attempt=meta.get("attempt"))
    elif handler == "leave_once":
        if times(context["key"]) > 1:
            return answer(times=times(context["key"]) - 1)
        say(id=id, error={"code": -32015, "message": "I am going", "data": {"kind": "shutting_down"}})
        sys.exit(0)
    elif handler == "error":
        say(id=id, error={"code": context["code"], "message": "an error", "data": {"kind": "x"}})
    elif handler == "stray":
        raw(b"hello\n[1, 2]\n{not json\n\xff\xfe\n")
        answer()
    elif handler == "malformed":
        raw(b'{"jsonrpc":"2.0", no message\n')
        if context.get("answer"):
            raw(b'{"jsonrpc":"2.0","id":%s,"result":{"data":NaN,}}\n' % json.dumps(id).encode())
        else:
            answer()
    elif handler == "huge":
        raw(b'{"jsonrpc":"2.0","id":%s,"result":{"message":"' % json.dumps(id).encode())
        for _ in range(0, limit + (1 << 16), 1 << 16):
            raw(b"x" * (1 << 16))
        raw(b'"}}\n')
    elif handler in ("stream", "flood"):
        opened, acks = 32 if handler == "stream" else 1 << 30, 0
        for number in range(context["count"]):
            while number >= opened + acks:
                taken = watch(3, lambda message: message.get("method") in ("$/ack", "$/cancel"))
                if taken is None or taken["method"] == "$/cancel":
                    return answer(sent=number, acks=acks)
                acks += taken["params"]["count"]
            say(method="$/progress", params={"id": id, "value": {"done": number}})
        # A listener may be slow; the answer does not wait for it for long.
        watch(context.get("linger", 0))
        if handler == "flood":
            taken_back = watch(3, cancels(id)) is not None
            (data / "work").write_text(json.dumps({"key": "flood", "cancelled": taken_back, "came": []}))
        answer(sent=context["count"], acks=acks)
    elif handler == "journal":
        note, count = data / "work", data / context.get("key", "none")
        work = json.loads(note.read_text()) if note.exists() else None
        answer(work=work, times=len(count.read_text()) if count.exists() else 0)
    else:
        say(id=id, error={"code": -32013, "message": f"there is no handler `{handler}`"})


def initialize(id, params):
    global limit, data
    limit = params["limits"]["max_frame_bytes"]
    data = pathlib.Path(params["directories"]["data"])
    data.mkdir(parents=True, exist_ok=True)
    handlers = [{"name": name, "effects": "none"} for name in HANDLERS]
    for handler in handlers:
        if handler["name"] == "die_once":
            handler["idempotent"] = True
        if handler["name"] == "slow":
            handler["timeout_ms"] = 300
    plugin = {"name": "host-peer", "version": "1.0.0", "handlers": handlers}
    limits = {"max_frame_bytes": 16 << 20, "max_in_flight": 1}
    say(id=id, result={"protocol_version": "1.0", "limits": limits, "plugin": plugin})


while True:
    message = pending.pop(0) if pending else receive()
    method, id, params = message.get("method"), message.get("id"), message.get("params") or {}
    if method == "initialize":
        initialize(id, params)
    elif method == "handle_intent":
        serve(id, params["handler"], params["intent"], params.get("meta", {}))
    elif method == "shutdown":
        say(id=id, result=None)
    elif method == "ping":
        say(id=id, result={})
    elif method and id is not None:
        say(id=id, error={"code": -32601, "message": f"`{method}` is not known"})
