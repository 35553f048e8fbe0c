"""How the VCSL benchmark scores: precision and recall of segments per pair, then means over pairs.

Conventions
-----------
A box is ``[query_start, ref_start, query_end, ref_end]``; boxes of a pair have shape (n, 4). A pair
is (query, reference). Pairs that the ground truth does not hold are negatives. A pair that the
predictions do not hold counts as predicted empty.

Metrics
-------
* `precision_recall`: of one pair, product of the two axes.
* `overall`: mean over pairs, with false rejection and false alarm rate.
* `macro`: mean over query sets of the mean over their pairs.

References
----------
.. [1] S. He, X. Yang, C. Jiang et al., "A Large-scale Comprehensive Dataset and Copy-overlap Aware
   Evaluation Protocol for Segment-level Video Copy Detection", CVPR 2022, section 4.
.. [2] https://github.com/alipay/VCSL, commit 25ee60f, `vcsl/metric.py` and `run_video_eval.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum, inf, isfinite

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd_eval.formats import Boxes, Pair

__all__ = ["MacroResult", "OverallResult", "f1_score", "macro", "overall", "precision_recall"]

Array = npt.NDArray[np.float64]
Box = Sequence[float]

_EPSILON = 1e-6  # the reference adds it to denominators, in seconds
_NOTHING: Array = np.zeros((0, 4))


@dataclass(frozen=True, slots=True)
class OverallResult:
    """Means over pairs, all in [0, 1] but the two rates, which depend on the ratio assumed.

    `precision` is None where nothing was predicted or nothing is true. `pairs`, `positives` and
    `missing` count all pairs, those with a true box, and those absent from the predictions.
    """

    precision: float | None
    recall: float
    f1: float
    frr: float
    far: float
    pairs: int
    positives: int
    missing: int


@dataclass(frozen=True, slots=True)
class MacroResult:
    """Means over query sets, in [0, 1]; `sets` counts them."""

    precision: float
    recall: float
    f1: float
    sets: int


def precision_recall(groundtruth: npt.ArrayLike, predictions: npt.ArrayLike) -> tuple[float, float]:
    r"""Return precision and recall of the boxes of one pair.

    On each axis, with predictions p and true boxes g,

    .. math:: P_a = \frac{\sum_p | \bigcup_{g: |p \cap g| > 0} p_a \cap g_a |}
                         {\sum_p |p_a| + 10^{-6}}

    and precision is :math:`P_Q P_R` (no square root); recall is the same with p and g exchanged.

    Parameters
    ----------
    groundtruth, predictions : array_like, shape (n, 4) and (m, 4)

    Returns
    -------
    precision, recall : float
        Assigned where one side is empty: 1, 0 without predictions; 0, 1 without truth; 1, 1 where
        both are empty.

    Raises
    ------
    EvaluationError
        An array has another shape or holds a number that is not finite.

    Examples
    --------
    >>> precision, recall = precision_recall([[0, 0, 10, 10]], [[5, 5, 15, 15]])
    >>> round(precision, 6), round(recall, 6)
    (0.25, 0.25)
    """
    truth, predicted = _as_boxes("groundtruth", groundtruth), _as_boxes("predictions", predictions)
    if not len(truth) or not len(predicted):
        return float(len(predicted) == 0), float(len(truth) == 0)
    p, g = predicted.tolist(), truth.tolist()
    return _covered(p, g), _covered(g, p)


def overall(
    groundtruth: Boxes, predictions: Boxes, pairs: Sequence[Pair], *, ratio: float = 1.0
) -> OverallResult:
    r"""Return the "overall" figures of VCSL.

    Precision is the mean over pairs that have predictions, recall over pairs that have truth.
    With N pairs and the assumed ratio :math:`\rho` of positives to negatives,
    :math:`FRR = \frac{1 + \rho}{\rho} \frac{\#\text{truth without prediction}}{N}` and
    :math:`FAR = (1 + \rho) \frac{\#\text{prediction without truth}}{N}`.

    Parameters
    ----------
    groundtruth, predictions : mapping of (query, reference) to boxes of shape (n, 4)
    pairs : sequence of (query, reference)
        What is scored; boxes of other pairs are ignored.
    ratio : float
        Assumed, not counted: the published tables use 1.

    Raises
    ------
    EvaluationError
        There are no pairs, a pair occurs twice, or the ratio is not positive and finite.
    """
    _check_pairs(pairs, ratio)
    precisions: list[float] = []
    recalls: list[float] = []
    rejected = alarms = 0
    for pair in pairs:
        truth, predicted = _of(groundtruth, pair), _of(predictions, pair)
        precision, recall = precision_recall(truth, predicted)
        if len(predicted):
            precisions.append(precision)
        if len(truth):
            recalls.append(recall)
        rejected += bool(len(truth)) and not len(predicted)
        alarms += bool(len(predicted)) and not len(truth)
    defined = bool(precisions and recalls)
    mean_precision = _mean(precisions) if defined else None
    mean_recall = _mean(recalls) if defined else 0.0
    return OverallResult(
        precision=mean_precision,
        recall=mean_recall,
        f1=f1_score(mean_precision or 0.0, mean_recall),
        frr=(1 + ratio) / ratio * (rejected / len(pairs)),
        far=(1 + ratio) * (alarms / len(pairs)),
        pairs=len(pairs),
        positives=len(recalls),
        missing=sum(pair not in predictions for pair in pairs),
    )


def macro(
    groundtruth: Boxes, predictions: Boxes, query_sets: Mapping[str, Iterable[Pair]]
) -> MacroResult:
    """Return the means over query sets of mean precision and mean recall over their pairs.

    Assigned values take part: a pair without predictions has precision 1.

    Parameters
    ----------
    groundtruth, predictions : mapping of (query, reference) to boxes of shape (n, 4)
    query_sets : mapping of str to iterable of (query, reference)

    Raises
    ------
    EvaluationError
        There is no set, or a set has no pair.
    """
    set_precisions: list[float] = []
    set_recalls: list[float] = []
    for name, members in query_sets.items():
        values = [precision_recall(_of(groundtruth, p), _of(predictions, p)) for p in members]
        if not values:
            raise EvaluationError(f"the query set {name!r} has no pair", remedy="leave it out")
        set_precisions.append(_mean([precision for precision, _ in values]))
        set_recalls.append(_mean([recall for _, recall in values]))
    if not set_precisions:
        raise EvaluationError("there is no query set", remedy="give at least one")
    precision, recall = _mean(set_precisions), _mean(set_recalls)
    return MacroResult(precision, recall, f1_score(precision, recall), len(set_precisions))


def f1_score(precision: float, recall: float) -> float:
    """Return the harmonic mean 2PR / (P + R), 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _covered(boxes: Sequence[Box], others: Sequence[Box]) -> float:
    """Return the share of `boxes` that `others` cover, product of both axes."""
    covered, total = [0.0, 0.0], [0.0, 0.0]
    for box in boxes:
        meeting = [other for other in others if _meet(box, other)]
        for axis in (0, 1):
            start, end = box[axis], box[axis + 2]
            total[axis] += max(end - start, 0)
            covered[axis] += _union_length(
                (max(start, other[axis]), min(end, other[axis + 2])) for other in meeting
            )
    return covered[0] / (total[0] + _EPSILON) * (covered[1] / (total[1] + _EPSILON))


