"""Checks the host that it runs in, from within: `check_host` answers with a report, a line for each duty H01 to H29.

Python's standard library, no SDK; `host-peer` has to be installed beside it. What only shows over a life is judged from
journals in its data folder: the shutdown of this process is judged by the next one, so the second report is complete.
"""

import json
import os
import pathlib
import sys
import threading
import time

# The folder is as it was installed.
sys.dont_write_bytecode = True

import journal
from checks import Checks
from wire import LIMIT, Wire

RULES = [f"H{number:02}" for number in range(1, 30)]
HANDLERS = [("check_host", "Check what a plugin may rely on of its host"), ("hold", "Wait until it is told to go on")]
REFERENCE = "conformance.md#the-hosts-duties"


class Probe:
    SLOTS = 8

    def __init__(self):
        self.wire = Wire(self.handle)
        self.release = threading.Event()
        self.holding = 0
        self.changing = threading.Lock()
        self.taken_back = set()  # keys of `hold` whose requests were cancelled
        self.held = {}  # by the JSON of a request's id: the key
        self.heard, self.progress, self.found_at_start = [], {}, []
        self.limit = 16 << 20

    def handle(self, message):
        method, params, id = message["method"], message.get("params") or {}, message.get("id")
        if method == "$/cancel":
            if key := self.held.get(json.dumps(params.get("id"))):
                self.taken_back.add(key)
        elif method == "$/progress":
            self.progress.setdefault(json.dumps(params.get("id")), []).append(params.get("value") or {})
        elif method == "bus/deliver":
            self.heard.append(params.get("message") or {})
            self.answer(id, {})
        elif method == "ping":
            self.wire.say(id=id, result={})
        elif method in ("initialize", "handle_intent", "shutdown"):
            serve = getattr(self, method)
            threading.Thread(target=serve, args=(id, params), daemon=True).start()
        elif "id" in message:
            self.wire.say(id=id, error={"code": -32601, "message": f"`{method}` is not known"})

    def answer(self, id, result):
        # Noted first: what the host sends next may be there before this thread goes on.
        self.wire.note(mark=f"answered {json.dumps(id)}")
        self.wire.say(id=id, result=result)

    def initialize(self, id, params):
        self.host = params.get("host") or {}
        self.limit = (params.get("limits") or {}).get("max_frame_bytes", self.limit)
        for name, folder in (params.get("directories") or {}).items():
            # What a person keeps in `config` may be the plugin's to read alone.
            wanted = "it can be read" if name == "config" else "it can be written to"
            try:
                os.listdir(folder) if name == "config" else (pathlib.Path(folder) / "probe").write_text("written")
                problem = ""
            except OSError as error:
                problem = str(error)
            self.found_at_start.append(("H05", not problem, f"the folder `{name}`", wanted, problem or folder))
        folder = pathlib.Path((params.get("directories") or {}).get("data", "."))
        folder.mkdir(parents=True, exist_ok=True)
        self.wire.keep_in(folder)
        # What the host has to hold back until this is answered has time to come.
        time.sleep(0.1)
        handlers = [{"name": name, "description": text, "effects": "none"} for name, text in HANDLERS]
        handlers[0]["timeout_ms"] = 120_000
        handlers.append({"name": "unused", "effects": "sideways", "x_more": 1})
        plugin = {"name": "host-probe", "version": "1.0.0", "handlers": handlers, "x_more": {"a": 1}}
        limits = {"max_frame_bytes": LIMIT, "max_in_flight": self.SLOTS}
        self.wire.note(mark="answered initialize")
        result = {"protocol_version": "1.0", "limits": limits, "plugin": plugin, "x_more": 1}
        self.wire.say(id=id, result=result)

    def handle_intent(self, id, params):
        context = params.get("intent", {}).get("context") or {}
        if params.get("handler") == "hold":
            self.hold(id, context["key"])
        elif params.get("handler") != "check_host":
            self.wire.say(id=id, error={"code": -32013, "message": "there is no such handler"})
        elif context.get("inner"):
            self.answer(id, {"data": {"inner": True}})
        else:
            self.answer(id, self.check(id, params.get("meta") or {}, context.get("work_seconds", 5.5)))

    def hold(self, id, key):
        self.held[json.dumps(id)] = key
        with self.changing:
            self.holding += 1
        self.release.wait(10)
        with self.changing:
            self.holding -= 1
        self.answer(id, {"data": {"key": key}})

    def shutdown(self, id, params):
        # Services are there until the end.
        self.wire.ask("storage/get", {"key": "none"}, 2)
        self.wire.note(mark=f"answered {json.dumps(id)}")
        self.wire.say(id=id, result=None)

    def check(self, id, meta, work_seconds):
        findings = {rule: [] for rule in RULES}

        def tell(rule, fine, sent, expected, received):
            findings[rule].append({"fine": bool(fine), "sent": sent, "expected": expected, "received": received})

        problem = None
        try:
            Checks(self, self.wire, id, meta, tell).all(work_seconds)
        except Exception as error:  # a host that answers nonsense is told, not died of
            problem = f"the check ended early: {type(error).__name__}: {error}"
        journal.judge(tell, list(self.wire.lines), "this process", LIMIT)
        for path in sorted(self.wire.folder.glob("journal-*")):
            if path.name != f"journal-{self.wire.name}":
                lines = [json.loads(line) for line in path.read_text().splitlines()]
                journal.judge(tell, lines, "the process before", LIMIT)
                path.unlink()
        return report(self.host, findings, problem)


def report(host, findings, problem):
    rules = []
    for rule, found in findings.items():
        bad = [one for one in found if not one["fine"]]
        line = {"rule": rule, "outcome": "failed" if bad else "passed" if found else "skipped"}
        line |= {name: value for name, value in (bad or found or [{}])[0].items() if name != "fine"}
        if not found:
            line["why"] = problem or "nothing showed it yet; the next start judges this process by its journal"
        rules.append({**line, "reference": REFERENCE})
    count = lambda outcome: [one["rule"] for one in rules if one["outcome"] == outcome]
    failed, skipped = count("failed"), count("skipped")
    message = f"{len(count('passed'))} of {len(rules)} duties are kept"
    message += f"; failed: {', '.join(failed)}" if failed else ""
    message += f"; skipped: {', '.join(skipped)}" if skipped else ""
    message += f"; {problem}" if problem else ""
    return {"success": not failed and not problem, "message": message, "data": {"host": host, "rules": rules}}


probe = Probe()
probe.wire.run()
os._exit(0)
