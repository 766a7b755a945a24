"""How a mutant answers what is rare: limits, codes, settings, messages."""

import os
import sys

from good import Failure, Plugin

from . import Errors, mutant, once


@mutant("R40:host", "sends a code that is the host's")
class HostsCode(Errors):
    def form(self, code, message):
        return {"code": -32014 if code == -32602 else code, "message": message}


@mutant("R40:own", "sends a code that it has made up")
class OwnCode(Errors):
    def form(self, code, message):
        return {"code": 42 if code == -32602 else code, "message": message}


@mutant("R41", "writes lines beyond the host's limit")
class Unlimited(Plugin):
    def initialize(self, request, params):
        result = super().initialize(request, params)
        self.limit = sys.maxsize
        return result


class AnswerToNothing(Plugin):
    def take(self, message):
        if "method" not in message and str(message["id"]) not in self.asked:
            self.nothing(message["id"])
        return super().take(message)


@mutant("R42:ends", "ends at an answer to nothing")
class AnswerFatal(AnswerToNothing):
    def nothing(self, id):
        os._exit(1)


@mutant("R42:answers", "answers an answer to nothing", also=("R05",))
class AnswerAnswered(AnswerToNothing):
    def nothing(self, id):
        self.refuse(id, -32600, "what?")


class SecondInitialize(Plugin):
    def serve(self, request):
        if request.method == "initialize" and not once(self, "initialize"):
            self.open.pop(request.id, None)
            return self.second(request)
        return super().serve(request)


@mutant("R43:silent", "does not answer a second `initialize`")
class SecondIgnored(SecondInitialize):
    def second(self, request):
        pass


@mutant("R43:ends", "ends at a second `initialize`")
class SecondFatal(SecondInitialize):
    def second(self, request):
        os._exit(1)


class Settings(Plugin):
    def result(self, request):
        return self.changed(request) if request.method == "settings/changed" else super().result(request)


@mutant("R44:result", "answers changed settings with true")
class SettingsTrue(Settings):
    def changed(self, request):
        Plugin.result(self, request)
        return True


@mutant("R44:code", "refuses changed settings with another code")
class SettingsAs(Settings):
    def changed(self, request):
        Plugin.result(self, request)
        raise Failure(-32603, "not now")


@mutant("R44:ends", "ends where settings change", also=("R45",))
class SettingsFatal(Settings):
    def changed(self, request):
        os._exit(1)


@mutant("R45:accepts", "accepts settings that do not fit its schema")
class AnySettings(Plugin):
    def change_settings(self, new):
        if isinstance(new.get("prefix", ""), str):
            super().change_settings(new)


@mutant("R45:code", "refuses settings that do not fit with another code")
class AnySettingsAs(Plugin):
    def change_settings(self, new):
        try:
            super().change_settings(new)
        except Failure as failure:
            raise Failure(-32602, str(failure)) from None


class Deliveries(Plugin):
    def result(self, request):
        result = super().result(request)
        return self.delivered(request) if request.method == "bus/deliver" else result


@mutant("R46:result", "answers a delivery with null")
class DeliveredNull(Deliveries):
    def delivered(self, request):
        return None


@mutant("R46:code", "refuses a delivery of a subject that it never subscribed to")
class DeliveredRefused(Deliveries):
    def delivered(self, request):
        raise Failure(-32602, "not mine")


@mutant("R46:ends", "ends at a delivery")
class DeliveredFatal(Deliveries):
    def delivered(self, request):
        os._exit(1)


@mutant("R47:null", "answers a direct message with null")
class MessageNull(Plugin):
    def message(self, request, context):
        return None


@mutant("R47:code", "refuses a direct message as a method that it does not know")
class MessageAs(Plugin):
    def message(self, request, context):
        raise Failure(-32601, "no messages")
