"""Paths through a matrix by single steps: filled one antidiagonal at a time, cut where straight."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vcd_eval.localizers.boxes import Floats

__all__ = ["BOTH", "QUERY", "REF", "pieces", "skewed", "trace"]

Integers = npt.NDArray[np.int64]

BOTH, QUERY, REF = 0, 1, 2
"""Steps that lead to a cell: on both axes, on the query's, on the reference's."""


def skewed(matrix: Floats) -> Floats:
    """Return the antidiagonals of a matrix (n, m) as rows, shape (n + m - 1, n).

    Cell (i, j) stands at [i + j, i]. What no cell stands at is NaN.
    """
    n, m = matrix.shape
    rows = np.full((n + m - 1, n), np.nan)
    i = np.arange(n)[:, None]
    rows[i + np.arange(m), i] = matrix
    return rows


def trace(steps: npt.NDArray[np.int8], i: int, j: int) -> Integers:
    """Follow steps back from cell (i, j) to the first that has none (-1).

    Parameters
    ----------
    steps : ndarray of int8, shape (n + m - 1, n)
        The step that leads to each cell, skewed.

    Returns
    -------
    ndarray of int64, shape (k, 2)
        The cells of the path, first to last.
    """
    path = [(i, j)]
    while (step := steps[i + j, i]) >= 0:
        i, j = i - (step != REF), j - (step != QUERY)
        path.append((i, j))
    return np.array(path[::-1], dtype=np.int64)


def pieces(path: Integers, longest: int) -> list[Integers]:
    """Cut a path (k, 2) where more than `longest` cells follow each other on one row or column.

    Those cells are left out.
    """
    keep = np.ones(len(path), dtype=np.bool_)
    for axis in (0, 1):
        runs = np.concatenate([[0], np.cumsum(np.diff(path[:, axis]) != 0)])
        keep &= np.bincount(runs)[runs] <= longest
    bounds = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]])))
    return [path[a:b] for a, b in bounds.reshape(-1, 2).tolist()]
