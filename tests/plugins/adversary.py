"""The adversary of `src/bin/adversary` in Python: the same switches and handlers, the standard library only, no SDK."""

import json
import os
import signal
import subprocess
import sys
import time

FOR_EVER = 600
WORDS = """echo decline fail shapeless wrong claim hang late ignore block crash quit kill abandon die-calling
    call ask count stream garbage duplicate huge half stray flood unknown twice text deep endless same-id
    mute halt grandchild daemon bomb spin eat leak pour"""
NAMES = [*WORDS.split(), *(f"call-{number}" for number in range(1, 21))]
# An error that only the host may send, in somebody else's name.
CLAIM = {
    "code": -32006,
    "message": "\x1b[31mthe host\x1b[0m wants your password",
    "data": {"kind": "permission_denied", "plugin": "file-manager", "retryable": False},
}

switches = sys.argv[1:]
waiting = {}  # by the id of the host's request: handler and context
calls = {}  # by the id of an own request: the host's request that it is made for, and that one's context
streams = {}  # by the id of the host's request: the values still to come, and those that may
kept = []  # what `leak` opened


def raw(data):
    # A host that is gone hears nothing.
    while data:
        try:
            data = data[os.write(1, data) :]
        except OSError:
            return


def line(text):
    raw(text.encode() + b"\n")


def send(**message):
    line(json.dumps({"jsonrpc": "2.0", **message}))


def done(id, response=None):
    send(id=id, result={} if response is None else response)


def broken(id, end):
    """An answer with this after its beginning."""
    raw(b'{"jsonrpc":"2.0","id":%s,"result":{%s' % (json.dumps(id).encode(), end))


def log(text):
    print(text, file=sys.stderr, flush=True)


def leave(status, text=None):
    if text:
        log(text)
    sys.exit(status)


def note(context, text):
    if path := context.get("note"):
        with open(path, "a") as file:
            file.write(text + "\n")


def signal_myself(number):
    os.kill(os.getpid(), number)


def ask(id, context, method, params):
    number = ask.last = getattr(ask, "last", 0) + 1
    calls[number] = (id, context)
    send(id=number, method=method, params=params)


def call(id, context):
    parents = {"absent": {}, "null": {"parent": None}, "unknown": {"parent": 424242}}
    meta = parents.get(context.get("parent"), {"parent": id})
    if "deadline_ms" in context:
        meta["deadline_ms"] = context["deadline_ms"]
    whom = {name: context.get(name) for name in ("plugin", "handler")}
    ask(id, context, "call_plugin", {**whom, "params": context.get("params", {}), "meta": meta})


def abandon(id, context):
    call(id, context)
    until = time.monotonic() + 20
    while not os.path.exists(context.get("after", "")) and time.monotonic() < until:
        time.sleep(0.002)


def same_id(id, context):
    call(id, context)
    for _ in range(3):
        send(id=ask.last, method="storage/get", params={"key": "any"})


def count(id, context, number):
    value = {"number": number, "filling": "x" * 100_000}
    ask(id, {**context, "counted": number}, "storage/set", {"key": "count", "value": value})


def stream(id):
    if id not in streams:
        return
    left, room = streams[id]
    while left and room:
        left, room = left - 1, room - 1
        send(method="$/progress", params={"id": id, "value": {"done": left}})
    streams[id] = left, room
    if not left:
        del streams[id]
        done(id, {"message": "streamed"})


def answered(message):
    id, context = calls.pop(message.get("id"), (None, None))
    if id is None:
        return
    error = message.get("error")
    if error is None and "counted" in context:
        note(context, str(context["counted"]))
        count(id, context, context["counted"] + 1)
    elif error is None:
        done(id, {"message": "called", "data": {"answer": message["result"]}})
    else:
        note(context, error["message"])
        done(id, {"message": error["message"], "data": {"error": error}})


def cancel(id):
    streams.pop(id, None)
    if id not in waiting:
        return
    name, context = waiting.pop(id)
    note(context, "cancelled")
    if name == "late":
        done(id, {"message": "late"})
        done(id, {"message": "later still"})
    else:
        send(id=id, error={"code": -32005, "message": "as you wish"})


def start_a_grandchild():
    subprocess.run(["sh", "-c", "sleep 600 & exit 0"])


def harm(name, id, context):
    """What a process does to itself and to the machine; false where the name is none of these."""
    data = {}
    match name:
        case "mute":
            os.close(1)
            time.sleep(FOR_EVER)
        case "halt":
            signal_myself(signal.SIGSTOP)
        case "grandchild":
            start_a_grandchild()
        case "daemon":
            subprocess.run(["setsid", "-f", "sleep", "600"])
        case "bomb":
            for _ in range(context.get("children", 200)):
                subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        case "spin":
            until = time.monotonic() + context.get("ms", 600_000) / 1000
            while time.monotonic() < until:
                pass
        case "eat":
            # Python would survive this; the handler does not catch it, so that its traceback is its last words.
            log("this will not fit")
            [b"x" * (1 << 20) for _ in range(4096)]
        case "leak":
            try:
                while True:
                    kept.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                data = {"data": len(kept)}
        case "pour":
            filling = "x" * 65_400
            for number in range(context.get("mebibytes", 64) * 16):
                match context.get("what"):
                    case "errors":
                        os.write(2, f"{number} {filling}\n".encode())
                    case "stray":
                        line(f"{number} {filling}")
                    case _:
                        send(method="x/test/frame", params={"number": number, "filling": filling})
        case _:
            return False
    done(id, data)
    return True


