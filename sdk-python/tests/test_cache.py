"""A cache that outlives the process."""

from __future__ import annotations

from astros.testing import AstrOSTestClient

from .conftest import Start
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
    process = start("keeping.py")
    asked = process.ask("initialize", {"protocol_versions": ["1.0"], "plugin": {"name": "keeping"}})
    listing = process.next(method="storage/list")
    process.send({"jsonrpc": "2.0", "id": listing["id"], "result": {"keys": []}})
    process.result(asked)
    call = process.call("keep", {"value": 5})
    for _ in range(2):
        write = process.next(method="storage/set")
        assert all("result" not in message for message in process._kept)
        process.send({"jsonrpc": "2.0", "id": write["id"], "result": {"version": 1}})
    assert process.result(call)["message"] == "kept"
    assert write["params"]["value"]["value"] == 5


def test_an_answer_waits_for_its_own_writes_whatever_else_is_answered(start: Start) -> None:
    process = start("keeping.py")
    asked = process.ask("initialize", {"protocol_versions": ["1.0"], "plugin": {"name": "keeping"}})
    process.send({"jsonrpc": "2.0", "id": process.next(method="storage/list")["id"], "result": {"keys": []}})
    process.result(asked)
    keeping, looking = process.call("keep", {"value": 5}), process.call("look")
    first = process.next(method="storage/set")
    process.result(looking)
    assert process.result(process.ask("ping")) == {"in_flight": 1}
    process.send({"jsonrpc": "2.0", "id": first["id"], "result": {"version": 1}})
    second = process.next(method="storage/set")
    process.send({"jsonrpc": "2.0", "id": second["id"], "error": {"code": -32017, "message": "full", "data": {}}})
    assert process.error(keeping)["message"] == "StorageError: full"
