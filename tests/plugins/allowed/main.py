"""A plugin that does what plugins do: each handler is one legitimate use, which has to work inside of the sandbox."""

import asyncio
import ctypes
import hashlib
import locale
import multiprocessing
import os
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import zoneinfo
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import shared_memory
from pathlib import Path

from astros.plugin import BasePlugin, plugin_handler


def double(number):
    return 2 * number


def put(queue, number):
    queue.put(double(number))


def write_double(name):
    shared = shared_memory.SharedMemory(name)
    shared.buf[0] *= 2
    shared.close()


def run(*words, **options):
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise RuntimeError(f"{words}: {done.returncode}: {done.stderr}")
    return done.stdout.strip()


class Allowed(BasePlugin):
    """Does what plugins do."""

    version = "1.0.0"

    @plugin_handler("tls")
    def tls(self, intent):
        """A context with the system's certificates."""
        return {"data": ssl.create_default_context().cert_store_stats()["x509_ca"] > 0}

    @plugin_handler("database")
    def database(self, intent):
        """In its own data, and in a folder that it was granted."""
        sums = []
        for folder in (self.directories["data"], Path(intent.context["granted"])):
            with sqlite3.connect(folder / "numbers.db") as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("CREATE TABLE numbers (number)")
                connection.executemany("INSERT INTO numbers VALUES (?)", [(number,) for number in range(100)])
            sums += connection.execute("SELECT sum(number) FROM numbers").fetchone()
            connection.close()
        return {"data": sums}

    @plugin_handler("programs")
    def programs(self, intent):
        """Pipes, a shell, one that feeds another."""
        fed = run("sort", "-n", input="3\n1\n2\n").split()
        return {"data": [fed, run("sh", "-c", "printf '%s\\n' a b | wc -l"), run(sys.executable, "-c", "print(6 * 7)")]}

    @plugin_handler("processes")
    def processes(self, intent):
        results = []
        for method in ("fork", "spawn"):
            context = multiprocessing.get_context(method)
            queue = context.Queue()
            process = context.Process(target=put, args=(queue, 4))
            process.start()
            results.append(queue.get(timeout=20))
            process.join()
        with multiprocessing.get_context("fork").Pool(2) as pool:
            results.append(pool.map(double, [1, 2, 3]))
        return {"data": results}

    @plugin_handler("memory")
    def memory(self, intent):
        """Shared with another process."""
        shared = shared_memory.SharedMemory(create=True, size=16)
        shared.buf[0] = 21
        process = multiprocessing.get_context("fork").Process(target=write_double, args=(shared.name,))
        process.start()
        process.join()
        result = shared.buf[0]
        shared.close()
        shared.unlink()
        return {"data": result}

    @plugin_handler("loop")
    async def loop(self, intent):
        """Subprocesses, threads and timers of asyncio."""
        process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
        out, _ = await process.communicate(b"meow")
        return {"data": [out.decode(), await asyncio.to_thread(double, 5)]}

    @plugin_handler("own_loop")
    def own_loop(self, intent):
        return {"data": asyncio.run(asyncio.sleep(0.001, "slept"))}

    @plugin_handler("library")
    def library(self, intent):
        """The C library, and a call back from it."""
        compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
        numbers = (ctypes.c_int * 3)(3, 1, 2)
        ctypes.CDLL(None).qsort(numbers, 3, 4, compare(lambda one, other: one[0] - other[0]))
        return {"data": list(numbers)}

    @plugin_handler("temporary")
    def temporary(self, intent):
        with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"x")
        with tempfile.SpooledTemporaryFile(max_size=1) as file:
            file.write(b"many")
            file.seek(0)
            return {"data": file.read().decode()}

    @plugin_handler("threads")
    def threads(self, intent):
        with ThreadPoolExecutor(8) as pool:
            return {"data": [sum(pool.map(double, range(100))), threading.active_count() > 0]}

    @plugin_handler("time")
    def time(self, intent):
        """Zones, and the words of a place."""
        from datetime import datetime

        here = datetime(2025, 6, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Oslo"))
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
        return {"data": [here.isoformat(), locale.getlocale()[1]]}

    @plugin_handler("git")
    def git(self, intent):
        """A repository that was there, cloned, with a commit of its own."""
        granted = intent.context["granted"]
        clone = os.path.join(granted, "clone")
        run("git", "clone", "-q", os.path.join(granted, "origin"), clone)
        Path(clone, "more").write_text("more")
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "safe.directory=*"]
        run("git", *who, "add", ".", cwd=clone)
        run("git", *who, "commit", "-qm", "more", cwd=clone)
        return {"data": run("git", *who, "log", "--format=%s", cwd=clone).split("\n")}

    @plugin_handler("large")
    def large(self, intent):
        """A file of 64 MiB, written, read and renamed."""
        path = Path(intent.context["granted"], "large")
        block = bytes(range(256)) * 4096
        with open(path, "wb") as file:
            for _ in range(64):
                file.write(block)
        with open(path.rename(path.with_name("renamed")), "rb") as file:
            digest = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else None
        return {"data": [path.with_name("renamed").stat().st_size, digest is None or len(digest.hexdigest())]}

    @plugin_handler("rearrange")
    def rearrange(self, intent):
        """Folders and links, from one to another below what was granted."""
        granted = Path(intent.context["granted"])
        (granted / "one" / "deep").mkdir(parents=True)
        (granted / "two").mkdir()
        (granted / "one" / "deep" / "file").write_text("here")
        (granted / "one" / "deep").rename(granted / "two" / "deep")
        os.link(granted / "two" / "deep" / "file", granted / "one" / "same")
        (granted / "one" / "link").symlink_to("../two/deep/file")
        os.chmod(granted / "one" / "same", 0o600)
        os.utime(granted / "one" / "same", (1, 1))
        return {"data": [(granted / "one" / "link").read_text(), (granted / "one" / "same").stat().st_nlink]}

    @plugin_handler("watch")
    def watch(self, intent):
        """By inotify, what happens in a folder that it was granted."""
        libc = ctypes.CDLL(None, use_errno=True)
        inotify = libc.inotify_init1(0)
        if libc.inotify_add_watch(inotify, intent.context["granted"].encode(), 0x100) == -1:
            raise OSError(ctypes.get_errno(), "no watch")
        Path(intent.context["granted"], "watched").touch()
        return {"data": os.read(inotify, 4096)[16:23].decode()}

    @plugin_handler("interpreter")
    def interpreter(self, intent):
        """The virtual environment in its own folder, with a package that only that has."""
        import only_here

        return {"data": [only_here.WORD, sys.prefix != sys.base_prefix]}
