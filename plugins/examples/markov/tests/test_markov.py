"""markov, in memory: another plugin asks it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from astros.plugin import BasePlugin, plugin_handler
from astros.testing import AstrOSTestClient
from astros.types import Intent


class Poet(BasePlugin):
    """Asks whichever provider there is."""

    name = "poet"

    @plugin_handler("verse")
    async def verse(self, intent: Intent) -> str:
        answer = await self.ai.complete(intent.context["prompt"], max_tokens=intent.context.get("words"))
        return str(answer["content"])


@pytest.fixture
async def client() -> AsyncIterator[AstrOSTestClient]:
    async with AstrOSTestClient() as client:
        await client.load_plugin(Path(__file__).parents[1], settings={"words": 12})
        await client.load_plugin(Poet)
        yield client


@pytest.mark.parametrize(("wanted", "count"), [(5, 5), (None, 12), (500, 12)])
async def test_says_as_many_words_as_are_wanted_and_settings_allow(
    client: AstrOSTestClient, wanted: int | None, count: int
) -> None:
    response = await client.call("verse", {"prompt": "the rain in Spain", "words": wanted}, check=True)
    assert len(response.message.split()) == count
    again = await client.call("verse", {"prompt": "the rain in Spain", "words": wanted}, check=True)
    assert again.message == response.message


async def test_goes_on_where_the_prompt_ended(client: AstrOSTestClient) -> None:
    response = await client.call("verse", {"prompt": "zip zap zip", "words": 1}, check=True)
    assert response.message == "zap"
