"""What two videos begin or end with alike is rather an intro of a series than a copy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from vcd.records import Segment

__all__ = ["Span", "as_opening", "is_opening"]

Span = tuple[float, float]

_EDGE = 1.1
"""Seconds at the first and the last moment of a video; a little more than steps of a track add to.
"""

_SPEEDS = 0.9, 1.1
_ODDS = 1 / 30
"""How much rarer a copy lies there than an intro.

Where a copy begins in its reference is arbitrary: of 348 copies in made haystacks, 12 lay at the
beginning or the end of both videos and left something of both (one in 30). That as many videos
share an intro or closing as share a copy is assumed.
"""


def is_opening(segment: Segment, tellings: Iterable[Segment], spans: tuple[Span, Span]) -> bool:
    """Return whether a segment is all that two videos share at their beginning, or at their end.

    Both begin with it and go on after it, or both end with it and have something before it. A copy
    of all that a video shows and sounds is none: either the query or the reference is used up.

    Parameters
    ----------
    segment : Segment
    tellings : iterable of Segment
        What other passes say of the same copy: its ends are the outermost.
    spans : tuple of (float, float)
        Of query and reference, in seconds: from when to when they have anything to see or hear.
    """
    slow, fast = _SPEEDS
    if not slow <= segment.speed <= fast:
        return False
    all_of_it = [segment, *tellings]
    (query_first, query_last), (ref_first, ref_last) = spans
    before = (
        min(s.query_start for s in all_of_it) - query_first,
        min(s.ref_start for s in all_of_it) - ref_first,
    )
    after = (
        query_last - max(s.query_end for s in all_of_it),
        ref_last - max(s.ref_end for s in all_of_it),
    )
    return any(
        max(edges) <= _EDGE and min(rest) > _EDGE
        for edges, rest in ((before, after), (after, before))
    )


def as_opening(segment: Segment) -> Segment:
    """Return a segment with the probability that it has as an opening: its odds are divided."""
    odds = _ODDS * segment.score / max(1 - segment.score, 1e-12)
    return replace(segment, score=odds / (1 + odds))
