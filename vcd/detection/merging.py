"""Segments found by picture, by sound and by both become one list without repeats."""

from __future__ import annotations

from collections.abc import Iterable

from vcd.records import Segment

__all__ = ["merge_segments", "overlap"]

_SAME = 0.5
"""Share of the shorter segment, on both axes, from which two segments tell of the same copy."""


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
        if not any(_is_same(other, segment) for other in kept):
            kept.append(segment)
    return kept


def _is_same(kept: Segment, other: Segment) -> bool:
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
