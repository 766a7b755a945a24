"""A small host that breaks one duty, `--break H07`, or none, for `host-probe` to find out; it prints the probe's report.

It keeps just as much of the rules as the probe looks at. Python's standard library.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pathlib
import re
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
LIMIT = 2 << 20
OWN_CODES = {-32700, -32600, -32601, -32602, -32603, -32005, -32010, -32011, -32012, -32013, -32015, -32016}
METHODS = {"storage/get": ["key"], "storage/set": ["key"], "storage/delete": ["key"], "storage/list": []}
METHODS |= {
    "bus/subscribe": ["subject"],
    "bus/unsubscribe": ["subject"],
    "bus/publish": ["subject"],
    "call_plugin": ["plugin", "handler"],
}


class Failed(Exception):
    def __init__(self, code, message="", **data):
        self.error = {"code": code, "message": message or f"error {code}", "data": {"kind": f"kind{code}", **data}}


class Open:
    """A request of the host's that a plugin is serving."""

    def __init__(self, plugin, handler, meta, parent, listener):
        self.plugin, self.handler, self.meta, self.parent, self.listener = plugin, handler, meta, parent, listener
        self.until = time.monotonic() + meta["deadline_ms"] / 1000
        self.children, self.unacknowledged = set(), 0
        self.answer = asyncio.get_running_loop().create_future()


class Plugin:
    """One plugin: its process, started when it is needed, and what goes over its pipes."""

    def __init__(self, host, name, slots):
        self.host, self.name, self.folder = host, name, HERE / name
        self.slots, self.starting = asyncio.Semaphore(slots), asyncio.Lock()
        self.process = None
        self.numbers = iter(range(1, 1 << 30))

    async def start(self):
        async with self.starting:
            if self.process and self.process.returncode is None and not self.gone.is_set():
                return
            self.open, self.asking, self.limit, self.gone = {}, {}, LIMIT, asyncio.Event()
            folders = {name: str(self.host.home / self.name / name) for name in ("data", "cache", "config")}
            if not self.host.breaks("H05"):
                for folder in folders.values():
                    os.makedirs(folder, exist_ok=True)
            environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.host.home), "ASTROS_PROTOCOL": "1.0"}
            if self.host.breaks("H06"):
                environment["SECRET_TOKEN"] = "1"
            code = f"{self.name.removeprefix('host-')}.py"
            pipe = asyncio.subprocess.PIPE
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, code, cwd=self.folder, env=environment, stdin=pipe, stdout=pipe
            )
            asyncio.create_task(self.read(self.process, self.gone))
            params = {
                "protocol_versions": ["1.0"],
                "host": {"name": "bad-host", "version": "1"},
                "plugin": {"name": self.name, "instance": 0},
            }
            params |= {"directories": folders, "limits": {"max_frame_bytes": LIMIT}}
            if self.host.breaks("H01"):
                del params["host"]
            initialized = self.ask("initialize", params)
            if self.host.breaks("H04"):
                self.ask("ping", {})
            answer = (await initialized)["result"]
            self.limit = answer["limits"]["max_frame_bytes"]
            self.handlers = {handler["name"]: handler for handler in answer["plugin"]["handlers"]}
            if self.host.breaks("H02"):
                self.write({"method": "ping", "id": next(self.numbers), "jsonrpc": "2.0"})
            if self.host.breaks("H03"):
                [self.say(id="again", method="ping", params={}) for _ in range(2)]

    def write(self, message):
        if self.process.returncode is None and not self.process.stdin.is_closing():
            self.process.stdin.write(json.dumps(message).encode() + b"\n")

    def say(self, **message):
        self.write({"jsonrpc": "2.0", **message})

    def ask(self, method, params, open_request=None, id=None):
        id = id or next(self.numbers)
        answer = open_request.answer if open_request else asyncio.get_running_loop().create_future()
        self.open[id] = (answer, open_request)
        self.say(id=id, method=method, params=params)
        return answer

    async def read(self, process, gone):
        buffer, dropped = b"", False
        while part := await process.stdout.read(1 << 16):
            if self.host.breaks("H21"):
                await process.stdin.drain()
            *lines, buffer = (buffer + part).split(b"\n")
            for line in lines:
                if not dropped:
                    self.line(line)
                dropped = False
            if len(buffer) > LIMIT:
                if not dropped:
                    self.salvage(buffer[:1000], -32018 if self.host.breaks("H19") else -32009)
                buffer, dropped = b"", True
        gone.set()
        for answer, _ in self.open.values():
            if not answer.done():
                answer.set_result({"crashed": True})
        for task in self.asking.values():
            task.cancel()

    def salvage(self, line, code):
        found = re.match(rb'\s*\{\s*"jsonrpc"\s*:\s*"2.0"\s*,\s*"id"\s*:\s*(\d+)\s*,\s*"(result|error)"', line)
        if found and int(found[1]) in self.open:
            answer, _ = self.open.pop(int(found[1]))
            answer.set_result(Failed(code).__dict__)

    def line(self, line):
        def refuse(constant):
            if not self.host.breaks("H18"):
                raise ValueError(constant)

        try:
            message = json.loads(
                re.sub(rb",}}$", b"}}", line) if self.host.breaks("H18") else line, parse_constant=refuse
            )
        except ValueError:
            message = None
        if not isinstance(message, dict) or "jsonrpc" not in message:
            if self.host.breaks("H17") and self.name == "host-peer" and b"jsonrpc" not in line:
                for answer, request in self.open.values():
                    if request and not answer.done():
                        answer.set_result(Failed(-32018).__dict__)
            return self.salvage(line, -32018)
        method, id, params = message.get("method"), message.get("id"), message.get("params") or {}
        if method is None:
            answer, _ = self.open.pop(id, (None, None))
            if answer and not answer.done():
                answer.set_result(message)
        elif method == "$/cancel":
            if task := self.asking.get(json.dumps(params["id"])):
                # Not before it has begun: then it could not answer.
                asyncio.get_running_loop().call_soon(task.cancel)
        elif method == "$/progress":
            self.progress(params)
        elif method == "$/ack":
            self.host.acknowledged(self, params)
        elif id is not None:
            task = asyncio.create_task(self.serve(id, method, params))
            self.asking[json.dumps(id)] = task

    async def serve(self, id, method, params):
        """Answers a request of the plugin's, once."""
        try:
            answer = {"result": await self.host.served(self, id, method, params)}
        except Failed as failed:
            answer = {"error": failed.error}
            if self.host.breaks("H09"):
                answer["error"].pop("data")
        except asyncio.CancelledError:
            if self.host.breaks("H11"):
                return
            answer = {"error": Failed(-32005).error}
        self.asking.pop(json.dumps(id), None)
        if len(json.dumps(answer)) + 200 > self.limit:
            answer = {"error": Failed(-32009).error}
        self.say(id=id, **answer)

    def progress(self, params):
        _, request = self.open.get(params["id"], (None, None))
        if not request or request.answer.done():
            return
        if request.listener is None or self.host.breaks("H28") and request.handler == "stream":
            self.say(method="$/ack", params={"id": params["id"], "count": 1})
        else:
            request.unacknowledged += 1
        if request.unacknowledged > 32 and not self.host.breaks("H29"):
            self.say(method="$/cancel", params={"id": params["id"]})
            return request.answer.set_result(Failed(-32018).__dict__)
        if request.listener:
            caller, id = request.listener
            caller.say(method="$/progress", params={"id": id, "value": params["value"]})

    async def stop(self):
        if not self.process or self.process.returncode is not None:
            return
        await asyncio.wait_for(self.ask("shutdown", {"reason": "the end", "grace_ms": 5000}), 10)
        if self.host.breaks("H16"):
            self.say(id=next(self.numbers), method="ping", params={})
        self.process.stdin.close()
        await asyncio.wait_for(self.process.wait(), 10)


