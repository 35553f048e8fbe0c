"""How the VSC 2023 challenge scores: average precision of segments and of pairs.

Conventions
-----------
A ground truth and predictions are `SegmentTable`, candidate pairs a `PairTable` (module `formats`).
Rows with exactly equal scores are one step: neither their order nor that of the file matters.

Metrics
-------
* `segment_ap`: micro-AP of the matching track; credit is the length covered on both time axes.
* `operating_point`: its precision and recall at one threshold.
* `pair_ap`: micro-AP over pairs, the score of the descriptor track, on the candidates of module
  `candidates`.

References
----------
.. [1] E. Pizzi, G. Kordopatis-Zilos, H. Patel et al., "The 2023 Video Similarity Dataset and
   Challenge", Computer Vision and Image Understanding 243, 2024. Sections on the two tracks.
.. [2] https://github.com/facebookresearch/vsc2022, commit 644d521, `vsc/metrics.py`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import nan, sqrt

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd_eval.formats import Pair, PairTable, SegmentTable, scores_of

__all__ = [
    "AveragePrecision",
    "check_same_videos",
    "operating_point",
    "pair_ap",
    "segment_ap",
]

Array = npt.NDArray[np.float64]
Interval = tuple[float, float]
Box = tuple[Interval, Interval]

_QUERY, _REF = 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class AveragePrecision:
    """Average precision, and the curve: rows of score, precision, recall where recall grew."""

    ap: float
    curve: Array


def segment_ap(groundtruth: SegmentTable, predictions: SegmentTable) -> AveragePrecision:
    r"""Return the segment-level micro-AP of the VSC matching track.

    After each group of equal scores, with all predictions seen so far,

    .. math::
        P = \sqrt{\frac{I_Q}{T_Q} \frac{I_R}{T_R}}, \qquad
        R = \sqrt{\frac{I_Q}{L_Q} \frac{I_R}{L_R}}, \qquad
        AP = \sum P \, \Delta R

    where on each axis T is the length of the union of the predictions, I the part of it inside the
    true segments that some prediction of the same pair touches with positive area, L the length of
    the union of all true segments; unions are taken within a pair, lengths are summed over pairs.

    Parameters
    ----------
    groundtruth : SegmentTable
        Scores, if any, are ignored.
    predictions : SegmentTable
        With scores.

    Returns
    -------
    AveragePrecision

    Raises
    ------
    EvaluationError
        The ground truth covers nothing on an axis, so recall is undefined, or predictions have no
        scores.

    Notes
    -----
    While nothing is covered on an axis (predictions of length 0) its precision counts as 0; the
    published code divides by zero there.

    Examples
    --------
    >>> truth = SegmentTable(["Q1"], ["R1"], [[0, 10]], [[20, 30]])
    >>> half = SegmentTable(["Q1"], ["R1"], [[5, 15]], [[25, 35]], [0.9])
    >>> segment_ap(truth, half).ap
    0.25
    """
    ap = recall = 0.0
    curve: list[tuple[float, float, float]] = []
    for score, precision, reached in _steps(groundtruth, predictions):
        if reached > recall:
            ap += precision * (reached - recall)
            recall = reached
            curve.append((score, precision, recall))
    return AveragePrecision(ap, np.array(curve, dtype=np.float64).reshape(-1, 3))


def operating_point(
    groundtruth: SegmentTable, predictions: SegmentTable, *, threshold: float
) -> tuple[float, float]:
    """Return precision and recall of `segment_ap` with all predictions at or above a threshold.

    Precision is NaN where no prediction with a length is left. Errors as in `segment_ap`.
    """
    chosen = predictions.take(scores_of(predictions) >= threshold)
    precision, recall = nan, 0.0
    for _, precision, recall in _steps(groundtruth, chosen):  # noqa: B007 - the last step counts
        pass
    return precision, recall


def pair_ap(
    groundtruth: SegmentTable,
    predictions: SegmentTable | PairTable,
    *,
    reference_clamp: bool = False,
) -> AveragePrecision:
    r"""Return the micro-AP over pairs of the VSC descriptor track.

    :math:`AP = \sum_g P_g \, h_g / N` over groups g of equal score, where P is the precision after
    the group, h the true pairs in it, and N the number of distinct true pairs, found or not.

    Parameters
    ----------
    groundtruth : SegmentTable
        Its segments collapse to pairs.
    predictions : SegmentTable or PairTable
        The score of a pair is the highest of its segments.
    reference_clamp : bool
        Raise negative scores to 0 first, as the published code does to segments (not to candidate
        pairs): all pairs below 0 then tie. For comparing with published figures only.

    Returns
    -------
    AveragePrecision

    Raises
    ------
    EvaluationError
        There is no ground truth, or predictions have no scores.

    Examples
    --------
    >>> truth = SegmentTable(["Q1"], ["R1"], [[0, 10]], [[20, 30]])
    >>> pair_ap(truth, PairTable(["Q1", "Q2"], ["R1", "R1"], [0.4, 0.9])).ap
    0.5
    """
    true_pairs = set(zip(groundtruth.query_ids, groundtruth.ref_ids, strict=True))
    if not true_pairs:
        raise EvaluationError(
            "there is no ground truth, so the metric is undefined",
            remedy="give at least one true pair",
        )
    best = _best_scores(predictions)
    scores = np.array(list(best.values()), dtype=np.float64)
    if reference_clamp:
        scores = np.maximum(scores, 0)
    hits = np.array([pair in true_pairs for pair in best], dtype=np.int64)
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], hits[order]
    last = np.flatnonzero(np.append(np.diff(scores) != 0, len(scores) > 0))
    found = np.cumsum(hits)[last]
    gained = np.diff(found, prepend=0)
    precision = found / (last + 1)
    recall = found / len(true_pairs)
    ap = float(np.sum(precision * gained) / len(true_pairs))
    curve = np.stack([scores[last], precision, recall], axis=1)[gained > 0]
    return AveragePrecision(ap, curve)


def check_same_videos(
    groundtruth: SegmentTable, *, query_ids: Iterable[str], ref_ids: Iterable[str]
) -> None:
    """Refuse a ground truth that names no query, or no reference, of the other side.

    Where all videos searched are given, such files would score 0, which says that ids are spelt in
    two ways and nothing else. Where only those with a prediction are given it may be the truth: all
    may be false alarms.

    Parameters
    ----------
    groundtruth : SegmentTable
    query_ids, ref_ids : iterable of str
        Where there are none, nothing is checked.

    Raises
    ------
    EvaluationError
    """
    for axis, true, given in (
        ("query", groundtruth.query_ids, set(query_ids)),
        ("reference", groundtruth.ref_ids, set(ref_ids)),
    ):
        if true and given and given.isdisjoint(true):
            raise EvaluationError(
                f"no {axis} of the ground truth is among those it is compared with, such as "
                f"{true[0]!r} among {min(given)!r} and others",
                remedy="name the videos alike; --challenge reads the number 1 as Q000001 or "
                "R000001",
            )


def _steps(
    groundtruth: SegmentTable, predictions: SegmentTable
) -> Iterator[tuple[float, float, float]]:
    """Yield score, precision and recall after each group of equal scores, best first.

    Groups before anything is covered on both axes are left out: nothing can be recalled there.
    """
    scores = scores_of(predictions)
    states = _truth_states(groundtruth)
    total = [_covered_truth(states.values(), axis) for axis in (_QUERY, _REF)]
    if min(total) <= 0:
        raise EvaluationError(
            "the ground truth covers nothing, so the metric is undefined",
            remedy="give at least one segment that has a length on both axes",
        )
    hit, seen = [0.0, 0.0], [0.0, 0.0]
    order = _canonical_order(predictions, scores)
    boxes = _boxes(predictions)
    for position, row in enumerate(order):
        pair = (predictions.query_ids[row], predictions.ref_ids[row])
        states.setdefault(pair, _PairState()).see(boxes[row], hit, seen)
        last_of_group = position + 1 == len(order) or scores[order[position + 1]] != scores[row]
        if last_of_group and min(seen) > 0:
            precision = sqrt(hit[_QUERY] / seen[_QUERY] * (hit[_REF] / seen[_REF]))
            recall = sqrt(hit[_QUERY] / total[_QUERY] * (hit[_REF] / total[_REF]))
            yield float(scores[row]), precision, recall


class _Union:
    """A union of half-open intervals as sorted, disjoint, non-touching pieces."""

    __slots__ = ("ends", "starts")

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.ends: list[float] = []

    def add(self, start: float, end: float) -> list[Interval]:
        """Add an interval and return the parts of it that are new."""
        if start >= end:
            return []
        first = bisect_left(self.ends, start)
        stop = bisect_right(self.starts, end)
        new, at = [], start
        for i in range(first, stop):
            if self.starts[i] > at:
                new.append((at, self.starts[i]))
            at = max(at, self.ends[i])
        if at < end:
            new.append((at, end))
        if first < stop:
            start = min(start, self.starts[first])
            end = max(end, self.ends[stop - 1])
        self.starts[first:stop] = [start]
        self.ends[first:stop] = [end]
        return new

    def overlap(self, pieces: Sequence[Interval]) -> float:
        """Return the length that disjoint pieces share with the union."""
        length = 0.0
        for start, end in pieces:
            first = bisect_right(self.ends, start)
            stop = bisect_left(self.starts, end)
            for i in range(first, stop):
                length += min(end, self.ends[i]) - max(start, self.starts[i])
        return length

    def length(self) -> float:
        return sum(end - start for start, end in zip(self.starts, self.ends, strict=True))


@dataclass(slots=True)
class _PairState:
    """What has been seen of one pair; true boxes wait until a prediction touches them."""

    waiting: list[Box] = field(default_factory=list)
    predicted: tuple[_Union, _Union] = field(default_factory=lambda: (_Union(), _Union()))
    considered: tuple[_Union, _Union] = field(default_factory=lambda: (_Union(), _Union()))

    def see(self, box: Box, hit: list[float], seen: list[float]) -> None:
        """Take in one prediction; add to the lengths hit and seen on each axis."""
        touched = [truth for truth in self.waiting if _touches(truth, box)]
        if touched:
            self.waiting = [truth for truth in self.waiting if not _touches(truth, box)]
        for axis in (_QUERY, _REF):
            predicted, considered = self.predicted[axis], self.considered[axis]
            for truth in touched:
                hit[axis] += predicted.overlap(considered.add(*truth[axis]))
            new = predicted.add(*box[axis])
            seen[axis] += sum(end - start for start, end in new)
            hit[axis] += considered.overlap(new)


def _touches(a: Box, b: Box) -> bool:
    (aq, ar), (bq, br) = a, b
    return min(aq[1], bq[1]) > max(aq[0], bq[0]) and min(ar[1], br[1]) > max(ar[0], br[0])


def _boxes(table: SegmentTable) -> list[Box]:
    rows = zip(table.query_times.tolist(), table.ref_times.tolist(), strict=True)
    return [((q[0], q[1]), (r[0], r[1])) for q, r in rows]


def _truth_states(groundtruth: SegmentTable) -> dict[Pair, _PairState]:
    states: dict[Pair, _PairState] = {}
    boxes = _boxes(groundtruth)
    for row in _canonical_order(groundtruth, np.zeros(len(groundtruth))):
        pair = (groundtruth.query_ids[row], groundtruth.ref_ids[row])
        states.setdefault(pair, _PairState()).waiting.append(boxes[row])
    return states


def _covered_truth(states: Iterable[_PairState], axis: int) -> float:
    total = 0.0
    for state in states:
        union = _Union()
        for truth in state.waiting:
            union.add(*truth[axis])
        total += union.length()
    return total


def _canonical_order(table: SegmentTable, scores: Array) -> list[int]:
    """Return rows by falling score, then id and time: sums then round alike in any file order."""
    if not len(table):
        return []
    keys = (
        table.ref_times[:, 1],
        table.ref_times[:, 0],
        table.query_times[:, 1],
        table.query_times[:, 0],
        _ranks(table.ref_ids),
        _ranks(table.query_ids),
        -scores,
    )
    return [int(row) for row in np.lexsort(keys)]


def _ranks(ids: Sequence[str]) -> npt.NDArray[np.int64]:
    rank = {video_id: i for i, video_id in enumerate(sorted(set(ids)))}
    return np.array([rank[video_id] for video_id in ids], dtype=np.int64)


def _best_scores(predictions: SegmentTable | PairTable) -> dict[Pair, float]:
    best: dict[Pair, float] = {}
    rows = zip(
        predictions.query_ids, predictions.ref_ids, scores_of(predictions).tolist(), strict=True
    )
    for query_id, ref_id, score in rows:
        pair = (query_id, ref_id)
        best[pair] = max(score, best.get(pair, score))
    return best
