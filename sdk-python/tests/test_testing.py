"""The test client: storage, calls, progress, cancellation in memory, and the real command."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from astros._store import Store
from astros.errors import AstrOSError, DeadlineExceeded, LoadError, StorageError
from astros.plugin import BasePlugin, message_handler, plugin_handler, subscribe
from astros.testing import AstrOSTestClient
from astros.types import Intent, Progress, Response

CODE = """
from astros.plugin import BasePlugin, plugin_handler
from utils import WORD
class {cls}(BasePlugin):
    name = "{name}"
    @plugin_handler("say")
    async def say(self, intent):
        return WORD
"""


class Keeper(BasePlugin):
    @plugin_handler("run")
    async def run(self, intent: Intent) -> dict[str, Any]:
        return {"result": await getattr(self.storage, intent.context["do"])(*intent.context["args"])}

    @plugin_handler("ask")
    async def ask(self, intent: Intent) -> dict[str, Any]:
        return {"answer": await self.ask_user("which?", ["a", "b"])}

    @plugin_handler("recurse")
    async def recurse(self, intent: Intent) -> Response:
        return await self.call_plugin("keeper", "recurse", check=True)

    @plugin_handler("count")
    async def count(self, intent: Intent) -> Response:
        for step in range(100):
            await self.progress(done=step, total=100)
        return Response()

    @plugin_handler("relay")
    async def relay(self, intent: Intent) -> Response:
        seen: list[Any] = []

        async def listen(step: Progress) -> None:
            await asyncio.sleep(0)
            seen.append(step.done)

        await self.call_plugin("keeper", "count", on_progress=listen)
        return Response(data=seen)

    @plugin_handler("for_ever")
    async def for_ever(self, intent: Intent) -> Response:
        try:
            await asyncio.Event().wait()
        finally:
            self.logger.info("cancelled")
        return Response()

    @plugin_handler("nested")
    async def nested(self, intent: Intent) -> Response:
        return await self.call_plugin("keeper", "for_ever")

    @plugin_handler("blocking")
    def blocking(self, intent: Intent) -> dict[str, Any]:
        asyncio.run(self.storage.set("from", "a thread"))
        return {"kept": asyncio.run(self.storage.get("from"))}


async def logged(client: AstrOSTestClient) -> None:
    while not client.logs:  # noqa: ASYNC110 (the plugin has no event to give)
        await asyncio.sleep(0)


@pytest.fixture
async def client() -> AstrOSTestClient:
    client = AstrOSTestClient()
    await client.load_plugin(Keeper)
    return client


async def test_storage_keeps_lists_and_forgets(client: AstrOSTestClient) -> None:
    async def run(do: str, *args: Any) -> Any:
        return (await client.call("run", {"do": do, "args": args}, check=True)).data["result"]

    assert await run("get", "a", "default") == "default"
    first = await run("set", "a", {"n": 1})
    assert await run("get_versioned", "a") == [{"n": 1}, first]
    assert await run("set", "b", None) > first
    assert await run("get", "b", "default") is None
    assert await run("list") == ["a", "b"]
    assert await run("list", "b") == ["b"]
    assert await run("delete", "a") is True
    assert await run("delete", "a") is False
    await run("set", "gone", 1, 0)
    assert await run("get", "gone") is None


async def test_compare_and_set_refuses_a_conflict(client: AstrOSTestClient) -> None:
    plugin = Keeper()
    await client.load_plugin(plugin)
    version = await plugin.storage.set("k", 1, if_version=0)
    for stale in (0, version + 1):
        with pytest.raises(StorageError) as caught:
            await plugin.storage.set("k", 2, if_version=stale)
        assert caught.value.reason == "conflict"
    assert await plugin.storage.set("k", 2, if_version=version) > version


async def test_a_list_of_many_pages_is_whole(client: AstrOSTestClient) -> None:
    plugin = Keeper()
    await client.load_plugin(plugin)
    for n in range(2100):
        await plugin.storage.set(f"n{n:04}", n)
    assert await plugin.storage.list("n") == [f"n{n:04}" for n in range(2100)]


def test_entries_expire_and_the_quota_holds() -> None:
    now = 0.0
    store = Store(lambda: now)
    store.set({"key": "k", "value": 1, "ttl_ms": 1500})
    now = 1.4
    assert store.get({"key": "k"})["value"] == 1
    now = 1.5
    assert store.get({"key": "k", "default": 7}) == {"value": 7, "version": 0}
    with pytest.raises(StorageError) as caught:
        store.set({"key": "k", "value": "x" * 64 * 1024 * 1024})
    assert caught.value.reason == "quota"


async def test_the_person_is_asked(client: AstrOSTestClient) -> None:
    client.answers.append("b")
    assert (await client.call("ask")).data == {"answer": "b"}
    response = await client.call("ask")
    assert "put answers into" in response.message


async def test_a_call_that_nests_too_deep_is_refused(client: AstrOSTestClient) -> None:
    response = await client.call("recurse")
    assert "CallCycle" in response.message


async def test_progress_arrives_whole_in_order_and_through_a_call(client: AstrOSTestClient) -> None:
    seen: list[Any] = []
    await client.call("count", on_progress=lambda step: seen.append(step.done))
    assert seen == list(range(100))
    assert (await client.call("relay")).data == list(range(100))


async def test_cancelling_flows_down_the_calls(client: AstrOSTestClient) -> None:
    call = asyncio.create_task(client.call("nested"))
    for _ in range(50):
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(logged(client), 5)
    assert client.logs[0]["message"] == "cancelled"


async def test_a_deadline_ends_a_call(client: AstrOSTestClient) -> None:
    with pytest.raises(DeadlineExceeded, match=r"within 0\.05 s"):
        await client.call("for_ever", timeout=0.05, check=True)


async def test_a_blocking_handler_asks_the_host_from_its_thread(client: AstrOSTestClient) -> None:
    assert (await client.call("blocking", check=True)).data == {"kept": "a thread"}


async def test_a_call_without_a_fitting_plugin_says_what_there_is(client: AstrOSTestClient) -> None:
    assert "there is `run`, `ask`" in (await client.call("nope")).message
    with pytest.raises(LoadError, match="no plugin is loaded"):
        await AstrOSTestClient().call("x")


async def test_two_plugins_with_modules_of_the_same_names_live_together(tmp_path: Path) -> None:
    for name, cls in (("first", "First"), ("second", "Second")):
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "src" / "main.py").write_text(CODE.format(cls=cls, name=name))
        (tmp_path / name / "src" / "utils.py").write_text(f"WORD = 'I am {name}'")
    client = AstrOSTestClient()
    for name in ("first", "second"):
        await client.load_plugin(tmp_path / name)
    for name in ("first", "second"):
        assert (await client.call("say", plugin=name)).message == f"I am {name}"


async def test_a_plugin_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "plugins" / "my-plugin"
    folder.mkdir(parents=True)
    (folder / "plugin.yaml").write_text('metadata:\n  name: "my-plugin"\n')
    (folder / "plugin.py").write_text(CODE.format(cls="Mine", name="my-plugin"))
    (folder / "utils.py").write_text("WORD = 'found'")
    (folder / "tests").mkdir()
    for cwd in (tmp_path, folder, folder / "tests"):
        monkeypatch.chdir(cwd)
        client = AstrOSTestClient()
        await client.load_plugin("my-plugin")
        assert (await client.call("say")).message == "found"
    with pytest.raises(LoadError, match="no plugin `other`"):
        await client.load_plugin("other")


FAKE = """#!/bin/sh
printf '%s\\n' "$*" >> "$ASTROS_HOME/calls"
case "$*" in
*nothing*) echo "it broke" >&2; exit 70;;
*laundry*) echo '{"error":{"code":-32019,"kind":"not_understood","message":"no plugin can do that"}}'; exit 2;;
*) echo "{\\"success\\":true,\\"message\\":\\"$(wc -l < "$ASTROS_HOME/calls")\\",\\"plugin\\":\\"p\\"}";;
esac
"""


async def test_text_goes_through_the_real_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "astros"
    command.write_text(FAKE)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("ASTROS_BIN", str(command))
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "plugin.py").write_text(CODE.format(cls="P", name="p"))
    (folder / "utils.py").write_text("WORD = 1")
    async with AstrOSTestClient() as client:
        await client.load_plugin(folder)
        first = await client.process_text("start")
        second = await client.process_text("-go on-")
        assert (first.success, first.message.strip(), first.plugin) == (True, "1", "p")
        assert second.message.strip() == "2"
        refused = await client.process_text("fold my laundry")
        assert (refused.success, refused.error["kind"]) == (False, "not_understood")
        with pytest.raises(AstrOSError, match=r"status 70 and no answer: it broke"):
            await client.process_text("nothing")
        home = client._own_home()
        calls = (home / "calls").read_text().splitlines()
        assert calls[0] == f"ask --json --session test --plugin-dir {home / 'test-plugins'} -- start"
        assert (home / "test-plugins" / "p" / "plugin.py").is_file()
    assert not home.exists()


async def test_without_a_command_process_text_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ASTROS_BIN", "")
    monkeypatch.setattr("astros._ask._builds", lambda: iter(()))
    with pytest.raises(AstrOSError, match=r"cargo build --bin astros"):
        await AstrOSTestClient().process_text("hello")
    monkeypatch.setenv("ASTROS_BIN", "/nowhere/astros")
    with pytest.raises(AstrOSError, match="no executable"):
        await AstrOSTestClient().process_text("hello")


async def test_process_text_needs_a_plugin_from_a_folder(client: AstrOSTestClient) -> None:
    with pytest.raises(LoadError, match="`keeper` came as classes or objects"):
        await client.process_text("hello")


async def test_settings_are_given_at_loading() -> None:
    class Configured(BasePlugin):
        @plugin_handler("show")
        async def show(self, intent: Intent) -> Response:
            assert self.settings.get("absent", 5) == 5
            return Response(data=[self.settings.limits.size, self.settings["name"], dict(self.settings)])

    client = AstrOSTestClient()
    plugin = await client.load_plugin(Configured, settings={"limits": {"size": 3}, "name": "n"})
    assert json.dumps(dict(plugin.settings)) == '{"limits": {"size": 3}, "name": "n"}'
    response = await client.call("show", check=True)
    assert json.dumps(response.data) == '[3, "n", {"limits": {"size": 3}, "name": "n"}]'
    with pytest.raises(AttributeError, match="no setting `color`; there is `limits`, `name`"):
        _ = plugin.settings.color


MANIFEST = """\
metadata:
  name: sorted
