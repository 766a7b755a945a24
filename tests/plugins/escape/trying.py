"""What an attempt is: a function that says how it got out, or raises what stopped it."""

import ctypes
import os
import pickle
import platform
import select
import signal

ATTEMPTS = {}
SECONDS = 10
NUMBERS = {  # of x86_64
    "sendto": 44,
    "clone": 56,
    "shmget": 29,
    "shmat": 30,
    "semget": 64,
    "msgget": 68,
    "msgrcv": 70,
    "ptrace": 101,
    "syslog": 103,
    "personality": 135,
    "modify_ldt": 154,
    "pivot_root": 155,
    "mount": 165,
    "umount2": 166,
    "swapon": 167,
    "reboot": 169,
    "sethostname": 170,
    "iopl": 172,
    "init_module": 175,
    "clock_settime": 227,
    "mq_open": 240,
    "add_key": 248,
    "keyctl": 250,
    "inotify_add_watch": 254,
    "inotify_init1": 294,
    "unshare": 272,
    "perf_event_open": 298,
    "fanotify_init": 300,
    "name_to_handle_at": 303,
    "open_by_handle_at": 304,
    "setns": 308,
    "process_vm_readv": 310,
    "kcmp": 312,
    "bpf": 321,
    "userfaultfd": 323,
    "io_uring_setup": 425,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "clone3": 435,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
}

libc = ctypes.CDLL(None, use_errno=True)


class Denied(Exception):
    """It did not work."""


def attempt(function):
    """An attempt is known by the function's name."""
    ATTEMPTS[function.__name__.replace("_", "-")] = function
    return function


def many(names, try_one, *first):
    """An attempt for each of these names: `try_one(*first, what, at)`."""
    for name, what in names.items():
        ATTEMPTS[name] = lambda at, what=what: try_one(*first, what, at)


def call(name, *arguments):
    """A system call by its number; without the C library nobody is in between."""
    if platform.machine() != "x86_64":
        raise Denied("the numbers of the system calls are those of x86_64")
    result = libc.syscall(ctypes.c_long(NUMBERS[name]), *map(as_argument, arguments))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def as_argument(value):
    return ctypes.c_long(value) if isinstance(value, int) else value


def passes(name, *arguments, beyond=()):
    """It is allowed where the call succeeds, or fails with what is only found after it was allowed."""
    try:
        call(name, *arguments)
    except OSError as error:
        if error.errno not in beyond:
            raise
        return f"{name} was allowed, and then: {error}"
    return f"{name} was allowed"


def see(path):
    """Something of a file's content."""
    with open(path, "rb") as file:
        content = file.read(4096)
    if not content:
        raise Denied(f"{path} is empty")
    return f"{path} says {content[:40]!r}"


def run(function, at):
    """Tries it in a process of its own, so that whatever it does to itself ends with it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(outcome(function, at), pipe)
        os._exit(0)
    os.close(writer)
    answered = select.select([reader], [], [], SECONDS)[0]
    if not answered:
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reader, "rb") as pipe:
        written = pipe.read() if answered else b""
    _, status = os.waitpid(child, 0)
    if written:
        return pickle.loads(written)
    return False, f"no answer: the process ended with the status {os.waitstatus_to_exitcode(status)}"


def outcome(function, at):
    """Whether it got out and how; None and why where the attempt itself is broken."""
    try:
        return True, function(at)
    except (OSError, Denied, MemoryError) as error:
        return False, f"{type(error).__name__}: {error}"
    except BaseException as error:
        return None, f"{type(error).__name__}: {error}"
