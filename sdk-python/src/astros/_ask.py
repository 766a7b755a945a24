"""The real `astros` command, for `AstrOSTestClient.process_text`: where it is, and one question to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from .errors import AstrOSError
from .types import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def find_command(who: str) -> str:
    """The `astros` executable: ASTROS_BIN, PATH, a build in a source tree; AstrOSError says who needs it."""
    named = os.environ.get("ASTROS_BIN")
    if named:
        if not os.access(named, os.X_OK):
            raise AstrOSError(f"`ASTROS_BIN` names `{named}`, which is no executable")
        return named
    found = shutil.which("astros")
    if found is not None:
        return found
    for built in _builds():
        if os.access(built, os.X_OK):
            return str(built)
    raise AstrOSError(
        f"{who} needs the `astros` command, and there is none in ASTROS_BIN, on PATH or in target/: "
        "build it with `cargo build --bin astros`"
    )


def _builds() -> Iterator[Path]:
    if target := os.environ.get("CARGO_TARGET_DIR"):
        yield from (Path(target, kind, "astros") for kind in ("release", "debug"))
    here = (Path.cwd(), *Path.cwd().parents, *Path(__file__).resolve().parents)
    for folder in here:
        yield from (folder / "target" / kind / "astros" for kind in ("release", "debug"))


def ask(text: str, home: Path, plugin_dir: Path, session: str, timeout: float) -> Response:
    """One `astros ask`; a failure is a Response with `error`, as for call_plugin."""
    options = ["--json", "--session", session, "--plugin-dir", str(plugin_dir)]
    command = [find_command("`process_text`"), "ask", *options, "--", text]
    env = {name: value for name, value in os.environ.items() if name not in ("ASTROS_PROTOCOL", "ASTROS_RPC_FDS")}
    env["ASTROS_HOME"] = str(home)
    try:
        done = subprocess.run(command, env=env, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise AstrOSError(f"`{command[0]} ask` gave no answer within {timeout:g} s") from None
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError):
        answer = None
    if not isinstance(answer, dict):
        said = done.stderr.decode("utf-8", "replace").strip()[-2000:]
        raise AstrOSError(f"`{command[0]} ask` ended with status {done.returncode} and no answer: {said or 'silent'}")
    error = answer.get("error")
    if isinstance(error, dict) and "success" not in answer:
        return Response(success=False, message=str(error.get("message", "")), error=error)
    return Response.from_dict(answer)
