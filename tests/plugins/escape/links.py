"""Ways around a path: links of both kinds, renames, descriptors, with a folder granted to stand in."""

import ctypes
import os
import subprocess

from trying import Denied, attempt, libc, see

AT_FDCWD, AT_EMPTY_PATH, RENAME_EXCHANGE = -100, 0x1000, 2


def here(at, name):
    return os.path.join(at.granted, f"{os.getpid()}-{name}")


def checked(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


@attempt
def symlink_to_a_file(at):
    os.symlink(at.file, here(at, "link"))
    return see(here(at, "link"))


@attempt
def symlink_to_a_folder(at):
    os.symlink(at.home, here(at, "link"))
    return see(os.path.join(here(at, "link"), os.path.basename(at.file)))


@attempt
def symlink_written_through(at):
    os.symlink(at.victim, here(at, "link"))
    with open(here(at, "link"), "a") as file:
        file.write("!")
    return "written through a link"


@attempt
def symlink_relative(at):
    os.symlink(os.path.relpath(at.file, at.granted), here(at, "link"))
    return see(here(at, "link"))


@attempt
def symlink_by_proc(at):
    """A link of the system's that leads where no path does."""
    os.symlink("/proc/self/root" + at.file, here(at, "link"))
    return see(here(at, "link"))


@attempt
def symlink_that_is_there(at):
    """Made by somebody else before."""
    return see(os.path.join(at.granted, "a link out"))


@attempt
def chmod_through_a_link(at):
    os.symlink(at.victim, here(at, "link"))
    os.chmod(here(at, "link"), 0o666)
    return "the mode was changed through a link"


@attempt
def hard_link_in(at):
    os.link(at.file, here(at, "same"))
    return see(here(at, "same"))


@attempt
def hard_link_out(at):
    with open(here(at, "own"), "w") as file:
        file.write("planted")
    os.link(here(at, "own"), os.path.join(at.home, f"planted-link-{at.me}"))
    return "a file was planted by a link"


@attempt
def hard_link_of_a_descriptor(at):
    descriptor = os.open(at.file, os.O_PATH)
    flags, same = AT_EMPTY_PATH, here(at, "same").encode()
    checked(libc.linkat(descriptor, b"", AT_FDCWD, same, flags))
    return see(same)


@attempt
def rename_in(at):
    os.rename(at.movable, here(at, "moved"))
    return "a file was taken in"


@attempt
def rename_out(at):
    with open(here(at, "own"), "w") as file:
        file.write("planted")
    os.rename(here(at, "own"), os.path.join(at.home, f"planted-move-{at.me}"))
    return "a file was moved out"


@attempt
def rename_over(at):
    with open(here(at, "own"), "w") as file:
        file.write("planted")
    os.rename(here(at, "own"), at.replaceable)
    return "a file was replaced"


@attempt
def exchange(at):
    with open(here(at, "own"), "w") as file:
        file.write("planted")
    paths = here(at, "own").encode(), at.victim.encode()
    checked(libc.renameat2(AT_FDCWD, paths[0], AT_FDCWD, paths[1], RENAME_EXCHANGE))
    return see(here(at, "own"))


@attempt
def rename_the_granted_folder(at):
    """Whoever moves the folder itself takes the grant along."""
    os.rename(at.granted, at.granted + "-moved")
    os.rename(at.granted + "-moved", at.granted)
    return "the granted folder was moved"


@attempt
def reopen_by_proc(at):
    """A descriptor that may do nothing, opened once more by its link."""
    descriptor = os.open(at.file, os.O_PATH)
    return see(f"/proc/self/fd/{descriptor}")


@attempt
def climb_by_dots(at):
    return see(os.path.join(at.granted, os.path.relpath(at.file, at.granted)))


@attempt
def climb_by_descriptors(at):
    """From folder to folder, each the one above the last."""
    folder = os.open(at.granted, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(10):
        folder = os.open("..", os.O_PATH | os.O_DIRECTORY, dir_fd=folder)
        try:
            with os.fdopen(os.open(at.file.lstrip("/"), os.O_RDONLY, dir_fd=folder)) as file:
                return f"from above: {file.read()!r}"
        except FileNotFoundError:
            continue
    raise Denied("nothing is above")


@attempt
def climb_by_working_folder(at):
    os.chdir(at.granted)
    os.chdir("..")
    return see(os.path.relpath(at.file, os.path.dirname(at.granted)))


@attempt
def swap_while_looking(at):
    """A file becomes a link between a look and an opening; who checks paths and not files is deceived."""
    path, link = here(at, "file"), here(at, "link")
    with open(path, "w") as file:
        file.write("mine")
    os.symlink(at.file, link)
    os.stat(path)
    os.rename(link, path)
    return see(path)


@attempt
def write_where_only_reading_is_granted(at):
    """A folder granted to be read only is written to."""
    with open(os.path.join(at.readable, "planted"), "w") as file:
        file.write("planted")
    return "a folder that may only be read was written to"


@attempt
def run_a_setuid_program(at):
    """One that belongs to somebody else, and should run as them."""
    said = subprocess.run([at.setuid], capture_output=True, text=True, check=False).stdout
    if "euid=" not in said:
        raise Denied(f"it says {said!r}")
    return said
