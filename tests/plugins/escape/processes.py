"""Other processes: the daemon, the launcher, the init of the namespace, another plugin."""

import ctypes
import os
import resource
import signal

from trying import Denied, attempt, call, many, passes, see

CALLED = {"daemon": "astros", "launcher": "astros-launcher", "init": "astros-init", "other": "adversary"}
# What each process is tried with; the init of a namespace cannot be hurt by signals from within.
PLACES = ["environ", "mem", "root", "cwd", "fd", "maps"]
PTRACE_SEIZE = 0x4206


def others(who, at):
    """The ids of whoever is called so, and the one that is known from outside."""
    found = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if name_of(pid) == CALLED[who]]
    known = [str(at.pids[who])] if at.pids.get(who) else []
    pids = [int(pid) for pid in dict.fromkeys(known + found)]
    if not pids:
        raise Denied(f"no process is called {CALLED[who]}")
    return pids


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def with_any(who, at, do):
    """The first of them that it works with."""
    failed = []
    for pid in others(who, at):
        try:
            return do(pid)
        except (OSError, Denied) as error:
            failed.append(f"{pid}: {error}")
    raise Denied("; ".join(failed))


def look(who, place, at):
    def do(pid):
        path = f"/proc/{pid}/{place}"
        if place in ("root", "cwd"):
            return f"{path} has {os.listdir(path + '/')[:5]}"
        if place == "fd":
            links = [os.readlink(f"{path}/{number}") for number in os.listdir(path)]
            if not links:
                raise Denied("it has ended")
            return f"{path} has {links}"
        if place == "mem":
            with open(path, "rb", buffering=0):
                return f"{path} could be opened"
        return see(path)

    return with_any(who, at, do)


def trace(who, at):
    return with_any(who, at, lambda pid: passes("ptrace", PTRACE_SEIZE, pid, 0, 0))


def read_memory(who, at):
    """An address that is nobody's: whether it is there is only looked up where it is allowed."""
    buffer = ctypes.create_string_buffer(16)
    here = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 16)
    there = (ctypes.c_void_p * 2)(0x10000, 16)
    return with_any(who, at, lambda pid: passes("process_vm_readv", pid, here, 1, there, 1, 0, beyond=[14]))


def take_descriptor(who, at):
    return with_any(who, at, lambda pid: f"got {call('pidfd_getfd', os.pidfd_open(pid), 0, 0)}")


def send_signal(who, at):
    def do(pid):
        os.kill(pid, signal.SIGCONT)
        return f"{pid} got a signal"

    return with_any(who, at, do)


def send_signal_by_descriptor(who, at):
    def do(pid):
        signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGCONT)
        return f"{pid} got a signal"

    return with_any(who, at, do)


def change_limits(who, at):
    def do(pid):
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        return f"the limits of {pid} were set"

    return with_any(who, at, do)


def change_priority(who, at):
    def do(pid):
        os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid))
        return f"the priority of {pid} was set"

    return with_any(who, at, do)


def bind_to_processors(who, at):
    def do(pid):
        os.sched_setaffinity(pid, os.sched_getaffinity(pid))
        return f"the processors of {pid} were set"

    return with_any(who, at, do)


def offer_to_the_killer(who, at):
    """Where memory is short, the kernel takes it first."""

    def do(pid):
        os.close(os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY))
        return f"the score of {pid} could be set"

    return with_any(who, at, do)


def enter(who, at):
    def do(pid):
        call("setns", os.open(f"/proc/{pid}/ns/net", os.O_RDONLY), 0)
        return f"I am in the network of {pid}"

    return with_any(who, at, do)


for who in CALLED:
    # Launchers and inits have no environment.
    empty = who in ("launcher", "init")
    many({f"{place}-of-{who}": place for place in PLACES if place != "environ" or not empty}, look, who)
    many({f"trace-{who}": who}, trace)
    many({f"read-memory-of-{who}": who}, read_memory)
    many({f"take-descriptor-of-{who}": who}, take_descriptor)
    many({f"enter-namespace-of-{who}": who}, enter)
for who in ("daemon", "launcher", "other"):
    many({f"signal-{who}": who}, send_signal)
    many({f"signal-{who}-by-descriptor": who}, send_signal_by_descriptor)
many({"limits-of-daemon": "daemon"}, change_limits)
many({"priority-of-daemon": "daemon"}, change_priority)
many({"processors-of-daemon": "daemon"}, bind_to_processors)
many({"score-of-daemon": "daemon"}, offer_to_the_killer)


@attempt
def signal_everybody(at):
    """Minus one is everybody that may be signalled; nothing is done to them by this one."""
    seen = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if signalled(pid)]
    if not any(name_of(pid) and not mine(pid) for pid in seen):
        raise Denied(f"only {seen}, which are mine")
    return f"{[pid for pid in seen if not mine(pid)][:10]} could be signalled"


def signalled(pid):
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def mine(pid):
    """Whether a process is of this plugin: itself, its init, and what they started."""
    while pid > 1:
        if pid in (os.getpid(), os.getppid()):
            return True
        pid = parent(pid)
    return name_of(1) == "astros-init"


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@attempt
def see_command_lines(at):
    """What others were started with, passwords perhaps."""
    seen = {pid: name_of(pid) for pid in filter(str.isdigit, os.listdir("/proc"))}
    for pid in [pid for pid, name in seen.items() if name and not mine(int(pid))]:
        try:
            return see(f"/proc/{pid}/cmdline")
        except (OSError, Denied):
            continue
    raise Denied(f"of {seen} none tells")
