"""What the host is asked for, in the name of another or without a grant; and what others leave lying."""

from trying import Denied, attempt, see

from astros.errors import RemoteError

REQUESTS = {}  # by the name: a coroutine function of the plugin and where everything is


def request(function):
    REQUESTS[function.__name__.replace("_", "-")] = function
    return function


async def ask(plugin, method, /, **params):
    try:
        return await plugin._astros_host().request(method, params)
    except RemoteError as error:
        raise Denied(f"{error.code}: {error}") from None


@request
async def call_without_a_grant(plugin, at):
    meta = {"parent": at.request}
    return f"it answers {await ask(plugin, 'call_plugin', plugin='other', handler='echo', params={}, meta=meta)}"


@request
async def message_without_a_grant(plugin, at):
    meta = {"parent": at.request}
    return f"it answers {await ask(plugin, 'call_plugin', plugin='other', handler='$message', params={}, meta=meta)}"


@request
async def call_above_any_request(plugin, at):
    """With no request that it would be for."""
    return f"it answers {await ask(plugin, 'call_plugin', plugin='other', handler='echo', params={}, meta={})}"


@request
async def storage_of_another(plugin, at):
    for key in ("other/secret", "../other/secret", "other:secret", "other\u0000secret", "secret"):
        for more in ({}, {"plugin": "other"}, {"namespace": "other"}):
            answer = await ask(plugin, "storage/get", key=key, **more)
            if answer.get("value") is not None:
                return f"{key} is {answer}"
    raise Denied("no such key is found")


@request
async def list_storage_of_another(plugin, at):
    keys = await ask(plugin, "storage/list", prefix="")
    if "secret" not in str(keys):
        raise Denied(f"there is {keys}")
    return f"there is {keys}"


@request
async def publish_as_another(plugin, at):
    await ask(plugin, "bus/publish", subject="other.news", data={})
    return "it was published"


@request
async def publish_as_the_host(plugin, at):
    await ask(plugin, "bus/publish", subject="astros.plugin.other.crashed", data={})
    return "it was published"


@request
async def publish_as_the_person(plugin, at):
    await ask(plugin, "bus/publish", subject="user.said", data={})
    return "it was published"


@request
async def hear_another(plugin, at):
    await ask(plugin, "bus/subscribe", subject="other.>")
    return "all that another says is heard"


@request
async def hear_everybody(plugin, at):
    await ask(plugin, "bus/subscribe", subject=">")
    return "all is heard"


@request
async def control_methods(plugin, at):
    """What only people and programs of theirs may ask."""
    for method in ("astros_enable", "astros_invoke", "plugins/grant", "shutdown", "initialize"):
        try:
            return f"{method} answers {await ask(plugin, method, name='other', plugin='other', handler='echo')}"
        except Denied as error:
            last = error
    raise last


@attempt
def other_temporary(at):
    """What another plugin put in its temporary folder."""
    return see(at.other_temporary)
