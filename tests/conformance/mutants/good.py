"""A good plugin in Python, the standard library only: it uses what the protocol has, and keeps every rule.

    python3 good.py [--serial] [--break R02:stray]

It serves each request on a thread of its own; `--serial` makes it a loop that serves one at a time, and reads
the next lines itself while a handler waits. `--break` makes it a mutant that breaks one rule: `--list` tells them.
"""

import contextlib
import itertools
import json
import os
import queue
import sys
import threading
from collections import deque
from importlib import import_module

LIMIT = 1 << 20  # of a line that is read
WINDOW = 32  # steps of progress that may be without `$/ack`
PROGRESS = 64 << 10  # bytes of one of them

PREFIX = {"type": "object", "properties": {"prefix": {"type": "string"}}}
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
STEPS = {"type": "object", "properties": {"steps": {"type": "integer", "minimum": 1, "default": 100}}}
CALL = {"type": "object", "properties": {"plugin": {"type": "string"}, "handler": {"type": "string"}}}
DESCRIPTION = {
    "name": "good",
    "version": "1.0.0",
    "description": "Keeps every rule.",
    "handlers": [
        {"name": "echo", "description": "Say it again.", "parameters": TEXT, "effects": "none"},
        {"name": "recall", "description": "Tell what is stored.", "effects": "read"},
        {"name": "relay", "description": "Ask another plugin.", "parameters": CALL, "effects": "read"},
        {"name": "count", "description": "Count, and tell each step.", "parameters": STEPS, "effects": "none"},
        {"name": "tell", "description": "Publish a text.", "parameters": TEXT, "effects": "none"},
        {"name": "choose", "description": "Ask the person.", "effects": "none"},
        {"name": "think", "description": "Ask a model.", "effects": "read"},
    ],
    "subscriptions": ["topic.good.>"],
    "settings_schema": PREFIX,
}


class Failure(Exception):
    """What becomes the error of an answer."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Refused(Exception):
    """The host answered a request of the plugin's with an error."""


class Request:
    """One of the host's that is being served."""

    def __init__(self, message):
        self.id, self.method, self.params = message["id"], message["method"], message.get("params", {})
        self.mail = queue.SimpleQueue()  # answers to its own requests, `$/ack` and `$/cancel`
        self.unacknowledged = 0


