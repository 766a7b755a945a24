"""The process of a plugin: descriptors, loading, the event loop, the end.

It ends when the host does: at the end of its input or SIGTERM the plugin's shutdown runs, and whatever still
hangs after the time of grace is left behind.
"""

from __future__ import annotations

import gc
import os
import sys

from . import _stdio
from .errors import AstrOSError, LoadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from typing import Any

    from .plugin import BasePlugin

USAGE = """\
`python -m astros.run` serves an AstrOS plugin to its host; it is not meant to be started by hand.
  try the plugin      astros ask "…" --plugin-dir FOLDER_OF_PLUGINS
  call one handler    astros plugins call PLUGIN HANDLER --params '{}' --plugin-dir FOLDER_OF_PLUGINS
  in a test           astros.testing.AstrOSTestClient
usage: python -m astros.run PATH[:Class] | MODULE[:Class] [PROVIDER=MODULE:Class]…
       with ASTROS_PROTOCOL=1.0 in the environment
"""


def main(argv: list[str]) -> int:
    """Run a plugin to its end; the exit code is 0, 1 for a plugin that does not load, 2 for a wrong use."""
    by_hand = "ASTROS_PROTOCOL" not in os.environ
    on_terminal = "ASTROS_RPC_FDS" not in os.environ and sys.stdin is not None and sys.stdin.isatty()
    is_wrong = not argv or argv[0].startswith("-") or not all("=" in one for one in argv[1:])
    if is_wrong or by_hand or on_terminal:
        sys.stderr.write(USAGE)
        return 2
    in_foreground = "ASTROS_RPC_FDS" in os.environ
    # What serves is imported first: the plugin's folder may have modules of the same names as it imports.
    # Little becomes garbage by that, and looking for it takes longer the more was imported.
    usual = gc.get_threshold()
    gc.set_threshold(0)
    if in_foreground:
        from ._foreground import Terminal
        from ._leave import leave
    else:
        import asyncio

        from . import _records, _server  # noqa: F401
    try:
        reading, writing = _stdio.take_over()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"error: no descriptors for the protocol: {error}; `ASTROS_RPC_FDS` is like `3,4`\n")
        return 2
    plugin = _load(argv[0], argv[1:])
    if plugin is None:
        return 1
    gc.freeze()
    if gc.get_threshold()[0] == 0:
        gc.set_threshold(*usual)
    try:
        if in_foreground:
            Terminal(plugin, reading, writing).main()
            leave(plugin)
        else:
            asyncio.run(_serve(plugin, reading, writing))
    except AstrOSError as error:  # two handlers of one name
        sys.stderr.write(f"error: cannot serve `{argv[0]}`: {error}\n")
        return 1
    return 0


def _load(target: str, providers: list[str]) -> BasePlugin | None:
    """The plugin, or None after its traceback and one last line that names file and cause."""
    from ._aliases import install
    from ._load import load

    install()
    try:
        # The plugin's folder; a command is run in the person's, where nothing may be imported from.
        return load(target, sys.path[0], providers)
    except LoadError as error:
        sys.stderr.write(f"error: cannot load the plugin: {error}\n")
    except BaseException as error:  # whatever the plugin's code raises, SystemExit too
        from traceback import format_exception_only

        from ._stack import last_own, text

        sys.stderr.write(text(error) if last_own(error) else "".join(format_exception_only(error)))
        said = error.msg if isinstance(error, SyntaxError) else error
        sys.stderr.write(f"error: cannot load `{target}`: {_where(error)}{type(error).__name__}: {said}\n")
    return None


def _where(error: BaseException) -> str:
    """The file and line of the plugin's own code that failed."""
    from ._stack import last_own

    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    step = last_own(error)
    return "" if step is None else f"{step.filename}:{step.lineno}: "


async def _serve(plugin: BasePlugin, reading: int, writing: int) -> None:
    import asyncio
    import signal

    from . import _records
    from ._context import adopt
    from ._server import Server

    loop = asyncio.get_running_loop()
    pipe = _stdio.Pipe(writing)
    server = Server(plugin, pipe)
    server.peer.begin = loop.create_task
    adopt(server.peer)
    _records.install()
    ended: asyncio.Future[str] = loop.create_future()

    def end(why: str) -> None:
        if not ended.done():
            ended.set_result(why)

    def end_soon(why: str) -> None:
        # From here the clock runs, even where a handler holds the loop or a thread hangs.
        _stdio.leave_after_grace()
        _post(loop, end, why)

    def deliver(batch: _stdio.Batch) -> None:
        for message, line in batch:
            server.peer.receive(message, line)

    # Handlers in Python run between two bytecodes, so they work while a handler computes; Ctrl-C belongs to the
    # host. A function, not SIG_IGN: ignoring would be inherited by the plugin's children.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: end_soon("terminated"))
    _stdio.Reader(
        reading, pipe, lambda batch: _post(loop, deliver, batch), lambda: end_soon(_stdio.GONE), server.gauges
    ).start()
    why = await ended
    if why == _stdio.GONE:
        server.peer.hang_up(why)
    server.peer.cancel_all()
    await server.leave()
    pipe.flush(1.0)


def _post(loop: asyncio.AbstractEventLoop, call: Any, *args: Any) -> None:
    try:
        loop.call_soon_threadsafe(call, *args)
    except RuntimeError:  # the loop is closed: the process is ending
        return
