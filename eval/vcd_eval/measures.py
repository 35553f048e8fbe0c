"""What a run is judged by beside average precision: hits, bounds, calibration, false alarms.

Conventions
-----------
A prediction is a *hit* where the square root of its overlap with a true segment of the same pair,
divided by the area of the box around both, exceeds `HIT`. A true row is *found* where a prediction
at or above the threshold hits it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd_eval.formats import Labels, SegmentTable
from vcd_eval.vsc import segment_ap

__all__ = [
    "HIT",
    "Hits",
    "boundary_errors",
    "calibration_error",
    "closeness",
    "false_alarm_pairs",
    "find_hits",
    "has_edit",
    "reliability",
    "segment_uap",
    "without_other_rows",
]

HIT = 0.4

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Which predictions tell of which true rows.

    Parameters
    ----------
    row : ndarray of int64, shape (n,)
        For each prediction the true row that it is closest to, -1 where it hits none.
    found : ndarray of bool, shape (m,)
        For each true row whether a prediction hits it.
    """

    row: npt.NDArray[np.int64]
    found: npt.NDArray[np.bool_]


def closeness(boxes: npt.ArrayLike, others: npt.ArrayLike) -> Array:
    """Return how far boxes are one: sqrt(area of overlap / area of the box around both).

    Parameters
    ----------
    boxes, others : array_like of float64, shape (n, 4) and (m, 4)
        Query start and end, reference start and end, in seconds.

    Returns
    -------
    ndarray of float64, shape (n, m)
        In [0, 1]; 0 where the area around both is 0.
    """
    a = np.asarray(boxes, np.float64).reshape(-1, 1, 2, 2)
    b = np.asarray(others, np.float64).reshape(1, -1, 2, 2)
    shared = np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0])
    around = np.maximum(a[..., 1], b[..., 1]) - np.minimum(a[..., 0], b[..., 0])
    area = around.prod(axis=-1)
    overlap = np.clip(shared, 0, None).prod(axis=-1)
    share: Array = np.divide(overlap, area, out=np.zeros_like(area), where=area > 0)
    near: Array = np.sqrt(share)
    return near


def find_hits(groundtruth: SegmentTable, predictions: SegmentTable) -> Hits:
    """Match predictions with true rows of the same pair.

    A true row may be hit by several predictions; each prediction hits one row at most.
    """
    true_rows = _rows_by_pair(groundtruth)
    truth, given = _boxes(groundtruth), _boxes(predictions)
    row = np.full(len(predictions), -1, np.int64)
    for pair, rows in _rows_by_pair(predictions).items():
        if pair not in true_rows:
            continue
        candidates = true_rows[pair]
        near = closeness(given[rows], truth[candidates])
        best = near.argmax(axis=1)
        good = near.max(axis=1) > HIT
        row[rows] = np.where(good, candidates[best], -1)
    found = np.zeros(len(groundtruth), np.bool_)
    found[row[row >= 0]] = True
    return Hits(row, found)


def boundary_errors(groundtruth: SegmentTable, predictions: SegmentTable) -> Array:
    """Return the absolute errors of all bounds of predictions that hit, in seconds.

    Returns
    -------
    ndarray of float64, shape (k, 4)
        Query start and end, reference start and end.
    """
    row = find_hits(groundtruth, predictions).row
    hit = row >= 0
    return np.abs(_boxes(predictions)[hit] - _boxes(groundtruth)[row[hit]])


def false_alarm_pairs(groundtruth: SegmentTable, predictions: SegmentTable) -> int:
    """Return how many pairs without a true row have a prediction."""
    return len(set(_rows_by_pair(predictions)) - set(_rows_by_pair(groundtruth)))


def reliability(scores: npt.ArrayLike, right: npt.ArrayLike, *, bins: int = 10) -> Array:
    """Return what predictions of like scores promise and keep.

    Parameters
    ----------
    scores : array_like of float64, shape (n,)
        Probabilities in [0, 1].
    right : array_like of bool, shape (n,)
    bins : int
        Of equal width.

    Returns
    -------
    ndarray of float64, shape (k, 3)
        Mean score, share that is right, and number of predictions, for each bin that holds any.

    Raises
    ------
    EvaluationError
        Lengths differ, or a score is no probability.
    """
    p, y = np.asarray(scores, np.float64), np.asarray(right, np.float64)
    if p.shape != y.shape or p.ndim != 1:
        raise EvaluationError(f"one truth a score is needed, got {p.shape} and {y.shape}")
    if len(p) and not ((p >= 0) & (p <= 1)).all():
        raise EvaluationError("calibration needs scores that are probabilities in [0, 1]")
    number = np.minimum((p * bins).astype(np.int64), bins - 1)
    rows = [
        (p[number == k].mean(), y[number == k].mean(), float((number == k).sum()))
        for k in np.unique(number)
    ]
    return np.array(rows, np.float64).reshape(-1, 3)


def calibration_error(scores: npt.ArrayLike, right: npt.ArrayLike, *, bins: int = 10) -> float:
    """Return the expected calibration error (Naeini et al. 2015), NaN where nothing was predicted.

    Parameters as in `reliability`.
    """
    table = reliability(scores, right, bins=bins)
    if not len(table):
        return float("nan")
    promised, kept, count = table.T
    return float((np.abs(promised - kept) * count).sum() / count.sum())


def segment_uap(groundtruth: SegmentTable, predictions: SegmentTable) -> float:
    """Return the segment micro-AP of VSC, NaN where no true row has a length on both axes."""
    lengths = np.diff(_boxes(groundtruth).reshape(-1, 2, 2), axis=2)[..., 0]
    if not (lengths > 0).any(axis=0).all():
        return float("nan")
    return segment_ap(groundtruth, predictions).ap


def has_edit(labels: Labels, edit: str) -> npt.NDArray[np.bool_]:
    """Return for each true row whether an edit was done to it."""
    return np.array([edit in edits for edits in labels.edits], np.bool_)


def without_other_rows(
    groundtruth: SegmentTable, chosen: npt.NDArray[np.bool_], predictions: SegmentTable
) -> SegmentTable:
    """Return predictions without those that tell of true rows other than the chosen.

    These are the ones that hit another row, and all of pairs that hold other rows only. What is
    left tells how well the chosen rows are found, with all false alarms against them.
    """
    row = find_hits(groundtruth, predictions).row
    hits_other = (row >= 0) & ~chosen[row]
    pairs = list(zip(groundtruth.query_ids, groundtruth.ref_ids, strict=True))
    others = set(pairs) - {pair for pair, is_in in zip(pairs, chosen, strict=True) if is_in}
    asked = zip(predictions.query_ids, predictions.ref_ids, strict=True)
    elsewhere = np.array([pair in others for pair in asked], np.bool_)
    return predictions.take(~hits_other & ~elsewhere)


def _boxes(table: SegmentTable) -> Array:
    return np.concatenate([table.query_times, table.ref_times], axis=1)


def _rows_by_pair(table: SegmentTable) -> dict[tuple[str, str], npt.NDArray[np.int64]]:
    rows: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for i, pair in enumerate(zip(table.query_ids, table.ref_ids, strict=True)):
        rows[pair].append(i)
    return {pair: np.array(found, np.int64) for pair, found in rows.items()}
