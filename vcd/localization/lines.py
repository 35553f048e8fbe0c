"""Find the straight line that gathers the most evidence, over all speeds and both directions.

For every slope the rows of the matrix are shifted against each other, so that lines become columns,
and the best interval of every column is the largest running sum that is begun anew wherever it
falls below 0. Columns wrap around: a few columns of prohibitive evidence behind the last one keep
lines that share a wrapped column apart, so that all slopes have one width and are walked together,
row by row, in memory of (slopes x columns). The rows walked are those of the shorter axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vcd.records import FloatArray

__all__ = ["Line", "LineSearch", "best_interval", "most_possible"]

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_BARRIER = np.float32(-1e9)
_STEEPEST = 1000  # columns a row; copies of films of a hundredth of the other's rate have 200
_TILE_CELLS = 100_000
_GROUP_CELLS = 16_000  # sums that are walked together stay in the first caches
_BATCH_CELLS = 200_000
_BATCH_LINES = 256


@dataclass(frozen=True, slots=True)
class Line:
    """Cells ``(i, slope * i + intercept)`` for rows ``first <= i <= last``, in positions.

    A negative slope runs backwards through the reference.
    """

    slope: float
    intercept: float
    first: int
    last: int

    def at(self, rows: npt.ArrayLike) -> Reals:
        """Return the column, as a real number, at each row."""
        return np.asarray(rows, np.float64) * self.slope + self.intercept

    @property
    def rows(self) -> Integers:
        """All rows from first to last."""
        return np.arange(self.first, self.last + 1)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Query start and end, reference start and end; cell i spans [i, i + 1)."""
        low, high = sorted((float(self.at(self.first)), float(self.at(self.last))))
        half = abs(self.slope) / 2
        return self.first, self.last + 1, low + 0.5 - half, high + 0.5 + half


