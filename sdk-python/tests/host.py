"""A small host for tests: a plugin's process, spoken to line by line."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SRC = HERE.parent / "src"
PLUGINS = HERE / "plugins"
PATIENCE = 20.0


def environment(**extra: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SRC), "ASTROS_PROTOCOL": "1.0", **extra}


class PluginProcess:
    """`python -m astros.run TARGET`; `ask` sends a request, `answer` waits for the response of an id."""

    def __init__(self, target: str, *more: str, **env: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "astros.run", target, *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**env),
        )
        self.raw: list[bytes] = []
        self.noise: list[str] = []
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._kept: list[dict[str, Any]] = []
        self._ids = 0
        self._threads = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._hear, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.raw.append(line)
            self._lines.put(line)
        self._lines.put(None)

    def _hear(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.noise.append(line.decode("utf-8", "replace"))

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message: Any) -> None:
        self.write(json.dumps(message).encode() + b"\n")

    def ask(self, method: str, params: Any = None, id: str | int | None = None) -> str | int:
        if id is None:
            self._ids += 1
            id = self._ids
        self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}})
        return id

    def tell(self, method: str, params: Any) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def next(self, **members: Any) -> dict[str, Any]:
        """The next message with these members; what comes before it is kept for later."""
        for message in self._kept:
            if members.items() <= message.items():
                self._kept.remove(message)
                return message
        while True:
            line = self._lines.get(timeout=PATIENCE)
            if line is None:
                raise AssertionError(f"the plugin ended; expected {members}; stderr: {self.errors()}")
            message = json.loads(line)
            if members.items() <= message.items():
                return dict(message)
            self._kept.append(message)

    def answer(self, id: str | int | None) -> dict[str, Any]:
        while True:
            message = self.next(id=id)
            if "method" not in message and type(message["id"]) is type(id):
                return message

    def result(self, id: str | int) -> Any:
        message = self.answer(id)
        assert "result" in message, message
        return message["result"]

    def error(self, id: str | int | None) -> Any:
        message = self.answer(id)
        assert "error" in message, message
        return message["error"]

    def initialize(self, **params: Any) -> Any:
        known = {"protocol_versions": ["1.0"], "features": [], "settings": {}, "limits": {}}
        return self.result(self.ask("initialize", {**known, **params}))

    def call(self, handler: str, context: Any = None, *, id: str | int | None = None, **meta: Any) -> str | int:
        intent = {"text": "", "intent_type": handler, "confidence": 1, "context": context or {}}
        return self.ask("handle_intent", {"handler": handler, "intent": intent, "meta": meta}, id)

    def close_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ends(self, timeout: float = PATIENCE) -> int:
        status = self.process.wait(timeout)
        for thread in self._threads:
            thread.join(timeout)
        return status

    def errors(self) -> str:
        return "".join(self.noise)

    def destroy(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            try:
                stream.close()
            except BrokenPipeError:
                continue
