"""What tells a copy from a chance line: a few numbers that compare across matrices and rates.

All similarities are in units of excess, all lengths in seconds, and counts of positions are those
of at most two a second, so that neither the descriptor model nor the sampling rate shows through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from vcd.localization.board import Board
from vcd.localization.lines import Integers, Line, Reals
from vcd.records import FloatArray

__all__ = ["FEATURES", "Features", "measure"]

_FLOOR, _CEILING = -1.0, 1.5
_GAIN = 2.0  # evidence of a segment per excess
_LEAST_SECONDS, _MOST_SECONDS = 0.3, 6.0
_NEIGHBOURS = 2  # positions to either side that belong to the line, at up to two a second
_DENSE_RATE = 2.0  # positions a second above which neighbours repeat each other
_MOST_ROWS = 400
_DIFFERENT = 0.15  # mean difference in excess from which two moments look different
_MOST_CHANGES, _MOST_STEPS = 20, 120


@dataclass(frozen=True, slots=True)
class Features:
    """Numbers of one segment, from which its probability is computed.

    Attributes
    ----------
    contrast : float
        Mean excess on the line minus that on the mirrored line of the same box: a block of
        resemblance has none.
    best_in_row : float
        Share of positions whose best reference position lies on the line.
    distinct : float
        `best_in_row` times the natural logarithm of the bounded evidence gathered (at least 0):
        evidence that could not as well lie elsewhere in its row.
    seconds : float
        Natural logarithm of the shorter side, up to 6 s: being longer is no merit of its own.
    speed : float
        Absolute natural logarithm of the speed.
    spread : float
        Standard deviation of the excess along the line.
    overlap : float
        Share of the query's part that stronger segments of the matrix cover already.
    beside : float
        Mean excess to both sides of the line, 1.5 to 3 s away: resemblance that is not in time.
    changes : float
        How often the query looks (sounds) different to the reference from one moment that speaks
        to the next, half a second (at lower rates a position) later, up to 20: a still shot that
        resembles another one does so once, however long it lasts.
    length : float
        Natural logarithm of the length in the query.
    backwards : float
        1 where the copy runs backwards, else 0: few do.
    """

    contrast: float
    best_in_row: float
    distinct: float
    seconds: float
    speed: float
    spread: float
    overlap: float
    beside: float
    changes: float
    length: float
    backwards: float

    def array(self) -> npt.NDArray[np.float64]:
        """Return the numbers in the order of `FEATURES`."""
        return np.array([getattr(self, name) for name in FEATURES], np.float64)


FEATURES = tuple(field.name for field in fields(Features))


def measure(
    board: Board, line: Line, stronger: Sequence[Line], query_rate: float, ref_rate: float
) -> Features | None:
    """Measure a segment; None where no position of it says anything.

    Parameters
    ----------
    board : Board
    line : Line
    stronger : sequence of Line
        The segments accepted before.
    query_rate, ref_rate : float
        Positions per second.
    """
    rows = line.rows[:: 1 + (line.last - line.first) // _MOST_ROWS]
    columns = line.at(rows)
    mirrored = columns[::-1]
    speaking = ~board.silent(rows, columns)
    if not speaking.any():
        return None
    rows, columns, mirrored = rows[speaking], columns[speaking], mirrored[speaking]
    ridge = board.ridge(rows, columns)
    speed = abs(line.slope) * query_rate / ref_rate
    seconds = (line.last - line.first + 1) / query_rate
    bounded = float(np.clip(_GAIN * ridge, _FLOOR, _CEILING).mean())
    looks = min(query_rate, _DENSE_RATE) * seconds * float(speaking.mean())
    evidence = bounded * looks * min(1.0, abs(line.slope))
    best_in_row = _best_in_row(board, rows, columns, ridge, ref_rate)
    shorter = min(max(seconds * min(1.0, speed), _LEAST_SECONDS), _MOST_SECONDS)
    return Features(
        contrast=float((ridge - board.ridge(rows, mirrored, original=True)).mean()),
        best_in_row=best_in_row,
        distinct=best_in_row * float(np.log(max(evidence, 1.0))),
        seconds=float(np.log(shorter)),
        speed=float(abs(np.log(speed))),
        spread=float(ridge.std()),
        overlap=_overlap(line, stronger),
        beside=_beside(board, rows, columns, ref_rate),
        changes=_changes(board, line, query_rate),
        length=float(np.log(max(seconds, _LEAST_SECONDS))),
        backwards=float(line.slope < 0),
    )


def _best_in_row(
    board: Board, rows: Integers, columns: Reals, ridge: FloatArray, ref_rate: float
) -> float:
    """Return the share of rows in which no cell away from the line is higher."""
    near = max(_NEIGHBOURS, round(_NEIGHBOURS * ref_rate / _DENSE_RATE))
    cells = board.original[rows]
    beside = board.nearest(columns)[:, None] + np.arange(-near, near + 1)
    beside = np.minimum(np.maximum(beside, 0), cells.shape[1] - 1)
    cells[np.arange(len(rows))[:, None], beside] = -np.inf
    return float((ridge > cells.max(axis=1)).mean())


def _beside(board: Board, rows: Integers, columns: Reals, ref_rate: float) -> float:
    """Return the mean excess of the cells to both sides of the line that exist; 0 for none."""
    spacing = max(1, round(ref_rate / _DENSE_RATE))
    away = spacing * np.array([-6, -5, -4, -3, 3, 4, 5, 6])
    beside = np.rint(columns).astype(np.int64)[:, None] + away
    there = (beside >= 0) & (beside < board.original.shape[1])
    cells = board.original[rows[:, None], np.where(there, beside, 0)]
    return float(cells.mean(where=there)) if there.any() else 0.0


def _changes(board: Board, line: Line, query_rate: float) -> float:
    """Return how many speaking rows of the line, half a second apart, differ from those before."""
    step = max(1, round(query_rate / _DENSE_RATE))
    count = 1 + (line.last - line.first) // step
    moments = line.first + step * np.arange(min(count, _MOST_STEPS + 1))
    rows = board.original[moments[~board.silent_rows[moments]]][:, ~board.silent_columns]
    if rows.size == 0:
        return 0.0
    differs = np.abs(np.diff(rows, axis=0)).mean(axis=1) > _DIFFERENT
    return float(min(differs.sum(), _MOST_CHANGES))


def _overlap(line: Line, stronger: Sequence[Line]) -> float:
    covered = np.zeros(line.last - line.first + 1, np.bool_)
    for other in stronger:
        covered[max(other.first - line.first, 0) : max(other.last - line.first + 1, 0)] = True
    return float(covered.mean())
