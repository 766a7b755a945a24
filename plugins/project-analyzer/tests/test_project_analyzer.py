"""project-analyzer, in memory, over real trees."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from astros.testing import AstrOSTestClient, CommandOutcome

FOLDER = Path(__file__).parents[1]


async def run(*argv: str, **settings: Any) -> CommandOutcome:
    async with AstrOSTestClient() as client:
        await client.load_plugin(FOLDER, settings=settings)
        return await client.run_command(*argv)


async def analyzed(tree: Path, *options: str, **settings: Any) -> dict[str, Any]:
    ended = await run("analyze-project", str(tree), "--format", "json", *options, **settings)
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.output)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project of several languages."""
    files = {
        "pyproject.toml": '[project]\ndependencies = ["httpx[http2]>=0.27"]\n[dependency-groups]\ntest = ["pytest"]\n',
        "requirements-dev.txt": "# tools\nruff==0.5  # the linter\n-r other.txt\nmypy \\\n  --hash=sha256:00\n",
        "src/app.py": "print(1)\nprint(2)\n",
        "src/notes [x].PY": "",
        "web/package.json": '{"dependencies": {"left-pad": "1"}, "devDependencies": {"vite": "5"}}',
        "web/node_modules/left-pad/package.json": "{}",
        "core/Cargo.toml": '[dependencies]\nserde = "1"\n[target."cfg(unix)".dependencies]\nnix = "0.29"\n',
        "go/go.mod": "module x\nrequire a.org/one v1.0.0\nrequire (\n\tb.org/two v2 // indirect\n\tc.org/three v3\n)\n",
        "build/out.bin": "x" * 5000,
        "photo.bin": "\0\n\n" * 1000,
        "LICENSE": "",
    }
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "empty").mkdir()
    return tmp_path


async def test_counts_what_is_there_and_leaves_out_what_is_excluded(tree: Path) -> None:
    os.symlink(tree, tree / "loop")
    structure = (await analyzed(tree))["structure"]
    assert (structure["total_files"], structure["total_directories"]) == (10, 6)
    assert structure["file_types"][".py"] == {"files": 2, "bytes": 18}
    assert structure["file_types"]["no extension"]["files"] == 1
    assert structure["largest_files"][0] == {"path": "build/out.bin", "bytes": 5000}
    assert (structure["empty_directories"], structure["ignored"]) == (["empty/"], 1)


async def test_finds_what_kind_of_project_it_is_and_what_each_part_depends_on(tree: Path) -> None:
    found = await analyzed(tree)
    assert found["project_types"] == ["python", "rust", "golang", "nodejs"]
    assert found["dependencies"] == {
        "pyproject.toml": {"dependencies": ["httpx[http2]>=0.27"], "test": ["pytest"]},
        "requirements-dev.txt": {"dependencies": ["ruff==0.5", "mypy"]},
        "core/Cargo.toml": {"dependencies": ["serde", "nix"]},
        "go/go.mod": {"dependencies": ["a.org/one", "c.org/three"], "indirect": ["b.org/two"]},
        "web/package.json": {"dependencies": ["left-pad"], "devDependencies": ["vite"]},
    }


async def test_a_manifest_that_cannot_be_read_is_named_and_stops_nothing(tree: Path) -> None:
    (tree / "pyproject.toml").write_text("[project\n")
    (tree / "web/package.json").write_text('{"dependencies": 5}')
    (tree / "core/Cargo.toml").write_bytes(b"\xff")
    found = (await analyzed(tree))["dependencies"]
    for file in ("pyproject.toml", "web/package.json", "core/Cargo.toml"):
        assert found[file]["error"][0].startswith("it cannot be read: "), file
    assert "go/go.mod" in found


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ("*.bin", {"photo.bin", "build/out.bin"}),
        ("build/", {"build/out.bin"}),
        ("/out.bin", set()),
        ("build/*.bin", {"build/out.bin"}),
        ("*.bin\n!photo.bin", {"build/out.bin"}),
        ("**/src/*.py", {"src/app.py"}),
        ("# no comment\n\n\\#x", set()),
    ],
)
async def test_gitignore_is_read_as_git_reads_it(tree: Path, lines: str, left: set[str]) -> None:
    before = {one["path"] for one in (await analyzed(tree))["structure"]["largest_files"]}
    (tree / ".gitignore").write_text(lines)
    (tree / "LICENSE").unlink()  # as many files as before
    after = {one["path"] for one in (await analyzed(tree))["structure"]["largest_files"]}
    assert before - after == left | {"LICENSE"}


async def test_a_gitignore_nearer_to_the_file_holds_and_one_of_the_repository_reaches_its_folders(tree: Path) -> None:
    (tree / ".git").mkdir()
    (tree / ".gitignore").write_text("*.PY\n/src/app.py\n")
    assert (await analyzed(tree / "src"))["structure"]["total_files"] == 0
    (tree / "src/.gitignore").write_text("!*.PY\n")
    found = (await analyzed(tree / "src"))["structure"]
    assert sorted(one["path"] for one in found["largest_files"]) == [".gitignore", "notes [x].PY"]


async def test_obeys_its_settings(tree: Path) -> None:
    deep = await analyzed(tree, default_analysis_depth="deep", max_file_size_mb=0.004, exclude_patterns=["*.json"])
    assert deep["structure"]["file_types"][".py"]["lines"] == 2
    assert deep["structure"]["file_types"][".bin"]["lines"] == 0, "a photo has no lines, and the other one is large"
    assert deep["structure"]["too_large_to_read"] == 1
    assert ".json" not in deep["structure"]["file_types"]
    shallow = await analyzed(tree, default_analysis_depth="shallow")
    assert (shallow["structure"]["total_files"], shallow["structure"]["total_directories"]) == (4, 6)
    assert list(shallow["dependencies"]) == ["pyproject.toml", "requirements-dev.txt"]
    assert (await analyzed(tree, "--depth", "normal", default_analysis_depth="shallow"))["depth"] == "normal"


async def test_tables_show_names_as_they_are(tree: Path) -> None:
    (tree / "web/[red]loud\x1b[2J.txt").write_text("x" * 9000)
    shown = (await run("analyze-project", str(tree), "--detailed")).output
    for words in ("[red]loud\N{REPLACEMENT CHARACTER}[2J.txt", "notes [x].PY", "python, rust", "left-pad", "empty/"):
        assert words in shown, shown
    assert "\x1b[2J" not in shown


async def test_a_summary_is_written_to_a_file(tree: Path) -> None:
    file = tree / "summary.md"
    ended = await run("project-summary", str(tree), "--save", str(file))
    assert ended.exit_code == 0
    text = file.read_text()
    assert "- Files: 10" in text and "| core/Cargo.toml | dependencies | 2 |" in text
    assert (
        text.replace("Files: 10", "Files: 11").splitlines()[:3]
        == (await run("project-summary", str(tree))).output.splitlines()[:3]
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["analyze-project", "no/such"], "does not exist"),
        (["analyze-project", "LICENSE"], "is a file"),
        (["analyze-project", ".", "--format", "xml"], "'xml' is not one of"),
        (["project-summary", ".", "--save", "no/summary.md"], "`no/summary.md` cannot be written"),
    ],
)
async def test_wrong_use_is_named_and_ends_with_2(
    tree: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tree)
    assert (await run(*words)).exit_code == 2
    assert said in capsys.readouterr().err
