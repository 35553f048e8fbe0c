"""The haystack benchmark scores existing files without running anything."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from vcd_eval.formats import Labels, SegmentTable, write_labels, write_segments

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "haystack.py"


@pytest.fixture
def haystack(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("haystack_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    times = np.array([[0.0, 10.0]] * 3)
    truth = SegmentTable(["a", "b", "c"], ["x", "y", "z"], times, times)
    visual, audio = np.array([True, True, False]), np.array([True, False, True])
    write_labels(tmp_path / "labels.csv", Labels(truth, visual, audio, [()] * 3, np.ones(3)))
    found = SegmentTable(
        ["q/a.mp4", "b", "c"], ["x.mp4", "y", "x"], times, times, np.array([0.9, 0.3, 0.6])
    )
    write_segments(tmp_path / "found.csv", found)
    return tmp_path


def test_scores_files(
    haystack: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = folder / "found.csv"
    haystack.main(
        [
            str(folder),
            "--matches",
            f"visual={found}",
            f"fused={found}",
            "--json",
            f"{folder}/o.json",
        ]
    )
    visual, fused = json.loads((folder / "o.json").read_text())
    # a is right, c a false alarm, b right: 1/2 * 1 + 1/2 * 2/3 of the two visual rows
    assert visual["segment_ap"] == pytest.approx(5 / 6)
    assert visual["pair_ap"] == pytest.approx(5 / 6)
    assert (visual["rows"], visual["precision"], visual["recall"]) == (2, 0.5, 0.5)
    assert (fused["rows"], fused["pair_precision"]) == (3, 0.5)
    assert fused["recall"] == pytest.approx(1 / 3)
    assert "0.8333" in capsys.readouterr().out


def test_arguments_are_checked(
    haystack: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([], ["--matches", "sound=x.csv"], ["--matches", "audio=x", "--output", "o"]):
        with pytest.raises(SystemExit):
            haystack.main([str(folder), *arguments])
    assert "visual=FILE" in capsys.readouterr().err


def test_runs_the_engine_with_the_agreed_options(
    haystack: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    class Done:
        returncode = 0

    def run(command: list[str], check: bool) -> Done:
        commands.append(command)
        output = Path(command[command.index("--output") + 1])
        output.write_bytes((folder / "found.csv").read_bytes())
        return Done()

    monkeypatch.setattr(haystack.subprocess, "run", run)
    haystack.main([str(folder), "--output", str(folder / "out"), "--jobs", "2"])
    streams = [command[command.index("--streams") + 1] for command in commands]
    assert streams == ["visual", "audio", "visual,audio"]
    assert commands[0][-2:] == ["--jobs", "2"]
