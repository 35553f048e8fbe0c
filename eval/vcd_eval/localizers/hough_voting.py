"""Hough voting (HV): every diagonal of the matrix votes with the sum of its similarities.

References
----------
.. [1] M. Douze, H. Jégou, C. Schmid, "An image-based approach to video copy detection with
   spatio-temporal post-filtering", IEEE Transactions on Multimedia 12 (4), 2010.
.. [2] S. He, X. Yang, C. Jiang et al., "A Large-scale Comprehensive Dataset and Copy-overlap Aware
   Evaluation Protocol for Segment-level Video Copy Detection", CVPR 2022, whose parameters and
   boxes are those here (https://github.com/alipay/VCSL, commit 25ee60f).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from vcd.records import Segment, SimilarityMatrix
from vcd_eval.localizers.boxes import Boxes, as_boxes, as_similarity, overlap, to_segments

__all__ = ["HoughVoting", "hough_voting_boxes"]


def hough_voting_boxes(
    similarity: npt.ArrayLike,
    *,
    min_sim: float = 0.2,
    iou_thresh: float = 0.9,
    max_peaks: int = 100,
) -> Boxes:
    """Return the boxes of the diagonals with the highest sums, the highest first.

    A box spans its whole diagonal, from border to border. Copies at other speeds are not found.

    Parameters
    ----------
    similarity : array_like, shape (n, m)
    min_sim : float
        Cells below do not vote.
    iou_thresh : float
        A box that overlaps a better one by more than this is dropped.
    max_peaks : int
        How many diagonals are looked at.
    """
    values = as_similarity(similarity)
    n, m = values.shape
    rows, columns = np.nonzero((values >= min_sim) & (values != 0))
    diagonals, place = np.unique(columns - rows, return_inverse=True)
    votes = np.bincount(place, weights=values[rows, columns], minlength=len(diagonals))
    boxes: list[list[int]] = []
    for offset in diagonals[np.argsort(-votes, kind="stable")[:max_peaks]].tolist():
        first, last = max(0, -offset), min(n - 1, m - 1 - offset)
        box = [first, first + offset, last, last + offset]
        if overlap(box, boxes) <= iou_thresh:
            boxes.append(box)
    return as_boxes(boxes)


@dataclass(frozen=True, slots=True)
class HoughVoting:
    """`hough_voting_boxes` as a localizer."""

    name: ClassVar[str] = "HV"
    min_sim: float = 0.2
    iou_thresh: float = 0.9
    max_peaks: int = 100

    def localize(self, matrix: SimilarityMatrix) -> list[Segment]:
        """Return segments, the best first (see `vcd_eval.localizers.boxes.to_segments`)."""
        boxes = hough_voting_boxes(
            matrix.values,
            min_sim=self.min_sim,
            iou_thresh=self.iou_thresh,
            max_peaks=self.max_peaks,
        )
        return to_segments(boxes, matrix)
