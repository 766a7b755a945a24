"""How a mutant ends, and what it does with what is taken back."""

import os
import subprocess
import threading
import time

from good import Failure, Plugin

from . import Lines, mutant

# --- the end ------------------------------------------------------------------------------------------------


@mutant("R22:result", "answers `shutdown` with an object")
class ShutdownObject(Plugin):
    def shutdown(self):
        super().shutdown()
        return {}


@mutant("R22:silent", "does not answer `shutdown`", also=("R05", "R23", "R38", "R39"))
class ShutdownSilent(Plugin):
    def begin(self, message):
        self.idle = message["method"] == "shutdown" and not self.open
        super().begin(message)

    def answer(self, request, result):
        if not (request.method == "shutdown" and self.idle):
            super().answer(request, result)


@mutant("R22:error", "answers `shutdown` with an error")
class ShutdownFails(Plugin):
    def shutdown(self):
        super().shutdown()
        raise Failure(-32603, "not now")


class Leaves(Plugin):
    def leave(self):
        self.output.put(None)
        self.writer.join(1)
        self.left()
        os._exit(0)


@mutant("R23:status", "ends with status 3 when it was shut down")
class Status(Leaves):
    def left(self):
        os._exit(3 if self.ending else 0)


@mutant("R23:late", "stays for three seconds when it was shut down")
class Lingers(Leaves):
    def left(self):
        time.sleep(3 if self.ending else 0)


@mutant("R24", "stays when its input ends without `shutdown`", also=("R36",))
class Stays(Leaves):
    def left(self):
        if not self.ending and not self.open:
            time.sleep(60)


class CancelOfNothing(Plugin):
    def take(self, message):
        if message.get("method") == "$/cancel" and message["params"]["id"] not in self.open:
            self.nothing(message["params"]["id"])
        return super().take(message)


@mutant("R25:answers", "answers a cancellation of nothing")
class NothingAnswered(CancelOfNothing):
    def nothing(self, id):
        self.refuse(id, -32005, "cancelled")


@mutant("R25:ends", "ends at a cancellation of nothing")
class NothingFatal(CancelOfNothing):
    def nothing(self, id):
        os._exit(1)


@mutant("R36:open", "stays while requests are open when its input ends")
class StaysOpen(Leaves):
    def left(self):
        if self.open and not self.ending:
            time.sleep(60)


@mutant("R36:half", "stays when its input ends in half a line")
class StaysHalf(Lines):
    def takes(self, line):
        if not line.endswith(b"\n"):
            threading.Event().wait()
        return True


@mutant("R37:open", "does not answer what is open when it is shut down")
class Abandons(Plugin):
    def refuse(self, id, code, message):
        if not (self.ending and code == -32005):
            super().refuse(id, code, message)


@mutant("R37:shutdown", "does not answer `shutdown` while requests are open")
class ShutdownStuck(Plugin):
    def begin(self, message):
        self.stuck = message["method"] == "shutdown" and bool(self.open)
        super().begin(message)

    def answer(self, request, result):
        if not (request.method == "shutdown" and self.stuck):
            super().answer(request, result)


@mutant("R37:code", "answers what is open with another error when it is shut down")
class AbandonsAs(Plugin):
    def refuse(self, id, code, message):
        super().refuse(id, -32603 if self.ending and code == -32005 else code, message)


@mutant("R38", "takes new work when it was shut down")
class Works(Plugin):
    def begin(self, message):
        ending, self.ending = self.ending, False
        super().begin(message)
        self.ending = self.ending or ending


@mutant("R39", "leaves a process behind")
class Litter(Plugin):
    def shutdown(self):
        super().shutdown()
        null = subprocess.DEVNULL
        subprocess.Popen(["sleep", "60"], stdin=null, stdout=null, stderr=null, start_new_session=True)
