"""duplicates, in memory, over real files."""

from pathlib import Path

import pytest

from astros.testing import AstrOSTestClient


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 1, "{0}/a.txt\n{0}/b/c.txt\n\n"),
        (["--min-size", "6"], 0, ""),
        (["--min-size", "much"], 2, ""),
    ],
)
async def test_names_the_files_that_are_the_same(tmp_path: Path, options: list[str], code: int, said: str) -> None:
    for name, text in {"a.txt": "same!", "b/c.txt": "same!", "d.txt": "other", "e": "", "f": ""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "link").symlink_to("a.txt")
    async with AstrOSTestClient() as client:
        await client.load_plugin(Path(__file__).parents[1])
        ended = await client.run_command("find-duplicates", str(tmp_path), *options)
    assert (ended.exit_code, ended.output) == (code, said.format(tmp_path))
