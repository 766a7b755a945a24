"""The AstrOS SDK: write a plugin as a class, run it with `python -m astros.run PATH`.

What an author imports: `astros.plugin` (BasePlugin, plugin_handler), `astros.types` (Intent, Response),
`astros.ai`, `astros.errors` and, in tests, `astros.testing`.
This module imports none of them, so that a plugin's start pays only for what it uses.
"""

__all__ = ["__version__"]

__version__ = "1.0.0"
