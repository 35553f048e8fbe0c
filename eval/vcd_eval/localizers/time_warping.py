"""Dynamic time warping (DTW): one path from corner to corner, cut where it stands still.

References
----------
.. [1] H. Sakoe, S. Chiba, "Dynamic programming algorithm optimization for spoken word recognition",
   IEEE Transactions on Acoustics, Speech and Signal Processing 26 (1), 1978.
.. [2] S. He, X. Yang, C. Jiang et al., "A Large-scale Comprehensive Dataset and Copy-overlap Aware
   Evaluation Protocol for Segment-level Video Copy Detection", CVPR 2022, whose cuts and parameters
   are those here (https://github.com/alipay/VCSL, commit 25ee60f).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from vcd.records import Segment, SimilarityMatrix
from vcd_eval.localizers.boxes import Boxes, Floats, as_boxes, as_similarity, to_segments
from vcd_eval.localizers.paths import BOTH, QUERY, REF, Integers, pieces, skewed, trace

__all__ = ["TimeWarping", "time_warping_boxes"]


def time_warping_boxes(
    similarity: npt.ArrayLike,
    *,
    discontinue: int = 3,
    min_sim: float = 0.2,
    min_length: int = 5,
) -> Boxes:
    """Return the boxes of the pieces of the warping path that costs least, cost being 1 - s.

    Pieces in another order than the reference's cannot be found: there is one path.

    Parameters
    ----------
    similarity : array_like, shape (n, m)
    discontinue : int
        The path is cut where more cells than this follow each other on one row or column.
    min_sim : float
        The mean similarity of a piece is higher.
    min_length : int
        Both sides of a box are longer, measured from first to last frame.

    Raises
    ------
    EvaluationError
        The similarity is no matrix of finite numbers.
    """
    values = as_similarity(similarity)
    if not values.size:
        return as_boxes([])
    boxes = []
    for piece in pieces(_warping_path(1 - values), discontinue):
        first, last = piece[0], piece[-1]
        mean = values[piece[:, 0], piece[:, 1]].mean()
        if (last - first).min() > min_length and mean > min_sim:
            boxes.append([*first.tolist(), *last.tolist()])
    return as_boxes(boxes)


def _warping_path(cost: Floats) -> Integers:
    n, m = cost.shape
    rows = skewed(cost)
    steps = np.full(rows.shape, -1, np.int8)
    before, last = np.full((2, n + 1), np.inf)  # of the last two antidiagonals, from row -1
    last[1] = cost[0, 0]
    for t in range(1, n + m - 1):
        low, high = max(0, t - m + 1), min(n, t + 1)
        routes = np.stack([before[low:high], last[low:high], last[low + 1 : high + 1]])
        step = routes.argmin(axis=0)
        total = np.full(n + 1, np.inf)
        total[low + 1 : high + 1] = rows[t, low:high] + routes.min(axis=0)
        steps[t, low:high] = np.array([BOTH, QUERY, REF])[step]
        before, last = last, total
    return trace(steps, n - 1, m - 1)


@dataclass(frozen=True, slots=True)
class TimeWarping:
    """`time_warping_boxes` as a localizer."""

    name: ClassVar[str] = "DTW"
    discontinue: int = 3
    min_sim: float = 0.2
    min_length: int = 5

    def localize(self, matrix: SimilarityMatrix) -> list[Segment]:
        """Return segments, the best first (see `vcd_eval.localizers.boxes.to_segments`)."""
        boxes = time_warping_boxes(
            matrix.values,
            discontinue=self.discontinue,
            min_sim=self.min_sim,
            min_length=self.min_length,
        )
        return to_segments(boxes, matrix)
