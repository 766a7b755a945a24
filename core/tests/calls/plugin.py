"""A plugin without an SDK that serves many requests at once on one thread; each handler does what its name says."""

import json
import os
import select
import sys

IDEMPOTENT = {"echo", "die_once", "die_always", "die_told", "call_and_die_once"}
EFFECTS = {"free": "none", "look": "read", "destroy": "destructive"}
NAMES = IDEMPOTENT | set(EFFECTS) | {"hold", "call", "die", "tick", "stream", "listen", "flood", "leave", "ask", "twice"}

waiting = []  # (path, what to do when the path is there)
calls = {}  # the id of an own request: what to do with its answer
held = {}  # the id of a request that `hold` serves: its context
streams = {}  # the id of a request that `stream` serves: [next, unacknowledged, context]
heard = {}  # the id of an own request with progress: the values, and how many of them are not acknowledged
last = 0


def say(**message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def done(id, data):
    say(id=id, result={"data": data})


def note(context, line):
    if "note" in context:
        with open(context["note"], "a") as file:
            file.write(line + "\n")


def call(id, context, then):
    global last
    last += 1
    calls[last] = then
    meta = {"parent": id, **context.get("meta", {})}
    own = {**context.get("params", {}), "pad": "x" * int(context.get("pad") or 0)}
    params = {"plugin": context["plugin"], "handler": context["handler"], "params": own}
    say(id=last, method="call_plugin", params={**params, "meta": meta})
    return last


def serve(id, handler, context, meta):
    note(context, "begun")
    if "dies" in context:
        waiting.append((context["dies"], lambda: os._exit(7)))
    if meta.get("progress"):
        say(method="$/progress", params={"id": id, "value": {"message": "begun"}})
    if handler in ("echo", "free", "destroy"):
        done(id, {"context": context, "attempt": meta["attempt"]})
    elif handler == "tick":
        note(context, context["tick"])
        done(id, None)
    elif handler == "hold":
        held[id] = context
        waiting.append((context["until"], lambda: held.pop(id, None) is not None and done(id, "held")))
    elif handler in ("call", "look"):
        start = lambda: call(id, context, lambda answer: done(id, answer))
        waiting.append((context["after"], start)) if "after" in context else start()
    elif handler == "call_and_die_once":
        dies = meta["attempt"] == 1
        call(id, context, lambda answer: os._exit(7) if dies else done(id, {"attempt": meta["attempt"]}))
    elif handler in ("die", "die_told", "die_always") or (handler == "die_once" and meta["attempt"] == 1):
        os._exit(7)
    elif handler == "die_once":
        done(id, {"attempt": meta["attempt"]})
    elif handler == "leave":
        say(id=id, error={"code": -32015, "message": "I am going"})
    elif handler == "ask":
        last_plus_one()
        calls[last] = lambda answer: done(id, answer)
        say(id=last, method="user/ask", params={**context["asked"], "meta": {"parent": id}})
    elif handler == "twice":
        answers = []
        for _ in range(2):
            call(id, context, lambda answer: (answers.append(answer), len(answers) == 2 and done(id, answers)))
    elif handler == "flood":
        while True:
            say(id=f"f{last}", method="storage/get", params={"key": "k"})
            last_plus_one()
    elif handler == "stream":
        # With the one above, where somebody listens.
        streams[id] = [0, 1, context]
        stream(id)
    elif handler == "listen":
        values = []
        own = call(id, {**context, "meta": {"progress": True}}, lambda _: done(id, values))
        heard[own] = [values, 0]
        waiting.append((context["until"], lambda: listen(own)))
    else:
        say(id=id, error={"code": -32013, "message": f"no handler {handler}"})


def last_plus_one():
    global last
    last += 1


def stream(id):
    while id in streams:
        state = streams[id]
        if state[0] == state[2]["values"]:
            del streams[id]
            return done(id, None)
        if state[1] == 32:
            return
        note(state[2], f"sent {state[0]}")
        say(method="$/progress", params={"id": id, "value": {"done": state[0]}})
        state[0] += 1
        state[1] += 1


def listen(own):
    """From here on it takes what comes."""
    heard[own].append("listens")
    acknowledge(own)


def acknowledge(own):
    values, unacknowledged = heard[own][:2]
    if unacknowledged and "listens" in heard[own]:
        heard[own][1] = 0
        say(method="$/ack", params={"id": own, "count": unacknowledged})


def take(message):
    id, method, params = message.get("id"), message.get("method"), message.get("params", {})
    if method == "initialize":
        handlers = [{"name": name, "idempotent": name in IDEMPOTENT, "effects": EFFECTS.get(name, "write")}
                    for name in sorted(NAMES)]
        say(id=id, result={"protocol_version": "1.0", "plugin": {"name": "any", "handlers": handlers}})
    elif method == "handle_intent":
        serve(id, params["handler"], params["intent"]["context"], params["meta"])
    elif method == "$/cancel":
        context = held.get(params["id"], {"stubborn": True})
        note(context, "cancelled")
        if "stubborn" not in context:
            del held[params["id"]]
            say(id=params["id"], error={"code": -32005, "message": "as you wish"})
    elif method == "$/ack" and params["id"] in streams:
        streams[params["id"]][1] -= params["count"]
        stream(params["id"])
    elif method == "$/progress":
        own = params["id"]
        if "done" in params["value"]:
            heard[own][0].append(params["value"]["done"])
        heard[own][1] += 1
        acknowledge(own)
    elif method is None and id in calls:
        calls.pop(id)(message.get("result") or {"error": message["error"]})
    elif id is not None and method:
        say(id=id, result=None)


buffer = b""
while True:
    ready, _, _ = select.select([0], [], [], 0.005)
    if ready:
        read = os.read(0, 1 << 16)
        if not read:
            sys.exit(0)
        *lines, buffer = (buffer + read).split(b"\n")
        for line in lines:
            take(json.loads(line))
    for entry in [entry for entry in waiting if os.path.exists(entry[0])]:
        waiting.remove(entry)
        entry[1]()
