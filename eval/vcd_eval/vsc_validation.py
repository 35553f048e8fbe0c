"""What the VSC 2023 challenge accepted: its limits on descriptor and match files.

The challenge refused a file at the first breach; here all breaches are listed. What it let pass
although its scorer fails on it (a NaN score, say) is a remark, and breaks no rule.

References
----------
.. [1] https://github.com/drivendataorg/meta-vsc-descriptor-runtime, commit ab3f6e1, and
   https://github.com/drivendataorg/meta-vsc-matching-runtime, commit 5edb95f:
   `runtime/validation.py` of both.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from vcd.errors import EvaluationError, display_name
from vcd_eval.descriptors import descriptor_table, read_descriptor_arrays
from vcd_eval.formats import Metadata, read_predictions, read_text

__all__ = [
    "DIMENSIONS",
    "Problem",
    "check_descriptors",
    "check_matches",
    "match_remarks",
    "row_budget",
]

DIMENSIONS = 512
"""Largest number of dimensions of a descriptor."""

StrPath = str | os.PathLike[str]

_COLUMNS = ("query_id", "ref_id", "query_start", "query_end", "ref_start", "ref_end", "score")
_TIMES = _COLUMNS[2:6]
_MOST_ALIKE = 20  # a file wrong throughout is told so, and not a million times


@dataclass(frozen=True, slots=True)
class Problem:
    """One breach of a rule.

    `line` is the line of a text file or, in an archive, the row of its arrays, from 1; None where
    the whole file is meant.
    """

    file: str
    line: int | None
    text: str

    def __str__(self) -> str:
        unit = "row" if self.file.endswith(".npz") else "line"
        place = "" if self.line is None else f"{unit} {self.line}: "
        return f"{self.file}: {place}{self.text}"


def row_budget(metadata: Metadata, subset: Collection[str] | None = None) -> int:
    """Return how many descriptors are allowed: the sum of durations, each rounded up to seconds.

    It is one budget for all videos together. With a subset, only its videos count.

    Raises
    ------
    EvaluationError
        The subset names a video that the metadata does not hold.
    """
    seconds = dict(zip(metadata.video_ids, np.ceil(metadata.durations).tolist(), strict=True))
    chosen = seconds.keys() if subset is None else subset
    unknown = [video_id for video_id in chosen if video_id not in seconds]
    if unknown:
        raise EvaluationError(
            f"the subset names {unknown[0]!r}, which the metadata does not hold",
            remedy="give the metadata the subset was taken from",
        )
    return int(sum(seconds[video_id] for video_id in chosen))


def check_descriptors(path: StrPath, *, budget: int | None = None) -> list[Problem]:
    """Return what the challenge would refuse in a descriptor file.

    Parameters
    ----------
    path : path-like
    budget : int, optional
        Number of rows allowed (see `row_budget`). Not checked where None.
    """
    name = display_name(path)
    try:
        arrays = read_descriptor_arrays(path)
    except EvaluationError as error:
        return [_whole(name, error)]
    ids, features = arrays["video_ids"], arrays["features"]
    problems = []
    if features.dtype != np.float32:
        problems.append(Problem(name, None, f"features are {features.dtype}, not float32"))
    if features.ndim == 2 and features.shape[1] > DIMENSIONS:
        problems.append(
            Problem(
                name, None, f"features have {features.shape[1]} dimensions, more than {DIMENSIONS}"
            )
        )
    if ids.ndim == 1 and ids.dtype.kind in "USiu":
        falls = np.flatnonzero(ids[1:] < ids[:-1]) + 1
        problems += _capped(
            name,
            [
                (row + 1, f"video_ids are not sorted: {ids[row]!s} follows {ids[row - 1]!s}")
                for row in falls.tolist()
            ],
        )
    if budget is not None and features.ndim and len(features) > budget:
        problems.append(
            Problem(
                name,
                None,
                f"{len(features)} rows, more than one a second: {budget} are allowed in all",
            )
        )
    try:
        descriptor_table(arrays)
    except EvaluationError as error:
        problems.append(_whole(name, error))
    return problems


def check_matches(path: StrPath) -> list[Problem]:
    """Return what the challenge would refuse in a file of matches.

    Columns stand in the challenge's order (more may follow, and the score may be missing); times
    are numbers of at least 0, and no segment ends before it starts. Scores are not looked at.
    """
    name = display_name(path)
    try:
        reader = csv.reader(io.StringIO(read_text(path)), strict=True)
        header = [cell.strip() for cell in next(reader, [])]
        if not header:
            return [Problem(name, None, f"the file is empty; line 1 must be {','.join(_COLUMNS)}")]
        problems = _check_header(name, header)
        if any(column not in header for column in _TIMES):
            return problems
        rows = [(reader.line_num, row) for row in reader if row]
    except EvaluationError as error:
        return [_whole(name, error)]
    except csv.Error as error:
        return [Problem(name, reader.line_num, f"not CSV: {error}")]
    width = f"the row has not {len(header)} cells"
    problems += _capped(name, [(line, width) for line, row in rows if len(row) != len(header)])
    rows = [(line, row) for line, row in rows if len(row) == len(header)]
    for column in _TIMES:
        at = header.index(column)
        problems += _capped(
            name,
            [
                (line, f"{column} is {row[at]!r}, not a number of at least 0")
                for line, row in rows
                if not _number(row[at]) >= 0  # so that NaN is one
            ],
        )
    for axis in ("query", "ref"):
        start, end = header.index(f"{axis}_start"), header.index(f"{axis}_end")
        reverse = f"{axis}_start is after {axis}_end"
        problems += _capped(
            name, [(line, reverse) for line, row in rows if _number(row[start]) > _number(row[end])]
        )
    return problems


def match_remarks(path: StrPath) -> list[str]:
    """Return why the scorer would refuse a file of matches that breaks no rule; mostly nothing."""
    try:
        read_predictions(path, vsc_ids=True)
    except EvaluationError as error:
        return [f"accepted by the challenge, but cannot be scored: {error}"]
    return []


def _check_header(name: str, header: list[str]) -> list[Problem]:
    problems = [
        Problem(name, 1, f"column {place} is {got}, where {wanted} is expected")
        for place, (wanted, got) in enumerate(zip(_COLUMNS, header, strict=False), start=1)
        if wanted != got
    ]
    missing = [column for column in _TIMES if column not in header]
    if missing:
        problems.append(Problem(name, 1, f"no column {', '.join(missing)}"))
    return problems


def _number(cell: str) -> float:
    """Return a cell as a number, NaN where it is none."""
    try:
        return float(cell)
    except ValueError:
        return nan


def _capped(name: str, breaches: Sequence[tuple[int, str]]) -> list[Problem]:
    shown = [Problem(name, line, text) for line, text in breaches[:_MOST_ALIKE]]
    if len(breaches) > _MOST_ALIKE:
        more = len(breaches) - _MOST_ALIKE
        shown.append(Problem(name, None, f"and {more} more like the last one"))
    return shown


def _whole(name: str, error: EvaluationError) -> Problem:
    remedy = f" ({error.remedy})" if error.remedy else ""
    return Problem(name, None, error.problem + remedy)
