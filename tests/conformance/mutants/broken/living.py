"""What a mutant is: versions, description, handlers."""

import os

from good import Failure, Plugin

from . import mutant, own

# --- versions and the start ---------------------------------------------------------------------------------


class Agrees(Plugin):
    def agree(self, params):
        return self.pick(super().agree(params), params["protocol_versions"])


@mutant("R14:minor", "speaks a MINOR above its own, or above the host's")
class Minor(Agrees):
    def pick(self, version, offered):
        return next(one for one in offered if one.startswith("1.")) if offered != ["1.0"] else "1.1"


@mutant("R14:major", "speaks the host's highest MAJOR")
class Major(Agrees):
    def pick(self, version, offered):
        return max(offered, key=lambda one: int(one.partition(".")[0]))


@mutant("R14:first", "reads only the first version of the list")
class FirstVersion(Plugin):
    def agree(self, params):
        return super().agree({"protocol_versions": params["protocol_versions"][:1]})


@mutant("R15:accepts", "starts with a version that it does not speak")
class Anything(Plugin):
    def agree(self, params):
        return "1.0"


@mutant("R15:code", "refuses a version with another code")
class VersionAs(Plugin):
    def agree(self, params):
        try:
            return super().agree(params)
        except Failure as failure:
            raise Failure(-32602 if failure.code == -32010 else failure.code, str(failure)) from None


@mutant("R15:ends", "ends at a version that it does not speak")
class VersionFatal(Plugin):
    def agree(self, params):
        try:
            return super().agree(params)
        except Failure:
            os._exit(1)


@mutant("R16:log", "logs before `initialize`")
class Early(Plugin):
    def run(self):
        self.send(method="log", params={"message": "starting"})
        super().run()


@mutant("R14:echo", "speaks whatever MINOR the host lists")
class EchoedMinor(Plugin):
    def agree(self, params):
        super().agree(params)
        return next(one for one in params["protocol_versions"] if one.startswith("1."))


@mutant("R16:asks", "asks for storage before `initialize`")
class EarlyAsks(Plugin):
    def run(self):
        self.send(id=0, method="storage/get", params={"key": "started"})
        super().run()


# --- description and behaviour ------------------------------------------------------------------------------


@mutant("R17:twice", "describes two handlers of one name")
class SameName(Plugin):
    def describe(self):
        return own(lambda it: it["handlers"].append(it["handlers"][0]))


@mutant("R17:reserved", "describes a handler with a reserved name")
class Reserved(Plugin):
    def describe(self):
        return own(lambda it: it["handlers"].append({"name": "$message", "effects": "none"}))


@mutant("R17:parameters", "describes parameters that are no JSON Schema")
class NoSchema(Plugin):
    def describe(self):
        return own(lambda it: it["handlers"][0].update(parameters={"type": "text"}))


@mutant("R17:settings", "describes settings that are no JSON Schema")
class NoSettingsSchema(Plugin):
    def describe(self):
        return own(lambda it: it.update(settings_schema={"properties": ["prefix"]}))


@mutant("R17:shape", "describes examples that are no list", also=("R26",))
class NoList(Plugin):
    def describe(self):
        return own(lambda it: it["handlers"][0].update(examples="say {text}"))


@mutant("R18:handler", "describes a handler that it does not have")
class Ghost(Plugin):
    def describe(self):
        return own(lambda it: it["handlers"].append({"name": "ghost", "effects": "none"}))


@mutant("R18:method", "answers a handler that it has with -32601")
class NoHandling(Plugin):
    def think(self, request, context):
        raise Failure(-32601, "not yet")


@mutant("R19:list", "answers an intent with a list")
class ListResponse(Plugin):
    def echo(self, request, context):
        return [super().echo(request, context)]


@mutant("R19:shape", "answers an intent with a `success` that is a word")
class WordySuccess(Plugin):
    def echo(self, request, context):
        return super().echo(request, context) | {"success": "yes"}


class UnknownHandler(Plugin):
    def handle(self, request, params):
        try:
            return super().handle(request, params)
        except Failure as failure:
            if failure.code != -32013 or params["handler"].startswith("$"):
                raise
            return self.unknown(request)


@mutant("R20:response", "answers an unknown handler with a Response")
class HandlerDone(UnknownHandler):
    def unknown(self, request):
        return {"success": False, "message": "I do not know how"}


@mutant("R20:code", "refuses an unknown handler with another code")
class HandlerAs(UnknownHandler):
    def unknown(self, request):
        raise Failure(-32602, "what?")


@mutant("R20:ends", "ends at an unknown handler", also=("R05", "R10", "R41"))
class HandlerFatal(UnknownHandler):
    def unknown(self, request):
        os._exit(1)


class Pings(Plugin):
    def result(self, request):
        return self.ping() if request.method == "ping" else super().result(request)


@mutant("R21:word", "answers `ping` with a word")
class Pong(Pings):
    def ping(self):
        return "pong"


@mutant("R21:code", "answers `ping` with another error")
class PingAs(Pings):
    def ping(self):
        raise Failure(-32603, "no")


class Described(Plugin):
    """Describes itself otherwise where it is not started."""

    def result(self, request):
        result = super().result(request)
        if request.method == "describe":
            result["plugin"] = self.before(result["plugin"])
        return result


@mutant("R26:name", "tells another name before it is started")
class OtherName(Described):
    def before(self, plugin):
        return plugin | {"name": "better"}


@mutant("R26:handlers", "tells fewer handlers before it is started")
class FewerHandlers(Described):
    def before(self, plugin):
        return plugin | {"handlers": plugin["handlers"][1:]}


@mutant("R26:refuses", "does not describe itself before it is started")
class NoDescription(Described):
    def before(self, plugin):
        raise Failure(-32603, "not started")
