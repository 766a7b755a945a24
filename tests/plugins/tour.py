"""A plugin that takes part in every exchange of the protocol, and keeps what was said in its folder, line by line.

The examples of the reference are made of that; see `tests/tests/e2e/exchanges.rs`. It needs no SDK, so that what
stands there is the protocol and nothing else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ABOUT = {
    "name": "tour",
    "version": "1.0.0",
    "description": "Takes part in every exchange.",
    "handles": ["sightseeing"],
    "handlers": [
        {
            "name": "tour",
            "description": "Show somebody around.",
            "examples": ["show me around {place}"],
            "parameters": {
                "type": "object",
                "properties": {"place": {"type": "string"}},
            },
            "effects": "write",
            "timeout_ms": 60000,
        },
        {
            "name": "wait",
            "description": "Tell how far it is, and wait to be taken back.",
            "effects": "none",
        },
    ],
}
MODEL = {"provider": "local", "model": "small-1"}
# What the host does not ask for yet is answered as a plugin of that kind would.
ANSWERS: dict[str, Any] = {
    "ping": {"in_flight": 1},
    "bus/deliver": {},
    "settings/changed": None,
    "command/run": {"exit_code": 0, "data": {"files": 12}},
    "provider/health_check": {"healthy": True, "models": ["small-1"]},
    "provider/complete": {
        "content": "Blue",
        "finish_reason": "stop",
        "usage": {"input_tokens": 5, "output_tokens": 1},
    }
    | MODEL,
    "provider/chat": {"content": "Hello.", "finish_reason": "stop"} | MODEL,
    "provider/analyze_image": {"content": "A cat."} | MODEL,
    "provider/embed": {"embeddings": [[0.5, -0.25]]} | MODEL,
    "ui/render": {
        "type": "panel",
        "title": "build",
        "content": {"type": "text", "text": "done"},
    },
    "workflow/run": {
        "success": True,
        "result": {"passed": 9},
        "evidence": ["9 of 9 tests passed"],
    },
}


class Tour:
    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.book: Path | None = None
        self.sent = 0
        self.waiting: Any = None
        self.served: set[str] = set()
        self.answered: set[str] = set()

    def note(self, sender: str, message: Any) -> None:
        self.said.append({"from": sender, "message": message})
        if self.book:
            with self.book.open("a", encoding="utf-8") as book:
                book.writelines(json.dumps(one) + "\n" for one in self.said)
            self.said.clear()

    def send(self, **message: Any) -> None:
        message = {"jsonrpc": "2.0"} | message
        self.note("plugin", message)
        print(json.dumps(message), flush=True)

    def until(self, done: Callable[[], bool]) -> None:
        """Serves the host until that is so."""
        while not done():
            line = sys.stdin.readline()
            if not line:
                sys.exit()  # the host is gone
            message = json.loads(line)
            self.note("host", message)
            if "method" in message:
                self.serve(message)
                self.served.add(message["method"])
            else:
                self.answered.add(message["id"])

    def ask(self, method: str, **params: Any) -> None:
        self.sent += 1
        own = f"tour-{self.sent}"
        self.send(id=own, method=method, params=params)
        self.until(lambda: own in self.answered)

    def serve(self, message: dict[str, Any]) -> None:
        match message["method"]:
            case "initialize" | "describe" as method:
                if method == "initialize":
                    folder = Path(message["params"]["directories"]["data"])
                    folder.mkdir(parents=True, exist_ok=True)
                    self.book = folder / "traffic"
                self.send(
                    id=message["id"],
                    result={"protocol_version": "1.0", "plugin": ABOUT},
                )
            case "handle_intent" if message["params"]["handler"] == "tour":
                self.tour(message["id"])
            case "handle_intent":
                self.waiting = message["id"]
                self.progress(message["id"], {"message": "on the way", "done": 1, "total": 3})
            case "$/cancel" if message["params"]["id"] == self.waiting:
                self.send(id=self.waiting, error={"code": -32005, "message": "cancelled"})
            case "$/progress":
                self.send(method="$/ack", params={"id": message["params"]["id"], "count": 1})
                self.send(method="$/cancel", params={"id": message["params"]["id"]})
            case "shutdown":
                self.send(id=message["id"], result=None)
            case method if "id" in message:
                self.send(id=message["id"], result=ANSWERS[method])

    def progress(self, request: Any, value: dict[str, Any]) -> None:
        self.send(method="$/progress", params={"id": request, "value": value})

    def tour(self, request: Any) -> None:
        meta = {"parent": request}
        self.send(
            method="log",
            params={"level": "info", "message": "off we go", "fields": {"stops": 17}},
        )
        self.ask("storage/set", key="visited/oslo", value={"times": 1})
        self.ask("storage/get", key="visited/oslo", default={"times": 0})
        self.ask("storage/list", prefix="visited/")
        self.ask("storage/delete", key="visited/oslo")
        self.ask(
            "ai/complete",
            provider="eliza",
            prompt="Name a colour.",
            max_tokens=8,
            meta=meta,
        )
        self.ask(
            "ai/chat",
            provider="eliza",
            messages=[{"role": "user", "content": "Hi"}],
            meta=meta,
        )
        self.ask(
            "ai/analyze_image",
            provider="eliza",
            image="/home/ada/a.png",
            prompt="What is this?",
            meta=meta,
        )
        self.ask("ai/embed", provider="eliza", input=["Oslo"], meta=meta)
        self.ask("user/ask", question="Which way?", choices=["left", "right"], meta=meta)
        self.ask("bus/subscribe", subject="topic.weather.*")
        self.ask("bus/publish", subject="topic.weather.oslo", data={"sunny": True})
        self.until(lambda: "bus/deliver" in self.served)
        self.ask("bus/unsubscribe", subject="topic.weather.*")
        self.ask(
            "call_plugin",
            plugin="todo",
            handler="add",
            params={"item": "oat milk"},
            meta=meta,
        )
        self.ask("call_plugin", plugin="tour", handler="wait", meta=meta | {"progress": True})
        self.until(lambda: "ping" in self.served)
        message = "You have seen it all."
        self.send(
            id=request,
            result={"success": True, "message": message, "data": {"stops": self.sent}},
        )


if __name__ == "__main__":
    tour = Tour()
    tour.until(lambda: "shutdown" in tour.served)
