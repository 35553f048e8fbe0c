"""Which position of a matrix's axis lies nearest a moment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["nearest_positions"]


def nearest_positions(
    middles: npt.NDArray[np.float64], moments: npt.NDArray[np.float64]
) -> npt.NDArray[np.intp]:
    """Return for each moment the nearest of the middles; the earlier one of two equally near.

    Parameters
    ----------
    middles : ndarray of float64, shape (n,)
        Ascending, in seconds; n is at least 1.
    moments : ndarray of float64, shape (m,)

    Returns
    -------
    ndarray of intp, shape (m,)
    """
    right = np.clip(np.searchsorted(middles, moments), 0, len(middles) - 1)
    left = np.maximum(right - 1, 0)
    earlier = np.abs(middles[left] - moments) <= np.abs(middles[right] - moments)
    return np.where(earlier, left, right)
