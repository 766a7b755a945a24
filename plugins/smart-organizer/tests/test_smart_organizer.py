"""smart-organizer in memory, beside stand-ins for the plugins that it calls."""

from pathlib import Path

import pytest

from astros.plugin import BasePlugin, plugin_handler
from astros.testing import AstrOSTestClient
from astros.types import Intent, Response

FOLDER = Path(__file__).parents[1]


class FileManager(BasePlugin):
    """Notes what it is asked."""

    name = "file-manager"

    @plugin_handler("organize_files")
    async def organize_files(self, intent: Intent) -> Response:
        return Response(message="Organized 2 files.", data={"files_processed": 2, "asked": intent.context})


class Notifier(BasePlugin):
    """Notes what it is told."""

    name = "notification-manager"
    told: list[str] = []

    @plugin_handler("send_notification")
    async def send_notification(self, intent: Intent) -> Response:
        self.told.append(intent.context["message"])
        return Response(data={"delivered": True})


@pytest.fixture
async def client():
    Notifier.told = []
    async with AstrOSTestClient() as client:
        for plugin in (FOLDER, FileManager, Notifier):
            await client.load_plugin(plugin)
        yield client


async def ask(client: AstrOSTestClient, context: dict[str, object]) -> Response:
    return await client.call("organize_files", context, plugin="smart-organizer")


async def test_organizes_by_the_method_that_is_asked_for_and_tells(client: AstrOSTestClient) -> None:
    response = await ask(client, {"path": "/x", "method": "by_size"})
    assert response.data["asked"] == {"path": "/x", "method": "by_size", "dry_run": False, "folders": {}}
    assert Notifier.told == ["Organized 2 files."]


async def test_takes_the_guides_other_names(client: AstrOSTestClient) -> None:
    asked = {"location": "/x", "organization_method": "by_date", "dry_run": True}
    response = await ask(client, asked)
    assert (response.data["asked"]["path"], response.data["asked"]["method"]) == ("/x", "by_date")
    assert Notifier.told == [], "a rehearsal is no news"


async def test_asks_back_for_the_folder(client: AstrOSTestClient) -> None:
    response = await ask(client, {})
    assert response.requires_followup
    assert "Which folder" in response.message


async def test_says_which_methods_it_knows(client: AstrOSTestClient) -> None:
    response = await ask(client, {"path": "/x", "method": "by_mood"})
    assert not response.success
    assert "`by_type`" in response.message
