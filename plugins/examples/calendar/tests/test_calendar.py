"""calendar, in memory."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from astros.testing import AstrOSTestClient


@pytest.fixture
async def client() -> AsyncIterator[AstrOSTestClient]:
    async with AstrOSTestClient() as client:
        await client.load_plugin(Path(__file__).parents[1])
        yield client


async def test_draws_a_month_as_a_table(client: AstrOSTestClient) -> None:
    tree = await client.render("month", {"year": 2024, "month": 2, "first_weekday": 6})
    assert (tree["type"], tree["title"]) == ("table", "February 2024")
    assert tree["columns"][0] == "Sun"
    assert tree["rows"][0] == ["", "", "", "", "1", "2", "3"]
    assert tree["rows"][-1] == ["25", "26", "27", "28", "29", "", ""]


async def test_counts_down_until_the_moment_is_there(client: AstrOSTestClient) -> None:
    drawn: list[Any] = []
    moment = datetime.now() + timedelta(seconds=0.2)
    props = {"until": moment.isoformat(), "what": "tea"}
    last = await client.render("countdown", props, on_progress=drawn.append)
    assert [tree["content"]["text"] for tree in drawn][:1] == ["0:00:00"]
    assert (last["title"], last["content"]["text"]) == ("tea", "now")
