"""From what the command line names to one plugin: find the file, import it, tell its classes apart."""

from __future__ import annotations

import importlib
import os
import sys

from ._handlers import MARK, first_paragraph
from .errors import LoadError
from .plugin import BasePlugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Any

ENTRIES = ("src/main.py", "main.py", "plugin.py", "src/plugin.py", "__init__.py")

roots: list[str] = []  # the folders of the plugins that were loaded


def load(target: str, root: str | None = None, providers: Sequence[str] = ()) -> BasePlugin:
    """The plugin that `PATH`, `PATH:Class`, `module` or `module:Class` names; a module is in `root`, its `src`, or
    installed. Without a root it is looked for where this process is. `providers` are classes of providers that it
    offers besides, as `NAME=module:Class`.

    Raises LoadError for what is not there or not clear; an exception of the plugin's own code comes through.
    """
    module, wanted = _find(target, root)
    for one in providers:
        _offer(one, root)
    return pick(module, wanted, target, offers=bool(providers))


def _find(target: str, root: str | None) -> tuple[ModuleType, str]:
    """The module that is named, and the class that is wanted of it."""
    place, _, wanted = target, "", ""
    if not os.path.exists(target) and ":" in target:
        place, _, wanted = target.rpartition(":")
    if os.path.exists(place):
        module = _import_file(_entry(place))
    elif os.sep in place or place.endswith(".py") or place.startswith("."):
        raise LoadError(f"`{place}` does not exist; name a plugin's file or folder, or `module:Class`")
    else:
        _make_importable(root or os.getcwd())
        try:
            module = importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name is None or not (place == error.name or place.startswith(error.name + ".")):
                raise
            raise LoadError(f"`{place}` is neither a file nor a folder nor a module that can be imported") from None
    return module, wanted


def _offer(said: str, root: str | None) -> None:
    """Register a provider's class that the manifest names; one of a plugin is offered by that itself."""
    from .ai import register_provider

    name, _, target = said.partition("=")
    module, wanted = _find(target, root)
    found = getattr(module, wanted, None)
    if found is None:
        raise LoadError(f"`{target}`, which the manifest names as the provider `{name}`: there is no `{wanted}`")
    if not (isinstance(found, type) and issubclass(found, BasePlugin)):
        register_provider(name, found)


def _entry(path: str) -> str:
    """The file to import; a folder has one of a few usual names."""
    if not os.path.isdir(path):
        return os.path.abspath(path)
    for name in ENTRIES:
        if os.path.isfile(os.path.join(path, name)):
            return os.path.abspath(os.path.join(path, name))
    raise LoadError(f"the folder `{path}` has no plugin: expected one of {', '.join(ENTRIES)}")


def _import_file(file: str) -> ModuleType:
    """Import a plugin's file under the name that its own code would use for it."""
    folder, base = os.path.split(file)
    stem = base.removesuffix(".py")
    if stem == "__init__":
        folder, stem = os.path.split(folder)
    in_src = os.path.basename(folder) == "src"
    root = os.path.dirname(folder) if in_src else folder
    _make_importable(root)
    names = [f"src.{stem}", stem] if in_src else [stem]
    for name in names:
        module = sys.modules.get(name)
        if module is not None and _same(module, file):
            return module
    name = names[0]
    # Nobody else's `import asyncio` is to find a plugin.
    if in_src or (name.isidentifier() and name not in sys.stdlib_module_names):
        importlib.invalidate_caches()
        shadowed = name in sys.modules
        module = None if shadowed else importlib.import_module(name)
        if module is not None and _same(module, file):
            return module
    return _import_as(f"astros_plugin_{stem}", file)


