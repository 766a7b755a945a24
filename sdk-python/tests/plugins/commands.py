"""A command plugin with everything that Typer has: arguments, options, groups, prompts, coroutines, bad ends."""

from __future__ import annotations

import os
import sys
from enum import Enum
from pathlib import Path
from typing import List, Optional, Tuple  # noqa: UP035 (as authors of older Pythons write)

import typer
from app.cli.plugins.framework import CommandPlugin  # type: ignore[import-not-found]
from rich.console import Console

from astros.errors import AIError

if "EAGER" in os.environ:
    import asyncio  # noqa: F401 (then there is a loop from the start)


class Color(str, Enum):
    red = "red"
    blue = "blue"


class Workshop(CommandPlugin):  # type: ignore[misc]
    @property
    def name(self) -> str:
        return "workshop"

    async def initialize(self, context) -> bool:  # type: ignore[no-untyped-def]
        import asyncio

        self.context = context
        self.console = Console()
        self.loop = asyncio.get_running_loop()
        return True

    async def cleanup(self) -> None:
        print("cleaned up", file=sys.stderr)

    def register_commands(self, app: typer.Typer) -> None:
        @app.command("measure", epilog="See also: weigh.")
        def measure(
            path: Path = typer.Argument(Path("."), help="What to measure"),
            depth: int = typer.Option(3, "--depth", "-d", min=1, help="How [bold]deep[/bold]"),
            loud: bool = typer.Option(False, "--loud", "-l"),
            color: Color = Color.red,
            tag: List[str] = typer.Option([], "--tag"),  # noqa: UP006
            size: Tuple[int, int] = (1, 2),  # noqa: UP006
            fast: bool = True,
            verbose: int = typer.Option(0, "--verbose", "-v", count=True),
            secret: Optional[str] = typer.Option(None, hidden=True, metavar="WORD"),  # noqa: UP045
        ) -> None:
            """Measure something.

            With a ruler.
            """
            words = [os.path.basename(os.getcwd()), str(path), str(depth), str(loud), color.value, str(tag)]
            print("|".join([*words, str(size), str(fast), str(verbose), str(secret)]))

        @app.command("old", deprecated=True, short_help="Lists show this.")
        def old(
            hue: Color = typer.Option(Color.red, case_sensitive=False),
            times: int = typer.Option(1, min=1, max=9, envvar=["ASTROS_WORKSHOP_TIMES", "TIMES"], help="How often"),
            share: float = typer.Option(0.5, max=1),
        ) -> None:
            """Help shows this."""
            print(hue.value, times, share)

        @app.command("pass-on", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
        def pass_on(context: typer.Context) -> None:
            print(context.args)

        @app.command("nap")
        async def nap(seconds: float = 0.01) -> None:
            """A coroutine."""
            import asyncio

            try:
                print("napping", flush=True)
                await asyncio.sleep(seconds)
                print("slept on the plugin's loop:", asyncio.get_running_loop() is self.loop)
            finally:
                print("up again", flush=True)

        @app.command("run")
        def run() -> None:
            import asyncio

            async def inner() -> None:
                await self.storage.set("seen", 1)

            asyncio.run(inner())
            print("ran a loop of its own")

        @app.command("wait")
        def wait() -> None:
            try:
                print("waiting", flush=True)
                typer.get_text_stream("stdin").readline()
            finally:
                print("woken", flush=True)

        @app.command("ask-me")
        def ask_me(name: str = typer.Option(..., prompt="Your name")) -> None:
            print(f"Hello, {name}!")

        @app.command("end")
        def end(how: str) -> None:
            if how == "exit":
                raise typer.Exit(7)
            if how == "abort":
                raise typer.Abort
            if how == "bad":
                raise typer.BadParameter("not like this")
            if how == "text":
                sys.exit("with words")
            if how == "many":
                for number in range(100_000):
                    print(number)
                return
            raise RuntimeError("it broke")

        @app.command("trip")
        async def trip(over: str) -> None:
            if over == "model":
                await self.ai.complete("hello")
            if over == "storage":
                await self.storage.get("key")
            if over == "value":
                await self.call_plugin("other", "handler", {"value": object()})
            if over == "caught":
                try:
                    await self.ai.complete("hello")
                except AIError as error:
                    raise RuntimeError("no answer") from error
            await self.context.message_bus.request("workshop", "nobody", {})

        box = typer.Typer(help="Boxes.")
        app.add_typer(box, name="box")

        @box.command("open")
        def open_box(names: List[str]) -> None:  # noqa: UP006
            """Open boxes."""
            print("opened", *names)

        @app.command("tty")
        def tty() -> None:
            print(sys.stdout.isatty(), self.console.is_terminal, self.console.width)
