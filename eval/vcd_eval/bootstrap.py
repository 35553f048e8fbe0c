"""How much the segment micro-AP may move by the luck of the queries: bootstrap over queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd_eval.formats import SegmentTable
from vcd_eval.measures import segment_uap
from vcd_eval.vsc import segment_ap_of_draws

__all__ = ["Difference", "interval", "paired_difference"]

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
    *,
    draws: int = 200,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the segment micro-AP (Efron 1979).

    Parameters
    ----------
    groundtruth, predictions : SegmentTable
    queries : sequence of str
        Ids of all queries, those without a copy among them.
    draws : int
        Those in which the score is undefined are left out.
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
    values = _draw(groundtruth, [predictions], queries, draws=draws, seed=seed)[:, 0]
    return _outer(values)


def paired_difference(
    groundtruth: SegmentTable,
    first: SegmentTable,
    second: SegmentTable,
    queries: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Difference:
    """Compare two runs on the same queries, drawn together.

    Parameters and errors as in `interval`. The p-value is twice the share of draws on the smaller
    side of 0, counted with one draw more so that it is never 0; NaN where no draw is left.
    """
    values = _draw(groundtruth, [first, second], queries, draws=draws, seed=seed)
    differences = values[:, 1] - values[:, 0]
    low, high = _outer(differences)
    side = min((differences <= 0).sum(), (differences >= 0).sum())
    return Difference(
        value=segment_uap(groundtruth, second) - segment_uap(groundtruth, first),
        low=low,
        high=high,
        p_value=(
            float(min(1.0, 2 * (side + 1) / (len(differences) + 1)))
            if len(differences)
            else float("nan")
        ),
    )


def _draw(
    groundtruth: SegmentTable,
    runs: Sequence[SegmentTable],
    queries: Sequence[str],
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
    n = len(queries)
    counts = [np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(draws)]
    scores = np.stack(
        [segment_ap_of_draws(groundtruth, run, queries, counts) for run in runs], axis=1
    )
    return scores[np.isfinite(scores).all(axis=1)]


def _outer(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, _OUTER)
    return float(low), float(high)