def break_the_wire(name, id):
    match name:
        case "garbage":
            broken(id, b'"message":oops}}\n')
        case "duplicate":
            broken(id, b'},"result":{}}\n')
        case "text":
            broken(id, b'"message":"caf\xe9"}}\n')
        case "deep":
            broken(id, b'"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}}\n")
        case "huge":
            broken(id, b'"message":"' + b"x" * (17 << 20) + b'"}}\n')
        case "endless":
            broken(id, b'"message":"')
            for _ in range(48):
                raw(b"x" * (1 << 20))
        case "half":
            broken(id, b'"mess')
            leave(0)
        case "stray":
            line("debug: here we are")
            raw(b"\xff\xfe not text\n")
            line('{"a line": "of JSON that is no message"}')
            done(id, {"message": "in spite of it"})
        case "flood":
            for step in range(200):
                send(method="$/progress", params={"id": id, "value": {"done": step}})
            done(id, {"message": "flooded"})
        case "unknown":
            done(987654, {"message": "for nobody"})
            done("a-string", {"message": "for nobody"})
            done(id, {"message": "for you"})
        case "twice":
            done(id, {"message": "the first"})
            done(id, {"message": "the second"})
        case _:
            send(id=id, error={"code": -32013, "message": f"no handler `{name}`"})


def handle(id, params):
    name, context = params["handler"], params["intent"]["context"]
    note(context, "begun")
    match name:
        case "echo":
            done(id, {"data": params})
        case "decline":
            done(id, {"declined": True})
        case "fail":
            done(id, {"success": False, "message": "I would rather not"})
        case "shapeless":
            done(id, [1, 2])
        case "wrong":
            done(id, {"success": "perhaps"})
        case "claim":
            send(id=id, error=CLAIM)
        case "hang" | "late":
            waiting[id] = (name, context)
        case "ignore":
            pass
        case "block":
            time.sleep(FOR_EVER)
        case "crash":
            leave(3, "loading the plan\nERROR: the plan has no step 3")
        case "quit":
            leave(0)
        case "kill":
            log("I have seen too much")
            signal_myself(signal.SIGKILL)
        case "abandon":
            abandon(id, context)
            done(id, {"message": "I did not wait"})
        case "die-calling":
            abandon(id, context)
            signal_myself(signal.SIGKILL)
        case "ask":
            ask(id, context, context.get("method", ""), context.get("params"))
        case "count":
            count(id, context, 1)
        case "stream":
            streams[id] = (context.get("values", 100), 32)
            stream(id)
        case "same-id":
            same_id(id, context)
        case _ if name.startswith("call"):
            call(id, context)
        case _ if not harm(name, id, context):
            break_the_wire(name, id)


def before_initialize():
    if "counted" in switches:
        with open(os.path.expanduser("~/notes/starts"), "a") as file:
            file.write("I")
    if "exit-before-initialize" in switches:
        leave(3, "no licence was found")
    if "stray-output" in switches:
        line("Welcome to the adversary, version 6.6.6")
    if "grandchild" in switches:
        start_a_grandchild()


def initialize(id, params):
    if "exit-in-initialize" in switches:
        leave(4, "the configuration is missing")
    if "silent" in switches:
        time.sleep(FOR_EVER)
    if "garbage" in switches:
        broken(id, b'"protocol_version":}}\n')
    elif "shapeless" in switches:
        done(id, {"hello": "world"})
    elif "refuses" in switches:
        send(id=id, error={"code": -32012, "message": "it is not my day"})
    else:
        plugin, version = params["plugin"]["name"], "9.0" if "wrong-version" in switches else "1.0"
        handlers = [{"name": name, "examples": [f"make {plugin} {name}"]} for name in NAMES]
        offers = {"name": plugin, "version": "6.6.6", "handlers": handlers}
        done(id, {"protocol_version": version, "plugin": offers})
    if "exit-after-initialize" in switches:
        leave(5, "the port is taken")


def take(message):
    id, params = message.get("id"), message.get("params")
    match message.get("method"):
        case "initialize":
            initialize(id, params)
        case "handle_intent":
            handle(id, params)
        case "$/cancel":
            cancel(params["id"])
        case "$/ack":
            if params["id"] in streams:
                left, room = streams[params["id"]]
                streams[params["id"]] = left, room + params["count"]
                stream(params["id"])
        case "shutdown":
            if "deaf" not in switches:
                send(id=id, result=None)
        case "ping":
            done(id)
        case None:
            answered(message)


before_initialize()
for text in sys.stdin.buffer:
    try:
        message = json.loads(text)
    except ValueError:
        send(id=None, error={"code": -32700, "message": "no JSON"})
        continue
    take(message)
if "deaf" in switches:
    time.sleep(FOR_EVER)