def _meet(a: Box, b: Box) -> bool:
    """Return whether two boxes share an area, not only an edge."""
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def _union_length(intervals: Iterable[tuple[float, float]]) -> float:
    length, reached = 0.0, -inf
    for start, end in sorted(intervals):
        length += max(end - max(start, reached), 0)
        reached = max(reached, end)
    return length


def _of(boxes: Boxes, pair: Pair) -> Array:
    return boxes.get(pair, _NOTHING)


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)


def _as_boxes(name: str, boxes: npt.ArrayLike) -> Array:
    array = np.asarray(boxes, dtype=np.float64)
    if array.size == 0:
        return _NOTHING
    if array.ndim != 2 or array.shape[1] != 4:
        raise EvaluationError(f"{name} must have shape (n, 4), got {array.shape}")
    if not np.isfinite(array).all():
        raise EvaluationError(f"{name} holds a number that is not finite")
    return array


def _check_pairs(pairs: Sequence[Pair], ratio: float) -> None:
    if not pairs:
        raise EvaluationError("there are no pairs to score", remedy="give the list of pairs")
    twice = [", ".join(pair) for pair, count in Counter(pairs).items() if count > 1]
    if twice:
        raise EvaluationError(f"the pair {twice[0]} is listed twice", remedy="list it once")
    if not (ratio > 0 and isfinite(ratio + 1 / ratio)):
        raise EvaluationError(
            f"the ratio must be a positive, finite number, got {ratio}",
            remedy="the published tables use 1",
        )
