"""Refitting a line and its ends."""

import numpy as np
import pytest

from vcd.localization.board import Board
from vcd.localization.lines import Line
from vcd.localization.refit import fit_ends, fit_line


def ridge(n, m, rows, columns):
    excess = np.full((n, m), -1, np.float32)
    excess[rows, np.rint(columns).astype(int)] = 1
    return Board(excess)


def test_bends_onto_the_ridge():
    rows = np.arange(40)
    board = ridge(40, 80, rows, 5 + 1.3 * rows)
    line = fit_line(board, Line(1.25, 6, 0, 39), ratio=1)
    np.testing.assert_allclose(line.at([0, 39]), (5, 5 + 1.3 * 39), atol=0.6)


def test_plain_speed_wins_ties():
    board = Board(np.ones((10, 10), np.float32))
    assert fit_line(board, Line(1.07, 0, 0, 9), ratio=1).slope == 1


def test_ends_shrink_and_grow():
    rows = np.arange(10, 30)
    board = ridge(50, 60, rows, rows + 4)
    for guess in (Line(1, 4, 0, 45), Line(1, 4, 15, 22)):
        assert (fit_ends(board, guess).first, fit_ends(board, guess).last) == (10, 29)


def test_a_line_on_silent_positions_is_left():
    line = Line(1, 0, 2, 5)
    assert fit_ends(Board(np.zeros((8, 8), np.float32)), line) == line


def test_one_row_keeps_its_direction():
    board = ridge(5, 5, np.array([2]), np.array([2]))
    assert fit_line(board, Line(-0.8, 4, 2, 2), ratio=1).slope == pytest.approx(-1)