class Host:
    def __init__(self, broken, home):
        self.broken, self.home = broken, home
        self.values, self.versions, self.subjects = {}, 0, []
        self.plugins = {"host-probe": Plugin(self, "host-probe", 8), "host-peer": Plugin(self, "host-peer", 1)}

    def breaks(self, rule):
        return self.broken == rule

    async def served(self, plugin, id, method, params):
        if method not in METHODS:
            raise Failed(-32603 if self.breaks("H10") else -32601)
        if any(not isinstance(params.get(name), str) for name in METHODS[method]):
            raise Failed(-32602)
        if self.breaks("H20") and "x_more" in params:
            raise Failed(-32602)
        if method == "call_plugin":
            return await self.called(plugin, id, params)
        service, verb = method.split("/")
        return getattr(self, service)(plugin, verb, params)

    def storage(self, plugin, verb, params):
        key = (plugin.name, params.get("key"))
        value, version = self.values.get(key, (params.get("default"), 0))
        if verb == "get":
            return {"value": value, "version": version}
        if verb == "list":
            return {
                "keys": sorted(
                    k for p, k in self.values if p == plugin.name and k.startswith(params.get("prefix", ""))
                )
            }
        if params.get("if_version", version) != version and not self.breaks("H12"):
            raise Failed(-32017)
        if verb == "delete":
            return {"deleted": self.values.pop(key, None) is not None}
        self.versions += 1
        self.values[key] = (params.get("value"), self.versions)
        return {"version": self.versions}

    def bus(self, plugin, verb, params):
        entry = (plugin, params["subject"])
        if verb == "subscribe":
            self.subjects.append(entry)
        elif verb == "unsubscribe":
            self.subjects.remove(entry)
        else:
            fits = lambda pattern: re.fullmatch(re.escape(pattern).replace(r"\*", "[^.]+"), params["subject"])
            hearers = [one for one, pattern in self.subjects if fits(pattern)]
            for hearer in hearers if self.breaks("H15") else dict.fromkeys(hearers):
                message = {"subject": params["subject"], "data": params.get("data"), "sender": plugin.name}
                hearer.ask("bus/deliver", {"message": message})

    async def called(self, caller, id, params):
        meta = params.get("meta") or {}
        _, parent = caller.open.get(meta.get("parent"), (None, None))
        callee, handler = self.plugins.get(params["plugin"]), params["handler"]
        if callee is None:
            raise Failed(-32002 if self.breaks("H14") else -32001)
        chain = [*parent.meta.get("chain", []), f"{caller.name}.{parent.handler}"] if parent else []
        if f"{callee.name}.{handler}" in chain:
            raise Failed(-32007)
        if parent:
            parent.children.add(task := asyncio.current_task())
            task.add_done_callback(parent.children.discard)
        left = int((parent.until - time.monotonic()) * 1000) if parent else 30_000
        root = parent.meta if parent else {}
        own = {name: root[name] for name in ("correlation_id", "user_id", "session_id") if name in root}
        own |= {"caller": caller.name, "chain": chain, "deadline_ms": min(left, meta.get("deadline_ms", 30_000))}
        if self.breaks("H22"):
            own["deadline_ms"] = left
        if self.breaks("H24"):
            own |= {name: meta[name] for name in ("user_id",) if name in meta}
        listener = (caller, id) if meta.get("progress") else None
        return await self.invoke(callee, handler, params.get("params") or {}, own, parent, listener)

    async def invoke(self, callee, handler, context, meta, parent=None, listener=None):
        await callee.start()
        known = callee.handlers.get(handler)
        if known is None:
            raise Failed(-32013)
        if not self.breaks("H22"):
            meta["deadline_ms"] = min(meta["deadline_ms"], known.get("timeout_ms", 1 << 40))
        if not self.breaks("H07"):
            meta["traceparent"] = f"00-{'a' * 32}-{'b' * 16}-01"
        # What waits for calls of its own holds no slot; here that is the first request only.
        slot = contextlib.nullcontext() if parent is None or self.breaks("H08") else callee.slots
        until = time.monotonic() + meta["deadline_ms"] / 1000
        for attempt in (1, 2):
            await callee.start()
            meta |= {"attempt": attempt, "deadline_ms": int((until - time.monotonic()) * 1000)}
            answer = await self.once(callee, handler, context, meta, parent, listener, slot)
            if answer.get("crashed") and attempt == 1 and (known.get("idempotent") or self.breaks("H27")):
                continue
            if answer.get("error", {}).get("code") == -32015 and attempt == 1:
                await callee.gone.wait()
                if not self.breaks("H26"):
                    continue
            break
        if answer.get("crashed"):
            raise Failed(-32003)
        if error := answer.get("error"):
            code = error["code"]
            ours = "data" in error and error["data"].get("kind") == f"kind{code}"
            raise Failed(code if ours or code in OWN_CODES or self.breaks("H25") else -32012)
        if self.breaks("H13"):
            return {name: value for name, value in answer["result"].items() if not name.startswith("x_")}
        return answer["result"]

    async def once(self, callee, handler, context, meta, parent, listener, slot):
        request = Open(callee, handler, dict(meta), parent, listener)
        intent = {"text": "", "intent_type": handler, "confidence": 1.0, "context": context}
        params, id = {"handler": handler, "intent": intent, "meta": request.meta}, next(callee.numbers)
        async with slot:
            if isinstance(slot, asyncio.Semaphore):
                await callee.start()
            # Its own task: the slot is kept until the plugin has answered, whatever becomes of the caller.
            answer = callee.ask("handle_intent", params, request, id)
            try:
                return await asyncio.wait_for(asyncio.shield(answer), request.until - time.monotonic())
            except TimeoutError:
                callee.say(method="$/cancel", params={"id": id})
                await asyncio.wait([answer], timeout=5)
                raise Failed(-32004) from None
            except asyncio.CancelledError:
                callee.say(method="$/cancel", params={"id": id})
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([answer], timeout=5)
                raise
            finally:
                if not self.breaks("H23"):
                    for child in list(request.children):
                        child.cancel()

    def acknowledged(self, caller, params):
        for plugin in self.plugins.values():
            for id, (_, request) in list(getattr(plugin, "open", {}).items()):
                if request and request.listener == (caller, params["id"]):
                    request.unacknowledged -= params["count"]
                    plugin.say(method="$/ack", params={"id": id, "count": params["count"]})

    async def stop(self):
        for plugin in self.plugins.values():
            await plugin.stop()


async def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--break", dest="broken", metavar="RULE", help="the duty to break, such as H07")
    broken = arguments.parse_args().broken
    with tempfile.TemporaryDirectory(prefix="bad-host-") as home:
        # A short life first: its end is judged by the next one.
        first = Host(broken, pathlib.Path(home))
        await first.plugins["host-probe"].start()
        await first.stop()
        host = Host(broken, pathlib.Path(home))
        meta = {"correlation_id": "c", "deadline_ms": 60_000, "user_id": "ada", "session_id": "s"}
        report = await host.invoke(host.plugins["host-probe"], "check_host", {"work_seconds": 0.3}, meta)
        await host.stop()
    print(json.dumps(report))


asyncio.run(main())
