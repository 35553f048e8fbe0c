"""What independent, unrelated content says about every position of a track."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from vcd.errors import ContractError
from vcd.records import FloatArray

__all__ = ["BackgroundStatistics", "background_statistics"]

_TOP = 10
_PLAIN_ROWS = 1000
_GROWTH = 0.56
"""How much higher the 10 largest of e times as many rows are by chance alone, in spreads of cosines
of unrelated unit rows, which are 1 / sqrt(d); measured on photographs and crops of them."""

_CELLS_AT_ONCE = 500_000


@dataclass(frozen=True, slots=True, eq=False)
class BackgroundStatistics:
    """Cosines of each position of one track to a background set, in three numbers.

    Parameters
    ----------
    mean : ndarray of float32, shape (n,)
        Over the background.
    top_mean : ndarray of float32, shape (n,)
        Mean of the 10 largest cosines (of all, where the background is smaller). More than 1,000
        rows reach higher by chance, by which it is lowered.
    largest : ndarray of float32, shape (n,)

    Raises
    ------
    ContractError
        The arrays are not float32 of one shape (n,), or hold a value that is not finite.
    """

    mean: FloatArray
    top_mean: FloatArray
    largest: FloatArray

    def __post_init__(self) -> None:
        for field in fields(self):
            array = getattr(self, field.name)
            if array.shape != (len(self),) or array.dtype != np.float32:
                raise ContractError(
                    f"{field.name} must be float32 of shape ({len(self)},), "
                    f"got {array.dtype} {array.shape}"
                )
            if not np.isfinite(array).all():
                raise ContractError(f"{field.name} must be finite")

    def __len__(self) -> int:
        return self.mean.shape[0] if self.mean.ndim else 0


def background_statistics(
    track_vectors: FloatArray, background: FloatArray
) -> BackgroundStatistics:
    """Compare a track with a background set.

    Memory stays bounded: at most about half a million cosines exist at once.

    Parameters
    ----------
    track_vectors : ndarray of float32, shape (n, d)
        Rows of unit length; a row of zeros gets 0 everywhere.
    background : ndarray of float32, shape (k, d)
        Rows of unit length from videos that share nothing with the track; k at least 1.

    Raises
    ------
    ContractError
        The background is empty, or the dimensions differ.
    """
    if background.ndim != 2 or len(background) == 0:
        raise ContractError(f"a background needs at least one row, got shape {background.shape}")
    if track_vectors.ndim != 2 or track_vectors.shape[1] != background.shape[1]:
        raise ContractError(
            f"track {track_vectors.shape} and background {background.shape} differ in dimension"
        )
    n, (k, dimensions) = len(track_vectors), background.shape
    top = min(_TOP, k)
    result = np.empty((3, n), np.float32)
    higher = _GROWTH * math.log(max(k, _PLAIN_ROWS) / _PLAIN_ROWS) / math.sqrt(dimensions)
    step = max(1, _CELLS_AT_ONCE // k)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        cosines = track_vectors[rows] @ background.T
        result[0, rows] = cosines.mean(axis=1)
        highest = np.partition(cosines, k - top, axis=1)[:, k - top :]
        result[1, rows] = highest.mean(axis=1) - higher
        result[2, rows] = highest.max(axis=1)
    return BackgroundStatistics(*result)
