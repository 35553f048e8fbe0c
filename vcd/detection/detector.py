"""Segments of every pass in; the match of the pair out, or none."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from vcd.detection.calibration import Calibration
from vcd.detection.merging import is_same_copy, merge_segments
from vcd.detection.openings import Span, as_opening, is_opening
from vcd.detection.testimony import speaking_streams
from vcd.errors import ContractError, display_name
from vcd.records import Match, Segment, SimilarityMatrix

__all__ = ["STILL", "Detector"]

logger = logging.getLogger("vcd")

STILL = "still"
"""The pass of pairs of which one side is a still picture; no length is asked of it."""


@dataclass(frozen=True, slots=True)
class Detector:
    """Decides which segments are copies.

    Parameters
    ----------
    threshold : float
        Smallest probability that is reported, in [0, 1].
    min_length : float
        Seconds; a segment whose shorter side is below is not reported. What counts as a copy (a
        three-second intro that many videos share?) is a policy, no probability.
    max_segments : int
        Of a match; the most probable are kept, and that is logged.
    calibrations : mapping of str to Calibration
        By pass: "visual", "audio", "fused", "still". One that is missing changes nothing: the line
        localizer gives probabilities itself.
    """

    threshold: float = 0.5
    min_length: float = 2.5
    max_segments: int = 1000
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ContractError(f"threshold must lie in [0, 1], got {self.threshold}")
        if not self.min_length >= 0:
            raise ContractError(f"min_length must not be negative, got {self.min_length}")

    def detect(
        self,
        query_id: str,
        ref_id: str,
        passes: Mapping[str, Sequence[Segment]],
        matrices: Mapping[str, SimilarityMatrix],
        *,
        spans: tuple[Span, Span] | None = None,
    ) -> Match | None:
        """Return the match of a pair, its score that of its best segment.

        Parameters
        ----------
        passes : mapping of str to sequence of Segment
            What the localizer found, by pass ("visual", "audio", "fused", "still"); scores are its
            own confidences.
        matrices : mapping of str to SimilarityMatrix
            Normalised, by stream; they tell which streams bear a segment out.
        spans : tuple of (float, float), optional
            From when to when query and reference have anything to see or hear, in seconds: what is
            all that both begin or end with is less probable to be a copy. Where left out, nothing
            is.
        """
        found = []
        for name, segments in passes.items():
            calibration = self.calibrations.get(name, Calibration())
            found += [
                replace(segment, score=calibration(segment.score))
                for segment in segments
                if name == STILL or _shorter_side(segment) >= self.min_length
            ]
        kept = [
            replace(s, streams=speaking_streams(s, matrices))
            for s in _weighed(found, spans)
            if s.score >= self.threshold
        ]
        if not kept:
            return None
        if len(kept) > self.max_segments:
            logger.warning(
                "%s in %s: %d segments, of which the %d most probable are kept (raise max_segments"
                " to keep more)",
                *(display_name(query_id), display_name(ref_id), len(kept), self.max_segments),
            )
            kept = sorted(kept, key=lambda s: -s.score)[: self.max_segments]
            kept.sort(key=lambda s: s.query_start)
        return Match(query_id, ref_id, max(s.score for s in kept), tuple(kept))


def _weighed(found: Sequence[Segment], spans: tuple[Span, Span] | None) -> Sequence[Segment]:
    """Return segments without repeats, those that are openings less probable."""
    kept = merge_segments(found)
    if spans is None:
        return kept
    return [
        as_opening(s) if is_opening(s, [f for f in found if is_same_copy(s, f)], spans) else s
        for s in kept
    ]


def _shorter_side(segment: Segment) -> float:
    return min(segment.length, segment.ref_end - segment.ref_start)
