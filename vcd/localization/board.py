"""The cells that are still to be explained while a matrix is searched."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vcd.localization.lines import Integers, Line, Reals
from vcd.records import FloatArray

__all__ = ["Board", "median"]

# All in units of excess (1 = full evidence). Measured: the recipe's 0.12, -1 .. 2.5, 0.04 and 0.15
# in centred cosine, divided by its scale of 0.3.
_GAIN = np.float32(2.5)
_FLOOR, _CEILING = np.float32(-1), np.float32(2.5)
_RIVAL_FREE, _RIVAL_SPAN = np.float32(0.133), np.float32(0.5)
_NEAR_SEGMENT = 0.4
_OUTSIDE = np.float32(-1)
_ENCOURAGED = np.float32(2)
_BLOCK_CELLS = 50_000  # worked on together, so that they stay in the cache


class Board:
    """Excess per cell, bounded evidence, and what competes with a cell.

    Parameters
    ----------
    excess : ndarray of float32, shape (n, m)
        Of a normalised matrix; rows and columns that are 0 throughout say nothing.

    Attributes
    ----------
    original : ndarray of float32, shape (n, m)
        The excess as it was given.
    excess, evidence : ndarray of float32, shape (n, m)
        What is left of the excess, and evidence in [-1, 2.5]; cells explained are -1 in both.
    silent_rows, silent_columns : ndarray of bool, shape (n,) and (m,)
    """

    def __init__(self, excess: FloatArray) -> None:
        self.original = excess
        self.excess: FloatArray = excess.copy()
        self._row_best: FloatArray = excess.max(axis=1)
        self._column_best: FloatArray = excess.max(axis=0)
        self.silent_rows = (self._row_best == 0) & ~excess.any(axis=1)
        self.silent_columns = (self._column_best == 0) & ~excess.any(axis=0)
        self.evidence = self._bounded()

    def encourage(self, copied: FloatArray) -> None:
        """Raise the evidence where a copy probably runs; what is silent stays so.

        Parameters
        ----------
        copied : ndarray of float32, shape (n, m)
            Probabilities, as of `vcd.similarity.Refiner`.
        """
        self.evidence += _ENCOURAGED * copied
        self.evidence[self.silent_rows] = 0
        self.evidence[:, self.silent_columns] = 0

    def _bounded(self) -> FloatArray:
        """Return bounded excess, less where both row and column hold a better cell."""
        evidence = np.empty_like(self.excess)
        step = max(1, _BLOCK_CELLS // self.excess.shape[1])
        for top in range(0, len(evidence), step):
            rows = slice(top, top + step)
            rivalry = np.minimum(self._row_best[rows, None], self._column_best[None, :])
            rivalry -= self.excess[rows]
            rivalry -= _RIVAL_FREE
            rivalry *= 1 / _RIVAL_SPAN
            np.clip(rivalry, 0, 1, out=rivalry)
            cells = np.multiply(self.excess[rows], _GAIN, out=evidence[rows])
            np.minimum(cells, _CEILING, out=cells)
            cells -= rivalry
            np.maximum(cells, _FLOOR, out=cells)
        return evidence

    def interpolated(self, rows: Integers, columns: Reals) -> FloatArray:
        """Return the excess left at real-valued columns, -1 outside; shapes broadcast."""
        m = self.excess.shape[1]
        low = np.floor(columns)
        part = (columns - low).astype(np.float32)
        left, right = self._around(self.excess, rows, low)
        inside = (columns >= -0.5) & (columns <= m - 0.5)
        cells: FloatArray = np.where(inside, left + part * (right - left), _OUTSIDE)
        return cells

    def ridge(self, rows: Integers, columns: Reals, *, original: bool = False) -> FloatArray:
        """Return the higher of the two cells around each real-valued column."""
        cells = self.original if original else self.excess
        return np.maximum(*self._around(cells, rows, np.floor(columns)))

    @staticmethod
    def _around(cells: FloatArray, rows: Integers, low: Reals) -> tuple[FloatArray, FloatArray]:
        last = cells.shape[1] - 1
        left = np.minimum(np.maximum(low, 0), last).astype(np.int64)
        right = np.minimum(np.maximum(low + 1, 0), last).astype(np.int64)
        return cells[rows, left], cells[rows, right]

    def nearest(self, columns: Reals) -> Integers:
        """Return the nearest column that exists."""
        inside: Reals = np.minimum(np.maximum(np.rint(columns), 0), self.excess.shape[1] - 1)
        return inside.astype(np.int64)

    def rivalry(self, rows: Integers, columns: Reals, ridge: FloatArray) -> FloatArray:
        """Return, from 0 to 1, how much row and column both hold something better."""
        best = np.minimum(self._row_best[rows], self._column_best[self.nearest(columns)])
        rivalry: FloatArray = (best - ridge - _RIVAL_FREE) / _RIVAL_SPAN
        return np.minimum(np.maximum(rivalry, 0), 1)

    def silent(self, rows: Integers, columns: Reals) -> npt.NDArray[np.bool_]:
        """Return where the row or the nearest column says nothing."""
        silent: npt.NDArray[np.bool_] = (
            self.silent_rows[rows] | self.silent_columns[self.nearest(columns)]
        )
        return silent

    def rows_inside(self, line: Line) -> Integers:
        """Return all rows at which the endless line lies inside the matrix."""
        n, m = self.excess.shape
        low, high = sorted((border - line.intercept) / line.slope for border in (-0.5, m - 0.5))
        return np.arange(max(0, int(np.ceil(low))), min(n - 1, int(np.floor(high))) + 1)

    def explain(self, line: Line, found: Line) -> None:
        """Take away what a segment explains, so that the next search finds something else.

        The other cells of its rows are taken for accidental resemblance unless they come near the
        segment's own. There is no such rule for columns: a piece may be shown many times.

        Parameters
        ----------
        line : Line
            The segment; its whole box is explained.
        found : Line
            The line first found, before it was refitted; its cells are explained too.
        """
        rows = line.rows
        columns = self.nearest(line.at(rows))
        typical = median(self.ridge(rows, line.at(rows)))
        band = np.s_[line.first : line.last + 1]
        faint = self.excess[band] < typical - _NEAR_SEGMENT
        np.minimum(self.evidence[band], 0, out=self.evidence[band], where=faint)
        box = np.s_[line.first : line.last + 1, int(columns.min()) : int(columns.max()) + 1]
        along = found.rows, self.nearest(found.at(found.rows))
        for cells in (self.excess, self.evidence):
            cells[box] = _OUTSIDE
            cells[along] = _OUTSIDE


def median(values: npt.NDArray[np.floating]) -> float:
    """Return what `numpy.median` does of one axis, several times faster where it is short."""
    half = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, half)[half])
    ordered = np.partition(values, (half - 1, half))
    return float((ordered[half - 1] + ordered[half]) / 2)
