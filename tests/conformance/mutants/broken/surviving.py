"""What a mutant does not survive."""

import json
import os
import threading

from good import Plugin

from . import mutant

# --- what goes wrong ----------------------------------------------------------------------------------------


class Unreadable(Plugin):
    """Reads no more where a line is bad in its way."""

    def read(self, line):
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            message = error
        if self.bad(message, line):
            self.harm()
        else:
            super().read(line)

    def harm(self):
        os._exit(1)


def is_text(message, line):
    """No JSON, and not for being deep."""
    return isinstance(message, ValueError)


@mutant("R27:ends", "ends at a line that is no JSON")
class TextFatal(Unreadable):
    def bad(self, message, line):
        return is_text(message, line)


@mutant("R27:code", "answers a line that is no JSON with another code")
class TextAs(TextFatal):
    def harm(self):
        self.refuse(None, -32603, "what?")


@mutant("R27:stops", "reads nothing after a line that is no JSON")
class TextStops(TextFatal):
    def harm(self):
        threading.Event().wait()


@mutant("R28:ends", "ends at a batch")
class BatchFatal(Unreadable):
    def bad(self, message, line):
        return isinstance(message, list)


@mutant("R28:serves", "serves a batch")
class BatchServed(BatchFatal):
    def bad(self, message, line):
        if not isinstance(message, list):
            return False
        for one in message:
            if isinstance(one, dict):
                super().read(json.dumps(one).encode())
        return True

    def harm(self):
        pass


class NoMessage(Unreadable):
    def bad(self, message, line):
        return isinstance(message, dict) and self.problem(message) and self.kind(message)


@mutant("R29:method", "ends at an object without a method")
class MethodFatal(NoMessage):
    def kind(self, message):
        return "method" not in message


@mutant("R29:id", "ends at an id of a wrong type")
class IdFatal(NoMessage):
    def kind(self, message):
        return "method" in message and isinstance(message.get("params", {}), dict)


@mutant("R29:params", "ends at params that are no object")
class ParamsFatal(NoMessage):
    def kind(self, message):
        return not isinstance(message.get("params", {}), dict)


@mutant("R29:served", "serves a request with an id of a wrong type")
class AnyId(Plugin):
    def problem(self, message):
        if isinstance(message, dict) and type(message.get("id")) in (bool, float, list, dict):
            self.write(self.encode({"jsonrpc": "2.0", "id": message["id"], "result": {}}))
            message = {"jsonrpc": "2.0", "method": "x/done"}
        return super().problem(message)


class BadParams(Plugin):
    def serve(self, request):
        if request.method == "handle_intent":
            params = request.params
            if not isinstance(params.get("handler"), str) or not isinstance(params.get("intent"), dict):
                self.open.pop(request.id, None)
                return self.bad(request)
        return super().serve(request)


@mutant("R30:ends", "ends at params that do not fit")
class BadFatal(BadParams):
    def bad(self, request):
        os._exit(1)


@mutant("R30:silent", "does not answer where params do not fit")
class BadIgnored(BadParams):
    def bad(self, request):
        pass


@mutant("R30:response", "answers params that do not fit with a result")
class BadDone(BadParams):
    def bad(self, request):
        self.answer(request, {"message": "as you say"})


@mutant("R31:ends", "ends at a line beyond its limit")
class LongFatal(Plugin):
    def skip(self, line):
        os._exit(1)


@mutant("R31:rest", "takes the rest of a line beyond its limit for a line")
class LongRest(Plugin):
    def skip(self, line):
        pass


@mutant("R32", "drops lines beyond 64 KiB")
class Small(Plugin):
    def read(self, line):
        if len(line) <= 1 << 16:
            super().read(line)


@mutant("R33:ends", "ends at a message that nests deep")
class DeepFatal(Unreadable):
    def bad(self, message, line):
        return isinstance(message, RecursionError) or b"[" * 500 in line or b'{"a":' * 200 in line


@mutant("R33:stops", "reads nothing after a message that nests deep")
class DeepStops(DeepFatal):
    def harm(self):
        threading.Event().wait()


@mutant("R34", "drops requests beyond the eighth of those that come at once")
class Eight(Plugin):
    def __init__(self):
        super().__init__()
        self.batch = []

    def take(self, message):
        if message.get("method") not in ("handle_intent", "ping"):
            return super().take(message)
        self.batch.append(message)
        if len(self.batch) == 1:
            threading.Timer(0.05, self.flush).start()
        return None

    def flush(self):
        batch, self.batch = self.batch, []
        for message in batch[:8]:
            super().take(message)


@mutant("R35:waits", "reads nothing while nobody reads what it writes")
class Blocks(Plugin):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def write(self, line):
        with self.lock:
            while line:
                line = line[os.write(1, line) :]

    def begin(self, message):
        with self.lock:
            pass
        super().begin(message)


@mutant("R35:drops", "throws answers away while nobody reads them")
class Drops(Plugin):
    def write(self, line):
        if self.output.qsize() < 16 or len(line) > 1 << 16:
            super().write(line)
