"""Dynamic programming (DP): the path of highest sum, taken out, and so on until none is left.

References
----------
.. [1] C.-L. Chou, H.-T. Chen, S.-Y. Lee, "Pattern-based near-duplicate video retrieval and
   localization on web-scale videos", IEEE Transactions on Multimedia 17 (3), 2015.
.. [2] S. He, X. Yang, C. Jiang et al., "A Large-scale Comprehensive Dataset and Copy-overlap Aware
   Evaluation Protocol for Segment-level Video Copy Detection", CVPR 2022, whose recursion and
   parameters are those here (https://github.com/alipay/VCSL, commit 25ee60f).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from vcd.records import Segment, SimilarityMatrix
from vcd_eval.localizers.boxes import Boxes, Floats, as_boxes, as_similarity, to_segments
from vcd_eval.localizers.paths import Integers, pieces, skewed, trace

__all__ = ["DynamicProgramming", "dynamic_programming_boxes"]


def dynamic_programming_boxes(
    similarity: npt.ArrayLike,
    *,
    discontinue: int = 3,
    min_sim: float = 1.0,
    ave_sim: float = 1.3,
    min_length: int = 5,
    diagonal_thres: int = 30,
    max_path: int = 100,
) -> Boxes:
    r"""Return the boxes of the pieces of the best paths, path by path.

    With :math:`s = 1 + \text{similarity}`,
    :math:`D_{ij} = \max(D_{i-1,j-1} + s_{ij}, D_{i-1,j} + s_{ij}/2, D_{i,j-1} + s_{ij}/2)`.
    Defaults are those of the published function. The class around it has 0, 0.3 and 10 for
    `min_sim`, `ave_sim` and `diagonal_thres`, which let nearly everything pass.

    Parameters
    ----------
    similarity : array_like, shape (n, m)
        In [-1, 1]; all thresholds are on s, in [0, 2].
    discontinue : int
        A path ends where more cells than this in a row lie below `min_sim`.
    min_sim : float
    ave_sim : float
        The mean s of a piece is higher.
    min_length : int
        Both sides of a box are longer, measured from first to last frame.
    diagonal_thres : int
        A path is cut where more cells than this follow each other on one row or column.
    max_path : int
        Paths taken; the box of each is blanked before the next.

    Raises
    ------
    EvaluationError
        The similarity is no matrix of finite numbers.
    """
    values = as_similarity(similarity) + 1
    if not values.size:
        return as_boxes([])
    left = values.copy()
    boxes: list[list[int]] = []
    for _ in range(max_path):
        path = _best_path(left, discontinue, min_sim)
        if not len(path):
            break
        for piece in pieces(path, diagonal_thres):
            first, last = piece[0], piece[-1]
            mean = values[piece[:, 0], piece[:, 1]].mean()
            if (last - first).min() > min_length and mean > ave_sim:
                boxes.append([*first.tolist(), *last.tolist()])
        (q0, r0), (q1, r1) = path[0], path[-1]
        left[q0 : q1 + 1, r0 : r1 + 1] = -np.inf
    return as_boxes(boxes)


def _best_path(values: Floats, discontinue: int, min_sim: float) -> Integers:
    """Return the cells of the path of highest sum, shape (k, 2); -inf cells are no way."""
    n, m = values.shape
    rows = skewed(values)
    steps = np.full(rows.shape, -1, np.int8)
    none = np.full(n + 1, -np.inf)
    before, last = none, none  # of the last two antidiagonals, from row -1
    low_before, low_last = np.zeros((2, n + 1), np.int64)  # cells below min_sim up to there
    best, end = 0.0, (-1, -1)
    for t in range(n + m - 1):
        low, high = max(0, t - m + 1), min(n, t + 1)
        value = rows[t, low:high]
        routes = np.stack(
            [
                before[low:high] + value,
                last[low:high] + value / 2,
                last[low + 1 : high + 1] + value / 2,
            ]
        )
        lows = np.stack([low_before[low:high], low_last[low:high], low_last[low + 1 : high + 1]])
        step = routes.argmax(axis=0)
        columns = np.arange(high - low)
        gain = routes[step, columns]
        count = np.where(value < min_sim, lows[step, columns] + 1, 0)
        border = (np.arange(low, high) == 0) | (np.arange(low, high) == t)
        goes_on = ~border & (gain > 0) & (count <= discontinue)
        total = np.where(goes_on, gain, np.where(border, value, 0.0))
        total[np.isneginf(value)] = -np.inf
        steps[t, low:high] = np.where(goes_on, step, -1)
        before, last = last, none.copy()
        last[low + 1 : high + 1] = total
        low_before, low_last = low_last, np.zeros(n + 1, np.int64)
        low_last[low + 1 : high + 1] = np.where(goes_on, count, 0)
        at = int(total.argmax())
        if total[at] > best:
            best, end = float(total[at]), (low + at, t - low - at)
    return trace(steps, *end) if best > 0 else np.zeros((0, 2), np.int64)


@dataclass(frozen=True, slots=True)
class DynamicProgramming:
    """`dynamic_programming_boxes` as a localizer."""

    name: ClassVar[str] = "DP"
    discontinue: int = 3
    min_sim: float = 1.0
    ave_sim: float = 1.3
    min_length: int = 5
    diagonal_thres: int = 30
    max_path: int = 100

    def localize(self, matrix: SimilarityMatrix) -> list[Segment]:
        """Return segments, the best first (see `vcd_eval.localizers.boxes.to_segments`)."""
        boxes = dynamic_programming_boxes(
            matrix.values,
            discontinue=self.discontinue,
            min_sim=self.min_sim,
            ave_sim=self.ave_sim,
            min_length=self.min_length,
            diagonal_thres=self.diagonal_thres,
            max_path=self.max_path,
        )
        return to_segments(boxes, matrix)