class Plugin:
    serial = False

    def __init__(self):
        self.input = self.lines()
        self.output = queue.SimpleQueue()
        self.limit = LIMIT  # the host's, when it has told it
        self.ids = itertools.count(1)
        self.open = {}  # requests of the host's by id
        self.asked = {}  # by the id of a request of its own, as text: the one that it was made for
        self.change = threading.Condition()
        self.later = deque()  # what a serial plugin read while it was serving
        self.settings = {}
        self.ending = False
        self.writer = threading.Thread(target=self.drain, daemon=True)
        self.writer.start()

    # --- lines ------------------------------------------------------------------------------------------

    def run(self):
        while True:
            if self.later:
                self.take(self.later.popleft())
            else:
                self.read(next(self.input))

    def lines(self):
        """The whole lines of the input; the end of the input is the end of the process."""
        while line := sys.stdin.buffer.readline(LIMIT + 1):
            if line.endswith(b"\n"):
                if not line.isspace():
                    yield line
            elif len(line) > LIMIT:
                self.skip(line)
        self.leave()

    def skip(self, line):
        """Throw away the rest of a line that is too long."""
        while line and not line.endswith(b"\n"):
            line = sys.stdin.buffer.readline(LIMIT)

    def leave(self):
        self.output.put(None)
        self.writer.join(1)
        os._exit(0)

    def encode(self, message):
        return json.dumps(message, separators=(",", ":")).encode() + b"\n"

    def write(self, line):
        self.output.put(line)

    def drain(self):
        """Write what is put out: whoever puts it never waits for the reader."""
        while (line := self.output.get()) is not None:
            while line:
                line = line[os.write(1, line) :]

    def send(self, **message):
        line = self.encode({"jsonrpc": "2.0", **message})
        if len(line) > self.limit:
            raise Failure(-32603, f"{len(line)} bytes are more than the host takes")
        self.write(line)

    # --- messages ---------------------------------------------------------------------------------------

    def read(self, line):
        try:
            message = self.parse(line)
        except (ValueError, RecursionError):
            return self.refuse(None, -32700, "no JSON")
        problem = self.problem(message)
        if problem:
            return self.refuse(None, -32600, problem)
        return self.take(message)

    def parse(self, line):
        return json.loads(line.decode(), parse_constant=refuse)

    def problem(self, message):
        """What keeps it from being a message."""
        if not isinstance(message, dict):
            return "expected an object"
        if "method" not in message:
            return None if "id" in message and ("result" in message or "error" in message) else "no `method`"
        if "id" in message and type(message["id"]) not in (str, int):
            return "an id is a string or a whole number"
        if not isinstance(message["method"], str) or not isinstance(message.get("params", {}), dict):
            return "`method` is a string and `params` an object"
        return None

    def take(self, message):
        if "method" not in message:
            request = self.asked.pop(str(message["id"]), None)
        elif "id" in message:
            return self.begin(message)
        else:
            request = self.open.get(message.get("params", {}).get("id"))
            if message["method"] not in ("$/cancel", "$/ack"):
                return None
        if request is not None:
            request.mail.put(message)
        return None

    def begin(self, message):
        if message["method"] == "shutdown":
            self.ending = True
            for request in list(self.open.values()):
                request.mail.put({"method": "$/cancel"})
        elif self.ending:
            return self.refuse(message["id"], -32015, "shutting down")
        if self.serial and self.open:
            return self.later.append(message)
        request = Request(message)
        self.open[request.id] = request
        if self.serial or request.method == "ping":
            return self.serve(request)
        return threading.Thread(target=self.serve, args=[request], daemon=True).start()

    def serve(self, request):
        try:
            self.answer(request, self.result(request))
        except Failure as failure:
            self.refuse(request.id, failure.code, str(failure))
        except Exception as error:
            self.refuse(request.id, -32012, f"{type(error).__name__}: {error}")
        with self.change:
            self.open.pop(request.id, None)
            self.change.notify_all()

    def answer(self, request, result):
        self.send(id=request.id, result=result)

    def refuse(self, id, code, message):
        self.send(id=id, error={"code": code, "message": message[:500]})

    # --- requests of its own ----------------------------------------------------------------------------

    def ask(self, request, method, params):
        """The result of a request to the host, made for one of the host's."""
        id = next(self.ids)
        self.asked[str(id)] = request
        self.send(id=id, method=method, params=params)
        while (message := self.news(request)).get("id") != id:
            pass
        if "error" in message:
            raise Refused(message["error"]["message"])
        return message["result"]

    def news(self, request):
        """The next message that concerns a request; the end of it where it is cancelled."""
        while self.serial and request.mail.empty():
            self.read(next(self.input))
        message = request.mail.get()
        if message.get("method") == "$/cancel":
            raise Failure(-32005, "cancelled")
        if message.get("method") == "$/ack":
            request.unacknowledged -= message["params"]["count"]
        return message

    def progress(self, request, value):
        if not request.params.get("meta", {}).get("progress"):
            return
        while request.unacknowledged >= WINDOW:
            self.news(request)
        request.unacknowledged += 1
        self.send(method="$/progress", params={"id": request.id, "value": value})

    # --- methods ----------------------------------------------------------------------------------------

    def result(self, request):
        params = request.params
        match request.method:
            case "initialize":
                return self.initialize(request, params)
            case "describe":
                return {"protocol_version": self.agree(params), "plugin": self.describe()}
            case "ping":
                return {"in_flight": len(self.open)}
            case "shutdown":
                return self.shutdown()
            case "handle_intent":
                return self.handle(request, params)
            case "bus/deliver":
                need(need(params, "message", dict), "subject", str)
                return {}
            case "settings/changed":
                return self.change_settings(need(params, "new", dict))
        raise Failure(-32601, f"no method `{request.method}`")

    def initialize(self, request, params):
        version = self.agree(params)
        self.limit = params.get("limits", {}).get("max_frame_bytes", 16 << 20)
        self.settings = params.get("settings", {})
        self.send(method="log", params={"level": "info", "message": "here"})
        with contextlib.suppress(Refused):
            self.ask(request, "bus/subscribe", {"subject": "topic.news"})
            self.ask(request, "storage/set", {"key": "started", "value": True})
        limits = {"max_frame_bytes": LIMIT, "max_in_flight": 1 if self.serial else 64}
        return {"protocol_version": version, "limits": limits, "plugin": self.describe()}

    def describe(self):
        return DESCRIPTION

    def agree(self, params):
        """1.0 is the only version there is; a higher MINOR of the host's comes down to it."""
        if not any(str(one).startswith("1.") for one in need(params, "protocol_versions", list)):
            raise Failure(-32010, "this plugin speaks 1.0")
        return "1.0"

    def shutdown(self):
        with self.change:
            self.change.wait_for(lambda: all(one.method == "shutdown" for one in self.open.values()))

    def change_settings(self, new):
        if not isinstance(new.get("prefix", ""), str):
            raise Failure(-32011, "/prefix: expected a string")
        self.settings = new

    def handle(self, request, params):
        name, intent = need(params, "handler", str), need(params, "intent", dict)
        handler = {"$message": self.message, **{one["name"]: getattr(self, one["name"]) for one in self.described()}}
        if name not in handler:
            raise Failure(-32013, f"no handler `{name}`")
        context = need(intent, "context", dict) if "context" in intent else {}
        try:
            return handler[name](request, context)
        except Refused as refused:
            return {"success": False, "message": str(refused)}

    def described(self):
        return DESCRIPTION["handlers"]

    # --- handlers ---------------------------------------------------------------------------------------

    def message(self, request, context):
        return {"message": "heard", "data": context}

    def echo(self, request, context):
        return {"message": self.settings.get("prefix", "") + need(context, "text", str), "data": context}

    def recall(self, request, context):
        return {"message": "stored", "data": self.ask(request, "storage/get", {"key": "started"})}

    def relay(self, request, context):
        whom = {name: need({name: "other"} | context, name, str) for name in ("plugin", "handler")}
        return self.ask(request, "call_plugin", {**whom, "params": {}, "meta": {"parent": request.id}})

    def count(self, request, context):
        steps = need({"steps": 100} | context, "steps", int)
        for step in range(1, steps + 1):
            self.progress(request, {"done": step, "total": steps})
        return {"message": f"counted to {steps}"}

    def tell(self, request, context):
        self.ask(request, "bus/publish", {"subject": "good.said", "data": need(context, "text", str)})
        return {"message": "told"}

    def choose(self, request, context):
        return {"data": self.ask(request, "user/ask", {"question": "Which?", "meta": {"parent": request.id}})}

    def think(self, request, context):
        return {"data": self.ask(request, "ai/complete", {"prompt": "Go on", "meta": {"parent": request.id}})}


def refuse(word):
    """For `NaN` and its like, which Python takes and JSON has not."""
    raise ValueError(word)


def need(members, name, kind):
    """The member of this kind; else the params do not fit."""
    if type(members.get(name)) is not kind:
        raise Failure(-32602, f"`{name}` is missing, or no {kind.__name__}")
    return members[name]


def main(arguments):
    plugin = Plugin
    if "--list" in arguments:
        return print("\n".join(import_module("broken").table()))
    if "--break" in arguments:
        plugin = import_module("broken").find(arguments[arguments.index("--break") + 1])
    plugin.serial = "--serial" in arguments
    return plugin().run()


if __name__ == "__main__":
    main(sys.argv[1:])
