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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, nan

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd_eval.formats import PairTable, SegmentTable, scores_of
from vcd_eval.ranking import average_precision, count_by_score

__all__ = [
    "AveragePrecision",
    "check_same_videos",
    "operating_point",
    "pair_ap",
    "segment_ap",
    "segment_ap_of_draws",
]

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_MEETINGS_AT_ONCE = 1 << 18  # of a prediction with a true segment of its pair; a few MB
_LARGE = 1 << 10  # meetings of one pair from which a table of its own is cheaper


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
    curve = _steps(groundtruth, predictions)
    gained = np.diff(curve[:, 2], prepend=0)
    return AveragePrecision(_area(curve), curve[gained > 0])


def operating_point(
    groundtruth: SegmentTable, predictions: SegmentTable, *, threshold: float
) -> tuple[float, float]:
    """Return precision and recall of `segment_ap` with all predictions at or above a threshold.

    Precision is NaN where no prediction with a length is left. Errors as in `segment_ap`.
    """
    chosen = predictions.take(scores_of(predictions) >= threshold)
    steps = _steps(groundtruth, chosen)
    return (float(steps[-1, 1]), float(steps[-1, 2])) if len(steps) else (nan, 0.0)


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
    if not len(groundtruth):
        raise EvaluationError(
            "there is no ground truth, so the metric is undefined",
            remedy="give at least one true pair",
        )
    true_pair, pair = _pair_numbers(groundtruth, predictions)
    true_pair = np.unique(true_pair)
    pair, place = np.unique(pair, return_inverse=True)
    scores = np.full(len(pair), 0.0 if reference_clamp else -inf)
    np.maximum.at(scores, place, scores_of(predictions))
    thresholds, retrieved, found = count_by_score(scores, np.isin(pair, true_pair))
    rows = np.stack([thresholds, found / retrieved, found / len(true_pair)], axis=1)
    curve = rows[np.diff(found, prepend=0) > 0]
    return AveragePrecision(average_precision(found, retrieved, len(true_pair)), curve)


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


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """An axis of all pairs, cut at every bound: what is known of each of the n pieces.

    `pair` is its pair's number and `length` is in seconds. `seen` is the first group of equal
    scores with a prediction over it, and `hit` the first from which on it counts as found; both
    are the number of groups where there is none. `true` tells whether a true segment lies over it.
    """

    pair: Integers
    length: Array
    seen: Integers
    hit: Integers
    true: npt.NDArray[np.bool_]


def _steps(groundtruth: SegmentTable, predictions: SegmentTable) -> Array:
    """Return score, precision and recall after each group of equal scores, best first."""
    scores, axes = _cut(groundtruth, predictions)
    curve = _curve(scores, axes, [pieces.length for pieces in axes])
    if curve is None:
        raise EvaluationError(
            "the ground truth covers nothing, so the metric is undefined",
            remedy="give at least one segment that has a length on both axes",
        )
    return curve


def segment_ap_of_draws(
    groundtruth: SegmentTable,
    predictions: SegmentTable,
    queries: Sequence[str],
    counts: npt.ArrayLike,
) -> Array:
    """Return `segment_ap` where every query counts several times, or not at all.

    Covered lengths are sums over pairs, so a query that counts twice adds twice what it adds. This
    is what a bootstrap over queries needs, at a fraction of the cost of scoring tables anew.

    Parameters
    ----------
    groundtruth, predictions : SegmentTable
    queries : sequence of str, length n
        Each once, those of the ground truth among them; predictions of others count 0 times.
    counts : array_like of numbers, shape (draws, n)
        How often each query counts, at least 0.

    Returns
    -------
    ndarray of float64, shape (draws,)
        NaN where the metric is undefined.

    Raises
    ------
    EvaluationError
        The predictions have no scores.
    """
    scores, axes = _cut(groundtruth, predictions)
    number = {query: n for n, query in enumerate(queries)}
    of_pair = np.full(len(groundtruth) + len(predictions), len(number))
    for table, pair in zip(
        (groundtruth, predictions), _pair_numbers(groundtruth, predictions), strict=True
    ):
        of_pair[pair] = [number.get(query, len(number)) for query in table.query_ids]
    query = [of_pair[pieces.pair] for pieces in axes]
    found = []
    for row in np.asarray(counts, np.float64):
        often = np.append(row, 0.0)
        lengths = [pieces.length * often[of] for pieces, of in zip(axes, query, strict=True)]
        curve = _curve(scores, axes, lengths)
        found.append(nan if curve is None else _area(curve))
    return np.array(found)