def _import_as(name: str, file: str) -> ModuleType:
    """A file whose name is taken by another module, or is no name, is imported under one of its own."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise LoadError(f"`{file}` is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _make_importable(root: str) -> None:
    """Put the plugin's folder and its `src` first on sys.path, and make room for its module names.

    In one process only a test client loads several plugins; each may have its own `src.main` or `utils`.
    """
    for folder in (os.path.join(root, "src"), root):
        if folder in sys.path:
            sys.path.remove(folder)
        if os.path.isdir(folder):
            sys.path.insert(0, folder)
    if root not in roots:
        for name, module in list(sys.modules.items()):
            places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
            if any(place and place.startswith(other + os.sep) for place in places for other in roots):
                del sys.modules[name]
        roots.append(root)


def _same(module: ModuleType, file: str) -> bool:
    place = getattr(module, "__file__", None)
    return place is not None and os.path.realpath(place) == os.path.realpath(file)


def pick(module: ModuleType, wanted: str, target: str, *, offers: bool = False) -> BasePlugin:
    """The one plugin of a module: an instance, a class, or its marked functions and registered providers."""
    if wanted:
        found = getattr(module, wanted, None)
        if isinstance(found, type) and issubclass(found, BasePlugin):
            return found()
        if isinstance(found, BasePlugin):
            return found
        if isinstance(found, type) and any(callable(getattr(found, one, None)) for one in ("complete", "chat")):
            return _from_provider(found)
        raise LoadError(f"`{target}`: the module has no plugin class `{wanted}`; {_there_is(module)}")
    instances = list({id(v): v for v in vars(module).values() if isinstance(v, BasePlugin)}.values())
    if len(instances) == 1:
        return instances[0]
    classes = _classes(module)
    if len(classes) == 1:
        return classes[0]()
    if len(classes) > 1:
        names = ", ".join(f"`{cls.__name__}`" for cls in classes)
        first = classes[0].__name__
        words = f"name one: `{target}:{first}`, in plugin.yaml `run: {{python: '{module.__name__}:{first}'}}`"
        raise LoadError(f"`{target}` has {len(classes)} plugins: {names}; {words}")
    functions = {name: value for name, value in vars(module).items() if MARK in getattr(value, "__dict__", {})}
    ai = sys.modules.get("astros.ai")
    registered = {} if ai is None else ai.registered_providers()
    if functions or offers or any(cls.__module__ == module.__name__ for cls in registered.values()):
        return _from_functions(module, functions)
    raise LoadError(
        f"`{target}` has no plugin: expected a subclass of BasePlugin or of one of its kinds (CommandPlugin, "
        "ProviderPlugin, UIPlugin, WorkflowPlugin…), functions with @plugin_handler, or providers that are registered"
    )


def _classes(module: ModuleType) -> list[type[BasePlugin]]:
    """The plugin classes of a module: its own before imported ones, and no class that another one extends."""
    found = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, BasePlugin)]
    found = list(dict.fromkeys(cls for cls in found if not cls.__module__.startswith("astros.")))
    found = [cls for cls in found if not any(cls in other.__mro__[1:] for other in found)]
    own = [cls for cls in found if cls.__module__ == module.__name__]
    return own or found


def _there_is(module: ModuleType) -> str:
    names = ", ".join(f"`{cls.__name__}`" for cls in _classes(module))
    return f"there is {names}" if names else "there is none"


def _from_provider(cls: type[Any]) -> BasePlugin:
    """A plugin that only brings this provider, under its own name."""
    from .provider import ProviderPlugin

    plugin = ProviderPlugin()
    plugin.get_provider_class = lambda: cls  # type: ignore[method-assign]
    plugin.description = first_paragraph(vars(cls).get("__doc__"))
    return plugin


def _from_functions(module: ModuleType, functions: dict[str, Any]) -> BasePlugin:
    """A plugin of a module's functions; those whose first parameter is `self` get the plugin."""
    members: dict[str, Any] = {"__doc__": module.__doc__, "__module__": module.__name__}
    for attribute in ("name", "version", "description", "author"):
        value = getattr(module, attribute, None)
        if isinstance(value, str):
            members[attribute] = value
    members["_astros_name"] = module.__name__.rpartition(".")[2].replace("_", "-")
    for name, function in functions.items():
        code = getattr(function, "__code__", None)
        is_method = code is not None and code.co_varnames[:1] == ("self",)
        members[name] = function if is_method else staticmethod(function)
    plugin: BasePlugin = type("ModulePlugin", (BasePlugin,), members)()
    return plugin
