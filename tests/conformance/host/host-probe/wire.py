"""The probe's connection: it keeps every line of the host's in a journal, and asks the host whatever it likes to."""

import json
import os
import queue
import threading
import uuid

# The longest line that the probe says it takes.
LIMIT = 1 << 20


class Wire:
    def __init__(self, handle):
        self.handle = handle  # is given the host's requests and notifications
        self.lines = []  # what this process got: {"line", "bytes"}, and marks of its own: {"mark"}
        self.folder = self.journal = None  # where the lines are kept, once that is known
        self.noting = threading.Lock()
        self.answers = {}  # by the JSON of an own id: the queue of its answers
        self.reading = threading.Event()
        self.reading.set()
        self.writing = threading.Lock()
        self.numbers = iter(range(1, 1 << 30))
        self.name = uuid.uuid4().hex

    def run(self):
        with os.fdopen(0, "rb", 0) as source:
            buffer = b""
            while True:
                self.reading.wait()
                part = source.read(1 << 16)
                if not part:
                    return self.note(mark="eof")
                *lines, buffer = (buffer + part).split(b"\n")
                for line in lines:
                    self.line(line)

    def line(self, line):
        self.note(line=line.decode("utf-8", "backslashreplace")[:3000], bytes=len(line))
        try:
            message = json.loads(line.decode())
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        if "method" in message:
            self.handle(message)
        elif waiting := self.answers.get(json.dumps(message.get("id"))):
            waiting.put(message)

    def note(self, **what):
        with self.noting:
            self.lines.append(what)
            if self.journal:
                self.journal.write(json.dumps(what) + "\n")

    def keep_in(self, folder):
        with self.noting:
            self.folder = folder
            self.journal = open(folder / f"journal-{self.name}", "w", buffering=1)
            self.journal.writelines(json.dumps(line) + "\n" for line in self.lines)

    def raw(self, data):
        with self.writing:
            while data:
                data = data[os.write(1, data) :]

    def say(self, **message):
        self.raw(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def begin(self, method, params, id=None, **more):
        id = f"probe-{next(self.numbers)}" if id is None else id
        self.answers[json.dumps(id)] = queue.Queue()
        self.say(id=id, method=method, params=params, **more)
        return id

    def wait(self, id, seconds=10):
        """The answer, or an empty object where none comes."""
        try:
            return self.answers[json.dumps(id)].get(timeout=seconds)
        except queue.Empty:
            return {}

    def ask(self, method, params, seconds=10, id=None, **more):
        return self.wait(self.begin(method, params, id, **more), seconds)

    def twice(self, id):
        """Whether one more answer came."""
        return not self.answers[json.dumps(id)].empty()
