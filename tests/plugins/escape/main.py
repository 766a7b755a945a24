"""A plugin that tries to get out: each handler is one attempt, and answers whether it escaped, and how.

`docs/src/escapes.md` is the table of them; `tests/tests/escapes` holds it. Where everything is that it wants stands in
the context of a call.
"""

import json
from types import SimpleNamespace

import files
import host
import kernel
import limits
import links
import namespaces
import network
import processes
import trying

from astros._peer import current
from astros.plugin import BasePlugin, plugin_handler

MODULES = (files, host, kernel, limits, links, namespaces, network, processes)


class Escape(BasePlugin):
    """Tries to get out."""

    version = "6.6.6"


def where(intent):
    return SimpleNamespace(**json.loads(intent.context["places"]))


def answer(escaped, how):
    if escaped is None:
        raise RuntimeError(f"the attempt is broken: {how}")
    return {"escaped": escaped, "how": str(how)[:400]}


def alone(function):
    def handler(self, intent):
        return answer(*trying.run(function, where(intent)))

    return handler


def asking(function):
    async def handler(self, intent):
        at = where(intent)
        at.request = current.get().id
        try:
            return answer(True, await function(self, at))
        except trying.Denied as error:
            return answer(False, error)

    return handler


for name, function in trying.ATTEMPTS.items():
    setattr(Escape, name, plugin_handler(name, effects="none")(alone(function)))
for name, function in host.REQUESTS.items():
    setattr(Escape, name, plugin_handler(name, effects="none")(asking(function)))
