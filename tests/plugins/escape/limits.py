"""More than the limits of its manifest: memory, processes, files; and a full disk."""

import mmap
import os
import signal
import tempfile
import threading

from trying import Denied, attempt

MEMORY, CHILDREN, FILES, BYTES, DISK = 512 << 20, 400, 500, 8 << 20, 640 << 20


@attempt
def too_much_memory(at):
    return f"{len(bytearray(MEMORY))} bytes are mine"


@attempt
def too_much_mapped_memory(at):
    mapped = mmap.mmap(-1, MEMORY, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    mapped[::4096] = b"x" * (MEMORY >> 12)
    return f"{len(mapped)} bytes are mine"


@attempt
def too_many_processes(at):
    children = []
    try:
        for _ in range(CHILDREN):
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return f"{len(children)} children were started"


@attempt
def too_many_threads(at):
    done = threading.Event()
    started = 0
    try:
        for _ in range(CHILDREN):
            threading.Thread(target=done.wait, daemon=True).start()
            started += 1
    except RuntimeError as error:
        raise Denied(f"{error} after {started}") from None
    finally:
        done.set()
    return f"{started} threads were started"


@attempt
def too_many_files(at):
    kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(FILES)]
    return f"{len(kept)} files are open"


@attempt
def too_large_a_file(at):
    """Its signal would end it first."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with tempfile.TemporaryFile(dir=at.own_data) as file:
        file.write(b"x" * BYTES)
        file.flush()
    return f"a file has {BYTES} bytes"


@attempt
def fill_the_temporary_folder(at):
    with tempfile.TemporaryFile() as file:
        os.posix_fallocate(file.fileno(), 0, DISK)
    return f"a file of {DISK} bytes is there"


@attempt
def fill_shared_memory(at):
    with tempfile.TemporaryFile(dir="/dev/shm") as file:
        os.posix_fallocate(file.fileno(), 0, DISK)
    return f"a file of {DISK} bytes is there"
