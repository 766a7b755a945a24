"""Commands without an event loop, which leave open what they may."""

from __future__ import annotations

import atexit
import sys
import threading
import time
from pathlib import Path

import typer

from astros.command import CommandPlugin


class Opened:
    """Says when it is given up."""

    def __del__(self) -> None:
        print("given up", flush=True)


left = Opened()


class Plain(CommandPlugin):
    name = "plain"
    version = "1.0.0"

    def register_commands(self, app: typer.Typer) -> None:
        @app.command("look")
        def look() -> None:
            """Whether a loop was needed."""
            print("asyncio" in sys.modules, flush=True)

        @app.command("write")
        def write(folder: Path) -> None:
            """Files that nobody closes."""
            self.file = (folder / "own").open("w")
            self.file.write("mine")
            look.file = (folder / "hidden").open("w")  # type: ignore[attr-defined]
            look.file.write("hidden")  # type: ignore[attr-defined]
            atexit.register(lambda: (folder / "exit").write_text("ran"))

        @app.command("work-on")
        def work_on(folder: Path) -> None:
            """A thread that outlives the command."""

            def work() -> None:
                time.sleep(0.2)
                (folder / "thread").write_text("done")

            threading.Thread(target=work).start()

        @app.command("wait")
        def wait() -> None:
            try:
                print("waiting", flush=True)
                typer.get_text_stream("stdin").readline()
            finally:
                print("woken", flush=True)
