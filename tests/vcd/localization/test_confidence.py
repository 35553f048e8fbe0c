"""The logistic confidence and its file."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from simulated import planted

from vcd.errors import ContractError
from vcd.localization import Confidence, LineLocalizer, default_confidence
from vcd.localization.board import Board
from vcd.localization.features import FEATURES, Features, measure
from vcd.localization.lines import Line

STRONG = Features(1.0, 1.0, 4.0, 1.8, 0.0, 0.3, 0.0, 0.0, 8.0, 1.8, 0.0)
confidence = default_confidence()


def test_between_zero_and_one():
    extreme = replace(STRONG, distinct=1e6)
    assert 0 < confidence(replace(STRONG, distinct=-1e6)) < confidence(STRONG)
    assert confidence(STRONG) < confidence(extreme) < 1


@pytest.mark.parametrize("name", ["contrast", "distinct", "seconds"])
def test_more_of_what_speaks_for_a_copy_is_worth_more(name):
    weaker = replace(STRONG, **{name: getattr(STRONG, name) - 1})
    assert confidence(weaker) < confidence(STRONG)


def test_order_of_the_array():
    assert dict(zip(FEATURES, STRONG.array(), strict=True))["best_in_row"] == STRONG.best_in_row


def test_block_has_no_contrast_and_line_has():
    block = Board(np.ones((20, 20), np.float32))
    line = Board(np.where(np.eye(20, dtype=bool), 1, -1).astype(np.float32))
    diagonal = Line(1, 0, 0, 19)
    assert measure(block, diagonal, [], 1, 1).contrast == 0
    assert measure(line, diagonal, [], 1, 1).contrast > 1
    assert measure(line, diagonal, [], 1, 1).best_in_row == 1
    assert measure(line, diagonal, [Line(1, 5, 0, 9)], 1, 1).overlap == 0.5


def test_silent_segment_is_not_measured():
    assert measure(Board(np.zeros((9, 9), np.float32)), Line(1, 0, 1, 5), [], 1, 1) is None


def test_proposals_carry_what_their_score_is_made_of():
    matrix = planted([(15, np.arange(30, 55))])
    localizer = LineLocalizer()
    best = max(localizer.proposals(matrix), key=lambda p: confidence(p.features))
    assert localizer.localize(matrix)[0].score == confidence(best.features)


def test_the_matrix_s_stream_decides_which_confidence_is_asked():
    matrix = planted([(15, np.arange(30, 55))])
    none = Confidence(np.zeros(len(FEATURES)), -1.0)
    [plain] = LineLocalizer(confidences={"audio": none}).localize(matrix)[:1]
    [fitted] = LineLocalizer(confidences={matrix.stream: none}).localize(matrix)[:1]
    assert plain.score != fitted.score == pytest.approx(1 / (1 + np.e))


def test_numbers_survive_the_manifest():
    again = Confidence.from_mapping(confidence.as_mapping())
    assert again.as_mapping() == confidence.as_mapping()


@pytest.mark.parametrize(
    "change",
    [
        {"weights": {}},
        {"weights": {"contrast": 1.0}},
        {"weights": None},
        {"intercept": "high"},
        {"intercept": float("nan")},
    ],
)
def test_numbers_that_are_no_model_are_refused(change):
    with pytest.raises(ContractError):
        Confidence.from_mapping(confidence.as_mapping() | change)


def test_moments_beside_the_line_and_changes_along_it():
    excess = np.full((20, 20), -1, np.float32)
    line = Line(1, 0, 0, 19)
    still = measure(Board(excess), line, [], 2, 2)
    assert (still.changes, still.beside) == (0, -1)
    excess[np.arange(20), np.arange(20)] = 3
    excess[10:, :10] = 0.5
    moving = measure(Board(excess), line, [], 2, 2)
    assert moving.changes >= 19
    assert -1 < moving.beside < 0
    assert measure(Board(excess), Line(-1, 19, 0, 19), [], 2, 2).backwards == 1


@pytest.mark.parametrize("silent", [slice(0, 20, 2), slice(5, 15), slice(1, 20)])
def test_silence_is_no_change(silent):
    rng = np.random.default_rng(0)
    still = np.repeat(rng.uniform(-1, 1, (1, 30)), 20, axis=0).astype(np.float32)
    for axis in (0, 1):
        quiet = still.copy()
        quiet[(slice(None),) * axis + (silent,)] = 0
        measured = measure(Board(quiet), Line(1, 0, 0, 19), [], 2, 2)
        assert measured is None or measured.changes == 0
