"""Boxes of frame indices, the answer of every baseline, and the segments they stand for.

A box is ``[query_first, ref_first, query_last, ref_last]``, indices inclusive; boxes have shape
(n, 4) and are int64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd.records import STREAMS, Segment, SimilarityMatrix, Stream

__all__ = ["Boxes", "Floats", "as_boxes", "as_similarity", "overlap", "to_segments"]

Boxes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def as_similarity(similarity: npt.ArrayLike) -> Floats:
    """Return a matrix of float64, shape (n, m).

    Raises
    ------
    EvaluationError
        It is no matrix, or a number is not finite.
    """
    array = np.array(similarity, dtype=np.float64)
    if array.ndim != 2 or not np.isfinite(array).all():
        raise EvaluationError(
            f"a similarity must be a matrix of finite numbers, got shape {array.shape}"
        )
    return array


def as_boxes(boxes: Sequence[Sequence[int]]) -> Boxes:
    """Return boxes of shape (n, 4), also where there are none."""
    return np.array(boxes, dtype=np.int64).reshape(-1, 4)


def overlap(box: Sequence[int], others: Sequence[Sequence[int]]) -> float:
    """Return the largest intersection over union of a box with others, counted in cells."""
    if not others:
        return 0.0
    first, last = np.array(box)[:2], np.array(box)[2:]
    firsts, lasts = np.array(others)[:, :2], np.array(others)[:, 2:]
    shared = np.minimum(last, lasts) - np.maximum(first, firsts) + 1
    inner = shared.clip(min=0).prod(axis=1)
    union = (last - first + 1).prod() + (lasts - firsts + 1).prod(axis=1) - inner
    return float((inner / union).max())


def to_segments(boxes: Boxes, matrix: SimilarityMatrix) -> list[Segment]:
    """Return boxes as segments, the best first.

    The times are the start of the first and the end of the last frame. The methods have no score of
    their own: as in the baseline of VSC 2023 the highest similarity s inside the box ranks them
    (its last row and column left out), written as (1 + s) / 2 to lie in [0, 1].
    """
    streams: frozenset[Stream]
    streams = frozenset(STREAMS) if matrix.stream == "fused" else frozenset((matrix.stream,))
    segments = []
    for q0, r0, q1, r1 in boxes.tolist():
        best = matrix.values[q0 : max(q1, q0 + 1), r0 : max(r1, r0 + 1)].max()
        start, end = float(matrix.query_times[q0, 0]), float(matrix.query_times[q1, 1])
        ref_start, ref_end = float(matrix.ref_times[r0, 0]), float(matrix.ref_times[r1, 1])
        known = end > start and ref_end > ref_start
        segments.append(
            Segment(
                query_start=start,
                query_end=end,
                ref_start=ref_start,
                ref_end=ref_end,
                score=float(np.clip((1 + best) / 2, 0, 1)),
                streams=streams,
                speed=(ref_end - ref_start) / (end - start) if known else 1.0,
            )
        )
    return sorted(segments, key=lambda segment: -segment.score)
