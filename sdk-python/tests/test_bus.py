"""LocalAgent's bus over the host's, between plugins of our own."""

from __future__ import annotations

from typing import Any

import pytest

from astros.bus import MessageType, PluginMessage, PluginMessageBus
from astros.testing import AstrOSTestClient

from .conftest import Start
from .host import PLUGINS
from .plugins.talking import Ann, Bob, Plain


async def test_plugins_talk_through_the_hosts_bus() -> None:
    async with AstrOSTestClient() as client:
        ann, bob = await client.load_plugin(Ann), await client.load_plugin(Bob)
        assert isinstance(ann, Ann)
        assert isinstance(bob, Bob)
        said = (await client.call("talk_to", {"other": "bob"}, plugin="ann", check=True)).data
        assert said["answer"] == {"asked": [1, 2], "by": "ann"}
        assert said["problems"] == ["ValueError", "TimeoutError"]
        await client.publish("astros.workflow.started", {"workflow_id": "w1"}, sender="astros")
    assert bob.heard == [{"hello": 1}, "loud", ("astros", MessageType.BROADCAST, "w1")]
    assert ann.heard == ["loud", ("astros", MessageType.BROADCAST, "w1")]
    assert client.published == [{"subject": "topic.oddX20typeX21", "data": "loud", "sender": "ann"}]


async def test_a_plugin_of_astros_answers_messages_too() -> None:
    async with AstrOSTestClient() as client:
        ann = await client.load_plugin(Ann)
        await client.load_plugin(Plain)
        assert isinstance(ann, Ann)
        assert await ann.message_bus.request("ann", "plain", 5) == {"got": 5}
        answer = await client._host.ask("ann", "$message", {"context": {"free": "form"}}, {"caller": "plain"})
        assert answer["data"] == {"asked": {"free": "form"}, "by": "plain"}


def test_what_is_subscribed_to_at_the_start_is_described(start: Start) -> None:
    process = start(f"{PLUGINS / 'talking.py'}:Ann")
    assert process.initialize()["plugin"]["subscriptions"] == [
        "topic.workflow_started",
        "astros.workflow.started",
        "topic.oddX20typeX21",
    ]


async def test_a_bus_of_ones_own_stays_in_its_process() -> None:
    bus, heard = PluginMessageBus(), list[Any]()

    async def answer(message: PluginMessage) -> Any:
        return ("got", message.data)

    bus.register_direct_handler("b", answer)
    bus.subscribe("news", lambda message: heard.append(message.data))
    await bus.broadcast("a", "news", 1)
    assert await bus.request("a", "b", 2) == ("got", 2)
    assert heard == [1]
    with pytest.raises(ValueError, match="`c`"):
        await bus.send_direct("a", "c", 3)
