"""LocalAgent's module names: `app.cli.plugins.framework` and its like, in a process that runs or tests a plugin.

The finder stands behind all others, so that a package `app` of the author's own comes first, whatever it has.
"""

from __future__ import annotations

import importlib
import sys
from functools import partial
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Any

# Each module, and those of ours whose names it has; the others are packages that only lead there.
MODULES = {
    "app": "",
    "app.cli": "",
    "app.cli.core": "",
    "app.cli.core.app": "astros.localagent",
    "app.cli.plugins": "",
    "app.cli.plugins.framework": "astros.framework",
    "app.llm_providers": "",
    "app.llm_providers.base_provider": "astros.provider",
}


class _Finder:
    """Finds these names where nobody else does, and makes modules that have the names of ours."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in MODULES:
            return None
        return ModuleSpec(fullname, self, is_package=not MODULES[fullname])  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        if target := MODULES[module.__name__]:
            ours = importlib.import_module(target)
            module.__dict__.update(
                __doc__=ours.__doc__,
                __all__=list(ours.__all__),
                __getattr__=partial(_of, ours, module.__name__),
                __dir__=lambda: list(ours.__all__),
            )


def _of(ours: ModuleType, alias: str, name: str) -> Any:
    if name in ours.__all__:
        return getattr(ours, name)
    raise AttributeError(f"module `{alias}` has no `{name}`")


def install() -> None:
    """Let these names be imported in this process."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
