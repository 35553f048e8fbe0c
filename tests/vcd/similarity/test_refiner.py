"""The refiner's session: what it refuses, and what the localizer makes of its answer."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "localization"))
from simulated import planted

from vcd.errors import ModelError
from vcd.localization import LineLocalizer
from vcd.localization.board import Board
from vcd.similarity import Refiner


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match="ONNX Runtime can load"):
        Refiner(tmp_path / "model.onnx")(np.zeros((2, 2), np.float32))


def test_evidence_rises_where_a_copy_runs_and_silence_stays():
    excess = np.full((6, 8), -0.5, np.float32)
    excess[2], excess[:, 3] = 0, 0
    board = Board(excess)
    before = board.evidence.copy()
    copied = np.zeros((6, 8), np.float32)
    copied[np.arange(6), np.arange(6)] = 1
    board.encourage(copied)
    raised = board.evidence > before
    assert raised[[0, 1, 4, 5], [0, 1, 4, 5]].all()
    assert raised.sum() == 4
    assert not board.evidence[2].any()


def test_the_localizer_looks_where_it_is_told_and_measures_what_is_there():
    """A copy too faint to be proposed is found with help; its probability stays its own."""
    matrix = planted([(20, range(30, 42))], noise=1.6, seed=3)
    telling = np.zeros(matrix.excess.shape, np.float32)
    telling[np.arange(20, 32), np.arange(30, 42)] = 1

    def near(localizer):
        return [
            p
            for p in localizer.proposals(matrix)
            if abs(p.line.first - 20) <= 2 and abs(p.line.at(25) - 35) <= 1.5
        ]

    told = near(LineLocalizer(refiner=lambda _: telling))
    assert told
    for proposal in near(LineLocalizer()):
        assert proposal.features.contrast == pytest.approx(told[0].features.contrast, abs=0.3)


def test_large_matrices_are_searched_without_help():
    def refuse(_):
        raise AssertionError("a large matrix was refined")

    matrix = planted([(5, range(5, 20))], n=1001, m=1000)
    assert LineLocalizer(refiner=refuse).proposals(matrix)
