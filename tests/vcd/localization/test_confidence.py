"""The logistic confidence and its file."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from simulated import planted

from vcd.localization import LineLocalizer, confidence
from vcd.localization.board import Board
from vcd.localization.features import FEATURES, Features, measure
from vcd.localization.lines import Line

STRONG = Features(1.0, 1.0, 4.0, 1.8, 0.0, 0.3, 0.0)


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
