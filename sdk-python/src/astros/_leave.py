"""The end of a process that was there for one command: to take apart every module that was imported, as interpreters
do, is a quarter of the time that a program with Typer takes.
"""

from __future__ import annotations

import gc
import io
import os
import sys
import threading
from contextlib import suppress
from types import BuiltinFunctionType, FunctionType, ModuleType

from ._load import roots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .plugin import BasePlugin

# Threads that may be left as they are; those of the pool run the author's functions.
OURS = ("astros-reader", "astros-writer", "astros-loop", "astros-leave")
FILES = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
CODE = (ModuleType, type, FunctionType, BuiltinFunctionType)


def leave(plugin: BasePlugin) -> None:
    """End the process: exit functions run, what the author's objects hold is given up, and what was written is out.

    Comes back where threads of the author's still run: then it is for the interpreter to wait for them.
    """
    if any(one.name not in OURS for one in threading.enumerate() if one is not threading.main_thread()):
        return
    import atexit

    try:
        atexit._run_exitfuncs()
        _give_up(plugin)
    finally:
        gc.unfreeze()
        everything = gc.get_objects()
        # By their types: to ask some things for their class runs code.
        files = {kind for kind in set(map(type, everything)) if issubclass(kind, FILES)}
        for one in [one for one in everything if type(one) in files]:
            with suppress(OSError, ValueError):
                one.flush()
        os._exit(0)


def _give_up(plugin: BasePlugin) -> None:
    """Drop what the plugin and its modules hold; functions, classes and modules stay, for `__del__` may use them."""
    homes, installed = tuple(os.path.join(root, "") for root in roots), f"{os.sep}site-packages{os.sep}"
    for module in [vars(one) for one in list(sys.modules.values()) if type(one) is ModuleType]:
        file = str(module.get("__file__"))
        if file.startswith(homes) and installed not in file:
            for name in [name for name, value in module.items() if not issubclass(type(value), CODE)]:
                if not name.startswith("__"):
                    del module[name]
    vars(plugin).clear()
    gc.collect()
