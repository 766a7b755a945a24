"""Good practice as functions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from astros import _schema
from astros.errors import AIError, RetryableError
from astros.helpers import correlation_id, each, environment_settings, inside, retry


async def test_retry_tries_again_and_raises_the_last_error_as_it_came() -> None:
    calls: list[int] = []
    waits: list[float] = []

    async def work() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise RetryableError("not yet")
        return "done"

    def note(error: BaseException, seconds: float) -> None:
        waits.append(seconds)

    assert await retry(work, wait=0.001, before_next=note) == "done"
    assert len(calls) == 3
    assert 0.0008 <= waits[0] <= 0.0012
    assert 0.0016 <= waits[1] <= 0.0024
    with pytest.raises(RetryableError, match="again"):
        await retry(lambda: (_ for _ in ()).throw(RetryableError("again")), attempts=2, wait=0)


async def test_retry_leaves_other_errors_alone_but_hears_who_says_retryable() -> None:
    tries: list[int] = []

    def work(error: Exception) -> Any:
        tries.append(1)
        raise error

    for error, expected in ((KeyError("k"), 1), (AIError("busy", retryable=True), 3), (AIError("no key"), 1)):
        tries.clear()
        with pytest.raises(type(error)):
            await retry(lambda error=error: work(error), wait=0)  # type: ignore[misc]
        assert len(tries) == expected


async def test_each_keeps_order_within_its_limit() -> None:
    running, most = 0, 0

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001 * (5 - number % 5))
        running -= 1
        return number * 2

    assert await each(range(20), work, limit=4) == [number * 2 for number in range(20)]
    assert most == 4
    assert await each([], work) == []


async def test_each_raises_the_first_failure_or_gives_all() -> None:
    ended: list[int] = []

    async def work(number: int) -> int:
        if number == 1:
            raise ValueError("one")
        try:
            await asyncio.sleep(0.01)
        finally:
            await asyncio.sleep(0)
            ended.append(number)
        return number

    with pytest.raises(ValueError, match="one"):
        await each([0, 1, 2], work)
    assert sorted(ended) == [0, 2], "what was begun has ended before the failure is raised"
    found = await each([0, 1, 2], work, failures=True)
    assert (found[0], str(found[1]), found[2]) == (0, "one", 2)


def test_paths_stay_inside(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "link").symlink_to("/etc")
    assert inside("b/../c.txt", tmp_path / "a") == (tmp_path / "a" / "c.txt").resolve()
    assert inside(tmp_path / "x", tmp_path / "a", tmp_path) == (tmp_path / "x").resolve()
    for path in ("../b", "/etc/passwd", "link/passwd", str(tmp_path) + "/ab"):
        with pytest.raises(PermissionError, match="is not in"):
            inside(path, tmp_path / "a")


@pytest.mark.parametrize(
    ("text", "about", "expected"),
    [
        ("7", {"type": "integer"}, 7),
        ("7.5", {"type": "integer"}, "7.5"),
        ("1e3", {"type": "number"}, 1000),
        ("100MB", {"type": "integer", "format": "size"}, 100_000_000),
        ("2GiB", {"type": "number", "format": "size"}, 2 * 1024**3),
        ("100MB", {"type": "integer"}, "100MB"),
        ("on", {"type": "boolean"}, True),
        ("maybe", {"type": "boolean"}, "maybe"),
        ("a, b", {"type": "array"}, ["a", "b"]),
        ("1,2", {"type": "array", "items": {"type": "integer"}}, [1, 2]),
        ('["x"]', {"type": "array"}, ["x"]),
        ('{"a": 1}', {"type": "object"}, {"a": 1}),
        ("007", {"type": "string"}, "007"),
        ("7", {}, "7"),
        ("7", {"default": 3}, 7),
        ("7", {"type": ["null", "integer"]}, 7),
    ],
)
def test_text_becomes_what_the_schema_has(text: str, about: dict[str, Any], expected: Any) -> None:
    assert _schema.convert(text, about) == expected


def test_settings_of_the_environment_go_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTROS_MY_TOOL_MAX_SIZE", "3")
    schema = {"properties": {"max-size": {"type": "integer"}, "mode": {"default": "a"}}}
    assert environment_settings("my-tool", schema) == {"mode": "a", "max-size": 3}
    assert correlation_id() == ""


@pytest.mark.parametrize("value", [{"a": "x"}, {"b": 0}, {"b": 11}, {"c": [1, "x"]}, {"d": True}, {"e": 1}, {}])
def test_what_does_not_fit_is_found_without_jsonschema_too(value: Any) -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "a": {"enum": [1, 2]},
            "b": {"type": "integer", "minimum": 1, "maximum": 10},
            "c": {"type": "array", "items": {"type": "integer"}},
            "d": {"type": ["integer", "null"]},
            "f": {"type": "string"},
        },
        "required": ["f"],
        "additionalProperties": False,
    }
    fits = {"a": 1, "b": 5, "c": [1], "d": None, "f": "x"}
    assert _schema.problems(fits, schema) == list(_schema._problems(fits, schema, "")) == []
    wrong = value if not value else {"f": "x", **value}
    assert len(_schema.problems(wrong, schema)) == len(list(_schema._problems(wrong, schema, ""))) == 1
