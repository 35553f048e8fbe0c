"""What two videos begin or end with alike is rather an intro of a series than a copy."""

from __future__ import annotations

from dataclasses import replace

from vcd.records import Segment

__all__ = ["as_opening", "is_opening"]

_EDGE = 1.0
"""Seconds around the first and the last moment of a video."""

_SPEEDS = 0.9, 1.1
_ODDS = 1 / 30
"""How much rarer a copy lies there than an intro.

Where a copy begins in its reference is arbitrary: of 348 copies in made haystacks, 12 lay at the
beginning or the end of both videos and left something of both (one in 30). That as many videos
share an intro or closing as share a copy is assumed.
"""


def is_opening(segment: Segment, durations: tuple[float, float]) -> bool:
    """Return whether a segment is all that two videos share at their beginning, or at their end.

    Both begin with it and go on after it, or both end with it and have something before it. A copy
    of all of a video is none: either the query or the reference would be used up.

    Parameters
    ----------
    segment : Segment
    durations : tuple of float
        Of query and reference, in seconds.
    """
    slow, fast = _SPEEDS
    if not slow <= segment.speed <= fast:
        return False
    before = segment.query_start, segment.ref_start
    after = durations[0] - segment.query_end, durations[1] - segment.ref_end
    return any(
        max(edges) <= _EDGE and min(rest) > _EDGE
        for edges, rest in ((before, after), (after, before))
    )


def as_opening(segment: Segment) -> Segment:
    """Return a segment with the probability that it has as an opening: its odds are divided."""
    odds = _ODDS * segment.score / max(1 - segment.score, 1e-12)
    return replace(segment, score=odds / (1 + odds))
