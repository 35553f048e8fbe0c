"""The linear map that keeps what differs between originals and drops what edits change."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vcd.errors import ContractError

__all__ = ["discriminants"]


def discriminants(
    plain: npt.NDArray[Any], edited: npt.NDArray[Any], count: int, *, shrinkage: float = 0.02
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the mean and the map of a linear discriminant analysis (Fisher 1936; Rao 1948).

    Parameters
    ----------
    plain : ndarray, shape (n, features)
        What originals look like.
    edited : ndarray, shape (n, features), or of several versions (versions, n, features)
        What edited copies of them look like.
    count : int
        Directions to keep, the best ones; all features at most.
    shrinkage : float
        How much of the mean variance under edits is added to that of every direction: with a large
        one, hardly more than the directions of the largest variance are chosen.

    Returns
    -------
    mean : ndarray, shape (features,)
    projection : ndarray, shape (features, count)
        ``(features - mean) @ projection`` is the result.

    Raises
    ------
    ContractError
        More directions are asked for than there are features.
    """
    if count > plain.shape[1]:
        raise ContractError(f"{count} directions were asked for of {plain.shape[1]} features")
    mean = plain.mean(axis=0, dtype=np.float64)
    changes = (edited - plain).reshape(-1, plain.shape[1]).astype(np.float64)
    within = changes.T @ changes / len(changes)
    within += shrinkage * np.trace(within) / len(within) * np.eye(len(within))
    variances, directions = np.linalg.eigh(within)
    whitening = directions / np.sqrt(variances)
    _, best = np.linalg.eigh(np.cov((plain - mean) @ whitening, rowvar=False))
    return mean, whitening @ best[:, ::-1][:, :count]
