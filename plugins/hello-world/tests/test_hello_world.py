"""hello-world, in memory."""

from pathlib import Path

import pytest

from astros.testing import AstrOSTestClient

FOLDER = Path(__file__).parents[1]


@pytest.mark.parametrize(("context", "name"), [({"user_name": "Ada"}, "Ada"), ({}, "friend")])
async def test_greets_by_name(context: dict[str, str], name: str) -> None:
    async with AstrOSTestClient() as client:
        await client.load_plugin(FOLDER)
        response = await client.call("say_hello", context)
    assert response.success
    assert response.message.startswith(f"Hello, {name}!")
    assert response.data["greeting"] == "hello"


async def test_introduces_astros() -> None:
    async with AstrOSTestClient() as client:
        await client.load_plugin(FOLDER)
        response = await client.call("introduce_astros", {})
    assert "AstrOS" in response.message