configuration:   # what can be set
  settings:
    method: by_type   # the default
    notify: true
    size: 100MB
    ratio: 0.5
    count: -3
    nothing:
    empty: {}
    quoted: "a: b # c"
    kinds: [jpg, png]
    methods:
      - by_date
      - 'by size'
    flush:
    - one
    deep:
      er:
        still: 1
  user_configurable:
    - method
"""

SETTINGS = {
    "method": "by_type",
    "notify": True,
    "size": "100MB",
    "ratio": 0.5,
    "count": -3,
    "nothing": None,
    "empty": {},
    "quoted": "a: b # c",
    "kinds": ["jpg", "png"],
    "methods": ["by_date", "by size"],
    "flush": ["one"],
    "deep": {"er": {"still": 1}},
}


async def test_settings_begin_with_the_defaults_of_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "plugin.yaml").write_text(MANIFEST)
    (tmp_path / "plugin.py").write_text("from astros.plugin import BasePlugin\nclass Sorted(BasePlugin): pass\n")
    plugin = await AstrOSTestClient().load_plugin(tmp_path)
    assert dict(plugin.settings) == SETTINGS
    plugin = await AstrOSTestClient().load_plugin(tmp_path, settings={"method": "by_size"})
    assert plugin.settings.method == "by_size"
    assert plugin.settings.notify is True


@pytest.mark.parametrize("value", ["&anchor 1", "|", "{a: 1}", "[[1]]", "'it''s'", '"a\\n"', "a: b"])
async def test_a_manifest_beyond_the_reader_is_refused_with_its_line(tmp_path: Path, value: str) -> None:
    (tmp_path / "plugin.yaml").write_text(f"configuration:\n  settings:\n    fine: 1\n    odd: {value}\n")
    (tmp_path / "plugin.py").write_text("from astros.plugin import BasePlugin\nclass Sorted(BasePlugin): pass\n")
    with pytest.raises(LoadError, match=r"plugin\.yaml` at line 4; give `load_plugin` its `settings`"):
        await AstrOSTestClient().load_plugin(tmp_path)


class Gossip(BasePlugin):
    """Hears, counts and passes on."""

    subscriptions = ("topic.quiet",)

    @subscribe("topic.news.*", "gossip.>")
    async def on_news(self, message: dict[str, Any]) -> None:
        await self.publish("topic.heard", [message["subject"], message["sender"]])

    @subscribe("topic.news.>")
    def on_all_news(self, message: dict[str, Any]) -> None:
        self.heard = getattr(self, "heard", 0) + 1

    async def on_message(self, message: dict[str, Any]) -> None:
        await self.publish("topic.rest", message["data"])

    @message_handler
    async def on_direct(self, intent: Intent) -> str:
        return f"{intent.context['text']}, heard {self.heard}"

    @plugin_handler("tell")
    async def tell(self, intent: Intent) -> None:
        await self.publish("gossip.told", intent.context)
        await self.subscribe("topic.late")


async def test_messages_reach_those_who_subscribe_and_direct_ones_the_reserved_handler() -> None:
    async with AstrOSTestClient() as client:
        await client.load_plugin(Gossip)
        await client.publish("topic.news.today", sender="paper")
        await client.publish("topic.news.to.day")
        await client.publish("topic.quiet", 1)
        await client.publish("topic.late", 2)
        await client.call("tell", {"a": 1})
        await client.publish("topic.late", 3)
        answer = await client.call("$message", {"text": "hello"}, plugin="gossip")
    assert answer.message == "hello, heard 2"
    published = [(one["subject"], one["data"]) for one in client.published]
    assert published[:2] == [("topic.heard", ["topic.news.today", "paper"]), ("topic.rest", 1)]
    assert sorted(published[2:], key=str) == [
        ("gossip.told", {"a": 1}),
        ("topic.heard", ["gossip.told", "gossip"]),
        ("topic.rest", 3),
    ]
