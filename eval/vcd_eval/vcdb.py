"""How VCDB scores: precision and recall counted in segments, and F1 at the best threshold.

Conventions
-----------
A ground truth and predictions are `SegmentTable` (module `formats`), predictions with scores. Two
segment pairs of the same videos *meet* where they share time on both axes, be it one frame.
Segments that only touch share none, and one without a length meets nothing. A detection is correct
where it meets a true segment pair, a true segment pair is found where a detection meets it. How
much they share does not count, and one detection may find several.

Metrics
-------
* `segment_curve`: precision and recall at every threshold.
* `evaluate`: both at the threshold of the highest F1, and over all predictions.

References
----------
.. [1] Y.-G. Jiang, Y. Jiang, J. Wang, "VCDB: A Large-Scale Database for Partial Copy Detection in
   Videos", ECCV 2014: SP = correctly retrieved / all retrieved segments, SR = correctly retrieved
   / true segments. As public evaluations of VCDB do, "correctly retrieved" counts detections in SP
   and true segments in SR here: several detections of one true segment cannot lift SR above 1.
.. [2] Y.-G. Jiang, J. Wang, "Partial Copy Detection in Videos: A Benchmark and an Evaluation of
   Popular Methods", IEEE Transactions on Big Data 2(1), 2016.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd_eval.formats import SegmentTable, read_text
from vcd_eval.ranking import count_by_score

__all__ = ["SegmentResult", "evaluate", "pairs_with_itself", "read_annotation", "segment_curve"]

Array = npt.NDArray[np.float64]
StrPath = str | os.PathLike[str]

_CLOCK = re.compile(r"(?:(?:([0-9]+):)?([0-9]+):)?([0-9]+(?:\.[0-9]+)?)")
_LINE = "<video>,<video>,<start>,<end>,<start>,<end> with times as HH:MM:SS"


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """Figures in [0, 1] of the predictions at or above a threshold.

    Without predictions `precision` and `threshold` are None, the others 0.
    """

    precision: float | None
    recall: float
    f1: float
    threshold: float | None


def segment_curve(
    groundtruth: SegmentTable, predictions: SegmentTable, *, either_way: bool = False
) -> Array:
    r"""Return precision and recall at every score, best first.

    Of the predictions with at least that score and the true segment pairs,

    .. math::
        SP = \frac{|\text{predictions that meet a true one}|}{|\text{predictions}|}, \qquad
        SR = \frac{|\text{true ones that a prediction meets}|}{|\text{true ones}|}

    Every row counts, repeats too.

    Parameters
    ----------
    groundtruth : SegmentTable
        Scores, if any, are ignored.
    predictions : SegmentTable
        With scores.
    either_way : bool
        A prediction of (a, b) also stands for (b, a) with the axes exchanged, as in VCDB, where any
        video may be the query and a copied pair is annotated once.

    Returns
    -------
    ndarray of float64, shape (m, 4)
        Score, precision, recall and F1 at each distinct score.

    Raises
    ------
    EvaluationError
        There is no ground truth, predictions have no scores, or the two have no video in common.

    Examples
    --------
    >>> true, seen = [[0, 9], [20, 30]], [[5, 15], [40, 50]]
    >>> truth = SegmentTable(["q", "q"], ["r", "r"], true, true)
    >>> found = SegmentTable(["q", "q"], ["r", "r"], seen, seen, [2, 1])
    >>> segment_curve(truth, found)[:, :3].tolist()
    [[2.0, 1.0, 0.5], [1.0, 0.5, 0.5]]
    """
    if not len(groundtruth):
        raise EvaluationError(
            "there is no ground truth, so the metric is undefined",
            remedy="give at least one true segment pair",
        )
    if predictions.scores is None:
        raise EvaluationError("the predictions have no scores", remedy="add a column score")
    _check_same_videos(groundtruth, predictions)
    correct, best = _meetings(groundtruth, predictions, predictions.scores, either_way=either_way)
    scores, retrieved, right = count_by_score(predictions.scores, correct)
    found = len(best) - np.searchsorted(np.sort(best), scores, side="left")
    precision, recall = right / retrieved, found / len(groundtruth)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros(len(total)), where=total > 0)
    return np.stack([scores, precision, recall, f1], axis=1)


def evaluate(
    groundtruth: SegmentTable, predictions: SegmentTable, *, either_way: bool = False
) -> tuple[SegmentResult, SegmentResult]:
    """Return the figures at the threshold of the highest F1, and those of all predictions.

    Of thresholds that give the same F1 the highest is taken. It is chosen on the ground truth that
    it is scored on, which flatters a little. Parameters and errors as in `segment_curve`.
    """
    curve = segment_curve(groundtruth, predictions, either_way=either_way)
    if not len(curve):
        nothing = SegmentResult(None, 0.0, 0.0, None)
        return nothing, nothing
    best, last = (
        SegmentResult(precision, recall, f1, threshold)
        for threshold, precision, recall, f1 in curve[[int(np.argmax(curve[:, 3])), -1]].tolist()
    )
    return best, last


def pairs_with_itself(table: SegmentTable) -> npt.NDArray[np.bool_]:
    """Return which rows pair a video with itself; VCDB's annotation holds one of each video."""
    pairs = zip(table.query_ids, table.ref_ids, strict=True)
    return np.array([query == ref for query, ref in pairs], dtype=np.bool_)


