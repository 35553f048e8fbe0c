"""The field's localizers by name, on the matrices that a run of the engine makes."""

from __future__ import annotations

import numpy as np

from vcd.errors import EvaluationError
from vcd.localization import Localizer
from vcd.records import Segment, SimilarityMatrix
from vcd_eval.localizers.dynamic_programming import DynamicProgramming
from vcd_eval.localizers.hough_voting import HoughVoting
from vcd_eval.localizers.temporal_network import TemporalNetwork
from vcd_eval.localizers.time_warping import TimeWarping

__all__ = ["PUBLISHED", "Speaking", "published"]

PUBLISHED: dict[str, Localizer] = {
    "TN": TemporalNetwork(),
    "TN-VSC": TemporalNetwork(tn_max_step=5, min_length=4),
    "DP": DynamicProgramming(),
    "DTW": TimeWarping(),
    "HV": HoughVoting(),
}
"""With the parameters of VCSL; TN-VSC with those of the baseline of VSC 2023."""


class Speaking:
    """A localizer that is told similarity 0 wherever a row or a column bears no evidence at all.

    The published methods know no weights: without this, black frames, which resemble each other,
    would drown what they find.
    """

    def __init__(self, localizer: Localizer, name: str) -> None:
        self.localizer = localizer
        self.name = name

    def localize(self, matrix: SimilarityMatrix) -> list[Segment]:
        """Return segments, the best first."""
        if matrix.excess is None or not matrix.values.size:
            return self.localizer.localize(matrix)
        says = matrix.excess != 0
        cells = says.any(axis=1)[:, None] & says.any(axis=0)
        values = np.where(cells, matrix.values, np.float32(0))
        return self.localizer.localize(
            SimilarityMatrix(values, matrix.query_times, matrix.ref_times, matrix.stream)
        )


def published(name: str) -> Speaking:
    """Return one of `PUBLISHED`.

    Raises
    ------
    EvaluationError
        There is none of that name.
    """
    if name not in PUBLISHED:
        raise EvaluationError(
            f"there is no localizer {name!r}", remedy=f"choose one of {', '.join(PUBLISHED)}"
        )
    return Speaking(PUBLISHED[name], name)
