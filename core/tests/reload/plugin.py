"""A plugin without an SDK that serves many requests at once and writes down each that it does. Pure standard library.

Its first argument is the version that it says it is; the others, how it fails.
"""

import heapq
import json
import os
import select
import sys
import time

VERSION, *MODE = sys.argv[1:]
HANDLERS = [{"name": "work"}]
done = os.open("data/done", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
if "exclusive" in MODE:
    os.close(os.open("data/port", os.O_CREAT | os.O_EXCL))


def say(id, result):
    line = json.dumps({"jsonrpc": "2.0", "id": id, "result": result}) + "\n"
    left = line.encode()
    while left:
        left = left[os.write(1, left) :]


def hear(message):
    """Serves a message; a request for work is answered later."""
    id, method = message.get("id"), message.get("method")
    if method == "initialize":
        if "broken" in MODE:
            sys.exit("cannot read the settings")
        if "alone" in MODE and message["params"]["plugin"]["instance"] > 0:
            sys.exit("there is another one of me")
        say(id, {"protocol_version": "1.0", "plugin": {"name": "one", "version": VERSION, "handlers": HANDLERS}})
    elif method == "handle_intent":
        context = message["params"]["intent"]["context"]
        os.write(done, b"%d\n" % context["number"])
        heapq.heappush(due, (time.monotonic() + context["seconds"], id))
    elif method and id is not None:
        say(id, None)


due, buffer = [], b""
while True:
    wait = max(0, due[0][0] - time.monotonic()) if due else None
    if select.select([0], [], [], wait)[0]:
        chunk = os.read(0, 1 << 16)
        if not chunk:
            break
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            hear(json.loads(line))
    while due and due[0][0] <= time.monotonic():
        say(heapq.heappop(due)[1], {"data": VERSION})

if "exclusive" in MODE:
    os.unlink("data/port")
