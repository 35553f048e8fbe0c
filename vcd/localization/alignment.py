"""The localizer of straight lines: search, refit, explain away, repeat."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from vcd.errors import ContractError
from vcd.localization.board import Board
from vcd.localization.bounds import TimeAxis, to_segment
from vcd.localization.confidence import Confidence, default_confidence
from vcd.localization.features import Features, measure
from vcd.localization.lines import Line, LineSearch, most_possible
from vcd.localization.refit import fit_ends, fit_line
from vcd.records import FloatArray, Segment, SimilarityMatrix, Stream

__all__ = ["LineLocalizer", "LineSettings", "Proposal"]

_OTHER_SPEED, _BACKWARDS = 0.94, 0.95  # factors on evidence: plain speed, forwards, is the rule
_DENSE_RATE = 2.0  # positions a second above which neighbours repeat each other
_SAME = 0.6
_MOST_SECONDS = 600.0
_REFINED_CELLS = 1_000_000  # the refiner's cost grows with the cells, and larger ones are rare
_STRONG = 10.0  # times the least evidence: beside the longest copy this is still proposed


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How hard the line localizer looks.

    Parameters
    ----------
    speeds : int
        How many speeds from 0.5 to 2 are searched (odd, so that 1 is one of them). Refitting finds
        those in between.
    backwards : bool
        Whether reversed copies are looked for.
    least_evidence : float
        Evidence along a line below which nothing is proposed; a cell gives 2.5 at most.
    least_share : float
        The same, as a share of what the strongest line of the matrix has; at most ten times
        `least_evidence`, so that a copy of minutes does not hide one of seconds.
    least_seconds : float
        Segments shorter than this on the query's side are not reported.
    least_score : float
        Segments less probable than this are not reported.
    most : int
        Largest number of segments where the shorter side lasts up to ten minutes; in proportion
        more where it is longer.

    Raises
    ------
    ContractError
        The number of speeds is even, or `most` is not positive.
    """

    speeds: int = 21
    backwards: bool = True
    least_evidence: float = 2.0
    least_share: float = 0.15
    least_seconds: float = 1.0
    least_score: float = 0.001
    most: int = 8

    def __post_init__(self) -> None:
        if self.speeds < 1 or self.speeds % 2 == 0:
            raise ContractError(f"the number of speeds must be odd, got {self.speeds}")
        if self.most < 1:
            raise ContractError(f"at least one segment must be allowed, got {self.most}")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A line that may be a copy, and what was measured of it."""

    line: Line
    features: Features


class LineLocalizer:
    """Finds copies at speeds of 0.5 to 2, forwards and backwards, several in a matrix.

    Parameters
    ----------
    settings : LineSettings, optional
    confidences : mapping of str to Confidence, optional
        By stream of the matrix ("visual", "audio", "fused"): how probable segments are, as fitted
        for the models at hand; `default_confidence` where there is none.
    refiner : callable, optional
        From excess (n, m) to the probability in [0, 1] that a copy runs through a cell, as
        `vcd.similarity.Refiner`; it tells the search where to look, and no more: what is found is
        measured on the matrix as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from vcd.records import SimilarityMatrix
    >>> excess = np.full((30, 40), -0.5, np.float32)
    >>> excess[np.arange(5, 25), np.arange(5, 25) + 10] = 1
    >>> times = np.stack((np.arange(40.0), np.arange(40.0) + 1), axis=1)
    >>> matrix = SimilarityMatrix(excess, times[:30], times, "visual", excess)
    >>> [segment] = LineLocalizer().localize(matrix)
    >>> segment.query_start, segment.query_end, segment.ref_start, segment.ref_end
    (5.0, 25.0, 15.0, 35.0)
    """

    name = "lines"

    def __init__(
        self,
        settings: LineSettings | None = None,
        *,
        confidences: Mapping[str, Confidence] | None = None,
        refiner: Callable[[FloatArray], FloatArray] | None = None,
    ) -> None:
        self.settings = settings or LineSettings()
        self.confidences = dict(confidences or {})
        self.refiner = refiner
        half = self.settings.speeds // 2
        speeds = 2.0 ** (np.arange(-half, half + 1) / max(half, 1))
        bonus = np.where(speeds == 1, 1, _OTHER_SPEED)
        if self.settings.backwards:
            speeds = np.concatenate((speeds, -speeds))
            bonus = np.concatenate((bonus, _BACKWARDS * bonus))
        self._speeds, self._bonus = speeds, bonus

    def localize(self, matrix: SimilarityMatrix) -> list[Segment]:
        """Return the segments of a normalised matrix, the most probable first.

        Raises
        ------
        ContractError
            The matrix holds plain cosines: it was not normalised.
        """
        streams: frozenset[Stream]
        if matrix.stream == "fused":
            streams = frozenset(("visual", "audio"))
        else:
            streams = frozenset((matrix.stream,))
        proposals = self.proposals(matrix)
        if not proposals:
            return []
        query, ref = TimeAxis(matrix.query_times), TimeAxis(matrix.ref_times)
        segments = []
        confidence = self.confidences.get(matrix.stream) or default_confidence()
        for proposal in proposals:
            score = confidence(proposal.features)
            segment = to_segment(proposal.line, query, ref, score, streams)
            if score >= self.settings.least_score and segment.length >= self.settings.least_seconds:
                segments.append(segment)
        return sorted(segments, key=lambda segment: -segment.score)

    def proposals(self, matrix: SimilarityMatrix) -> list[Proposal]:
        """Return lines that may be copies, the strongest first, whatever their probability."""
        if matrix.excess is None:
            raise ContractError(
                "this matrix holds plain cosines and no evidence",
                remedy="normalise it first: vcd.similarity.normalise",
            )
        if matrix.excess.size == 0:
            return []
        query_rate = TimeAxis(matrix.query_times).rate
        ref_rate = TimeAxis(matrix.ref_times).rate
        ratio = ref_rate / query_rate
        least = self.settings.least_evidence * max(1.0, min(query_rate, ref_rate) / _DENSE_RATE)
        board = Board(matrix.excess)
        if most_possible(board.evidence) < least:
            return []  # as most pairs, which share nothing
        if self.refiner is not None and matrix.excess.size <= _REFINED_CELLS:
            board.encourage(self.refiner(matrix.excess))
        search = LineSearch(board.evidence, self._speeds * ratio, self._bonus)
        found: list[Proposal] = []
        floor = least
        shorter = min(board.excess.shape[0] / query_rate, board.excess.shape[1] / ref_rate)
        for _ in range(round(self.settings.most * max(1.0, shorter / _MOST_SECONDS))):
            hit = search.best(least)
            if hit is None:
                break
            total, first_line = hit
            least = max(least, min(self.settings.least_share * total, _STRONG * floor))
            line = _refit(board, first_line, ratio, ref_rate)
            stronger = [other.line for other in found]
            if not any(_covered(line, other) for other in stronger):
                features = measure(board, line, stronger, query_rate, ref_rate)
                if features is not None:
                    found.append(Proposal(line, features))
            board.explain(line, first_line)
            search.lowered()
        return found


def _refit(board: Board, line: Line, ratio: float, ref_rate: float) -> Line:
    for reach in (max(1.0, ref_rate / _DENSE_RATE), 1.0):
        line = fit_ends(board, fit_line(board, line, ratio, reach))
    return line


def _covered(line: Line, other: Line) -> bool:
    """Whether most of a line's box lies in another one, on both axes."""
    q0, q1, r0, r1 = line.box
    a0, a1, b0, b1 = other.box
    query = (min(q1, a1) - max(q0, a0)) / (q1 - q0)
    ref = (min(r1, b1) - max(r0, b0)) / (r1 - r0)
    return math.isfinite(ref) and min(query, ref) > _SAME
