"""How a mutant reads: what it does not know, and how lines come."""

import json
import os

from good import LIMIT, Failure, Plugin

from . import Lines, mutant

KNOWN = ("initialize", "describe", "ping", "shutdown", "handle_intent", "bus/deliver", "settings/changed")


class UnknownMethod(Plugin):
    def serve(self, request):
        if request.method in KNOWN:
            return super().serve(request)
        self.open.pop(request.id, None)
        return self.unknown(request)


@mutant("R08:code", "refuses an unknown method with another code")
class UnknownAs(UnknownMethod):
    def unknown(self, request):
        self.refuse(request.id, -32603, "what?")


@mutant("R08:result", "answers an unknown method with null")
class UnknownDone(UnknownMethod):
    def unknown(self, request):
        self.answer(request, None)


@mutant("R08:silent", "does not answer an unknown method", also=("R05", "R41"))
class UnknownIgnored(UnknownMethod):
    def unknown(self, request):
        pass


@mutant("R08:ends", "ends at an unknown method", also=("R05", "R41"))
class UnknownFatal(UnknownMethod):
    def unknown(self, request):
        os._exit(1)


class Notified(Plugin):
    def take(self, message):
        if "id" not in message and message["method"] not in ("$/cancel", "$/ack"):
            self.notified()
        return super().take(message)


@mutant("R09:answers", "answers a notification that it does not know")
class NotificationAnswered(Notified):
    def notified(self):
        self.refuse(None, -32601, "what?")


@mutant("R09:ends", "ends at a notification that it does not know")
class NotificationFatal(Notified):
    def notified(self):
        os._exit(1)


class Strict(Plugin):
    """Refuses requests for what it sees in them."""

    def result(self, request):
        if self.strange(request.params):
            raise Failure(-32602, "what is that?")
        return super().result(request)


@mutant("R10:envelope", "refuses a member of the envelope that it does not know")
class StrictEnvelope(Plugin):
    def problem(self, message):
        known = {"jsonrpc", "id", "method", "params", "result", "error"}
        strange = isinstance(message, dict) and "id" in message and "method" in message and message.keys() - known
        return f"unknown: {strange}" if strange else super().problem(message)


@mutant("R10:params", "refuses a member of params that it does not know")
class StrictParams(Strict):
    def strange(self, params):
        known = "protocol_versions features host plugin settings permissions sandbox directories limits dev_mode"
        others = "handler intent meta reason grace_ms message dropped old new"
        return params.keys() - {*known.split(), *others.split()}


@mutant("R10:deep", "refuses a member of the intent that it does not know")
class StrictIntent(Strict):
    def strange(self, params):
        known = "text intent_type confidence user_id session_id timestamp context"
        intent = params.get("intent")
        return isinstance(intent, dict) and intent.keys() - set(known.split())


@mutant("R10:word", "refuses a sandbox that it does not know")
class StrictWords(Strict):
    def strange(self, params):
        return params.get("sandbox", "none") not in ("none", "reduced", "full")


# --- how lines are read -------------------------------------------------------------------------------------


class Picky(Plugin):
    """Reads only what is written as it likes it."""

    def parse(self, line):
        if not self.likes(line):
            raise ValueError
        return super().parse(line)


@mutant("R11:space", "takes no white space between tokens")
class NoSpace(Picky):
    def likes(self, line):
        return not line.startswith((b" ", b"\t", b"{ ", b"{\t", b'{"jsonrpc" ', b'{"jsonrpc": '))


@mutant("R11:order", "takes `jsonrpc` as the first member only")
class Ordered(Picky):
    def likes(self, line):
        return line.strip().startswith((b"[", b'{"jsonrpc"', b'{ "jsonrpc"')) or b'"method"' not in line


@mutant("R11:escapes", "does not read escapes, also in an id", also=("R05",))
class Unescaped(Plugin):
    def parse(self, line):
        return super().parse(line.replace(b"\\u", b"\\\\u"))


@mutant("R11:plane", "fails at a character beyond the basic plane")
class Basic(Plugin):
    def problem(self, message):
        params = message.get("params") if isinstance(message, dict) else None
        return "too exotic" if max(json.dumps(params, ensure_ascii=False)) > "\uffff" else super().problem(message)


class Chunks(Plugin):
    """Reads pieces as they come."""

    def lines(self):
        rest = b""
        while chunk := os.read(0, 1 << 16):
            *lines, rest = self.cut(rest, chunk)
            yield from (line for line in lines if line and not line.isspace() and len(line) <= LIMIT)
        self.leave()


@mutant("R12:pieces", "takes a piece of a line for the whole line")
class Pieces(Chunks):
    def cut(self, rest, chunk):
        small = len(rest) + len(chunk) < 4096 and not rest
        return [*(rest + chunk).split(b"\n"), b""] if small else (rest + chunk).split(b"\n")


@mutant("R12:joined", "reads only the first of several lines in one piece")
class First(Chunks):
    def cut(self, rest, chunk):
        lines = (rest + chunk).split(b"\n")
        return [*lines[:1], b""] if chunk.count(b'"ping"') == 5 else lines


@mutant("R12:characters", "decodes piece by piece, also where a character of an id is cut", also=("R05",))
class CutCharacters(Chunks):
    def cut(self, rest, chunk):
        return (rest + chunk.decode("utf-8", "replace").encode()).split(b"\n")


@mutant("R13:answers", "answers an empty line")
class EmptyAnswered(Lines):
    def empty(self):
        self.refuse(None, -32700, "no JSON")


@mutant("R13:ends", "takes an empty line for the end")
class EmptyEnds(Lines):
    def empty(self):
        self.leave()


@mutant("R13:return", "reads no line that ends with `\\r\\n`")
class Returns(Lines):
    def takes(self, line):
        return line.endswith(b"\n") and not line.endswith(b"\r\n")
