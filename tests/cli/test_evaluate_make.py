"""`vcd eval make`: from files at the shell to a haystack, with exit codes and remedies."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vcd_cli.main import main
from vcd_eval.haystack import read_haystack
from vcd_eval.making.recipe import recipe_text
from vcd_eval.making.recording import write_video

Run = Callable[..., tuple[int, str, str]]

RECIPE = """
distractors = 0.34
segment_seconds = [1, 2]
surround_seconds = [0.5, 1]
[layouts]
inside = 1
[picture]
flip = 1
"""


@pytest.fixture
def vcd(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the command in this process: exit code, stdout, stderr."""

    def run(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vcd", "eval", "make", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return run


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for seed in range(5):
        rng = np.random.default_rng(seed)
        blocks = rng.integers(0, 256, (36, 8, 12, 3), dtype=np.uint8)
        frames = blocks.repeat(8, axis=1).repeat(8, axis=2)
        write_video(folder / f"v{seed}.mp4", frames, 12, rng.uniform(-0.3, 0.3, 48_000), 16_000)
    return folder


def test_videos_become_a_haystack(vcd: Run, videos: Path, tmp_path: Path) -> None:
    recipe, out = tmp_path / "r.toml", tmp_path / "hay"
    recipe.write_text(RECIPE)
    arguments = (videos, "--out", out, "--recipe", recipe, "--queries", 3, "--size", "96x64")
    code, printed, told = vcd(*arguments, "--jobs", 1)
    assert code == 0
    lines = printed.splitlines()
    assert lines[0] == "references   3"
    assert lines[1] == "queries      3, 1 of them without a copy"
    assert lines[2].startswith("segments     2: ")
    assert lines[3].endswith("in 8 new files and 0 kept")
    assert told == f"try it: vcd eval haystack {out} --out {out}-run\n"
    hay = read_haystack(out)
    assert hay.labelled
    assert len(list((out / "queries").iterdir())) == 3
    assert [edits[0] for edits in hay.labels.edits] == ["flip", "flip"]
    code, printed, told = vcd(*arguments, "--quiet")
    assert (code, told) == (0, "")
    assert "in 0 new files and 8 kept" in printed


def test_the_recipe_is_shown_without_sources(vcd: Run) -> None:
    code, printed, told = vcd("--show-recipe")
    assert (code, told) == (0, "")
    assert printed == recipe_text()


def test_one_bad_source_of_many(vcd: Run, videos: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE)
    code, printed, told = vcd(
        videos, bad, "--out", tmp_path / "hay", "--recipe", recipe, "--queries", 1, "--jobs", 1
    )
    assert code == 3
    assert f"{bad}: cannot be read" in told
    assert "queries      1" in printed


def test_nothing_to_make_it_of(vcd: Run, tmp_path: Path) -> None:
    code, printed, told = vcd(tmp_path / "none.mp4", "--out", tmp_path / "hay")
    assert (code, printed) == (2, "")
    assert "none.mp4: there is no such file" in told
    assert "no source can be read (name videos, photographs or sound files)" in told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--size", "big"), "is not WIDTHxHEIGHT of even numbers"),
        (("--size", "97x64"), "is not WIDTHxHEIGHT of even numbers"),
        (("--recipe", "none.toml"), "none.toml: cannot be read"),
        (("--queries", "0"), "--queries"),
    ],
)
def test_wrong_usage(
    vcd: Run, videos: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    code, printed, told = vcd(videos, "--out", tmp_path / "hay", *options)
    assert (code, printed) == (2, "")
    assert message in told
    assert not (tmp_path / "hay").exists()
