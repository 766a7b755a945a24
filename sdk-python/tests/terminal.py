"""A small host for what runs on a terminal: the protocol on descriptors of its own, a pty or pipes for the rest."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import Any

from .host import PATIENCE, PLUGINS, environment


class TerminalProcess:
    """`python -m astros.run FILE` with `ASTROS_RPC_FDS`; its output is read by `said`."""

    def __init__(
        self,
        file: str,
        *,
        width: int = 100,
        stdout: int | None = None,
        command: list[str] | None = None,
        cwd: str | None = None,
        **env: str,
    ) -> None:
        read_requests, self._requests = os.pipe()
        self._answers, write_answers = os.pipe()
        self.screen, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        target = PLUGINS / file
        self.process = subprocess.Popen(
            [sys.executable, *(command or ["-m", "astros.run", str(target if target.exists() else file)])],
            cwd=cwd,
            stdin=theirs,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
            pass_fds=(read_requests, write_answers),
            env=environment(ASTROS_RPC_FDS=f"{read_requests},{write_answers}", TERM="xterm", **env),
            start_new_session=True,
        )
        for fd in (read_requests, write_answers, theirs):
            os.close(fd)
        self._seen = b""
        self._rest = b""
        self._ids = 0

    def ask(self, method: str, params: Any = None) -> int:
        self._ids += 1
        message = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params or {}}
        self.send(message)
        return self._ids

    def send(self, message: Any) -> None:
        os.write(self._requests, json.dumps(message).encode() + b"\n")

    def next(self) -> dict[str, Any]:
        """The next message; meanwhile the screen is read, so that nobody waits for us."""
        until = time.monotonic() + PATIENCE
        while b"\n" not in self._rest:
            ready = self._wait([self._answers, self.screen], until)
            if self._answers in ready:
                chunk = os.read(self._answers, 65536)
                assert chunk, f"the plugin ended: {self.text()}"
                self._rest += chunk
            elif self.screen in ready:
                self._look()
        line, _, self._rest = self._rest.partition(b"\n")
        return dict(json.loads(line))

    def answer(self, id: int) -> dict[str, Any]:
        """The answer to a request; storage is granted, whatever is asked."""
        while True:
            message = self.next()
            if "method" not in message:
                assert message["id"] == id, message
                return message
            if "id" in message:
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": {"version": 1, "keys": []}})

    def initialize(self) -> dict[str, Any]:
        params = {"protocol_versions": ["1.0"], "plugin": {"name": "workshop"}, "settings": {}, "limits": {}}
        answer = self.answer(self.ask("initialize", params))
        return dict(answer["result"]["plugin"])

    def run(self, *argv: str, cwd: str = "/") -> int:
        return self.ask("command/run", {"command": argv[0], "argv": list(argv), "args": {}, "cwd": cwd})

    def code(self, id: int) -> int:
        message = self.answer(id)
        assert "result" in message, message
        return int(message["result"]["exit_code"])

    def refuse(self, code: int, message: str, data: dict[str, Any]) -> None:
        """Answer the next request of the plugin's with an error."""
        error = {"code": code, "message": message, "data": data}
        self.send({"jsonrpc": "2.0", "id": self.next()["id"], "error": error})

    def type(self, text: str) -> None:
        os.write(self.screen, text.encode())

    def see(self, words: str) -> None:
        """Wait until the words are on the screen; the kernel brings them a little after they were written."""
        until = time.monotonic() + PATIENCE
        while words not in self.text():
            self._wait([self.screen], until)
            self._look()

    def text(self) -> str:
        """What was on the screen so far, without colours."""
        while select.select([self.screen], [], [], 0)[0] and self._look():
            continue
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._seen.decode("utf-8", "replace")).replace("\r\n", "\n")

    def signal(self, signum: int) -> None:
        self.process.send_signal(signum)

    def ends(self) -> int:
        """Close the protocol, and give back how the process ended."""
        os.close(self._requests)
        self._requests = -1
        return self.process.wait(PATIENCE)

    def destroy(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for fd in (self._requests, self._answers, self.screen):
            if fd >= 0:
                os.close(fd)

    def _look(self) -> bool:
        try:
            chunk = os.read(self.screen, 65536)
        except OSError:  # its other end is closed
            return False
        self._seen += chunk
        return bool(chunk)

    @staticmethod
    def _wait(fds: list[int], until: float) -> list[int]:
        ready = select.select(fds, [], [], max(0.0, until - time.monotonic()))[0]
        assert ready, "nothing came in time"
        return ready
