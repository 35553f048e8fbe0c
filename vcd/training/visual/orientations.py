"""Linear maps from what a model says of a picture to what it says of it mirrored, and turned."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from vcd.records import FloatArray

__all__ = ["ORIENTATIONS", "find_orientations"]

Batch = npt.NDArray[np.uint8]

ORIENTATIONS: tuple[Callable[[Batch], Batch], ...] = (
    lambda batch: batch[:, :, ::-1],  # mirrored
    lambda batch: np.rot90(batch, 1, (1, 2)),
    lambda batch: np.rot90(batch, -1, (1, 2)),
)
"""Of a batch, shape (b, side, side, 3). Upside down is left out: few do that to a video."""

_SHRINKAGE = 1.0  # times the identity, in the normal equations: towards changing nothing


def find_orientations(
    describe: Callable[[Batch], FloatArray], batches: Iterable[Batch]
) -> FloatArray:
    """Return the maps that come closest, by ridge regression.

    Parameters
    ----------
    describe : callable
        Takes a batch, and returns unit vectors (b, d).
    batches : iterable of ndarray of uint8, shape (b, side, side, 3)
        Many more pictures than a vector has numbers.

    Returns
    -------
    ndarray of float32, shape (3, d + 1, d)
        As `vcd.descriptors.load_orientations` returns them, in the order of `ORIENTATIONS`.
    """
    rows = []
    for batch in batches:
        seen = (batch, *(np.ascontiguousarray(turn(batch)) for turn in ORIENTATIONS))
        rows.append(np.stack([describe(view) for view in seen]))
    upright, *others = np.concatenate(rows, axis=1).astype(np.float64)
    known = np.column_stack([upright, np.ones(len(upright))])
    inner = known.T @ known + _SHRINKAGE * np.eye(known.shape[1])
    same = np.eye(known.shape[1], upright.shape[1])
    maps = [same + np.linalg.solve(inner, known.T @ (other - upright)) for other in others]
    return np.stack(maps).astype(np.float32)
