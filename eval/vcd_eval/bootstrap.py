"""How much a score may move by the luck of the queries: bootstrap over queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd_eval.formats import SegmentTable

__all__ = ["Difference", "interval", "paired_difference", "resampled"]

Score = Callable[[SegmentTable, SegmentTable], float]

_OUTER = (2.5, 97.5)  # percentiles of a 95 % interval


@dataclass(frozen=True, slots=True)
class Difference:
    """Second run minus first: the difference, its 95 % interval, and a two-sided p-value.

    All are NaN where the score is undefined.
    """

    value: float
    low: float
    high: float
    p_value: float


def interval(
    groundtruth: SegmentTable,
    predictions: SegmentTable,
    queries: Sequence[str],
    score: Score,
    *,
    draws: int = 200,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the 95 % percentile interval of a score (Efron 1979).

    Parameters
    ----------
    groundtruth, predictions : SegmentTable
    queries : sequence of str
        Ids of all queries, those without a copy among them.
    score : callable
        Of ground truth and predictions; draws for which it is NaN are left out.
    draws : int
    seed : int

    Returns
    -------
    low, high : float
        NaN where no draw is left.

    Raises
    ------
    EvaluationError
        The ground truth has a query that is not listed.
    """
    values = _draw(groundtruth, [predictions], queries, score, draws=draws, seed=seed)[:, 0]
    return _outer(values)


def paired_difference(
    groundtruth: SegmentTable,
    first: SegmentTable,
    second: SegmentTable,
    queries: Sequence[str],
    score: Score,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Difference:
    """Compare two runs on the same queries, drawn together.

    Parameters and errors as in `interval`. The p-value is twice the share of draws on the smaller
    side of 0, counted with one draw more so that it is never 0; NaN where no draw is left.
    """
    values = _draw(groundtruth, [first, second], queries, score, draws=draws, seed=seed)
    differences = values[:, 1] - values[:, 0]
    low, high = _outer(differences)
    side = min((differences <= 0).sum(), (differences >= 0).sum())
    return Difference(
        value=score(groundtruth, second) - score(groundtruth, first),
        low=low,
        high=high,
        p_value=(
            float(min(1.0, 2 * (side + 1) / (len(differences) + 1)))
            if len(differences)
            else float("nan")
        ),
    )


def resampled(table: SegmentTable, drawn: Sequence[str]) -> SegmentTable:
    """Return the rows of the drawn queries; one drawn twice is there twice, under two ids."""
    rows: dict[str, list[int]] = {}
    for i, query in enumerate(table.query_ids):
        rows.setdefault(query, []).append(i)
    index, ids = [], []
    for number, query in enumerate(drawn):
        of_query = rows.get(query, [])
        index += of_query
        ids += [f"{number}:{query}"] * len(of_query)
    taken = table.take(np.array(index, np.int64))
    return SegmentTable(ids, taken.ref_ids, taken.query_times, taken.ref_times, taken.scores)


def _draw(
    groundtruth: SegmentTable,
    runs: Sequence[SegmentTable],
    queries: Sequence[str],
    score: Score,
    *,
    draws: int,
    seed: int,
) -> npt.NDArray[np.float64]:
    unknown = set(groundtruth.query_ids) - set(queries)
    if unknown:
        raise EvaluationError(
            f"the ground truth has queries that are not listed, such as {min(unknown)!r}",
            remedy="list all queries, those without a copy among them",
        )
    rng = np.random.default_rng(seed)
    names = list(queries)
    values = []
    for _ in range(draws):
        drawn = [names[k] for k in rng.integers(len(names), size=len(names))]
        truth = resampled(groundtruth, drawn)
        values.append([score(truth, resampled(run, drawn)) for run in runs])
    scores = np.array(values, np.float64).reshape(-1, len(runs))
    return scores[np.isfinite(scores).all(axis=1)]


def _outer(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, _OUTER)
    return float(low), float(high)
