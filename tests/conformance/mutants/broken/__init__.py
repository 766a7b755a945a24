"""The mutants: each breaks one rule, and nothing else that could be kept beside it.

A rule that says several things has several, named after a colon: `R02:stray`.
"""

import copy
import sys
from importlib import import_module

from good import LIMIT, Plugin

FILES = ("writing", "reading", "living", "ending", "surviving", "answering", "asking")
MUTANTS = {}  # by name: the class, the rules that break with its own, what is wrong


def mutant(name, what, also=()):
    """Names the class that breaks the rule before the colon; the rules of `also` cannot be kept beside that."""

    def add(plugin):
        MUTANTS[name] = (plugin, also, what)
        return plugin

    return add


def table():
    """A line for each: name, the rules that break with its own, what is wrong."""
    load()
    return [f"{name}\t{','.join(also)}\t{what}" for name, (_, also, what) in MUTANTS.items()]


def find(name):
    load()
    if name not in MUTANTS:
        sys.exit(f"error: no mutant `{name}`; `python3 good.py --list` tells them")
    return MUTANTS[name][0]


def load():
    for file in FILES:
        import_module(f".{file}", __name__)


def own(change):
    """The good plugin's description, changed."""
    description = copy.deepcopy(Plugin.describe(None))
    change(description)
    return description


def once(owner, what):
    """Whether this is the first time."""
    done = owner.__dict__.setdefault("done", set())
    return not (what in done or done.add(what))


class Errors(Plugin):
    """Writes errors in a form of its own."""

    def refuse(self, id, code, message):
        self.send(id=id, error=self.form(code, message[:500]))


class Lines(Plugin):
    """Reads lines in a way of its own."""

    def lines(self):
        while line := sys.stdin.buffer.readline(LIMIT + 1):
            if len(line) > LIMIT and not line.endswith(b"\n"):
                self.skip(line)
            elif line.isspace():
                self.empty()
            elif self.takes(line):
                yield line
        self.leave()

    def empty(self):
        pass

    def takes(self, line):
        return line.endswith(b"\n")