class LineSearch:
    """Yields the best line of a matrix of evidence again and again while the evidence is lowered.

    Parameters
    ----------
    evidence : ndarray of float32, shape (n, m)
        Bounded evidence per cell, n and m at least 1. The caller may lower it between two calls of
        `best`, in place, and then calls `lowered`.
    slopes : ndarray of float64, shape (k,)
        Columns per row, positive or negative.
    bonus : ndarray of float64, shape (k,)
        Factor on the sums of each slope.
    """

    def __init__(self, evidence: FloatArray, slopes: Reals, bonus: Reals) -> None:
        self._turned = evidence.shape[0] > evidence.shape[1]
        self._evidence = evidence.T if self._turned else evidence
        n, m = self._evidence.shape
        # A line steeper than the matrix is wide meets one row alone, but would widen all arrays.
        steepest = max(m, _STEEPEST)
        self._slopes = np.clip(1 / slopes if self._turned else slopes, -steepest, steepest)
        steep = np.abs(self._slopes)
        self._width = m + int(np.ceil(steep.max()))
        self._shifts: Integers = np.rint(steep[:, None] * np.arange(n)).astype(np.int64)
        self._wrapped: Integers = np.ascontiguousarray(self._shifts.T % self._width)
        self._cells = evidence.reshape(-1, copy=False)  # not copied: the caller lowers it
        self._strides = (1, n) if self._turned else (m, 1)  # from row to row, column to column
        # A slope below 1 meets the same column again: its sum is worth less than its cells.
        self._factor = (bonus * np.sqrt(np.minimum(1, steep))).astype(np.float32)
        self._sums = self._sweep()
        self._sums *= self._factor[:, None]
        self._exact = True  # else the sums are upper bounds

    def lowered(self) -> None:
        """Take note that evidence was lowered: all sums become upper bounds."""
        self._exact = False

    def best(self, least: float) -> tuple[float, Line] | None:
        """Return the largest weighted sum and its line; None where it is below the least."""
        sums = self._sums.reshape(-1)
        if self._exact:
            place = int(sums.argmax())
            best = float(sums[place])
        else:
            place, best = self._best_renewed(least)
        if best < least:
            return None
        return best, self._line(*divmod(place, self._width))

    def strong(self, least: float) -> Iterator[Line]:
        """Yield the lines that gather so much, and no less than those beside, the strongest first.

        Far cheaper than `best` where hundreds are wanted; several may tell of one copy. The
        evidence must not have been lowered since the search was made.
        """
        peaks = self._sums >= least
        for shift in (-2, -1, 1, 2):
            peaks &= self._sums >= np.roll(self._sums, shift, axis=1)
        sums = self._sums.reshape(-1)
        places = np.flatnonzero(peaks)
        places = places[np.argsort(-sums[places], kind="stable")]
        for top in range(0, len(places), _BATCH_LINES):
            slopes, columns = np.divmod(places[top : top + _BATCH_LINES], self._width)
            along = self._along(slopes, columns)
            for k, (slope, column) in enumerate(
                zip(slopes.tolist(), columns.tolist(), strict=True)
            ):
                yield self._line_along(slope, column, along[:, k])

    def _sweep(self) -> FloatArray:
        """Return the best running sum of every sheared column, shape (k, width)."""
        n, m = self._evidence.shape
        width = self._width
        # A row of a tile holds the row twice, then its mirror image twice.
        starts = self._wrapped + np.where(self._slopes < 0, 2 * width, 0)
        running = np.zeros((len(self._slopes), width), np.float32)
        best = np.full(running.shape, -np.inf, np.float32)
        chunk = min(n, max(1, _TILE_CELLS // (4 * width)))
        tile = np.full((chunk, 2, 2, width), _BARRIER)
        windows = np.lib.stride_tricks.sliding_window_view(tile.reshape(-1), width)
        offsets = np.arange(chunk)[:, None] * (4 * width)
        together = max(1, _GROUP_CELLS // width)
        for top in range(0, n, chunk):
            rows = self._evidence[top : top + chunk]
            tile[: len(rows), 0, :, :m] = rows[:, None, :]
            tile[: len(rows), 1, :, :m] = rows[:, None, ::-1]
            places = starts[top : top + chunk] + offsets[: len(rows)]
            for left in range(0, len(self._slopes), together):
                group = slice(left, left + together)
                _walk(windows, places[:, group], running[group], best[group])
        return best

    def _best_renewed(self, least: float) -> tuple[int, float]:
        """Return the place of the largest sum and the sum, the most promising first."""
        sums = self._sums.reshape(-1)
        count = min(_BATCH_LINES, max(16, _BATCH_CELLS // len(self._evidence)))
        place, best = 0, -np.inf
        stale = np.flatnonzero(sums > least)
        while len(stale):
            batch = stale
            if len(stale) > count:
                order = np.argpartition(sums[stale], len(stale) - count)
                stale, batch = np.split(stale[order], [len(stale) - count])
            else:
                stale = stale[:0]
            renewed = self._renewed(batch)
            sums[batch] = renewed
            highest = float(renewed.max())
            if highest >= best:
                first = int(batch[renewed == highest].min())
                place = min(first, place) if highest == best else first
                best = highest
            stale = stale[sums[stale] > max(best, least)]
        return place, best

    def _renewed(self, places: Integers) -> FloatArray:
        """Return some sums as the evidence is now."""
        slopes, columns = np.divmod(places, self._width)
        along = self._along(slopes, columns).astype(np.float64)
        running = along[0].copy()
        highest = running.copy()
        zeros = np.zeros_like(running)
        for cells in along[1:]:
            np.maximum(running, zeros, out=running)
            np.add(running, cells, out=running)
            np.maximum(highest, running, out=highest)
        sums: FloatArray = (highest * self._factor[slopes]).astype(np.float32)
        return sums

    def _along(self, slopes: Integers, columns: Integers) -> FloatArray:
        """Return the evidence along sheared columns, shape (rows, len(slopes))."""
        n, m = self._evidence.shape
        at = self._wrapped[:, slopes]
        at += columns
        np.subtract(at, self._width, out=at, where=at >= self._width)
        outside = at >= m
        np.subtract(m - 1, at, out=at, where=self._slopes[slopes] < 0)
        down, right = self._strides
        at *= right
        at += down * np.arange(n)[:, None]
        along = self._cells.take(at, mode="clip")
        along[outside] = _BARRIER
        return along

    def _line(self, slope: int, column: int) -> Line:
        along = self._along(np.array([slope]), np.array([column]))[:, 0]
        return self._line_along(slope, column, along)

    def _line_along(self, slope: int, column: int, along: FloatArray) -> Line:
        m = self._evidence.shape[1]
        first, last = best_interval(along)
        steep = abs(float(self._slopes[slope]))
        shift = int(self._shifts[slope, first])
        intercept = float((column + shift) % self._width - shift)
        if self._slopes[slope] < 0:
            line = Line(-steep, m - 1 - intercept, first, last)
        else:
            line = Line(steep, intercept, first, last)
        return _turn(line, m) if self._turned else line


def _walk(windows: FloatArray, places: Integers, running: FloatArray, best: FloatArray) -> None:
    """Add a stretch of rows to the running sums, in place, and keep the best that each reached."""
    # An array of zeros: NumPy compares with a scalar some five times slower.
    zeros = np.zeros_like(running)
    for place in places:
        np.maximum(running, zeros, out=running)
        np.add(running, windows[place], out=running)
        np.maximum(best, running, out=best)


def _turn(line: Line, rows: int) -> Line:
    """Return the line with its axes exchanged, in a matrix of so many rows."""
    ends = sorted(line.at([line.first, line.last]))
    first, last = (min(max(round(float(x)), 0), rows - 1) for x in ends)
    return Line(1 / line.slope, -line.intercept / line.slope, first, last)


def most_possible(evidence: FloatArray) -> float:
    """Return an upper bound of what any line of a matrix gathers, at a fraction of a search's cost.

    A line takes one cell at most of every row of the shorter axis, none better than its best.
    """
    best = evidence.max(axis=int(evidence.shape[0] <= evidence.shape[1]))
    first, last = best_interval(best)
    return float(best[first : last + 1].sum(dtype=np.float64))


def best_interval(along: npt.NDArray[np.floating]) -> tuple[int, int]:
    """Return first and last index of the interval of largest sum (the shortest where tied)."""
    sums = np.concatenate(([0.0], np.cumsum(along, dtype=np.float64)))
    lowest = np.minimum.accumulate(sums[:-1])
    last = int(np.argmax(sums[1:] - lowest))
    first = last - int(np.argmin(sums[last::-1]))
    return first, last
