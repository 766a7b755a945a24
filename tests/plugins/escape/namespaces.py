"""Namespaces and mounts: another view of the machine, made by the plugin itself."""

import ctypes
import os
import signal
import tempfile

from trying import attempt, call, passes, see

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWPID = 0x20000, 0x10000000, 0x40000000, 0x20000000
MS_BIND, MS_REMOUNT, MNT_DETACH = 4096, 32, 2
EBADF, EBUSY, EINVAL, ENOENT = 9, 16, 22, 2


def folder():
    return tempfile.mkdtemp().encode()


def unshared(flag):
    call("unshare", flag)
    return "I have a namespace of my own"


@attempt
def unshare_user(at):
    return unshared(CLONE_NEWUSER)


@attempt
def unshare_mounts(at):
    return unshared(CLONE_NEWNS)


@attempt
def unshare_network(at):
    return unshared(CLONE_NEWNET)


@attempt
def unshare_everything(at):
    return unshared(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID)


@attempt
def clone_user(at):
    child = call("clone", CLONE_NEWUSER | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "a child has a user namespace of its own"


@attempt
def clone3_user(at):
    arguments = (ctypes.c_uint64 * 11)(CLONE_NEWUSER, 0, 0, 0, signal.SIGCHLD)
    child = call("clone3", arguments, 88)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "a child has a user namespace of its own"


@attempt
def mount_memory(at):
    where = folder()
    call("mount", b"none", where, b"tmpfs", 0, None)
    call("umount2", where, MNT_DETACH)
    return "a file system was mounted"


@attempt
def mount_proc(at):
    where = folder()
    call("mount", b"proc", where, b"proc", 0, None)
    call("umount2", where, MNT_DETACH)
    return "processes were mounted"


@attempt
def bind_mount(at):
    where = folder()
    call("mount", os.path.dirname(at.file).encode(), where, None, MS_BIND, None)
    try:
        return see(os.path.join(where.decode(), os.path.basename(at.file)))
    finally:
        call("umount2", where, MNT_DETACH)


@attempt
def remount(at):
    """What is read-only becomes writable; the root is mounted as it was where that is allowed."""
    return passes("mount", b"none", b"/usr", None, MS_REMOUNT | MS_BIND, None, beyond=[EINVAL])


@attempt
def unmount(at):
    """What is mounted over something may hide it."""
    return passes("umount2", folder(), 0, beyond=[EINVAL])


@attempt
def new_mount(at):
    return passes("fsopen", b"tmpfs", 0)


@attempt
def clone_of_a_mount(at):
    return passes("open_tree", -100, b"/", 1)


@attempt
def move_of_a_mount(at):
    return passes("move_mount", -1, b"", -1, b"", 0, beyond=[EINVAL, EBADF, ENOENT])


@attempt
def attributes_of_a_mount(at):
    return passes("mount_setattr", -100, b"/", 0, (ctypes.c_uint64 * 4)(), 32)


@attempt
def pivot_root(at):
    where = folder()
    return passes("pivot_root", where, where, beyond=[EINVAL, EBUSY])


@attempt
def chroot(at):
    os.chroot("/usr")
    return "there is another root"
