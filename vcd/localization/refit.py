"""Bend a found line onto the ridge it lies on, and find where the ridge really ends."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vcd.localization.board import Board, median
from vcd.localization.lines import Line, Reals

__all__ = ["fit_ends", "fit_line"]

_MOVES = np.arange(-2, 2.01, 0.5)
_SHIFTS = np.arange(-3, 3.01, 0.5)
_BENT, _STRAIGHT = (grid.ravel() for grid in np.meshgrid(_MOVES, _MOVES, indexing="ij"))
_PLAIN_BONUS = 1 / 0.94
_FASTEST = 2.2  # a little beyond the speeds searched
_GAIN = 2.5
_CEILING = 6.0  # far above the search's: along saturated cells a line slides into bright blocks
_MOST_ROWS = 600

_HALF = 0.35  # share of the typical ridge that is neither for nor against the copy
_BRIDGE = -0.2  # far weaker than evidence for it, so that edited-over stretches are bridged
_LEAST_RIDGE = 0.1


def fit_line(board: Board, line: Line, ratio: float, reach: float = 1.0) -> Line:
    """Return the best of the lines whose ends lie near, or of those of plain speed.

    Both ends move by up to 2 positions in half steps; lines of plain speed (1 or -1) are shifted by
    up to 3 positions and win ties of less than 6 percent: most copies run at plain speed.

    Parameters
    ----------
    board : Board
    line : Line
    ratio : float
        Reference positions per query position at plain speed.
    reach : float
        Factor on all moves, for rates far above 2 positions a second.
    """
    slopes, starts, plain = _candidates(line, ratio, reach)
    step = 1 + (line.last - line.first) // _MOST_ROWS
    rows = line.rows[::step]
    columns = starts[:, None] + slopes[:, None] * (rows - line.first)[None, :]
    cells = board.interpolated(rows[None, :], columns)
    cells *= np.float32(_GAIN)
    np.minimum(np.maximum(cells, -1, out=cells), _CEILING, out=cells)
    totals = cells.sum(axis=1, dtype=np.float64)
    totals[:plain] *= np.where(totals[:plain] > 0, _PLAIN_BONUS, 1)
    k = int(np.argmax(totals))
    slope = float(slopes[k])
    return Line(slope, float(starts[k]) - slope * line.first, line.first, line.last)


def _candidates(line: Line, ratio: float, reach: float) -> tuple[Reals, Reals, int]:
    """Return slopes, columns at the first row, and how many (the first) have plain speed."""
    sign = float(np.sign(line.slope))
    length = line.last - line.first
    start, end = float(line.at(line.first)), float(line.at(line.last))
    plain = np.full(len(_SHIFTS), sign * ratio)
    plain_starts = (start + end) / 2 + reach * _SHIFTS - plain * (length / 2)
    if length == 0:
        return plain, plain_starts, len(plain)
    starts = start + reach * _BENT
    bent = (end + reach * _STRAIGHT - starts) / length
    speed = bent * (sign / ratio)
    allowed = (speed >= 1 / _FASTEST) & (speed <= _FASTEST)
    return (
        np.concatenate((plain, bent[allowed])),
        np.concatenate((plain_starts, starts[allowed])),
        len(plain),
    )


def fit_ends(board: Board, line: Line) -> Line:
    """Return the line with the ends that the ridge along it asks for, around the old middle.

    Silent positions cost nothing but bear no end: it lies at a position that speaks for the copy.
    """
    rows = board.rows_inside(line)
    columns = line.at(rows)
    silent = board.silent(rows, columns)
    inside = (rows >= line.first) & (rows <= line.last) & ~silent
    if not inside.any():
        return line
    ridge = board.ridge(rows, columns)
    typical = max(median(ridge[inside]), _LEAST_RIDGE)
    gain = (ridge / typical - _HALF) / (1 - _HALF) - board.rivalry(rows, columns, ridge)
    np.minimum(np.maximum(gain, _BRIDGE, out=gain), 1, out=gain)
    gain[silent] = 0
    middle = min(max((line.first + line.last) // 2 - int(rows[0]), 0), len(rows) - 1)
    first, last = _interval_through(gain, middle)
    return Line(line.slope, line.intercept, int(rows[first]), int(rows[last]))


def _interval_through(gain: npt.NDArray[np.floating], middle: int) -> tuple[int, int]:
    """Return the interval of largest sum that contains the middle (the shortest where tied)."""
    after = np.cumsum(gain[middle:], dtype=np.float64)
    before = np.cumsum(gain[middle::-1], dtype=np.float64)
    return middle - int(np.argmax(before)), middle + int(np.argmax(after))
