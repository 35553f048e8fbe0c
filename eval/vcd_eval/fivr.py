"""How FIVR-200K and FIVR-5K score: mean average precision of retrieval, per task.

Conventions
-----------
An annotation is ``{query: {label: [video, ...]}}`` with the labels of `LABELS`: near-duplicate,
duplicate scene, complementary scene, incident scene, duplicate audio. Results are
``{query: {video: similarity}}``, higher is more alike, any range; a video that is not named was not
retrieved. The list of ids is the database: other videos count neither as retrieved nor as relevant.
The query itself never counts as retrieved, and need not be in the list (in FIVR-5K it seldom is).

Metrics
-------
* `score`: of one task mAP, its bounds over all orders of equal similarities, micro-AP, and the
  interpolated curve of precision over recall.
* `evaluate`: the same of the four tasks. DSVR: ND and DS are relevant. CSVR: CS too. ISVR: IS too.
  DAVR: DA alone.

References
----------
.. [1] G. Kordopatis-Zilos, S. Papadopoulos, I. Patras, I. Kompatsiaris, "FIVR: Fine-grained
   Incident Video Retrieval", IEEE Transactions on Multimedia 21(10), 2019, section V-B: mAP
   (eq. 6) and interpolated curve (eq. 5). Code: https://github.com/MKLab-ITI/FIVR-200K, commit
   77e3d8a, `evaluation.py`.
.. [2] P. Avgoustinakis, G. Kordopatis-Zilos, S. Papadopoulos, A. L. Symeonidis, I. Kompatsiaris,
   "Audio-based Near-Duplicate Video Retrieval with Audio Similarity Learning", ICPR 2020: DAVR.
.. [3] G. Kordopatis-Zilos, G. Tolias, C. Tzelepis et al., "Self-Supervised Video Similarity
   Learning", CVPR Workshops 2023: micro-AP over all query-video pairs. Code:
   https://github.com/gkordo/s2vs, commit 03eb0c9, `datasets/fivr.py`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from math import fsum

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd_eval.ranking import average_precision, count_by_score

__all__ = [
    "LABELS",
    "TASKS",
    "Database",
    "QueryRanking",
    "Rankings",
    "Retrieved",
    "TaskResult",
    "check_labels",
    "evaluate",
    "rank",
    "score",
]

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Labels = npt.NDArray[np.uint8]
StrPath = str | os.PathLike[str]
Annotation = Mapping[str, Mapping[str, Collection[str]]]

LABELS = ("ND", "DS", "CS", "IS", "DA")
TASKS: Mapping[str, tuple[str, ...]] = {
    "DSVR": ("ND", "DS"),
    "CSVR": ("ND", "DS", "CS"),
    "ISVR": ("ND", "DS", "CS", "IS"),
    "DAVR": ("DA",),
}

_BITS = {label: 1 << i for i, label in enumerate(LABELS)}
# The published code compares recall with these very products: 3 * 0.05 is above 0.15.
_RECALLS = np.array([i * 0.05 for i in range(21)])


@dataclass(frozen=True, slots=True, eq=False)
class Retrieved:
    """The videos retrieved for one query.

    Parameters
    ----------
    videos : ndarray of int64, shape (n,)
        Positions in the list of ids, each once. Of equal similarities the first ranks first.
    similarities : ndarray of float64, shape (n,)
        Finite.
    unknown : int
        How many others were retrieved that are not in the list.

    Raises
    ------
    EvaluationError
        Shapes differ, a video occurs twice, or a similarity is not finite.
    """

    videos: Counts
    similarities: Array
    unknown: int = 0

    def __post_init__(self) -> None:
        for name, dtype in (("videos", np.int64), ("similarities", np.float64)):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=dtype))
        if self.videos.ndim != 1 or self.videos.shape != self.similarities.shape:
            raise EvaluationError(
                "videos and similarities must have one shape (n,), got "
                f"{self.videos.shape} and {self.similarities.shape}"
            )
        if len(self.videos) and self.videos.min() < 0:
            raise EvaluationError("a video lies outside the list of ids")
        seen = np.zeros(np.max(self.videos, initial=-1) + 1, dtype=np.bool_)
        seen[self.videos] = True
        if np.count_nonzero(seen) < len(self.videos):
            raise EvaluationError(
                "a video is listed twice", remedy="give each video one similarity, its highest"
            )
        if not np.isfinite(self.similarities).all():
            raise EvaluationError(
                "a similarity is not finite", remedy="leave out what was not retrieved"
            )


class Database:
    """The list of ids that is searched.

    Parameters
    ----------
    video_ids : sequence of str
        Each once.

    Attributes
    ----------
    positions : mapping of str to int

    Raises
    ------
    EvaluationError
        An id is listed twice.
    """

    def __init__(self, video_ids: Sequence[str]) -> None:
        self.positions: Mapping[str, int] = {video: i for i, video in enumerate(video_ids)}
        if len(self.positions) != len(video_ids):
            raise EvaluationError("a video of the database is listed twice", remedy="list it once")
        # Most results name the same videos in the same order for every query.
        self._last: tuple[list[str], Counts] = ([], np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.positions)

    def retrieved(self, names: Sequence[str], similarities: npt.ArrayLike) -> Retrieved:
        """Return videos given by name, without those that are not in the list; errors as there."""
        if (asked := list(names)) != self._last[0]:
            places = map(self.positions.get, asked, repeat(-1))
            self._last = asked, np.fromiter(places, np.int64, len(asked))
        videos = self._last[1]
        values = np.asarray(similarities, dtype=np.float64)
        known = videos >= 0
        if known.all():
            return Retrieved(videos, values)
        return Retrieved(videos[known], values[known], int(np.count_nonzero(~known)))


@dataclass(frozen=True, slots=True, eq=False)
class QueryRanking:
    """Where one query's relevant videos stand among all it retrieved, itself left out.

    Labels are sets of bits, bit i for the i-th of `LABELS`.

    Parameters
    ----------
    query : str
    similarities : ndarray of float64, shape (n,)
        Of all videos retrieved, ascending.
    found : ndarray of uint8, shape (h,)
        Labels of the relevant videos retrieved, in the order they rank in.
    above, equal, before : ndarray of int64, shape (h,)
        For each of them how many videos are more similar, how many are equally so (itself
        included), and how many of these come before it.
    relevant : ndarray of uint8, shape (r,)
        Labels of all relevant videos of the database, the query left out.
    own : int
        Labels under which the query is its own match.
    used : int
        Labels that the annotation of the query names, be it without a video.
    """

    query: str
    similarities: Array
    found: Labels
    above: Counts
    equal: Counts
    before: Counts
    relevant: Labels
    own: int
    used: int


@dataclass(frozen=True, slots=True, eq=False)
class Rankings:
    """All queries ranked, and what was left out.

    Parameters
    ----------
    queries : sequence of QueryRanking
        In the order of the annotation.
    size : int
        Videos of the database.
    missing : sequence of str
        Annotated queries without results.
    unannotated : sequence of str
        Queries of the results that the annotation does not hold.
    unknown : int
        Results for videos that are not in the database.
    """

    queries: Sequence[QueryRanking]
    size: int
    missing: Sequence[str]
    unannotated: Sequence[str]
    unknown: int


@dataclass(frozen=True, slots=True, eq=False)
class TaskResult:
    """Figures of one task, all in [0, 1]; None where no query has a relevant video.

    Parameters
    ----------
    map : float or None
        Mean of `ap`. Equal similarities rank in the order of the results.
    map_worst, map_best : float or None
        The least and the most that any order of equal similarities would give.
    uap : float or None
        Micro-AP: one ranking of all query-video pairs. Equal similarities are one step.
    curve : ndarray of float64, shape (21,), or None
        Mean over queries of the best precision at a recall of at least 0, 0.05, ..., 1.
    ap : mapping of str to float
        By query.
    undefined : sequence of str
        Queries with results but without a relevant video, left out of the means.
    """

    map: float | None
    map_worst: float | None
    map_best: float | None
    uap: float | None
    curve: Array | None
    ap: Mapping[str, float]
    undefined: Sequence[str]


def evaluate(
    annotation: Annotation,
    results: Mapping[str, Mapping[str, float] | Retrieved],
    video_ids: Sequence[str],
    *,
    count_self: bool = False,
) -> dict[str, TaskResult]:
    """Return the figures of the four `TASKS`; parameters and errors as in `rank` and `score`.

    Examples
    --------
    >>> annotation = {"q": {"ND": ["a"], "IS": ["b"]}}
    >>> results = {"q": {"a": 0.9, "c": 0.8, "b": 0.7}}
    >>> tasks = evaluate(annotation, results, ["a", "b", "c"])
    >>> [task.map and round(task.map, 4) for task in tasks.values()]
    [1.0, 1.0, 0.8333, None]
    """
    rankings = rank(annotation, results, video_ids)
    return {task: score(rankings, task, count_self=count_self) for task in TASKS}


def rank(
    annotation: Annotation,
    results: Mapping[str, Mapping[str, float] | Retrieved],
    video_ids: Sequence[str],
) -> Rankings:
    """Look up where the relevant videos of each query stand in its results.

    Parameters
    ----------
    annotation : mapping of query to mapping of label to videos
        A video may carry several labels.
    results : mapping of query to mapping of video to similarity, or to `Retrieved`
        The order of a mapping decides between equal similarities. An empty one is a query that
        found nothing; one that is missing is left out of the means.
    video_ids : sequence of str, length n
        The database, each once.

    Returns
    -------
    Rankings

    Raises
    ------
    EvaluationError
        An id is listed twice, a label is unknown, a similarity is not finite, or nothing can be
        scored: annotation, results and database share no query or no video.
    """
    database = Database(video_ids)
    check_labels(annotation)
    known = {
        query: _retrieved(query, results[query], database)
        for query in annotation
        if query in results
    }
    rankings = Rankings(
        queries=[_rank(q, annotation[q], row, database) for q, row in known.items()],
        size=len(database),
        missing=[query for query in annotation if query not in results],
        unannotated=[query for query in results if query not in annotation],
        unknown=sum(row.unknown for row in known.values()),
    )
    _check_something_to_score(rankings, known.values())
    return rankings


def score(rankings: Rankings, task: str, *, count_self: bool = False) -> TaskResult:
    r"""Return the figures of one task.

    With the relevant videos R of a query, AP is :math:`\frac{1}{|R|} \sum_k k / n_k` over those
    retrieved, the k-th of which stands at rank :math:`n_k`; mAP is the mean over queries that have
    results and a relevant video. Relevant videos that were not retrieved lower AP.

    The curve takes videos that were not retrieved as retrieved with similarity 0, as the published
    code does: above all negative similarities.

    Micro-AP takes every query that has results; of DAVR every one whose annotation names the label
    DA, be it without a video in the database.

    Parameters
    ----------
    rankings : Rankings
    task : str
        Of `TASKS`.
    count_self : bool
        Where a query is labelled as its own match, count it as a relevant video that was not found,
        as the published code does (query eCrhXArKE24 of FIVR-200K, label IS). For comparing with
        published figures only.

    Returns
    -------
    TaskResult

    Raises
    ------
    EvaluationError
        There is no such task.
    """
    if task not in TASKS:
        raise EvaluationError(f"there is no task {task!r}", remedy=f"choose of {', '.join(TASKS)}")
    wanted = sum(_BITS[label] for label in TASKS[task])
    ap: dict[str, tuple[float, float, float]] = {}
    curves: list[Array] = []
    for ranking in rankings.queries:
        positives = _positives(ranking, wanted, count_self=count_self)
        if positives:
            ap[ranking.query] = _average_precisions(ranking, wanted, positives)
            curves.append(_curve(ranking, wanted, positives, rankings.size))
    undefined = [ranking.query for ranking in rankings.queries if ranking.query not in ap]
    if not ap:
        return TaskResult(None, None, None, None, None, {}, undefined)
    mean, worst, best = (fsum(column) / len(ap) for column in zip(*ap.values(), strict=True))
    pooled = [r for r in rankings.queries if task != "DAVR" or r.used & wanted]
    return TaskResult(
        map=mean,
        map_worst=worst,
        map_best=best,
        uap=_micro_average_precision(pooled, wanted, count_self=count_self),
        curve=np.mean(curves, axis=0),
        ap={query: in_file_order for query, (in_file_order, _, _) in ap.items()},
        undefined=undefined,
    )


def check_labels(annotation: Annotation, *, file: StrPath | None = None) -> None:
    """Refuse an annotation that is empty or names a label that is not of `LABELS`."""
    if not annotation:
        raise EvaluationError(
            "the annotation holds no query", file=file, remedy="give at least one"
        )
    for query, labelled in annotation.items():
        for label in labelled:
            if label not in _BITS:
                raise EvaluationError(
                    f"query {query!r}: the label {label!r} is not known",
                    file=file,
                    remedy=f"the labels are {', '.join(LABELS)}; leave others out",
                )


def _retrieved(query: str, row: Mapping[str, float] | Retrieved, database: Database) -> Retrieved:
    try:
        if not isinstance(row, Retrieved):
            row = database.retrieved(list(row), list(row.values()))
        if len(row.videos) and row.videos.max() >= len(database):
            raise EvaluationError("a video lies outside the list of ids")
    except EvaluationError as error:
        raise EvaluationError(f"query {query!r}: {error.problem}", remedy=error.remedy) from error
    return row


def _check_something_to_score(rankings: Rankings, rows: Iterable[Retrieved]) -> None:
    """Refuse what would score 0, or nothing, only because names are spelt in two ways."""
    problem = ""
    if not rankings.queries:
        problem = "no query of the annotation is in the results"
    elif rankings.unknown and not any(len(row.videos) for row in rows):
        problem = "no video of the results is in the database"
    elif not any(len(ranking.relevant) or ranking.own for ranking in rankings.queries):
        problem = "no video of the annotation is in the database"
    if problem:
        raise EvaluationError(problem, remedy="name queries and videos alike")


def _rank(
    query: str,
    labelled: Mapping[str, Collection[str]],
    row: Retrieved,
    database: Database,
) -> QueryRanking:
    """Only the relevant videos' places matter: sort once, and look the rest up."""
    labels = np.zeros(len(database), dtype=np.uint8)
    for label, videos in labelled.items():
        for video in videos:
            if video in database.positions:
                labels[database.positions[video]] |= _BITS[label]
    itself = database.positions.get(query, -1)
    own = 0
    if itself >= 0:
        own, labels[itself] = int(labels[itself]), 0
    places = np.flatnonzero(labels[row.videos])
    found = labels[row.videos[places]]
    at = np.flatnonzero(row.videos == itself)
    values = np.delete(row.similarities, at)
    places -= np.searchsorted(at, places)  # those behind the query move up
    ascending = np.sort(values)
    mine = values[places]
    upto = np.searchsorted(ascending, mine, side="right")
    above, equal = len(values) - upto, upto - np.searchsorted(ascending, mine, side="left")
    before = np.zeros(len(mine), dtype=np.int64)
    for value in np.unique(mine[equal > 1]):
        tied = mine == value
        before[tied] = np.searchsorted(np.flatnonzero(values == value), places[tied])
    order = np.argsort(above + before)
    return QueryRanking(
        query=query,
        similarities=ascending,
        found=found[order],
        above=above[order],
        equal=equal[order],
        before=before[order],
        relevant=labels[labels > 0],
        own=own,
        used=sum(_BITS[label] for label in labelled),
    )


