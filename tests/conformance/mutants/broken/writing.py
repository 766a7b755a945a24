"""What a mutant writes: initialize, messages, ids, answers."""

import json

from good import LIMIT, Failure, Plugin

from . import Errors, mutant, own

# --- initialize and what is written -------------------------------------------------------------------------


@mutant("R01:version", "tells no version of its own")
class NoVersion(Plugin):
    def describe(self):
        return own(lambda it: it.pop("version"))


@mutant("R01:shape", "announces a limit that is no number")
class WordyLimit(Plugin):
    def initialize(self, request, params):
        return super().initialize(request, params) | {"limits": {"max_frame_bytes": LIMIT, "max_in_flight": "many"}}


@mutant("R01:error", "refuses to start")
class NoStart(Plugin):
    def initialize(self, request, params):
        self.agree(params)
        raise Failure(-32603, "not today")


class AfterInitialize(Plugin):
    """Writes what the host has no use for, where `initialize` was answered."""

    def answer(self, request, result):
        super().answer(request, result)
        if request.method == "initialize":
            self.after()


@mutant("R02:stray", "prints a line that is no message")
class Stray(AfterInitialize):
    def after(self):
        self.write(b"ready to serve\n")


@mutant("R02:utf8", "writes a message in Latin-1")
class Latin(AfterInitialize):
    def after(self):
        self.write('{"jsonrpc":"2.0","method":"log","params":{"message":"café"}}\n'.encode("latin-1"))


@mutant("R02:echo", "writes a byte for each character where it can, as Perl does")
class LatinEcho(Plugin):
    def encode(self, message):
        text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
        try:
            return text.encode("latin-1") + b"\n"
        except UnicodeEncodeError:
            return text.encode("utf-8", "replace") + b"\n"


@mutant("R02:lines", "breaks a message into lines")
class Pretty(AfterInitialize):
    def after(self):
        message = {"jsonrpc": "2.0", "method": "log", "params": {"message": "pretty"}}
        self.write(json.dumps(message, indent=2).encode() + b"\n")


@mutant("R02:version", "says JSON-RPC 1.0")
class OldRpc(AfterInitialize):
    def after(self):
        self.write(b'{"jsonrpc":"1.0","method":"log","params":{"message":"old"}}\n')


@mutant("R02:end", "ends without the line feed of its last line")
class NoLineFeed(Plugin):
    def leave(self):
        self.write(b'{"jsonrpc":"2.0","method":"log","params":{"message":"bye"}}')
        super().leave()


@mutant("R03", "writes `jsonrpc` last")
class Late(AfterInitialize):
    def after(self):
        self.write(b'{"method":"log","params":{"message":"%b"},"jsonrpc":"2.0"}\n' % (b"so " * 30))


# --- ids and answers ----------------------------------------------------------------------------------------


class OtherIds(Plugin):
    """Answers with another id."""

    def send(self, **message):
        if "id" in message and "method" not in message:
            message["id"] = self.other(message["id"])
        super().send(**message)


@mutant("R04:text", "makes a number of a string of digits")
class Digits(OtherIds):
    def other(self, id):
        return int(id) if isinstance(id, str) and id.isdecimal() and id.isascii() else id


@mutant("R04:large", "loses the last digits of a large id", also=("R05",))
class Floats(OtherIds):
    def other(self, id):
        return int(id / 1000) * 1000 if isinstance(id, int) and abs(id) > 1 << 52 else id


@mutant("R04:characters", "takes control characters out of an id", also=("R05",))
class Printable(OtherIds):
    def other(self, id):
        return "".join(filter(str.isprintable, id)) if isinstance(id, str) else id


@mutant("R04:sign", "forgets the sign of an id", also=("R05",))
class Absolute(OtherIds):
    def other(self, id):
        return abs(id) if isinstance(id, int) else id


@mutant("R05:twice", "answers an intent twice")
class Twice(Plugin):
    def answer(self, request, result):
        super().answer(request, result)
        if request.method == "handle_intent":
            super().answer(request, result)


@mutant("R05:never", "forgets its thirteenth request, where it has refused one")
class Forgetful(Plugin):
    count, refused = 0, False

    def begin(self, message):
        self.count += 1
        if not (self.count == 13 and self.refused):
            super().begin(message)

    def refuse(self, id, code, message):
        self.refused = True
        super().refuse(id, code, message)


@mutant("R05:stranger", "answers a request that was never sent")
class Stranger(AfterInitialize):
    def after(self):
        self.send(id="nobody's", result={})


class Replies(Plugin):
    """Writes an answer in a form of its own."""

    def answer(self, request, result):
        if request.method == "ping":
            self.write(self.encode({"jsonrpc": "2.0", "id": request.id, **self.form(result)}))
        else:
            super().answer(request, result)


@mutant("R06:both", "sends a result and an error", also=("R21",))
class Both(Replies):
    def form(self, result):
        return {"result": result, "error": {"code": -32603, "message": "or not"}}


@mutant("R06:none", "sends neither a result nor an error", also=("R21",))
class Neither(Replies):
    def form(self, result):
        return {}


@mutant("R06:code", "sends a code that is a string")
class WordyCode(Errors):
    def form(self, code, message):
        return {"code": "wrong" if code == -32602 else code, "message": message}


@mutant("R06:message", "sends an error without a message")
class Speechless(Errors):
    def form(self, code, message):
        return {"code": code}


class Cancelled(Plugin):
    def refuse(self, id, code, message):
        if code == -32005 and not self.ending:
            self.cancelled(id)
        else:
            super().refuse(id, code, message)


@mutant("R07:never", "does not answer what was cancelled", also=("R53",))
class Silenced(Cancelled):
    def cancelled(self, id):
        pass


@mutant("R07:twice", "answers what was cancelled twice", also=("R05",))
class CancelledTwice(Cancelled):
    def cancelled(self, id):
        Plugin.refuse(self, id, -32005, "cancelled")
        self.send(id=id, result={"message": "in spite of it"})


@mutant("R07:code", "answers what was cancelled with another error")
class CancelledAs(Cancelled):
    def cancelled(self, id):
        Plugin.refuse(self, id, -32603, "interrupted")
