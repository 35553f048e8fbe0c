"""What every average precision is made of: how much a ranking holds down to each score."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["average_precision", "count_by_score"]

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def count_by_score(scores: npt.ArrayLike, hits: npt.ArrayLike) -> tuple[Array, Counts, Counts]:
    """Return the distinct scores, best first, and what lies at or above each.

    Rows of equal score are one step, so their order never matters.

    Parameters
    ----------
    scores : array_like of float64, shape (n,)
        Finite.
    hits : array_like of bool or int, shape (n,)
        1 where a row is right, else 0.

    Returns
    -------
    scores : ndarray of float64, shape (m,)
    retrieved, found : ndarray of int64, shape (m,)
        Rows, and hits, at or above each score.

    Examples
    --------
    >>> scores, retrieved, found = count_by_score([0.5, 0.9, 0.5], [1, 0, 0])
    >>> scores.tolist(), retrieved.tolist(), found.tolist()
    ([0.9, 0.5], [1, 3], [0, 1])
    """
    values = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    values = values[order]
    last = np.flatnonzero(np.append(values[1:] != values[:-1], len(values) > 0))
    found = np.cumsum(np.asarray(hits, dtype=np.int64)[order])[last]
    return values[last], last + 1, found


def average_precision(found: npt.ArrayLike, retrieved: npt.ArrayLike, positives: int) -> float:
    r"""Return :math:`\sum_k \frac{f_k}{n_k} \frac{f_k - f_{k-1}}{N}`, without interpolation.

    Parameters
    ----------
    found, retrieved : array_like of int, shape (k,)
        Hits f and rows n down to each step of a ranking; steps without a new hit may be left out.
    positives : int
        All that could be found, N of at least 1.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> average_precision([1, 2], [1, 4], positives=2)
    0.75
    """
    hits = np.asarray(found, dtype=np.int64)
    return float(np.sum(hits / np.asarray(retrieved) * np.diff(hits, prepend=0)) / positives)