def _area(curve: Array) -> float:
    return float(curve[:, 1] @ np.diff(curve[:, 2], prepend=0))


def _cut(
    groundtruth: SegmentTable, predictions: SegmentTable
) -> tuple[Array, tuple[_Pieces, _Pieces]]:
    """Return the scores of all groups, best first, and the pieces of both axes.

    Each moment of a pair's axis counts as seen from the first group on that covers it, and as hit
    from the first on in which it is seen and a true segment over it is touched as well. Two numbers
    a moment therefore tell the whole curve, without a walk through the predictions.
    """
    levels, group = np.unique(-scores_of(predictions), return_inverse=True)
    never = len(levels)
    true_pair, pair = _pair_numbers(groundtruth, predictions)
    touched = _first_touches(groundtruth, predictions, true_pair, pair, group=group, never=never)
    # Most predictions are alone in a pair without truth: all of such a one is new, and none hit.
    alone = np.bincount(pair, minlength=len(groundtruth) + len(pair)) == 1
    alone[true_pair] = False
    row_of_pair = np.zeros(len(alone), np.int64)
    row_of_pair[pair] = np.arange(len(pair))
    lonely, shared = row_of_pair[alone], np.flatnonzero(~alone[pair])
    owner = np.tile(np.concatenate([true_pair, pair[shared]]), 2)
    axes = []
    for true, given in (
        (groundtruth.query_times, predictions.query_times),
        (groundtruth.ref_times, predictions.ref_times),
    ):
        bounds = np.concatenate([true, given[shared]]).T.ravel()
        place, length = _line_up(bounds, owner)
        of_place = np.empty_like(owner)
        of_place[place] = owner
        starts, stops = place.reshape(2, -1)
        n, m = len(true), len(bounds)
        considered = _least_over(starts[:n], stops[:n], touched, np.full(m, never + 1))
        seen = _least_over(starts[n:], stops[n:], group[shared], np.full(m, never))
        axes.append(
            _Pieces(
                pair=np.append(of_place, pair[lonely]),
                length=np.append(length, given[lonely, 1] - given[lonely, 0]),
                seen=np.append(seen, group[lonely]),
                hit=np.append(
                    np.minimum(np.maximum(considered, seen), never), np.full(len(lonely), never)
                ),
                true=np.append(considered <= never, np.zeros(len(lonely), np.bool_)),
            )
        )
    return -levels, (axes[0], axes[1])


def _curve(scores: Array, axes: tuple[_Pieces, _Pieces], lengths: Sequence[Array]) -> Array | None:
    """Return score, precision and recall after each group, pieces having the given lengths.

    Groups before anything is covered on both axes are left out: nothing can be recalled there. None
    where the ground truth covers nothing on an axis.
    """
    never = len(scores)
    total, hit, seen = [], [], []
    for pieces, length in zip(axes, lengths, strict=True):
        total.append(length[pieces.true].sum())
        seen.append(np.bincount(pieces.seen, length, never + 1)[:never].cumsum())
        hit.append(np.bincount(pieces.hit, length, never + 1)[:never].cumsum())
    if min(total) <= 0:
        return None
    some = np.minimum(*seen) > 0
    hit_query, hit_ref, seen_query, seen_ref = (x[some] for x in (*hit, *seen))
    precision = np.sqrt(hit_query / seen_query * (hit_ref / seen_ref))
    recall = np.sqrt(hit_query / total[0] * (hit_ref / total[1]))
    return np.stack([scores[some], precision, recall], axis=1)


