"""Localizers side by side on the same matrices: ours and the field's, by one set of figures.

References
----------
.. [1] S. He, X. Yang, C. Jiang et al., "A Large-scale Comprehensive Dataset and Copy-overlap Aware
   Evaluation Protocol for Segment-level Video Copy Detection", CVPR 2022: precision, recall, F1.
.. [2] E. Pizzi, G. Kordopatis-Zilos, H. Patel et al., "The 2023 Video Similarity Dataset and
   Challenge", Computer Vision and Image Understanding 243, 2024: segment micro-AP, and the settings
   of its baseline.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd.localization import LineLocalizer, Localizer
from vcd.records import Segment, SimilarityMatrix
from vcd.similarity import normalise
from vcd_eval.formats import Pair, SegmentTable, scores_of
from vcd_eval.localizers import PUBLISHED, TemporalNetwork
from vcd_eval.matrices import MatrixPair
from vcd_eval.measures import boundary_errors, closeness
from vcd_eval.score_normalisation import BETA
from vcd_eval.vcsl import overall
from vcd_eval.vsc import segment_ap

__all__ = ["Contender", "LocalizerScore", "compare", "default_contenders"]

Array = npt.NDArray[np.float64]

_FAR = 0.01


@dataclass(frozen=True, slots=True)
class LocalizerScore:
    """Figures of one localizer; None where one is undefined.

    Attributes
    ----------
    precision, recall, f1 : float
        VCSL, overall, in [0, 1], of the segments at or above the contender's threshold.
    segment_ap : float
        VSC segment micro-AP of all segments, in [0, 1].
    false_alarm_rate : float
        Share of the pairs without copy in which a segment reaches the threshold.
    hit_at_far1 : float
        Share of true segments that a segment overlaps, above the lowest score at which at most 1 %
        of the pairs without copy alarm.
    ms_median, ms_p90 : float
        Processor time a pair, in milliseconds, normalisation included.
    boundary_error_s : float
        Median distance in seconds between the bounds of a segment at or above the threshold and of
        the true one it hits.
    """

    precision: float | None
    recall: float
    f1: float
    segment_ap: float | None
    false_alarm_rate: float | None
    hit_at_far1: float | None
    ms_median: float
    ms_p90: float
    boundary_error_s: float | None


class Contender:
    """A localizer, the matrix it is given, and the score from which it asserts a copy.

    Parameters
    ----------
    localizer : Localizer
    threshold : float
    """

    def __init__(self, localizer: Localizer, threshold: float = 0.0) -> None:
        self.localizer = localizer
        self.threshold = threshold

    def takes(self, pair: MatrixPair) -> bool:
        """Return whether the pair has all this contender needs."""
        del pair
        return True

    def prepare(self, pair: MatrixPair) -> SimilarityMatrix:
        """Return the matrix to localize in: here the cosines."""
        return pair.matrix


class ScoreNormalised(Contender):
    """Cosines less what the query frame reaches with a background, as the baseline of VSC 2023."""

    def takes(self, pair: MatrixPair) -> bool:
        """Return whether the pair has a background."""
        return pair.backgrounds is not None

    def prepare(self, pair: MatrixPair) -> SimilarityMatrix:
        """Return normalised scores."""
        if pair.backgrounds is None:
            raise EvaluationError("score normalisation takes a background")
        largest = pair.backgrounds[0].largest[:, None]
        values = pair.matrix.values - np.float32(BETA) * largest
        matrix = pair.matrix
        return SimilarityMatrix(values, matrix.query_times, matrix.ref_times, matrix.stream)


class Normalised(Contender):
    """Evidence above what unrelated content reaches, as vcd itself takes it."""

    def prepare(self, pair: MatrixPair) -> SimilarityMatrix:
        """Return the normalised matrix."""
        query, ref = pair.backgrounds or (None, None)
        return normalise(pair.matrix, query_background=query, ref_background=ref)


def default_contenders() -> dict[str, Contender]:
    """Return ours and the baselines of VCSL and VSC 2023 with their published parameters."""
    return {
        "lines": Normalised(LineLocalizer(), threshold=0.5),
        "TN-VSC-norm": ScoreNormalised(TemporalNetwork(tn_max_step=5, min_length=4, bias=0.5)),
        **{name: Contender(localizer) for name, localizer in PUBLISHED.items()},
    }


def compare(
    pairs: Iterable[MatrixPair], truth: SegmentTable, contenders: Mapping[str, Contender]
) -> dict[str, LocalizerScore]:
    """Score contenders on the same pairs.

    Parameters
    ----------
    pairs : iterable of MatrixPair
        Read once. A pair that the truth does not name holds no copy.
    truth : SegmentTable
        In seconds.
    contenders : mapping of str to Contender
        One that cannot take a pair (it lacks a background) is left out as a whole.

    Raises
    ------
    EvaluationError
        There is no pair, a pair comes twice, or the truth names a pair that is not among them.
    """
    answers = {name: _Answers() for name in contenders}
    seen: dict[Pair, None] = {}
    for pair in pairs:
        key = (pair.query_id, pair.ref_id)
        if key in seen:
            raise EvaluationError(f"the pair {key[0]}, {key[1]} comes twice")
        seen[key] = None
        for name in [name for name in answers if not contenders[name].takes(pair)]:
            del answers[name]
        for name, answer in answers.items():
            begin = time.thread_time()
            found = contenders[name].localizer.localize(contenders[name].prepare(pair))
            answer.seconds.append(time.thread_time() - begin)
            answer.segments[key] = found
    if not seen:
        raise EvaluationError("there is no pair to score", remedy="give at least one matrix")
    true = _true_boxes(truth, seen)
    return {
        name: _score(answer, true, truth, list(seen), contenders[name].threshold)
        for name, answer in answers.items()
    }


@dataclass(slots=True)
class _Answers:
    """What one contender found in each pair, and how long it took."""

    segments: dict[Pair, list[Segment]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)


def _true_boxes(truth: SegmentTable, pairs: Mapping[Pair, None]) -> dict[Pair, Array]:
    boxes = _boxes(truth)
    for query, ref in boxes:
        if (query, ref) not in pairs:
            raise EvaluationError(
                f"the truth names the pair {query}, {ref}, of which there is no matrix",
                remedy="add it, or list the pairs that are to be scored",
            )
    return boxes


def _score(
    answers: _Answers,
    true: Mapping[Pair, Array],
    truth: SegmentTable,
    pairs: Sequence[Pair],
    threshold: float,
) -> LocalizerScore:
    found = _table(answers.segments)
    kept = found.take(scores_of(found) >= threshold)
    asserted = _boxes(kept)
    segments = overall(true, asserted, pairs)
    negatives = [pair for pair in pairs if pair not in true]
    ms = 1e3 * np.array(answers.seconds)
    errors = boundary_errors(truth, kept)
    return LocalizerScore(
        precision=segments.precision,
        recall=segments.recall,
        f1=segments.f1,
        segment_ap=segment_ap(truth, found).ap if len(truth) else None,
        false_alarm_rate=(
            float(np.mean([pair in asserted for pair in negatives])) if negatives else None
        ),
        hit_at_far1=_hit_rate(found, true, negatives),
        ms_median=float(np.median(ms)),
        ms_p90=float(np.quantile(ms, 0.9)),
        boundary_error_s=float(np.median(errors)) if errors.size else None,
    )


def _table(found: Mapping[Pair, Sequence[Segment]]) -> SegmentTable:
    rows = [(pair, segment) for pair, segments in found.items() for segment in segments]
    query_times = [[s.query_start, s.query_end] for _, s in rows]
    ref_times = [[s.ref_start, s.ref_end] for _, s in rows]
    return SegmentTable(
        query_ids=[pair[0] for pair, _ in rows],
        ref_ids=[pair[1] for pair, _ in rows],
        query_times=np.array(query_times, dtype=np.float64).reshape(-1, 2),
        ref_times=np.array(ref_times, dtype=np.float64).reshape(-1, 2),
        scores=np.array([s.score for _, s in rows], dtype=np.float64),
    )


def _hit_rate(
    found: SegmentTable, true: Mapping[Pair, Array], negatives: Sequence[Pair]
) -> float | None:
    if not negatives or not true:
        return None
    highest = dict.fromkeys(negatives, -1.0)
    for pair, score in zip(_pairs(found), scores_of(found).tolist(), strict=True):
        if pair in highest:
            highest[pair] = max(highest[pair], score)
    alarms = sorted(highest.values())
    level = alarms[len(alarms) - 1 - int(_FAR * len(alarms))]
    above = _boxes(found.take(scores_of(found) > level))
    hits = [
        (closeness(_by_axis(above[pair]), _by_axis(boxes)) > 0).any(axis=0)
        if pair in above
        else np.zeros(len(boxes), np.bool_)
        for pair, boxes in true.items()
    ]
    return float(np.concatenate(hits).mean())


def _pairs(table: SegmentTable) -> list[Pair]:
    return list(zip(table.query_ids, table.ref_ids, strict=True))


def _boxes(table: SegmentTable) -> dict[Pair, Array]:
    """Return the rows of each pair as VCSL writes boxes: both starts, then both ends."""
    rows: dict[Pair, list[Array]] = {}
    for pair, box in zip(
        _pairs(table), np.stack([table.query_times, table.ref_times], axis=2), strict=True
    ):
        rows.setdefault(pair, []).append(box.ravel())
    return {pair: np.array(boxes) for pair, boxes in rows.items()}


def _by_axis(boxes: Array) -> Array:
    """Return boxes as start and end of the query, then of the reference."""
    return boxes[:, [0, 2, 1, 3]]
