"""Two runs over one haystack side by side: by stream, and by edit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vcd.errors import EvaluationError
from vcd_eval.bootstrap import Difference, paired_difference
from vcd_eval.formats import (
    Labels,
    SegmentTable,
    read_labels,
    read_predictions,
    read_subset,
)
from vcd_eval.measures import has_edit, segment_uap, without_other_rows

__all__ = ["LABELS", "QUERIES", "ComparedRuns", "ComparedScore", "compare_runs", "matches_file"]

LABELS = "labels.csv"
"""What a run keeps of the truth it was scored against, so that runs can be compared without it."""

QUERIES = "queries.csv"
"""The ids of all queries of a run, those without a copy among them."""


@dataclass(frozen=True, slots=True)
class ComparedScore:
    """Segment micro-AP of two runs on the same true rows."""

    rows: int
    first: float
    second: float
    difference: Difference


@dataclass(frozen=True, slots=True)
class ComparedRuns:
    """Scores of two runs.

    Attributes
    ----------
    streams : dict of str to ComparedScore
        "any", then "visual" and "audio" where both runs have them and rows are copied so.
    per_edit : dict of str to ComparedScore
        The fused predictions on the rows with an edit, against predictions that tell of no other
        row.
    """

    streams: dict[str, ComparedScore]
    per_edit: dict[str, ComparedScore]


def matches_file(run: str) -> str:
    """Return the name of a run's predictions in its folder; run is "any", "visual" or "audio"."""
    return "matches.csv" if run == "any" else f"matches_{run}.csv"


def compare_runs(first: Path, second: Path, *, draws: int = 1000, seed: int = 0) -> ComparedRuns:
    """Compare what two folders of `vcd eval haystack` hold.

    Parameters
    ----------
    first, second : Path
    draws : int
        Of the bootstrap over queries.
    seed : int

    Raises
    ------
    EvaluationError
        A folder is no such run, or the two were scored against different truths.
    """
    labels, queries = _truth(first), _queries(first)
    other = _truth(second)
    if _key(labels) != _key(other) or queries != _queries(second):
        raise EvaluationError(
            f"is a run over another haystack than {first}",
            file=second,
            remedy="compare runs over the same queries and the same ground truth",
        )

    def compared(truth: SegmentTable, runs: list[SegmentTable]) -> ComparedScore:
        before, after = runs
        return ComparedScore(
            rows=len(truth),
            first=segment_uap(truth, before),
            second=segment_uap(truth, after),
            difference=paired_difference(truth, before, after, queries, draws=draws, seed=seed),
        )

    streams: dict[str, ComparedScore] = {}
    for name, kept in (
        ("any", np.ones(len(labels.segments), np.bool_)),
        ("visual", labels.visual),
        ("audio", labels.audio),
    ):
        files = [folder / matches_file(name) for folder in (first, second)]
        if kept.any() and (name == "any" or all(file.is_file() for file in files)):
            runs = [read_predictions(file) for file in files]
            streams[name] = compared(labels.segments.take(kept), runs)
    fused = [read_predictions(folder / matches_file("any")) for folder in (first, second)]
    per_edit: dict[str, ComparedScore] = {}
    for edit in sorted({edit for edits in labels.edits for edit in edits}):
        has = has_edit(labels, edit)
        runs = [without_other_rows(labels.segments, has, run) for run in fused]
        per_edit[edit] = compared(labels.segments.take(has), runs)
    return ComparedRuns(streams, per_edit)


def _truth(folder: Path) -> Labels:
    if not (folder / LABELS).is_file() or not (folder / QUERIES).is_file():
        raise EvaluationError(
            "is no folder that `vcd eval haystack` has finished",
            file=folder,
            remedy="run `vcd eval haystack DIR --out OUT` first",
        )
    return read_labels(folder / LABELS)


def _queries(folder: Path) -> list[str]:
    return sorted(read_subset(folder / QUERIES))


def _key(labels: Labels) -> list[tuple[object, ...]]:
    table = labels.segments
    times = np.concatenate([table.query_times, table.ref_times], axis=1).round(3).tolist()
    return sorted(
        (q, r, *row, bool(seen), bool(heard), tuple(edits))
        for q, r, row, seen, heard, edits in zip(
            table.query_ids,
            table.ref_ids,
            times,
            labels.visual,
            labels.audio,
            labels.edits,
            strict=True,
        )
    )