def _first_touches(
    groundtruth: SegmentTable,
    predictions: SegmentTable,
    true_pair: Integers,
    pair: Integers,
    *,
    group: Integers,
    never: int,
) -> Integers:
    """Return for each true segment the first group that shares an area with it, else `never`."""
    touched = np.full(len(true_pair), never)
    held = np.bincount(true_pair, minlength=len(true_pair) + len(pair))
    given = np.bincount(pair, minlength=len(held))
    truths_first = np.cumsum(held) - held
    order = np.argsort(true_pair, kind="stable")
    true = np.hstack([groundtruth.query_times, groundtruth.ref_times])[order]
    found = np.hstack([predictions.query_times, predictions.ref_times])
    large = held * given > _LARGE
    # Pairs of many meetings, each as a table of its own; predictions by group, so that the first
    # that meets a true segment is the one wanted.
    rows = np.flatnonzero(large[pair])
    rows = rows[np.lexsort((group[rows], pair[rows]))]
    for own in np.split(rows, np.flatnonzero(np.diff(pair[rows])) + 1) if len(rows) else ():
        number = pair[own[0]]
        step = max(1, _MEETINGS_AT_ONCE // len(own))
        last = truths_first[number] + held[number]
        for top in range(truths_first[number], last, step):
            part = slice(top, min(top + step, last))
            meet = _meet(true[part, None], found[own])
            earliest = meet.argmax(axis=1)
            known = np.take_along_axis(meet, earliest[:, None], axis=1)[:, 0]
            touched[order[part]] = np.where(known, group[own[earliest]], never)
    # All the others at once, a row for each meeting.
    rows = np.flatnonzero((held > 0)[pair] & ~large[pair])
    many = held[pair[rows]]
    blocks = np.flatnonzero(np.diff(np.cumsum(many) // _MEETINGS_AT_ONCE)) + 1
    for chosen in np.split(rows, blocks):
        many = held[pair[chosen]]
        row = np.repeat(chosen, many)
        skipped = truths_first[pair[chosen]] - (np.cumsum(many) - many)
        place = np.arange(len(row)) + np.repeat(skipped, many)
        meet = _meet(true[place], found[row])
        np.minimum.at(touched, order[place[meet]], group[row[meet]])
    return touched


def _meet(first: Array, second: Array) -> npt.NDArray[np.bool_]:
    """Return which boxes ``[..., (q start, q end, r start, r end)]`` share an area."""
    meet = (first[..., 0] < second[..., 1]) & (second[..., 0] < first[..., 1])
    meet &= (first[..., 2] < second[..., 3]) & (second[..., 2] < first[..., 3])
    for box in (first, second):  # one without length lies inside another, and shares nothing
        meet &= (box[..., 0] < box[..., 1]) & (box[..., 2] < box[..., 3])
    return meet


def _line_up(bounds: Array, owner: Integers) -> tuple[Integers, Array]:
    """Return the place of each bound among all by owner, then time, and the gap after each place.

    The gap after the last bound of an owner means nothing.
    """
    number = np.arange(len(bounds))
    by_time = np.argsort(bounds)
    # Several times as fast as a sort by two keys: a number that holds both.
    order = by_time[np.sort(owner[by_time] * len(bounds) + number) % max(len(bounds), 1)]
    place = np.empty_like(number)
    place[order] = number
    return place, np.diff(bounds[order], append=0)


def _least_over(starts: Integers, stops: Integers, values: Integers, least: Integers) -> Integers:
    """Return for each place the least value of the ranges [start, stop) over it, else `least`.

    A range is two overlapping windows whose width is a power of 2; from the widest on, windows are
    handed down to both their halves. `least` is written into.
    """
    power = np.frexp(stops - starts)[1] - 1
    for k in range(int(power.max(initial=-1)), -1, -1):
        width = 1 << k
        least[width:] = np.minimum(least[width:], least[:-width])
        rows = np.flatnonzero((power == k) & (stops > starts))
        np.minimum.at(least, starts[rows], values[rows])
        np.minimum.at(least, stops[rows] - width, values[rows])
    return least


def _pair_numbers(
    groundtruth: SegmentTable, predictions: SegmentTable | PairTable
) -> tuple[Integers, Integers]:
    """Return a number for the pair of each row, alike in both and in the order of the ids.

    That order makes sums round alike however the files are sorted.
    """
    queries = _ranks([*groundtruth.query_ids, *predictions.query_ids])
    refs = _ranks([*groundtruth.ref_ids, *predictions.ref_ids])
    _, number = np.unique(queries * len(refs) + refs, return_inverse=True)
    return number[: len(groundtruth)], number[len(groundtruth) :]


def _ranks(ids: Sequence[str]) -> Integers:
    rank = {video_id: number for number, video_id in enumerate(sorted(set(ids)))}
    return np.fromiter(map(rank.__getitem__, ids), np.int64, len(ids))
