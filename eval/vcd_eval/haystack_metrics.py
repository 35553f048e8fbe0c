"""The figures of a run over a haystack: what `metrics.json` holds, and what the page draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vcd_eval.bootstrap import interval
from vcd_eval.formats import SegmentTable, scores_of
from vcd_eval.haystack import RUNS, Haystack, HaystackRun
from vcd_eval.measures import (
    boundary_errors,
    calibration_error,
    false_alarm_pairs,
    find_hits,
    has_edit,
    segment_uap,
    without_other_rows,
)
from vcd_eval.vsc import operating_point, pair_ap

__all__ = ["defined", "haystack_metrics"]


def haystack_metrics(
    haystack: Haystack, run: HaystackRun, *, threshold: float, draws: int = 200
) -> dict[str, Any]:
    """Return all figures of a run, as `metrics.json` holds them; None stands for "not defined".

    Parameters
    ----------
    haystack : Haystack
    run : HaystackRun
    threshold : float
        Probability of the operating point; bounds, recall by edit and false alarms are those of
        the fused predictions at or above it.
    draws : int
        Of the bootstrap over queries.
    """
    queries = list(run.queries)
    segment, pair, descriptor, spread = {}, {}, {}, {}
    for name in RUNS:
        segment[name] = pair[name] = math.nan
        if name != "any":
            descriptor[name] = math.nan
        truth, predictions = haystack.truth(name), run.predictions.get(name)
        if predictions is None or not len(truth):
            continue
        segment[name] = segment_uap(truth, predictions)
        pair[name] = pair_ap(truth, predictions).ap
        if name != "any":
            descriptor[name] = pair_ap(truth, run.candidates[name]).ap
        known = sorted(set(queries) | set(truth.query_ids))
        spread[f"segment_uap_{name}"] = list(interval(truth, predictions, known, draws=draws))
    truth, predictions = haystack.truth("any"), run.predictions["any"]
    chosen = predictions.take(scores_of(predictions) >= threshold)
    errors = boundary_errors(truth, chosen)
    precision = recall = math.nan
    if math.isfinite(segment["any"]):
        precision, recall = operating_point(truth, predictions, threshold=threshold)
    compared = {(q, r) for q, r in _pairs(truth) if q in run.queries and r in run.references}
    unrelated = len(queries) * len(run.references) - len(compared)
    right = find_hits(truth, predictions).row >= 0
    figures: dict[str, Any] = defined(
        {
            "segment_uap": segment,
            "pair_uap": pair,
            "descriptor_uap": descriptor,
            "boundary_error_s": {
                "median": np.median(errors) if errors.size else math.nan,
                "p90": np.quantile(errors, 0.9) if errors.size else math.nan,
            },
            "operating_point": {
                "threshold": threshold,
                "precision": precision,
                "recall": recall,
                "false_alarms_per_1000_pairs": (
                    1000 * false_alarm_pairs(truth, chosen) / unrelated if unrelated else math.nan
                ),
            },
            "calibration_error": calibration_error(scores_of(predictions), right),
            "per_edit": _per_edit(haystack, run, threshold),
            "ci95": spread,
            "cost": run.cost,
        }
    )
    return figures


def _per_edit(haystack: Haystack, run: HaystackRun, threshold: float) -> dict[str, Any]:
    """Score the rows of each edit, against their own predictions and those without any row."""
    labels, predictions = haystack.labels, run.predictions["any"]
    found = find_hits(labels.segments, predictions.take(scores_of(predictions) >= threshold)).found
    result = {}
    for edit in sorted({edit for edits in labels.edits for edit in edits}):
        has = has_edit(labels, edit)
        counted = without_other_rows(labels.segments, has, predictions)
        result[edit] = {
            "n": int(has.sum()),
            "recall": float(found[has].mean()),
            "segment_uap": segment_uap(labels.segments.take(has), counted),
        }
    return result


def _pairs(table: SegmentTable) -> set[tuple[str, str]]:
    return set(zip(table.query_ids, table.ref_ids, strict=True))


def defined(value: Any) -> Any:
    """Return plain numbers for JSON: what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {key: defined(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [defined(item) for item in value]
    if isinstance(value, (int, str)) or value is None:
        return value
    return float(value) if math.isfinite(value) else None
