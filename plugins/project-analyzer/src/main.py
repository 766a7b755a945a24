"""`astros analyze-project` and `astros project-summary`: what a project consists of."""

import json
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from analyzer import report
from analyzer.survey import Survey
from app.cli.plugins.framework import CommandPlugin
from rich.console import Console
from rich.markdown import Markdown


class Format(str, Enum):
    table = "table"
    json = "json"
    markdown = "markdown"


class Depth(str, Enum):
    shallow = "shallow"
    normal = "normal"
    deep = "deep"


Project = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The project's folder")]
HowDeep = Annotated[
    Optional[Depth],  # noqa: UP045, Typer of Python 3.10 reads no `|` here
    typer.Option(help="The folder itself, all below it, or lines of text as well; its setting where it is not said"),
]


class ProjectAnalyzer(CommandPlugin):
    """Says what a project consists of: files, folders, types, dependencies."""

    name = "project-analyzer"
    version = "1.0.0"

    def register_commands(self, app: typer.Typer) -> None:
        @app.command("analyze-project")
        def analyze(
            path: Project = Path("."),
            detailed: Annotated[bool, typer.Option("--detailed", "-d", help="Show all of it")] = False,
            format: Annotated[Format, typer.Option("--format", "-f", help="How to show it")] = Format.table,
            depth: HowDeep = None,
        ) -> None:
            """Count the files of a project, and say what it is and depends on.

            What its .gitignore names is left out, and links are not followed.
            """
            found = self._look(path, depth)
            if format is Format.json:
                print(json.dumps(found, indent=2, ensure_ascii=False))
            elif format is Format.markdown:
                print(report.markdown(found), end="")
            else:
                report.tables(found, Console(), detailed=detailed)

        @app.command("project-summary")
        def summary(
            path: Project = Path("."),
            save: Annotated[
                Path | None, typer.Option("--save", "-s", dir_okay=False, help="Write it to a file")
            ] = None,
            depth: HowDeep = None,
        ) -> None:
            """Summarize a project in Markdown."""
            text = report.markdown(self._look(path, depth))
            if save is not None:
                _write(save, text)
                typer.echo(f"The summary is in {save}.")
            elif sys.stdout.isatty():
                Console().print(Markdown(text))
            else:
                print(text, end="")

    def _look(self, path: Path, depth: Depth | None) -> dict[str, Any]:
        settings = self.load_plugin_config()
        chosen = depth.value if depth else settings["default_analysis_depth"]
        survey = Survey(path.resolve(), chosen, settings["max_file_size_mb"] * 1e6)
        # Nothing of this is seen where stderr is no terminal.
        with Console(stderr=True).status("looking …") as status:
            try:
                survey.look(
                    settings["exclude_patterns"],
                    lambda now: status.update(f"{now.files:,} files in {now.folders:,} folders …"),
                )
            except OSError as error:
                raise typer.BadParameter(f"`{path}` cannot be read: {error.strerror}", param_hint="PATH") from error
            status.update("reading what it depends on …")
            return report.plain(survey.as_json())


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise typer.BadParameter(f"`{file}` cannot be written: {error.strerror}", param_hint="--save") from error
