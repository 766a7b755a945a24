"""A cache that outlives the process."""

from __future__ import annotations

from typing import Any

from astros._store import Store
from astros.errors import StorageError
from astros.testing import AstrOSTestClient

from .conftest import Start
from .host import PluginProcess
from .plugins.keeping import Keeping


async def test_a_cache_is_kept_and_expires() -> None:
    async with AstrOSTestClient() as client:
        plugin = await client.load_plugin(Keeping)
        assert isinstance(plugin, Keeping)
        await client.call("keep", {"value": {"x": 1}, "ttl": 60})
        assert (await plugin.storage.get("cache:a"))["value"] == {"x": 1}
        assert (await client.call("keep_plainly", check=True)).message == "2"
        plugin.cache.clear()
        await plugin.load_persistent_data()
        assert (await client.call("look")).data == {"a": {"x": 1}, "b": 2}
        await client.call("keep", {"value": 1, "ttl": 0})
        assert (await client.call("look")).data["a"] == "none"
        assert await plugin.storage.get("cache:a") is None
        assert plugin.data_dir.is_dir()
        plugin.cache["b"]["value"] = [3]  # by hand, which `cleanup` saves
        await plugin.save_persistent_data()
        assert (await plugin.storage.get("cache:b"))["value"] == [3]


async def test_a_write_that_fails_fails_the_request() -> None:
    async with AstrOSTestClient() as client:
        await client.load_plugin(Keeping)
        response = await client.call("keep", {"value": "x" * 17_000_000})
        assert not response.success
        assert response.error["kind"] == "frame_too_large"


def test_the_answer_comes_after_the_write(start: Start) -> None:
    process, store = start("keeping.py"), Store()
    begin(process, store)
    call = process.call("keep", {"value": 5})
    written: list[Any] = []
    while not written or written[-1]["value"] != 5:
        assert all("result" not in message for message in process._kept)
        if (asked := obey(process, store))["method"] == "storage/set" and asked["params"]["key"] == "cache:a":
            written.append(asked["params"]["value"])
    assert result(process, store, call)["message"] == "kept"


def test_an_answer_waits_for_its_own_writes_whatever_else_is_answered(start: Start) -> None:
    process, store = start("keeping.py"), Store()
    begin(process, store)
    keeping, looking = process.call("keep", {"value": 5}), process.call("look")
    obey(process, store)
    obey(process, store)
    first = process.next(method="storage/set")
    assert process.result(looking)["data"]["a"] == 5
    assert process.result(process.ask("ping")) == {"in_flight": 1}
    give(process, store, first)
    while (second := process.next(method="storage/set"))["params"]["key"] != "cache:a":
        give(process, store, second)
    process.send({"jsonrpc": "2.0", "id": second["id"], "error": {"code": -32017, "message": "full", "data": {}}})
    assert process.error(keeping)["message"] == "StorageError: full"


def test_processes_see_what_others_of_the_plugin_saved(start: Start) -> None:
    store = Store()
    serving, other = start("keeping.py"), start("keeping.py")
    for process in (serving, other):
        begin(process, store)

    def looked(process: PluginProcess, handler: str = "look") -> Any:
        return result(process, store, process.call(handler))["data"]

    result(process=serving, store=store, id=serving.call("keep", {"value": 1}))
    assert looked(other)["a"] == 1
    result(process=other, store=store, id=other.call("keep", {"value": 2}))
    assert looked(serving)["a"] == looked(serving, "look_plainly")["a"] == 2
    assert result(other, store, other.call("forget"))["message"] == "forgotten"
    assert looked(serving)["a"] == "none"
    store.set({"key": "cache:a", "value": {"value": 3, "timestamp": 0}})  # after a request was begun
    assert looked(serving, "look_plainly")["a"] == 3
    result(serving, store, serving.ask("shutdown"))
    assert store.get({"key": "cache:a"})["value"]["value"] == 3, "nothing old is written at the end"


def begin(process: PluginProcess, store: Store) -> None:
    asked = process.ask("initialize", {"protocol_versions": ["1.0"], "plugin": {"name": "keeping"}})
    result(process, store, asked)


def result(process: PluginProcess, store: Store, id: str | int) -> Any:
    """The answer to a request; what the plugin asks of its storage meanwhile is done."""
    while True:
        message = process.next()
        if "method" not in message:
            assert message["id"] == id, message
            return message["result"]
        give(process, store, message)


def obey(process: PluginProcess, store: Store) -> dict[str, Any]:
    """Answer the next that it asks."""
    asked = process.next()
    give(process, store, asked)
    return asked


def give(process: PluginProcess, store: Store, asked: dict[str, Any]) -> None:
    try:
        did = {"result": getattr(store, asked["method"].removeprefix("storage/"))(asked["params"])}
    except StorageError as error:
        did = {"error": error.to_wire()}
    process.send({"jsonrpc": "2.0", "id": asked["id"], **did})
