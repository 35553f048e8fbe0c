"""`vcd library` and `vcd duplicates` as a user runs them."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from vcd import encoding
from vcd_cli.main import main


@pytest.fixture
def vcd(cache_folder, tmp_path, monkeypatch, capfd):
    """Return a function that runs the command in this process, with the cache of the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments, cached=True):
        extra = ["--cache", str(cache_folder)] if cached else []
        command = ["vcd", *map(os.fsdecode, arguments), *extra]
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as caught:
            patch.setattr(sys, "argv", command)
            main()
        out, err = capfd.readouterr()
        return subprocess.CompletedProcess(command, caught.value.code or 0, out, err)

    return run


@pytest.fixture
def videos(demo, tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("city", "mountains"):
        shutil.copy(demo.folder / "refs" / f"{name}.mp4", folder)
    shutil.copy(demo.folder / "queries" / "faster.mp4", folder)
    return folder


def test_the_life_of_a_library(vcd, videos, tmp_path):
    (videos / "broken.mp4").write_text("no video")
    run = vcd("library", "add", "all.vcdlib", videos)
    assert run.returncode == 3
    assert "broken.mp4" in run.stderr
    assert "3 added; 3 videos" in run.stderr
    (videos / "broken.mp4").unlink()
    run = vcd("library", "add", "all.vcdlib", videos)
    assert (run.returncode, run.stdout) == (0, "")
    assert "3 unchanged" in run.stderr

    listed = [
        json.loads(x)
        for x in vcd("library", "list", "all.vcdlib", cached=False).stdout.splitlines()
    ]
    assert [row["id"] for row in listed] == ["city", "faster", "mountains"]
    assert listed[0]["path"] == str(videos / "city.mp4")

    (best, *_) = vcd("library", "search", "all.vcdlib", videos / "faster.mp4").stdout.splitlines()
    assert json.loads(best)["reference"].endswith("faster.mp4")
    (match,) = vcd("match", videos / "faster.mp4", "all.vcdlib").stdout.splitlines()
    assert json.loads(match)["reference"] == str(videos / "mountains.mp4")

    run = vcd("library", "verify", "all.vcdlib", "--recall", cached=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert "3 videos whole of 3" in run.stdout
    assert "nothing is missed" in run.stdout
    run = vcd("library", "export", "all.vcdlib", "-o", "all.npz", cached=False)
    assert run.returncode == 0
    assert [d.video_id for d in encoding.load(tmp_path / "all.npz")] == [
        "city",
        "faster",
        "mountains",
    ]

    (videos / "city.mp4").unlink()
    assert "1 removed" in vcd("library", "remove", "all.vcdlib", "--missing", cached=False).stderr
    assert vcd("library", "remove", "all.vcdlib", "nobody", cached=False).returncode == 3
    assert "2 removed" in vcd("library", "remove", "all.vcdlib", videos, cached=False).stderr


def test_duplicates_and_decisions(vcd, videos, tmp_path):
    run = vcd("duplicates", videos, "--library", "all.vcdlib", "--html", "page.html", "--exit-code")
    assert run.returncode == 10
    (group,) = map(json.loads, run.stdout.splitlines())
    assert [v["id"] for v in group["videos"]] == ["mountains", "faster"]
    assert group["representative"] == str(videos / "mountains.mp4")
    (pair,) = group["pairs"]
    assert pair["kind"] in ("same", "clip", "part")
    assert pair["segments"]
    page = (tmp_path / "page.html").read_text()
    assert "Group 1: 2 videos" in page
    assert page.count('class="match"') == 1
    table = vcd("duplicates", "all.vcdlib", "--format", "table").stdout
    assert "group 1" in table
    assert "representative" in table

    made = vcd("library", "separate", "all.vcdlib", "faster", "mountains", cached=False)
    assert made.stdout == "decision 1\n"
    run = vcd("duplicates", "all.vcdlib")
    assert (run.returncode, run.stdout) == (0, "")
    assert "1 pair shares what was decided to be no duplicate" in run.stderr
    (decided,) = vcd("library", "decisions", "all.vcdlib", cached=False).stdout.splitlines()
    assert sorted(json.loads(decided)["videos"]) == ["faster", "mountains"]
    assert vcd("library", "decisions", "all.vcdlib", "--forget", "1", cached=False).returncode == 0
    assert vcd("library", "decisions", "all.vcdlib", "--forget", "1", cached=False).returncode == 2
    assert (
        vcd("library", "ignore", "all.vcdlib", "mountains", cached=False).stdout == "decision 2\n"
    )
    assert vcd("duplicates", "all.vcdlib", "--format", "json").stdout == (
        '{\n  "groups": [],\n  "errors": []\n}\n'
    )


def test_a_damaged_video_is_named(vcd, videos, tmp_path):
    vcd("library", "add", "all.vcdlib", videos)
    with closing(sqlite3.connect(tmp_path / "all.vcdlib", isolation_level=None)) as database:
        database.execute("UPDATE videos SET descriptor = x'00' WHERE video_id = 'city'")
    for command in (
        ["library", "verify", "all.vcdlib"],
        ["library", "export", "all.vcdlib", "-o", "all.npz"],
    ):
        run = vcd(*command, cached=False)
        assert run.returncode == 3
        assert "video 'city'" in run.stderr
    run = vcd("match", videos / "faster.mp4", "all.vcdlib")
    assert run.returncode == 3
    assert len(run.stdout.splitlines()) == 2  # the match, and the failure


def test_an_empty_name_removes_nothing(vcd, videos, tmp_path):
    assert vcd("library", "add", "refs.vcdlib", videos).returncode == 0
    before = vcd("library", "list", "refs.vcdlib", cached=False).stdout
    removed = vcd("library", "remove", "refs.vcdlib", "", cached=False)
    assert removed.returncode == 3
    assert "no video ''" in removed.stderr
    assert vcd("library", "list", "refs.vcdlib", cached=False).stdout == before


def test_a_library_that_is_missing_is_told(vcd):
    for command in (["list"], ["verify"], ["decisions"], ["remove", "--missing"]):
        run = vcd("library", command[0], "gone.vcdlib", *command[1:], cached=False)
        assert run.returncode == 2
        assert "no such library" in run.stderr
