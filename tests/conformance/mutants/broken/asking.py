"""What a mutant asks of its host, and how it streams."""

import contextlib
import os
import threading

from good import WINDOW, Failure, Plugin, Refused

from . import mutant

# --- requests of its own ------------------------------------------------------------------------------------


@mutant("R48:method", "asks for a method that there is not")
class OddMethod(Plugin):
    def ask(self, request, method, params):
        return super().ask(request, method.replace("storage/get", "storage/fetch"), params)


@mutant("R48:params", "asks with params that do not fit")
class OddParams(Plugin):
    def ask(self, request, method, params):
        return super().ask(request, method, {"key": 5} if method == "storage/get" else params)


class SameIds:
    """Counts in a circle of one."""

    def __next__(self):
        return 1


@mutant("R49", "takes the same id for each of its requests")
class SameId(Plugin):
    def __init__(self):
        super().__init__()
        self.ids = SameIds()


@mutant("R50", "calls another plugin before `initialize` is answered")
class CallsEarly(Plugin):
    def initialize(self, request, params):
        with contextlib.suppress(Refused):
            self.ask(request, "call_plugin", {"plugin": "other", "handler": "other", "params": {}})
        return super().initialize(request, params)


class OnRefusal(Plugin):
    def ask(self, request, method, params):
        try:
            return super().ask(request, method, params)
        except Refused:
            if request.method == "handle_intent" and method == "storage/get":
                self.refused()
            raise


@mutant("R51:silent", "does not answer where the host refused what it asked")
class RefusedSilent(OnRefusal):
    def refused(self):
        threading.Event().wait()


@mutant("R51:ends", "ends where the host refused what it asked")
class RefusedFatal(OnRefusal):
    def refused(self):
        os._exit(1)


@mutant("R52", "does not read while it waits for an answer", also=("R56", "R57"))
class Deaf(Plugin):
    """Serves as a serial plugin does, and says that it is none."""

    def __init__(self):
        super().__init__()
        self.serial = True

    def initialize(self, request, params):
        result = super().initialize(request, params)
        result["limits"]["max_in_flight"] = 64
        return result


@mutant("R53", "waits for the host's answer where it is cancelled", also=("R07",))
class Patient(Plugin):
    def news(self, request):
        try:
            return super().news(request)
        except Failure:
            if request.method == "handle_intent" and not self.ending:
                request.cancelled = True
                return {}
            raise

    def serve(self, request):
        request.cancelled = False
        super().serve(request)


@mutant("R54:absent", "does not say whom it serves")
class Orphan(Plugin):
    def ask(self, request, method, params):
        return super().ask(request, method, {name: value for name, value in params.items() if name != "meta"})


@mutant("R54:other", "says that it serves another request")
class Changeling(Plugin):
    def ask(self, request, method, params):
        if "meta" in params and (others := [id for id in self.open if id != request.id]):
            params = {**params, "meta": {"parent": others[0]}}
        return super().ask(request, method, params)


# --- streams ------------------------------------------------------------------------------------------------


@mutant("R55:late", "tells progress of a request that it has answered")
class TooLate(Plugin):
    def answer(self, request, result):
        super().answer(request, result)
        if request.params.get("meta", {}).get("progress"):
            self.send(method="$/progress", params={"id": request.id, "value": {"message": "done"}})


class Steps(Plugin):
    def progress(self, request, value):
        super().progress(request, self.step(value))

    def step(self, value):
        return value


@mutant("R55:shape", "tells progress of a wrong shape")
class WordySteps(Steps):
    def step(self, value):
        return value | {"done": "some"}


@mutant("R55:large", "tells progress of more than 64 KiB")
class LargeSteps(Steps):
    def step(self, value):
        return value | {"data": "x" * (64 << 10)} if value["done"] == 1 else value


@mutant("R55:other", "tells progress of a request that was never sent")
class OtherSteps(Plugin):
    def progress(self, request, value):
        super().progress(request, value)
        if value["done"] == 1 and request.params.get("meta", {}).get("progress"):
            self.send(method="$/progress", params={"id": "nobody's", "value": value})


@mutant("R56", "does not wait for `$/ack`")
class Floods(Plugin):
    def progress(self, request, value):
        request.unacknowledged = 0
        super().progress(request, value)


@mutant("R57:stops", "stops at a full window, and so never answers", also=("R18", "R19"))
class Stops(Plugin):
    def progress(self, request, value):
        if request.unacknowledged >= WINDOW:
            threading.Event().wait()
        super().progress(request, value)


class Acknowledged(Plugin):
    """Hears `$/ack` in a way of its own."""

    def news(self, request):
        message = super().news(request)
        if message.get("method") == "$/ack" and message["params"]["count"] > 1:
            self.several(request, message["params"]["count"])
        return message


@mutant("R57:one", "takes an `$/ack` of several messages for one of one")
class Singly(Acknowledged):
    def several(self, request, count):
        request.unacknowledged += count - 1


class Enough(Exception):
    """Of the progress."""


@mutant("R57:rest", "leaves out the rest of its progress where the window was full for long")
class LeavesOut(Acknowledged):
    def several(self, request, count):
        raise Enough

    def count(self, request, context):
        try:
            return super().count(request, context)
        except Enough:
            return {"message": "and so on"}
