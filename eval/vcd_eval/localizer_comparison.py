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
from vcd_eval.formats import SegmentTable
from vcd_eval.localizers import DynamicProgramming, HoughVoting, TemporalNetwork, TimeWarping
from vcd_eval.matrices import MatrixPair
from vcd_eval.score_normalisation import BETA
from vcd_eval.vcsl import overall
from vcd_eval.vsc import segment_ap

__all__ = ["Contender", "LocalizerScore", "compare", "default_contenders"]

Array = npt.NDArray[np.float64]
Pair = tuple[str, str]

_FAR = 0.01
_HIT = 0.4  # root of the overlap's share of the enclosing box: bounds are compared from here on


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
        "TN": Contender(TemporalNetwork()),
        "TN-VSC": Contender(TemporalNetwork(tn_max_step=5, min_length=4)),
        "TN-VSC-norm": ScoreNormalised(TemporalNetwork(tn_max_step=5, min_length=4, bias=0.5)),
        "DP": Contender(DynamicProgramming()),
        "DTW": Contender(TimeWarping()),
        "HV": Contender(HoughVoting()),
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
    rows: dict[Pair, list[list[float]]] = {}
    columns = zip(
        truth.query_ids,
        truth.ref_ids,
        truth.query_times.tolist(),
        truth.ref_times.tolist(),
        strict=True,
    )
    for query, ref, (q0, q1), (r0, r1) in columns:
        if (query, ref) not in pairs:
            raise EvaluationError(
                f"the truth names the pair {query}, {ref}, of which there is no matrix",
                remedy="add it, or list the pairs that are to be scored",
            )
        rows.setdefault((query, ref), []).append([q0, r0, q1, r1])
    return {pair: np.array(boxes) for pair, boxes in rows.items()}


def _score(
    answers: _Answers,
    true: Mapping[Pair, Array],
    truth: SegmentTable,
    pairs: Sequence[Pair],
    threshold: float,
) -> LocalizerScore:
    scores = {pair: np.array([s.score for s in found]) for pair, found in answers.segments.items()}
    boxes = {
        pair: np.array(
            [[s.query_start, s.ref_start, s.query_end, s.ref_end] for s in found], dtype=np.float64
        ).reshape(-1, 4)
        for pair, found in answers.segments.items()
    }
    kept = {pair: boxes[pair][scores[pair] >= threshold] for pair in pairs}
    segments = overall(true, kept, pairs)
    negatives = [pair for pair in pairs if pair not in true]
    ms = 1e3 * np.array(answers.seconds)
    errors = _boundary_errors(kept, true)
    return LocalizerScore(
        precision=segments.precision,
        recall=segments.recall,
        f1=segments.f1,
        segment_ap=segment_ap(truth, _table(answers.segments)).ap if len(truth) else None,
        false_alarm_rate=float(np.mean([len(kept[p]) > 0 for p in negatives]))
        if negatives
        else None,
        hit_at_far1=_hit_rate(boxes, scores, true, negatives),
        ms_median=float(np.median(ms)),
        ms_p90=float(np.quantile(ms, 0.9)),
        boundary_error_s=float(np.median(errors)) if len(errors) else None,
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
    boxes: Mapping[Pair, Array],
    scores: Mapping[Pair, Array],
    true: Mapping[Pair, Array],
    negatives: Sequence[Pair],
) -> float | None:
    if not negatives or not true:
        return None
    alarms = sorted(float(scores[pair].max(initial=-1)) for pair in negatives)
    level = alarms[len(alarms) - 1 - int(_FAR * len(alarms))]
    hits = [
        _closeness(boxes[pair][scores[pair] > level], truth).max(axis=0, initial=0) > 0
        for pair, truth in true.items()
    ]
    return float(np.concatenate(hits).mean())


def _boundary_errors(kept: Mapping[Pair, Array], true: Mapping[Pair, Array]) -> Array:
    errors = [np.zeros(0)]
    for pair, truth in true.items():
        if len(kept[pair]):
            near = _closeness(kept[pair], truth)
            hit = near.max(axis=1) > _HIT
            errors.append(np.abs(kept[pair] - truth[near.argmax(axis=1)])[hit].ravel())
    return np.concatenate(errors)


def _closeness(boxes: Array, truth: Array) -> Array:
    """Return the root of the overlap's share of the enclosing box, shape (boxes, truths)."""
    a, b = boxes[:, None], truth[None]
    inner = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    outer = np.maximum(a[..., 2:], b[..., 2:]) - np.minimum(a[..., :2], b[..., :2])
    area = outer.prod(axis=2)
    share = np.divide(inner.clip(min=0).prod(axis=2), area, out=np.zeros_like(area), where=area > 0)
    return np.asarray(np.sqrt(share))
