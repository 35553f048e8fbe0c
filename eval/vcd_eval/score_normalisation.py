r"""Score normalisation of descriptors as the VSC 2023 baseline has it.

From each query row the baseline subtracts what the row reaches with videos that share nothing with
it: the score of q with r becomes
:math:`\langle q, r \rangle - \beta \max_n \langle q, n \rangle` over background ("noise") rows n.
It is written into the vectors, so that an inner product gives it: queries get the subtracted term
as one more dimension, references get 1. To keep the number of dimensions, the one in which the
background varies least is dropped first.

References
----------
.. [1] E. Pizzi, G. Kordopatis-Zilos, H. Patel et al., "The 2023 Video Similarity Dataset and
   Challenge", Computer Vision and Image Understanding 243, 2024. Section on the baseline.
.. [2] https://github.com/facebookresearch/vsc2022, commit 644d521,
   `vsc/baseline/score_normalization.py`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd_eval.descriptors import DescriptorTable

__all__ = ["BETA", "normalise_scores"]

BETA = 1.2
"""Share of the background's highest score that the baseline subtracts."""

Floats = npt.NDArray[np.float32]

_ROWS_AT_ONCE = 1024
_COLUMNS_AT_ONCE = 8192


def normalise_scores(
    queries: DescriptorTable,
    references: DescriptorTable,
    background: DescriptorTable,
    *,
    beta: float = BETA,
    replace_dimension: bool = True,
    unit_length: bool = True,
) -> tuple[DescriptorTable, DescriptorTable]:
    """Return queries and references whose inner products are normalised scores.

    Parameters
    ----------
    queries, references : DescriptorTable
        Features of shape (n, d) and (m, d).
    background : DescriptorTable
        At least one row, of videos that are not among the references.
    beta : float
        Not negative.
    replace_dimension : bool
        Drop the dimension of least variance over the background, so that d stays; otherwise d + 1.
    unit_length : bool
        Scale rows to unit length first (after dropping the dimension). Rows of zeros stay.

    Raises
    ------
    EvaluationError
        Background and references share a video, dimensions differ, the background is empty, or
        beta is negative or not finite.
    """
    if not (np.isfinite(beta) and beta >= 0):
        raise EvaluationError(f"beta must be a finite number of at least 0, got {beta}")
    shared = np.intersect1d(background.video_ids, references.video_ids)
    if len(shared):
        raise EvaluationError(
            f"{len(shared)} videos are both background and reference, the first is {shared[0]}",
            remedy="take the background from videos that share nothing with the references",
        )
    if not len(background):
        raise EvaluationError("the background is empty", remedy="give at least one descriptor")
    sides = [queries.features, references.features, background.features]
    if len({side.shape[1] for side in sides if len(side)}) > 1:
        raise EvaluationError(
            f"queries have shape {sides[0].shape}, references {sides[1].shape}, "
            f"the background {sides[2].shape}",
            remedy="descriptors of one model have one number of dimensions",
        )
    if replace_dimension:
        weakest = int(np.argmin(background.features.var(axis=0)))
        sides = [np.delete(side, weakest, axis=1) if len(side) else side for side in sides]
    if unit_length:
        sides = [_unit(side) for side in sides]
    q, r, noise = sides
    bias = -beta * _highest(q, noise)
    return (
        DescriptorTable(queries.video_ids, queries.timestamps, _extended(q, bias)),
        DescriptorTable(references.video_ids, references.timestamps, _extended(r, 1)),
    )


def _unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return unit


def _highest(rows: Floats, background: Floats) -> Floats:
    """Return the highest inner product of each row with a background, in bounded memory."""
    highest = np.full(len(rows), -np.inf, np.float32)
    for top in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(top, top + _ROWS_AT_ONCE)
        for left in range(0, len(background), _COLUMNS_AT_ONCE):
            scores = rows[part] @ background[left : left + _COLUMNS_AT_ONCE].T
            np.maximum(highest[part], scores.max(axis=1), out=highest[part])
    return highest


def _extended(rows: Floats, last: Floats | int) -> Floats:
    column = np.broadcast_to(np.float32(last), len(rows))[:, None]
    return np.concatenate([rows, column], axis=1)
