"""The checks: each provokes its host, and tells what it sent, what it expected and what came."""

import json
import os
import re
import threading
import time
import uuid

from wire import LIMIT

TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
ALLOWED = re.compile(
    r"(PATH|HOME|USER|LANG|LC_\w+|TZ|TERM|TMPDIR|PYTHONPATH|PYTHONDONTWRITEBYTECODE|ASTROS_PROTOCOL"
    r"|(ASTROS|LOCALAGENT)_HOST_PROBE_\w+|DBUS_SESSION_BUS_ADDRESS|XDG_RUNTIME_DIR|PWD|OLDPWD|SHLVL|_|__CF_\w+)"
)


class Checks:
    """One run. `tell(rule, fine, sent, expected, received)` takes each finding."""

    def __init__(self, probe, wire, id, meta, tell):
        self.probe, self.wire, self.id, self.meta, self.tell = probe, wire, id, meta, tell
        self.run = uuid.uuid4().hex

    def begin(self, handler, params=None, plugin="host-peer", **meta):
        call = {"plugin": plugin, "handler": handler, "params": params or {}, "meta": {"parent": self.id, **meta}}
        return self.wire.begin("call_plugin", call)

    def call(self, handler, params=None, plugin="host-peer", seconds=20, **meta):
        return self.wire.wait(self.begin(handler, params, plugin, **meta), seconds)

    def code(self, rule, code, answer, sent):
        got = answer.get("error", {}).get("code") if answer else None
        self.tell(rule, got == code, sent, f"the error {code}", short(answer) if answer else "no answer")

    def data(self, answer):
        return ((answer.get("result") or {}).get("data")) or {}

    def alive(self, rule, sent):
        """A fence: the peer serves on, and so does the host."""
        answer = self.call("echo", {"fence": 1})
        self.tell(rule, "result" in answer, sent, "what follows is served", short(answer) or "no answer")

    def all(self, work_seconds):
        # Longer than a host waits between pings, as a rule; meanwhile the probe looks after what is its own.
        work = self.begin("work", {"seconds": work_seconds}, deadline_ms=20_000)
        behind = [self.begin("work", {"seconds": 0.1}, deadline_ms=20_000) for _ in range(3)]
        for check in (
            self.environment,
            self.answers,
            self.storage,
            self.tolerates,
            self.bus,
            self.slots,
            self.late_reader,
        ):
            check()
        for id in [work, *behind]:
            came = self.data(self.wire.wait(id, 20)).get("came")
            text = "four calls of a serial plugin at once, one of them long"
            self.tell("H08", came == [], text, "no request and no `ping` while it works", f"{came}")
        for check in (self.calls, self.failures, self.malformed, self.deadlines, self.again, self.streams):
            check()

    def environment(self):
        for found in self.probe.found_at_start:
            self.tell(*found)
        strange = sorted(name for name in os.environ if not ALLOWED.fullmatch(name) and not name.startswith("PYENV"))
        self.tell("H06", not strange, "–", "an allow-list", f"{strange}")
        protocol = os.environ.get("ASTROS_PROTOCOL")
        self.tell("H06", protocol is not None, "–", "`ASTROS_PROTOCOL`", f"{protocol}")
        fine = bool(self.meta.get("correlation_id")) and bool(
            TRACEPARENT.fullmatch(str(self.meta.get("traceparent")))
        )
        fine = fine and isinstance(self.meta.get("deadline_ms"), int) and self.meta["deadline_ms"] > 0
        wanted = "`correlation_id`, a `traceparent`, `deadline_ms`"
        self.tell("H07", fine, "a request of a person's", wanted, short(self.meta))

    def answers(self):
        for id in ("ü “quoted” \\ \n", 9007199254740991, -1):
            answer = self.wire.ask("storage/get", {"key": "none"}, id=id)
            self.tell(
                "H09", answer.get("id") == id and "result" in answer, f"the id {id!r}", "that id", short(answer)
            )
        for method, params, code in [
            ("x/host-probe/unknown", {}, -32601),
            ("storage/get", {}, -32602),
            ("storage/get", {"key": 5}, -32602),
            ("bus/publish", {"data": 1}, -32602),
        ]:
            answer = self.wire.ask(method, params)
            self.code("H10", code, answer, f"`{method}` with {params}")
            error = answer.get("error") or {}
            kind = (error.get("data") or {}).get("kind")
            fine = (
                isinstance(error.get("code"), int) and isinstance(error.get("message"), str) and isinstance(kind, str)
            )
            self.tell(
                "H09", fine and "result" not in answer, f"`{method}`", "code, message and data.kind", short(answer)
            )
        before = len(self.wire.lines)
        self.wire.say(method="x/host-probe/news", params={})
        fence = self.wire.ask("storage/get", {"key": "none"})
        came = [line["line"][:200] for line in self.wire.lines[before:] if '"id":null' in line.get("line", "")]
        fine = "result" in fence and not came
        self.tell("H10", fine, "an unknown notification", "nothing", short(came or fence))
        id = self.begin("work", {"seconds": 3})
        self.wire.say(method="$/cancel", params={"id": id})
        answer = self.wire.wait(id, 10)
        fine = "result" in answer or answer.get("error", {}).get("code") == -32005
        self.tell("H11", fine, "`$/cancel` of a call", "its result, or -32005", short(answer) or "no answer")
        self.wire.ask("storage/get", {"key": "none"})
        self.tell("H11", not self.wire.twice(id), "`$/cancel` of a call", "one answer", "another one")

    def storage(self):
        ask, key = self.wire.ask, f"probe-{self.run}"
        value = {"text": "ü\n\U0001f600", "list": [1, 2.5, None, True], "deep": {"a": {}}}
        result = lambda answer: answer.get("result") or {}
        first = result(ask("storage/set", {"key": key, "value": value}))
        got = result(ask("storage/get", {"key": key}))
        fine = got.get("value") == value and got.get("version") == first.get("version") and first
        self.tell("H12", bool(fine), "`storage/set`, then `get`", short(value), short(got))
        refused = ask("storage/set", {"key": key, "value": 2, "if_version": first.get("version", 0) + 5})
        self.code("H12", -32017, refused, "`if_version` that is not the version")
        held = result(ask("storage/set", {"key": key, "value": 3, "if_version": first.get("version")}))
        self.tell("H12", bool(held.get("version")), "`if_version` that is the version", "a new version", short(held))
        listed = result(ask("storage/list", {"prefix": key})).get("keys")
        self.tell("H12", listed == [key], "`storage/list` of a prefix", f"{[key]}", short(listed))
        gone = result(ask("storage/delete", {"key": key})).get("deleted")
        none = result(ask("storage/get", {"key": key, "default": "d"}))
        fine = gone is True and none == {"value": "d", "version": 0}
        self.tell("H12", fine, "`storage/delete`, then `get`", "the default, and version 0", f"{gone}, {short(none)}")
        anew = result(ask("storage/set", {"key": key, "value": 4, "if_version": 0})).get("version")
        fine = isinstance(anew, int) and anew > held.get("version", 0)
        self.tell("H12", fine, "a key that was deleted, set anew", "a version that never was", f"{anew}")
        ask("storage/delete", {"key": key})

    def tolerates(self):
        self.wire.say(method="log", params={"level": "chatty", "message": "a level that nobody knows", "x_more": 1})
        answer = self.wire.ask("storage/get", {"key": "none", "x_more": {"a": 1}}, x_more=[1])
        self.tell("H20", "result" in answer, "unknown members and levels", "an answer", short(answer) or "none")
        self.wire.raw(b"stray output of the probe\n")
        answer = self.wire.ask("storage/get", {"key": "none"})
        self.tell("H17", "result" in answer, "a stray line", "what follows is answered", short(answer) or "no answer")

    def bus(self):
        subject = f"topic.host-probe.{self.run}"
        heard = lambda: [one for one in self.probe.heard if one["subject"].startswith(subject)]
        for pattern in (f"{subject}.*", f"{subject}.a"):
            self.wire.ask("bus/subscribe", {"subject": pattern})
        for number in range(5):
            self.wire.ask("bus/publish", {"subject": f"{subject}.a", "data": number, "sender": "user"})
        until(lambda: len(heard()) >= 5, 5)
        got = [one.get("data") for one in heard()]
        self.tell("H15", got == [0, 1, 2, 3, 4], "five messages, two subscriptions", "each once, in order", f"{got}")
        senders = sorted({str(one.get("sender")) for one in heard()})
        self.tell("H15", senders == ["host-probe"], "messages", "the sender `host-probe`", f"{senders}")
        self.tell("H24", "user" not in senders, "`sender: user`", "the host's own word", f"{senders}")
        for pattern in (f"{subject}.*", f"{subject}.a"):
            self.wire.ask("bus/unsubscribe", {"subject": pattern})
        self.wire.ask("bus/publish", {"subject": f"{subject}.a", "data": "late"})
        self.wire.ask("bus/subscribe", {"subject": f"{subject}.fence"})
        self.wire.ask("bus/publish", {"subject": f"{subject}.fence", "data": "fence"})
        until(lambda: heard() and heard()[-1].get("data") == "fence", 5)
        got = [one.get("data") for one in heard()][5:]
        self.tell("H15", got == ["fence"], "a message after `bus/unsubscribe`", "it is not delivered", f"{got}")
        self.wire.ask("bus/unsubscribe", {"subject": f"{subject}.fence"})

    def slots(self):
        calls = [self.begin("hold", {"key": f"{self.run}-{number}"}, "host-probe") for number in range(12)]
        until(lambda: self.probe.holding >= 8, 5)
        time.sleep(0.3)
        most = self.probe.holding
        self.probe.release.set()
        done = sum("result" in self.wire.wait(id) for id in calls)
        text = f"12 calls of a plugin whose `max_in_flight` is {self.probe.SLOTS}"
        self.tell("H08", most == self.probe.SLOTS, text, f"{self.probe.SLOTS} at once", f"{most}")
        self.tell("H09", done == 12, "12 calls at once", "12 answers", f"{done}")
        self.probe.release.clear()

    def late_reader(self):
        self.wire.ask("storage/set", {"key": "large", "value": "x" * 32_000})
        ids = []

        def ask():
            for _ in range(120):
                ids.append(self.wire.begin("storage/get", {"key": "large", "x_pad": "y" * 8_000}))

        self.wire.reading.clear()
        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(5)
        stuck = asking.is_alive()
        self.wire.reading.set()
        asking.join(5)
        self.tell("H21", not stuck, "120 requests of 8 KB, no answer read", "they are read", f"{len(ids)} within 5 s")
        done = sum("result" in self.wire.wait(id) for id in list(ids))
        self.tell("H21", done == 120, "120 requests", "120 answers", f"{done}")

    def calls(self):
        params = {"ü": [1, {"x": None}], "number": 0.1, "large": 9007199254740991, "text": "\U0001f600 \n"}
        forged = {"user_id": "mallory", "session_id": "hers", "caller": "file-manager", "chain": ["file-manager.x"]}
        answer = self.call("echo", params, deadline_ms=5_000, **forged)
        response, seen = answer.get("result") or {}, self.data(answer)
        intent, meta = seen.get("intent") or {}, seen.get("meta") or {}
        told = [intent.get("text"), intent.get("intent_type"), intent.get("confidence")]
        fine = intent.get("context") == params and told == ["", "echo", 1]
        self.tell(
            "H13", fine, short(params), "these params as the context, an empty text, its handler, 1", short(intent)
        )
        more = {"x_more": {"kept": [1, None, "ü"]}, "suggested_actions": ["echo"], "success": True, "message": "echo"}
        fine = all(response.get(name) == value for name, value in more.items())
        self.tell("H13", fine, "a Response with unknown members", short(more), short(response))
        chain = meta.get("chain")
        fine = meta.get("caller") == "host-probe" and isinstance(chain, list) and "host-probe.check_host" in chain
        fine = fine and meta.get("correlation_id") == self.meta.get("correlation_id")
        wanted = "`caller` host-probe, the `chain`, and the caller's `correlation_id`"
        self.tell(
            "H07", fine and bool(TRACEPARENT.fullmatch(str(meta.get("traceparent")))), "a call", wanted, short(meta)
        )
        wanted = [self.meta.get("user_id"), self.meta.get("session_id"), "host-probe"]
        got = [meta.get("user_id"), meta.get("session_id"), meta.get("caller")]
        self.tell(
            "H24",
            got == wanted and "file-manager.x" not in (chain or []),
            short(forged),
            f"{wanted}",
            f"{got}, {chain}",
        )
        left = meta.get("deadline_ms")
        self.tell(
            "H22", isinstance(left, int) and left <= 5_000, "`deadline_ms` 5000", "no more than that", f"{left}"
        )
        left = (self.data(self.call("echo", deadline_ms=10**9)).get("meta") or {}).get("deadline_ms")
        most = self.meta.get("deadline_ms") or 0
        fine = isinstance(left, int) and left <= most
        self.tell("H22", fine, "`deadline_ms` of eleven days", f"the parent's rest, {most} at most", f"{left}")
        large = self.call("echo", {"large": "x" * (LIMIT + 1000)})
        fine = "error" in large and "result" not in large
        self.tell(
            "H02",
            fine,
            f"an answer beyond the probe's limit of {LIMIT} bytes",
            "an error",
            short(large) or "no answer",
        )

    def failures(self):
        self.code("H14", -32001, self.call("x", plugin="host-nobody"), "a call of a plugin that is not there")
        self.code("H14", -32013, self.call("no_such_handler"), "a call of a handler that is not there")
        cycle = {"plugin": "host-probe", "handler": "check_host", "params": {"inner": True}}
        reply = self.data(self.call("relay", {"call": cycle})).get("reply") or {}
        self.code("H14", -32007, reply, "a call of the handler that waits for it")
        self.call("keep", {"value": {"run": self.run}})
        crash = self.call("die", {"key": f"die-{self.run}"})
        self.code("H14", -32003, crash, "a call of a plugin that ends")
        kept = (self.data(self.call("kept")).get("reply") or {}).get("result") or {}
        self.tell("H12", kept.get("value") == {"run": self.run}, "a value, then a crash", self.run, short(kept))
        for code in (-32006, 42):
            self.code("H25", -32012, self.call("error", {"code": code}), f"the error {code}")
        hold = {"plugin": "host-probe", "handler": "hold", "params": {"key": f"abandoned-{self.run}"}}
        self.call("abandon", {"call": hold})
        fine = until(lambda: f"abandoned-{self.run}" in self.probe.taken_back, 4)
        self.tell(
            "H23",
            fine,
            "an answer while a call below is open",
            "`$/cancel` of that call",
            "it came" if fine else "nothing",
        )
        self.probe.release.set()
        until(lambda: self.probe.holding == 0, 5)
        self.probe.release.clear()

    def malformed(self):
        self.tell("H17", "result" in self.call("stray"), "stray lines before an answer", "the answer", "none")
        self.alive("H17", "stray lines")
        mine = self.begin("hold", {"key": f"other-{self.run}"}, "host-probe")
        until(lambda: self.probe.holding == 1, 5)
        answer = self.call("malformed")
        self.tell(
            "H18", "result" in answer, "a malformed line without an id, then an answer", "the answer", short(answer)
        )
        self.code("H18", -32018, self.call("malformed", {"answer": True}), "an answer with NaN in it")
        if self.probe.limit <= 64 << 20:
            self.code("H19", -32009, self.call("huge", seconds=60), f"an answer of {self.probe.limit} bytes and more")
            self.alive("H19", "a line beyond the limit")
        self.probe.release.set()
        answer = self.wire.wait(mine)
        self.tell("H18", "result" in answer, "another request at that time", "its answer", short(answer) or "none")
        until(lambda: self.probe.holding == 0, 5)
        self.probe.release.clear()

    def deadlines(self):
        for handler, meta, why in [("work", {"deadline_ms": 300}, "of the call"), ("slow", {}, "of the handler")]:
            begun = time.monotonic()
            answer = self.call(handler, {"seconds": 3, "key": f"{handler}-{self.run}"}, **meta)
            took = time.monotonic() - begun
            self.code("H22", -32004, answer, f"300 ms {why}, who takes 3 s")
            self.tell("H22", took < 2, f"300 ms {why}", "the error soon", f"after {took:.1f} s")
            work = self.data(self.call("journal")).get("work") or {}
            fine = work.get("key") == f"{handler}-{self.run}" and work.get("cancelled") is True
            self.tell("H22", fine, f"300 ms {why}", "`$/cancel` to who takes longer", short(work))

    def again(self):
        left = self.data(self.call("leave_once", {"key": f"leave-{self.run}"}))
        self.tell(
            "H26", left.get("times") == 2, "-32015 as an answer", "the request goes to the next process", short(left)
        )
        once = self.data(self.call("die_once", {"key": f"once-{self.run}"}))
        self.tell("H27", once.get("attempt") == 2, "a crash in an idempotent handler", "`attempt` 2", short(once))
        key = f"never-{self.run}"
        self.code("H27", -32003, self.call("die", {"key": key}), "a crash in a handler that is not idempotent")
        times = self.data(self.call("journal", {"key": key})).get("times")
        self.tell(
            "H27", times == 1, "a crash in a handler that is not idempotent", "it is asked once", f"{times} times"
        )

    def streams(self):
        id = self.begin("stream", {"count": 40, "linger": 1}, progress=True)
        news = lambda: list(self.probe.progress.get(json.dumps(id), []))
        until(lambda: len(news()) >= 32, 5)
        time.sleep(0.3)
        early = len(news())
        self.tell("H28", early == 32, "40 messages of progress, none acknowledged", "32", f"{early}")
        self.wire.say(method="$/ack", params={"id": id, "count": 32})
        answer = self.wire.wait(id)
        got = [value.get("done") for value in news()]
        fine = got == list(range(40)) and "result" in answer
        self.tell(
            "H28", fine, "40 messages of progress", "all of them in order, and the answer", f"{got}, {short(answer)}"
        )
        alone = self.data(self.call("stream", {"count": 40}))
        fine = alone.get("sent") == 40
        self.tell(
            "H28", fine, "40 messages of progress that nobody listens to", "they are acknowledged", short(alone)
        )
        self.code("H29", -32018, self.call("flood", {"count": 40}, progress=True), "40 messages of progress at once")
        work = {}

        def told():
            work.update(self.data(self.call("journal")).get("work") or {})
            return work.get("key") == "flood" and work.get("cancelled") is True

        # Who asked is told first.
        fine = until(told, 2)
        self.tell("H29", fine, "40 messages of progress at once", "`$/cancel` of the request", short(work))


def until(condition, seconds):
    """Waits for what other threads bring about; whether it came."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def short(value):
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) < 600 else f"{text[:600]} …"
