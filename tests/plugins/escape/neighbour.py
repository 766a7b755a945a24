"""What else is on the machine: services, shared memory, queues, keys, a terminal. It says where they are as JSON, and
ends with its input.
"""

import ctypes
import json
import os
import pty
import socket
import subprocess
import sys
import threading
import time

from trying import NUMBERS, libc

IPC_CREAT, IPC_RMID, O_CREAT_RDWR, KEYCTL_UNLINK, USER_KEYRING = 0o1000, 0, 0o102, 9, -4
folder, canary, handled = sys.argv[1:]
mine = os.getpid()


def call(name, *arguments):
    return libc.syscall(
        ctypes.c_long(NUMBERS[name]), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)
    )


def serve(listener):
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + canary.encode())


def answer(receiver):
    while True:
        _, sender = receiver.recvfrom(2000)
        if sender:
            receiver.sendto(canary.encode(), sender)


def start(work, made, address):
    made.bind(address)
    if made.type == socket.SOCK_STREAM:
        made.listen()
    threading.Thread(target=work, args=(made,), daemon=True).start()
    return made.getsockname()


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))
            return asked.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def handle_of(path):
    """The number of a file on its file system."""
    handle = ctypes.create_string_buffer((128).to_bytes(4, "little"), 136)
    mount = ctypes.c_int()
    if call("name_to_handle_at", -100, path.encode(), handle, ctypes.byref(mount), 0) == -1:
        return [0, ""]
    size, kind = (int.from_bytes(handle.raw[at : at + 4], "little") for at in (0, 4))
    return [kind, handle.raw[8 : 8 + size].hex()]


bus = os.path.join(folder, "bus")
unix, datagram = os.path.join(folder, "socket"), os.path.join(folder, "datagrams")
lying = f"/tmp/astros-neighbour-{mine}"
abstract, shared, queue = f"astros-{mine}", f"/dev/shm/astros-{mine}", f"astros-{mine}"
tcp = start(serve, socket.socket(), ("0.0.0.0", 0))[1]
tcp6 = start(serve, socket.socket(socket.AF_INET6), ("::1", 0))[1]
udp = start(answer, socket.socket(socket.AF_INET, socket.SOCK_DGRAM), ("127.0.0.1", 0))[1]
start(serve, socket.socket(socket.AF_UNIX), unix)
start(answer, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), datagram)
start(serve, socket.socket(socket.AF_UNIX), "\0" + abstract)
for path in (shared, lying):
    with open(path, "w") as file:
        file.write(canary)
memory = call("shmget", mine, 4096, IPC_CREAT | 0o600)
libc.shmat.restype = ctypes.c_void_p
ctypes.memmove(libc.shmat(memory, None, 0), canary.encode(), len(canary))
semaphore = call("semget", mine, 1, IPC_CREAT | 0o600)
messages = call("msgget", mine, IPC_CREAT | 0o600)
named = call("mq_open", queue.encode(), O_CREAT_RDWR, 0o600, 0)
key = call("add_key", b"user", queue.encode(), canary.encode(), len(canary), USER_KEYRING)
desktop = subprocess.Popen(
    ["dbus-daemon", "--session", "--nofork", f"--address=unix:path={bus}"], stderr=subprocess.DEVNULL
)
master, terminal = pty.openpty()

places = {
    "tcp": tcp,
    "tcp6": tcp6,
    "udp": udp,
    "address": own_address(),
    "unix": unix,
    "unix_datagram": datagram,
    "abstract": abstract,
    "shared_file": shared,
    "lying": lying,
    "shared_memory": mine,
    "semaphore": mine,
    "queue": mine,
    "named_queue": queue,
    "key": queue,
    "bus": bus,
    "terminal": os.ttyname(terminal),
    "handle": handle_of(handled),
}
while not os.path.exists(bus):
    time.sleep(0.001)
print(json.dumps(places), flush=True)
sys.stdin.read()
desktop.kill()
desktop.wait()
os.unlink(shared)
os.unlink(lying)
libc.shmctl(memory, IPC_RMID, None)
libc.semctl(semaphore, 0, IPC_RMID)
libc.msgctl(messages, IPC_RMID, None)
libc.syscall(ctypes.c_long(241), queue.encode())
call("keyctl", KEYCTL_UNLINK, key, USER_KEYRING)
