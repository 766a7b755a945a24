"""What a kernel offers to few: modules, traces, keys, shared memory, terminals; and what is there at the start."""

import ctypes
import fcntl
import mmap
import os
import resource
import socket
import time

from trying import Denied, attempt, call, libc, passes

EFAULT, EINVAL, ENOENT, ENOEXEC = 14, 22, 2, 8
READ_IMPLIES_EXEC = 0x0400000
TIOCSTI = 0x5412
KEYCTL_SEARCH, KEYCTL_READ, USER_KEYRING = 10, 11, -4


@attempt
def capabilities(at):
    return status_has("CapEff", lambda value: int(value, 16) != 0)


@attempt
def new_privileges(at):
    return status_has("NoNewPrivs", lambda value: value == "0")


def status_has(name, bad):
    with open("/proc/self/status") as file:
        value = next(line.split()[1] for line in file if line.startswith(name + ":"))
    if not bad(value):
        raise Denied(f"{name} is {value}")
    return f"{name} is {value}"


@attempt
def become_somebody_else(at):
    os.setgroups([])
    os.setresuid(65534, 65534, 65534)
    return "I am nobody now"


@attempt
def bpf(at):
    attributes = (ctypes.c_uint32 * 32)(2, 4, 4, 1)
    return passes("bpf", 0, attributes, 128)


@attempt
def performance_events(at):
    attributes = (ctypes.c_uint32 * 32)(1, 128)
    return passes("perf_event_open", attributes, 0, -1, -1, 0)


@attempt
def page_faults(at):
    return passes("userfaultfd", 1)


@attempt
def fanotify(at):
    return passes("fanotify_init", 0, 0)


@attempt
def compare_processes(at):
    return passes("kcmp", os.getpid(), os.getpid(), 0, 0, 0)


@attempt
def load_a_module(at):
    return passes("init_module", b"", 0, b"", beyond=[ENOEXEC, EINVAL, EFAULT])


@attempt
def reboot(at):
    """With a number that no kernel takes for an order."""
    return passes("reboot", 0, 0, 0, 0, beyond=[EINVAL])


@attempt
def swap_on(at):
    return passes("swapon", b"/nowhere", 0, beyond=[ENOENT])


@attempt
def kernel_log(at):
    return passes("syslog", 3, ctypes.create_string_buffer(4096), 4096)


@attempt
def clock(at):
    now = (ctypes.c_long * 2)(*divmod(time.time_ns(), 1_000_000_000))
    return passes("clock_settime", 0, now)


@attempt
def host_name(at):
    name = socket.gethostname().encode()
    return passes("sethostname", name, len(name))


@attempt
def ports(at):
    return passes("iopl", 3)


@attempt
def personality(at):
    return passes("personality", READ_IMPLIES_EXEC)


@attempt
def local_descriptors(at):
    return passes("modify_ldt", 0, ctypes.create_string_buffer(64), 64)


@attempt
def x32(at):
    """Another table of the same calls, whose numbers a filter may not know."""
    if libc.syscall(ctypes.c_long(0x40000000 + 39)) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "a call of x32 was served"


@attempt
def old_gate(at):
    """The gate of 32-bit programs, whose numbers mean other calls: 20 asks who I am."""
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\x53\xb8\x14\0\0\0\xcd\x80\x5b\xc3")
    gate = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    if (answer := gate()) != os.getpid():
        raise Denied(f"it answers {answer}")
    return "a 32-bit call was served"


@attempt
def keys(at):
    """A key of the user's, which is in nobody's process."""
    key = call("keyctl", KEYCTL_SEARCH, USER_KEYRING, b"user", at.key.encode(), 0)
    buffer = ctypes.create_string_buffer(100)
    call("keyctl", KEYCTL_READ, key, buffer, 100, 0)
    return f"the key says {buffer.value!r}"


@attempt
def add_a_key(at):
    return passes("add_key", b"user", b"astros-planted", b"x", 1, USER_KEYRING)


@attempt
def shared_memory(at):
    number = call("shmget", at.shared_memory, 0, 0)
    libc.shmat.restype = ctypes.c_void_p
    where = libc.shmat(number, None, 0o10000)
    if where in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "it cannot be attached")
    return f"it says {ctypes.string_at(where, 20)!r}"


@attempt
def semaphores(at):
    return passes("semget", at.semaphore, 0, 0)


@attempt
def message_queue(at):
    buffer = ctypes.create_string_buffer(100)
    number = call("msgget", at.queue, 0)
    return passes("msgrcv", number, buffer, 50, 0, 0o4000, beyond=[42])


@attempt
def named_queue(at):
    return passes("mq_open", at.named_queue.encode(), 0, 0, 0)


@attempt
def core_dump(at):
    """All of its memory, in a file that may lie anywhere."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    os.chdir(at.own_data)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    child = os.fork()
    if child == 0:
        os.abort()
    _, status = os.waitpid(child, 0)
    if not os.WCOREDUMP(status):
        raise Denied("no core was dumped")
    return "a core was dumped"


@attempt
def core_pattern(at):
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
    return "the next crash of anybody runs what I want"


@attempt
def system_request(at):
    os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))
    return "I may order the kernel"


@attempt
def kernel_settings(at):
    os.close(os.open("/proc/sys/vm/drop_caches", os.O_WRONLY))
    return "I may set the kernel"


@attempt
def system_files(at):
    for name in ("/sys/power/state", "/sys/kernel/uevent_helper", "/sys/kernel/mm/ksm/run", "/sys/module"):
        try:
            os.close(os.open(name, os.O_WRONLY if os.path.isfile(name) else os.O_RDONLY))
        except OSError as error:
            last = error
        else:
            return f"{name} could be opened"
    raise last


@attempt
def control_groups(at):
    found = os.listdir("/sys/fs/cgroup")
    if not found:
        raise Denied("it is empty")
    return f"the groups are {found[:5]}"


@attempt
def terminal(at):
    """Another terminal of the person's, to read what they type."""
    os.close(os.open(at.terminal, os.O_RDWR | os.O_NOCTTY))
    return "a terminal was opened"


@attempt
def type_into_the_terminal(at):
    device = os.open(at.terminal, os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(device, TIOCSTI, b"!")
    return "I typed what the person did not"


@attempt
def own_terminal(at):
    os.close(os.open("/dev/tty", os.O_RDWR))
    return "I have the person's terminal"


@attempt
def type_into_own_streams(at):
    for stream in (0, 1, 2):
        if os.isatty(stream):
            fcntl.ioctl(stream, TIOCSTI, b"!")
            return "I typed what the person did not"
    raise Denied("no stream is a terminal")


@attempt
def environment(at):
    found = [f"{name}={value}" for name, value in os.environ.items() if at.canary in value]
    if not found:
        raise Denied(f"there is nothing in {sorted(os.environ)}")
    return f"there is {found}"


@attempt
def raise_limits(at):
    soft, hard = resource.getrlimit(resource.RLIMIT_MSGQUEUE)
    try:
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (soft, hard + 1))
    except ValueError as error:
        raise Denied(error) from None
    return "the limits could be raised"


@attempt
def real_time(at):
    """Who runs in real time is never interrupted."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    return "I run before everybody"


@attempt
def lower_niceness(at):
    os.nice(-5)
    return "I run before others"
