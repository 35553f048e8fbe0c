"""Segments found in several passes or windows become one list without repeats."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from vcd.records import Segment

__all__ = ["is_same_copy", "join_pieces", "merge_segments", "overlap"]

_SAME = 0.5
"""Share of the shorter segment, on both axes, from which two segments tell of the same copy."""

_GAP = 1.0
"""Seconds between two pieces of one copy, and by how much their lines may differ there."""


def overlap(first: Segment, second: Segment) -> float:
    """Return how far two segments are one: the smaller of the shared parts on both axes.

    On each axis the length both share is divided by the length of the shorter one; in [0, 1].
    """
    shares = []
    for start, end in (("query_start", "query_end"), ("ref_start", "ref_end")):
        a, b = (
            (getattr(first, start), getattr(first, end)),
            (getattr(second, start), getattr(second, end)),
        )
        shorter = min(a[1] - a[0], b[1] - b[0])
        shared = min(a[1], b[1]) - max(a[0], b[0])
        shares.append(max(shared, 0.0) / shorter if shorter > 0 else 0.0)
    return min(shares)


def merge_segments(segments: Iterable[Segment]) -> list[Segment]:
    """Keep the most probable of segments that tell of the same copy.

    Returns
    -------
    list of Segment
        The most probable first.
    """
    kept: list[Segment] = []
    for segment in sorted(segments, key=_rank):
        if not any(is_same_copy(other, segment) for other in kept):
            kept.append(segment)
    return kept


def join_pieces(segments: Iterable[Segment]) -> list[Segment]:
    """Join segments of one pass that continue each other, as windows of a long copy give them.

    Returns
    -------
    list of Segment
        In the order of the query; the probability of a joined one is that of its best piece.
    """
    joined: list[Segment] = []
    for segment in sorted(segments, key=lambda s: (s.query_start, s.ref_start, -s.score)):
        for place, other in enumerate(joined):
            if _continues(other, segment):
                joined[place] = _union(other, segment)
                break
        else:
            joined.append(segment)
    return joined


def _continues(first: Segment, second: Segment) -> bool:
    """Whether the second, which begins no earlier, lies on the line of the first and touches it."""
    if first.speed * second.speed <= 0 or second.query_start > first.query_end + _GAP:
        return False
    moment = (second.query_start + min(first.query_end, second.query_end)) / 2
    if abs(_reference_at(first, moment) - _reference_at(second, moment)) > _GAP:
        return False
    both = _union(first, second)
    return all(  # a kink is no straight line
        abs(_reference_at(piece, end) - _reference_at(both, end)) <= 2 * _GAP
        for piece in (first, second)
        for end in (piece.query_start, piece.query_end)
    )


def _reference_at(segment: Segment, moment: float) -> float:
    """Return where the line of a segment is in the reference at a moment of the query."""
    share = (moment - segment.query_start) / max(segment.length, 1e-9)
    if segment.speed < 0:
        share = 1 - share
    return segment.ref_start + share * (segment.ref_end - segment.ref_start)


def _union(first: Segment, second: Segment) -> Segment:
    query = min(first.query_start, second.query_start), max(first.query_end, second.query_end)
    ref = min(first.ref_start, second.ref_start), max(first.ref_end, second.ref_end)
    best = max(first, second, key=lambda s: s.score)
    speed = (ref[1] - ref[0]) / (query[1] - query[0])
    return replace(
        best,
        query_start=query[0],
        query_end=query[1],
        ref_start=ref[0],
        ref_end=ref[1],
        streams=first.streams | second.streams,
        speed=math.copysign(speed, first.speed),
    )


def is_same_copy(kept: Segment, other: Segment) -> bool:
    """Return whether two segments tell of the same copy."""
    return kept.speed * other.speed > 0 and overlap(kept, other) >= _SAME


def _rank(segment: Segment) -> tuple[float, float, float, float, float]:
    """Sort by probability, then by place, so that the order never depends on the input's order."""
    return (
        -segment.score,
        segment.query_start,
        segment.ref_start,
        segment.query_end,
        segment.ref_end,
    )
