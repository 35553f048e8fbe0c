"""The localizer of still pictures: where in a video the one picture is shown."""

from __future__ import annotations

import math

import numpy as np

from vcd.errors import ContractError
from vcd.records import FloatArray, Segment, SimilarityMatrix, Stream

__all__ = ["StillLocalizer", "is_still"]

_LEAST_EXCESS = 0.3
_MOST = 8
_STEEPNESS = 6.0
_SHOWN = 0.5  # share of the best moment's evidence down to which its neighbours show it, too


def is_still(matrix: SimilarityMatrix) -> bool:
    """Whether one side of a matrix is a single moment, through which no line can be laid."""
    return 1 in matrix.values.shape


class StillLocalizer:
    """Finds the moments of one side that show the single picture of the other.

    A segment spans the whole still on its own side, and on the other side the moments around the
    best one that resemble it at least half as much. The confidence is a logistic function of the
    best moment's evidence alone.
    """

    name = "stills"

    def localize(self, matrix: SimilarityMatrix) -> list[Segment]:
        """Return where the still is shown, the most probable first.

        Raises
        ------
        ContractError
            Neither side is a single moment, or the matrix holds no evidence.
        """
        if matrix.excess is None or not is_still(matrix):
            raise ContractError(
                f"a still needs one row or one column of evidence, got {matrix!r}",
                remedy="use LineLocalizer for videos",
            )
        if matrix.excess.size == 0:
            return []
        along = matrix.excess.reshape(-1).copy()
        segments: list[Segment] = []
        while len(segments) < _MOST:
            best = int(np.argmax(along))
            peak = float(along[best])
            if peak < _LEAST_EXCESS:
                break
            first, last = _around(along, best)
            segments.append(_segment(matrix, first, last, peak))
            along[first : last + 1] = -np.inf
        return segments


def _around(along: FloatArray, best: int) -> tuple[int, int]:
    shown = along >= _SHOWN * along[best]
    before, after = np.flatnonzero(~shown[:best]), np.flatnonzero(~shown[best:])
    first = int(before[-1]) + 1 if len(before) else 0
    last = best + int(after[0]) - 1 if len(after) else len(along) - 1
    return first, last


def _segment(matrix: SimilarityMatrix, first: int, last: int, peak: float) -> Segment:
    q, r = ((first, last), (0, 0)) if len(matrix.query_times) > 1 else ((0, 0), (first, last))
    streams: frozenset[Stream] = frozenset(("visual",))
    return Segment(
        query_start=float(matrix.query_times[q[0], 0]),
        query_end=float(matrix.query_times[q[1], 1]),
        ref_start=float(matrix.ref_times[r[0], 0]),
        ref_end=float(matrix.ref_times[r[1], 1]),
        score=1 / (1 + math.exp(-_STEEPNESS * (min(peak, 3.0) - 1))),
        streams=streams,
    )