def _positives(ranking: QueryRanking, wanted: int, *, count_self: bool) -> int:
    """Return how many videos are relevant to a task."""
    counted = int(np.count_nonzero(ranking.relevant & wanted))
    return counted + bool(count_self and ranking.own & wanted)


def _average_precisions(
    ranking: QueryRanking, wanted: int, positives: int
) -> tuple[float, float, float]:
    """Return AP in the order of the results, in the worst and in the best order of ties."""
    hits = (ranking.found & wanted) != 0
    above, equal, before = ranking.above[hits], ranking.equal[hits], ranking.before[hits]
    found = np.arange(1, len(above) + 1)
    _, first, group, ties = np.unique(
        above, return_index=True, return_inverse=True, return_counts=True
    )
    best = above + found - first[group]
    worst = best + equal - ties[group]
    ranks = (above + before + 1, worst, best)
    in_file_order, least, most = (average_precision(found, r, positives) for r in ranks)
    return in_file_order, least, most


def _curve(ranking: QueryRanking, wanted: int, positives: int, size: int) -> Array:
    """Return the best precision at each recall of at least `_RECALLS`."""
    similarities = _similarities_found(ranking, wanted)
    missing = np.zeros(positives - len(similarities))
    scores, found = _steps(np.append(similarities, missing))
    # The published code pads to the size of the database, so that the query is among the padding.
    padding = size - len(ranking.similarities)
    precision = found / (_at_least(ranking, scores) + padding * (scores <= 0))
    reached = found / positives >= _RECALLS[:, np.newaxis]
    best: Array = np.max(np.where(reached, precision, 0.0), axis=1)
    best[0] = 1.0  # by convention precision is 1 before anything is retrieved
    return best


def _micro_average_precision(
    rankings: Sequence[QueryRanking], wanted: int, *, count_self: bool
) -> float:
    """Count, for each similarity of a relevant video, what is as similar in all queries."""
    positives = sum(_positives(ranking, wanted, count_self=count_self) for ranking in rankings)
    scores, found = _steps(np.concatenate([_similarities_found(r, wanted) for r in rankings]))
    retrieved = np.zeros(len(scores), dtype=np.int64)
    for ranking in rankings:
        retrieved += _at_least(ranking, scores)
    return average_precision(found, retrieved, positives)


def _similarities_found(ranking: QueryRanking, wanted: int) -> Array:
    above = ranking.above[(ranking.found & wanted) != 0]
    found: Array = ranking.similarities[len(ranking.similarities) - 1 - above]
    return found


def _steps(scores: Array) -> tuple[Array, Counts]:
    distinct, _, found = count_by_score(scores, np.ones(len(scores), dtype=np.bool_))
    return distinct, found


def _at_least(ranking: QueryRanking, scores: Array) -> Counts:
    """Return how many videos of a query are at least as similar as each score."""
    values = ranking.similarities
    return len(values) - np.searchsorted(values, scores, side="left")