def read_annotation(folder: StrPath) -> SegmentTable:
    """Read VCDB's folder of annotation files, one a topic, into one ground truth.

    A line is ``<video>,<video>,<start>,<end>,<start>,<end>``, times as ``HH:MM:SS``: first the
    segment of the first video, then that of the second. Blank lines do not matter.

    Raises
    ------
    EvaluationError
        There is no such folder or no ``.txt`` in it, or a line is not of that form.
    """
    files = sorted(path for path in Path(folder).glob("*.txt") if path.is_file())
    if not files:
        raise EvaluationError(
            "there is no annotation in this folder",
            file=folder,
            remedy="give the folder that holds VCDB's .txt files, one a topic",
        )
    pairs: list[tuple[str, str]] = []
    times: list[list[float]] = []
    for file in files:
        for number, line in enumerate(read_text(file).splitlines(), start=1):
            if line.strip():
                query, ref, row = _parse(line, f"line {number}", file)
                pairs.append((query, ref))
                times.append(row)
    table = np.array(times, dtype=np.float64).reshape(-1, 4)
    return SegmentTable([q for q, _ in pairs], [r for _, r in pairs], table[:, :2], table[:, 2:])


def _parse(line: str, place: str, file: Path) -> tuple[str, str, list[float]]:
    cells = [cell.strip() for cell in line.split(",")]
    clocks = [_CLOCK.fullmatch(cell) for cell in cells[2:]]
    if len(cells) != 6 or not all(cells) or not all(clocks):
        raise EvaluationError(f"{place} is {line.strip()!r}", file=file, remedy=f"write {_LINE}")
    row = [
        int(clock[1] or 0) * 3600 + int(clock[2] or 0) * 60 + float(clock[3])
        for clock in clocks
        if clock
    ]
    if row[0] > row[1] or row[2] > row[3]:
        raise EvaluationError(
            f"{place}: a segment ends before it starts",
            file=file,
            remedy="write the earlier time first",
        )
    return cells[0], cells[1], row


def _meetings(
    groundtruth: SegmentTable, predictions: SegmentTable, scores: Array, *, either_way: bool
) -> tuple[npt.NDArray[np.bool_], Array]:
    """Return which predictions are correct, and the best score that meets each true row.

    A true row that nothing meets has the score -inf.
    """
    of_pair: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, pair in enumerate(zip(predictions.query_ids, predictions.ref_ids, strict=True)):
        of_pair[pair].append(row)
    rows_of = {pair: np.array(rows) for pair, rows in of_pair.items()}
    none = np.zeros(0, dtype=np.int64)
    correct = np.zeros(len(predictions), dtype=np.bool_)
    best = np.full(len(groundtruth), -np.inf)
    for row, (query, ref) in enumerate(
        zip(groundtruth.query_ids, groundtruth.ref_ids, strict=True)
    ):
        ways = [((query, ref), predictions.query_times, predictions.ref_times)]
        if either_way:
            ways.append(((ref, query), predictions.ref_times, predictions.query_times))
        for pair, query_times, ref_times in ways:
            rows = rows_of.get(pair, none)
            meeting = rows[
                _share_time(query_times[rows], groundtruth.query_times[row])
                & _share_time(ref_times[rows], groundtruth.ref_times[row])
            ]
            correct[meeting] = True
            best[row] = np.max(scores[meeting], initial=best[row])
    return correct, best


def _share_time(intervals: Array, interval: Array) -> npt.NDArray[np.bool_]:
    ends = np.minimum(intervals[:, 1], interval[1])
    return np.asarray(ends > np.maximum(intervals[:, 0], interval[0]))


def _check_same_videos(groundtruth: SegmentTable, predictions: SegmentTable) -> None:
    """Refuse what would score 0 only because names are spelt in two ways."""
    true = {*groundtruth.query_ids, *groundtruth.ref_ids}
    given = {*predictions.query_ids, *predictions.ref_ids}
    if given and true.isdisjoint(given):
        raise EvaluationError(
            f"no video of the predictions is in the ground truth, such as {min(given)!r} "
            f"among {min(true)!r} and others",
            remedy="name the videos alike",
        )
