"""Files that no grant names, by their plain paths."""

import ctypes
import fcntl
import os
import stat

from trying import Denied, attempt, call, many, see

READS = ["file", "dot-file", "ssh-key", "database", "token", "secrets", "audit-log", "configuration"]
READS += ["other-data", "other-cache", "other-code", "other-log"]


def read(name, at):
    return see(getattr(at, name.replace("-", "_")))


many({f"read-{name}": name for name in READS}, read)


@attempt
def read_shadow(at):
    return see("/etc/shadow")


@attempt
def read_through_a_descriptor_of_a_folder(at):
    folder = os.open(os.path.dirname(at.file), os.O_PATH)
    with os.fdopen(os.open(os.path.basename(at.file), os.O_RDONLY, dir_fd=folder)) as file:
        return file.read()


@attempt
def list_home(at):
    return f"the home has {os.listdir(at.home)}"


@attempt
def list_temporary(at):
    """The temporary folder of everybody."""
    return strange(at)


def strange(at):
    folder, name = os.path.split(at.lying)
    if name not in os.listdir(folder):
        raise Denied("nothing of others is there")
    return "it has what others put there"


@attempt
def search_system_folders(at):
    """What the system keeps for itself: logs, mail, other programs' state, sockets."""
    seen = [folder for folder in ("/var/log", "/var/lib", "/run", "/srv", "/mnt") if listable(folder)]
    if not seen:
        raise Denied("none of them is there")
    return f"listed {seen}"


def listable(folder):
    try:
        return bool(os.listdir(folder))
    except OSError:
        return False


@attempt
def write_file(at):
    with open(at.victim, "r+") as file:
        file.write("!")
    return "a file was written"


@attempt
def truncate_file(at):
    os.truncate(at.victim, 1)
    return "a file was cut short"


@attempt
def create_file(at):
    with open(os.path.join(at.home, f"planted-{at.me}"), "x"):
        return "a file was planted"


@attempt
def create_folder(at):
    os.mkdir(os.path.join(at.home, f"planted-folder-{at.me}"))
    return "a folder was made"


@attempt
def create_pipe(at):
    os.mknod(os.path.join(at.home, f"planted-fifo-{at.me}"), stat.S_IFIFO | 0o600)
    return "a pipe was planted"


@attempt
def remove_file(at):
    os.unlink(at.removable)
    return "a file was removed"


@attempt
def write_shell_profile(at):
    with open(at.dot_file, "r+") as file:
        file.write("# here I am\n")
    return "the next shell does what I want"


@attempt
def write_configuration(at):
    """The operator's file, which may switch the sandbox off."""
    with open(at.configuration, "r+") as file:
        file.write("\n")
    return "astros.yaml was changed"


@attempt
def write_own_manifest(at):
    with open("plugin.yaml", "r+") as file:
        file.write("\n")
    return "the manifest was changed"


@attempt
def write_own_code(at):
    with open(at.own_code, "r+b") as file:
        file.write(b"")
    return "the code could be changed"


@attempt
def replace_own_code(at):
    os.rename(at.own_code, at.own_code + ".old")
    os.rename(at.own_code + ".old", at.own_code)
    return "the code could be replaced"


@attempt
def write_other_data(at):
    with open(at.other_data, "r+") as file:
        file.write("!")
    return "another plugin's data were changed"


@attempt
def write_other_code(at):
    with open(at.other_code, "r+") as file:
        file.write("\n")
    return "another plugin's code was changed"


@attempt
def write_system(at):
    os.close(os.open("/usr/bin/env", os.O_WRONLY))
    return "a program of the system could be changed"


@attempt
def write_etc(at):
    os.close(os.open("/etc/passwd", os.O_WRONLY))
    return "/etc/passwd could be changed"


@attempt
def chmod_file(at):
    os.chmod(at.victim, 0o666)
    return "the mode was changed"


@attempt
def chown_file(at):
    os.chown(at.victim, os.getuid(), os.getgid())
    return "the owner was set"


@attempt
def set_times_of_file(at):
    os.utime(at.victim, (1, 1))
    return "the times were set"


@attempt
def set_attribute_of_file(at):
    os.setxattr(at.victim, "user.astros", b"here")
    return "an attribute was set"


@attempt
def lock_file(at):
    """Who reads may lock: somebody else waits then."""
    with open(at.victim) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return "the file was locked"


@attempt
def watch_file(at):
    """Hears when somebody touches a file."""
    inotify = call("inotify_init1", 0)
    call("inotify_add_watch", inotify, at.file.encode(), 0xFFF)
    return "I hear of it"


@attempt
def make_a_device(at):
    path = os.path.join(at.own_data, "device")
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    with open(path, "rb") as device:
        device.read(1)
    os.unlink(path)
    return "a device was made and read"


@attempt
def read_a_device(at):
    for name in ("mem", "kmsg", "vda", "sda", "nvme0n1"):
        try:
            os.close(os.open(f"/dev/{name}", os.O_RDONLY | os.O_NONBLOCK))
        except OSError as error:
            last = error
        else:
            return f"/dev/{name} was opened"
    raise last


@attempt
def open_by_handle(at):
    """A file by its number on the file system, whatever its path is; the handle was made outside."""
    kind, handle = at.handle
    handle = bytes.fromhex(handle)
    buffer = ctypes.create_string_buffer(len(handle).to_bytes(4, "little") + kind.to_bytes(4, "little") + handle)
    somewhere = os.open(at.own_data, os.O_RDONLY)
    with os.fdopen(call("open_by_handle_at", somewhere, buffer, os.O_RDONLY)) as file:
        return f"it says {file.read()!r}"


@attempt
def see_host_memory_files(at):
    """What other programs share in /dev/shm."""
    return see(at.shared_file)


@attempt
def plant_in_temporary(at):
    """A program where others find it."""
    path = f"{at.lying}-planted-{at.me}"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o755))
    found = strange(at)
    os.unlink(path)
    return found
