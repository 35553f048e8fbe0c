"""Evidence of picture and sound joined on one time grid, before alignment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vcd.errors import ContractError
from vcd.records import FloatArray, SimilarityMatrix, TimeArray
from vcd.similarity.positions import nearest_positions

__all__ = ["fuse"]

_LARGEST = 2.5
"""Excess beyond which one stream's cell counts no more, so that neither drowns the other."""


def fuse(visual: SimilarityMatrix, audio: SimilarityMatrix) -> SimilarityMatrix:
    """Join the evidence of both streams of one pair.

    The grid is that of the picture. Each of its cells takes the sound's evidence along the
    diagonal that runs through the cell: the mean over two points a quarter of the cell before and
    behind its middle. Evidence is added and divided by the square root of 2, which leaves the
    spread of two independent streams of chance evidence as it was; where the sound does not reach,
    it says nothing (0).

    Parameters
    ----------
    visual, audio : SimilarityMatrix
        Normalised matrices of the same two videos.

    Returns
    -------
    SimilarityMatrix
        Stream "fused", shape of `visual`.

    Raises
    ------
    ContractError
        A matrix holds no evidence yet.
    """
    if visual.excess is None or audio.excess is None:
        raise ContractError("only normalised matrices can be fused")
    rows, columns = visual.query_times, visual.ref_times
    heard = np.zeros(visual.values.shape, np.float32)
    similar = np.zeros(visual.values.shape, np.float32)
    for side in (-0.25, 0.25):
        i, known_i = _positions(rows, side, audio.query_times)
        j, known_j = _positions(columns, side, audio.ref_times)
        if len(audio.query_times) == 0 or len(audio.ref_times) == 0:
            break
        known = known_i[:, None] & known_j[None, :]
        cells = np.ix_(i, j)
        heard += np.where(known, np.clip(audio.excess[cells], -_LARGEST, _LARGEST), 0) / 2
        similar += np.where(known, audio.values[cells], 0) / 2
    seen = np.clip(visual.excess, -_LARGEST, _LARGEST)
    root = np.float32(2**-0.5)
    excess: FloatArray = (seen + heard) * root
    return SimilarityMatrix((visual.values + similar) * root, rows, columns, "fused", excess=excess)


def _positions(
    intervals: TimeArray, side: float, times: TimeArray
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return the position of `times` nearest a point of each interval, and whether it is near."""
    if len(times) == 0:
        return np.zeros(len(intervals), np.intp), np.zeros(len(intervals), np.bool_)
    width = intervals[:, 1] - intervals[:, 0]
    point = intervals.mean(axis=1) + side * width
    middle = times.mean(axis=1)
    nearest = nearest_positions(middle, point)
    reach = np.maximum(width / 2, times[nearest, 1] - times[nearest, 0])
    return nearest, np.abs(middle[nearest] - point) <= reach
