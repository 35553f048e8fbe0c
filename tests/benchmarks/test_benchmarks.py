"""The scripts under `benchmarks/`: what they say of what they measured."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from vcd.records import Segment
from vcd_eval.formats import SegmentTable

FOLDER = Path(__file__).parents[2] / "benchmarks"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_fit_counts_the_pairs_without_copy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("sklearn")
    simbench = script("simbench")
    monkeypatch.setattr(simbench, "WEIGHTS", tmp_path / "weights.json")
    rng = np.random.default_rng(0)
    judged = simbench.Judged()
    for i in range(20):
        judged.features[f"q{i}", "r"] = rng.normal(size=(2, len(simbench.FEATURES)))
        judged.found[f"q{i}", "r"] = [Segment(0, 4, 0, 4, 0.5), Segment(6, 8, 6, 8, 0.5)]
    times = np.tile([0.0, 4.0], (5, 1))
    truth = SegmentTable([f"q{i}" for i in range(5)], ["r"] * 5, times, times)
    scores = simbench.fit(judged, truth)
    fitted = json.loads((tmp_path / "weights.json").read_text())["fitted"]
    assert (fitted["pairs"], fitted["pairs_without_copy"]) == (20, 15)
    assert (fitted["segments"], fitted["copies"]) == (40, 5)
    assert scores.keys() == judged.features.keys()


def test_reading_a_film_tells_only_what_was_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    decode_cost = script("decode_cost")

    def cpu_of(command: list[str]) -> tuple[float, str]:
        if command[0] == "ffmpeg":
            return 4.0, ""
        times = [0.0, 1.0] if "--exact" in command else [0.0, 1.1]
        return 2.5, json.dumps({"cpu": 2.0, "times": times, "rate": 10, "rss": 90})

    monkeypatch.setattr(decode_cost, "cpu_of", cpu_of)
    decode_cost.measure(Path("film.mp4"), ["pyav"], 1, reference=True)
    reference, exact, skipping = capsys.readouterr().out.splitlines()
    assert reference.endswith("4.00 s CPU, ratio 1.00 (1.00 with start-up)")
    ours = "2.00 s CPU, ratio 0.50 (0.62 with start-up), 2 frames, at most {} frames off the rule, "
    assert exact.endswith(ours.format("0.0") + "90 MB")
    assert skipping.endswith(ours.format("1.0") + "90 MB")
    decode_cost.measure(Path("hour.mp4"), ["pyav"], 1, reference=False)
    assert capsys.readouterr().out == f"{'vcd, pyav':20s}     2.00 s CPU, 2 frames, 90 MB\n"


def test_an_hour_of_a_film_of_any_length(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    decode_cost = script("decode_cost")
    film = tmp_path / "film.webm"
    film.write_bytes(b"")
    loops: list[tuple[str, int]] = []
    monkeypatch.setattr(decode_cost.shutil, "which", str)
    monkeypatch.setattr(decode_cost, "length_of", lambda film: 600.0)
    monkeypatch.setattr(decode_cost, "measure", lambda *_, **__: None)
    monkeypatch.setattr(
        decode_cost, "loop_film", lambda film, path, times: loops.append((path.suffix, times))
    )
    monkeypatch.setattr("sys.argv", ["decode_cost.py", "--hour", "--file", str(film)])
    decode_cost.main()
    assert loops == [(".webm", 6)]


def test_scoring_is_told_in_units_of_a_sort(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    eval_speed = script("eval_speed")
    seconds = iter([0.5, 0.25, 2.0])
    monkeypatch.setattr(eval_speed, "UNIT", 10)
    monkeypatch.setattr(eval_speed, "CASES", [(6, 3, 1, 1, 2.0), (10, 3, 4, 4, None)])
    monkeypatch.setattr(eval_speed, "cpu", lambda work, runs=1: (work(), next(seconds))[1])
    eval_speed.main()
    unit, one_pair, many = capsys.readouterr().out.splitlines()
    assert unit == "unit: 0.50 CPU s, the sort of 10 float64"
    assert one_pair.endswith("0.250 CPU s,  0.500 units, 0.250 of the published code's")
    assert many.endswith("2.000 CPU s,  4.000 units")


def test_the_best_diagonal_is_one_that_half_of_the_query_lies_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("onnx")
    monkeypatch.syspath_prepend(FOLDER)
    sound_edits = script("sound_edits")
    reference = np.eye(20)
    assert sound_edits.along_diagonals(reference[5:12], reference) == 1
    over = reference[[16, 17, 18, 19, 0, 1, 2, 3]]
    assert sound_edits.along_diagonals(over, reference[4:]) == 1
    assert sound_edits.along_diagonals(over, reference[4:-1]) < 1


def test_layers_maxima_hear_no_gain() -> None:
    pytest.importorskip("onnx")
    peers = script("sound_peers")
    rng = np.random.default_rng(0)
    sounds = rng.normal(0, 0.1, (5, 8 * 16000)).astype(np.float32)
    describe = peers.layer_maxima(sounds[1:])
    rows = describe(sounds[0])
    assert rows.shape == (25, 128)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert (rows * describe(0.5 * sounds[0])).sum(axis=1).min() > 0.99
