"""A plugin without an SDK that does what its arguments say, right or wrong. Pure standard library."""

import ctypes
import json
import mmap
import os
import pathlib
import signal
import subprocess
import sys
import time


def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def log(text):
    print(text, file=sys.stderr, flush=True)


def grandchild():
    """A child of a child, in the same group, that holds the pipes open; its id."""
    child = subprocess.Popen(["sh", "-c", "sleep 60 & echo $!"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return int(child.stdout.readline())


def holder():
    """As that, and with this process's own stdout."""
    child = subprocess.Popen(["sleep", "60"])
    return child.pid


def flood():
    for number in range(40_000):
        os.write(2, b"flooding with line %d %s\n" % (number, b"x" * 200))


def spin(seconds):
    """A child is busy, this process waits for it."""
    subprocess.run(["timeout", str(seconds), "sh", "-c", "while :; do :; done"], check=False)


def trace(seconds):
    """Lets the parent trace this process, as a debugger would, and does nothing."""
    ctypes.CDLL(None).ptrace(0, 0, 0, 0)
    time.sleep(seconds)


KEPT = []


def share(size):
    """Memory that a child would have, too: no limit of a process counts it."""
    memory = mmap.mmap(-1, size)
    for page in range(0, size, 4096):
        memory[page] = 1
    KEPT.append(memory)


def orphan(size):
    """Memory that is shared, of a process whose parent is gone."""
    if os.fork() == 0:
        if os.fork() == 0:
            share(size)
            time.sleep(60)
        os._exit(0)
    os.wait()


def forks(size):
    """Children that have what their parent has, once."""
    KEPT.append(bytearray(os.urandom(1)) * size)
    for _ in range(3):
        if os.fork() == 0:
            time.sleep(60)


CALLS = {
    "share": lambda params: share(params["bytes"]),
    "orphan": lambda params: orphan(params["bytes"]),
    "forks": lambda params: forks(params["bytes"]),
    "echo": lambda params: params,
    "slow": lambda params: time.sleep(params["seconds"]),
    "environment": lambda _: {"names": sorted(os.environ), "folder": os.getcwd(), "python": sys.executable},
    "spin": lambda params: spin(params["seconds"]),
    "trace": lambda params: trace(params["seconds"]),
    "instance": lambda _: INSTANCE,
    "segfault": lambda _: (log("ERROR: index 7 of 3"), os.kill(os.getpid(), signal.SIGSEGV)),
    "leave": lambda params: (log("leaving"), os._exit(params["status"])),
    "close": lambda _: (os.close(1), time.sleep(60)),
    "grandchild": lambda _: grandchild(),
    "holder": lambda _: holder(),
    "flood": lambda _: flood(),
}

MODE = sys.argv[1:] or [""]
INSTANCE = None

if "ignores" in MODE:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "import" in MODE:
    import a_module_that_does_not_exist
if "exit" in MODE:
    sys.exit("no configuration")
if "stray" in MODE:
    print("this is no message", flush=True)
if "once" in MODE and not pathlib.Path("data/marker").exists():
    pathlib.Path("data/marker").touch()
    os.kill(os.getpid(), signal.SIGKILL)

while line := sys.stdin.readline():
    message = json.loads(line)
    id, method, params = message.get("id"), message.get("method"), message.get("params")
    if method == "initialize":
        INSTANCE = params["plugin"]["instance"]
        if "exit-in-initialize" in MODE:
            log("cannot read the settings")
            sys.exit(3)
        if "hang" in MODE:
            time.sleep(60)
        if "second" in MODE and INSTANCE == 1:
            sys.exit("only one of me")
        if "refuse" in MODE:
            say(id=id, error={"code": -32012, "message": "initialize returned False"})
            continue
        if "garbage" in MODE:
            print('{"jsonrpc":"2.0","id":%d,"result":{"protocol_version":}}' % id, flush=True)
            continue
        if "shapeless" in MODE:
            say(id=id, result={"hello": "world"})
            continue
        version = "2.0" if "version" in MODE else "1.0"
        offers = {"name": "other" if "name" in MODE else "test", "version": "1.2.3", "handlers": [{"name": "echo"}]}
        say(id=id, result={"protocol_version": version, "plugin": offers, "limits": {"max_in_flight": 1 if "serial" in MODE else 2}})
    elif method == "shutdown" and "ignores" not in MODE:
        log("goodbye: " + params["reason"])
        say(id=id, result=None)
    elif method in CALLS:
        say(id=id, result=CALLS[method](params))
    elif id is not None:
        say(id=id, error={"code": -32601, "message": "unsupported"})

while "ignores" in MODE:
    time.sleep(60)
