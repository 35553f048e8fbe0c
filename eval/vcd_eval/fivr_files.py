"""The files of FIVR: annotation, ids of the database, and results as JSON or as one matrix.

Conventions
-----------
JSON is read strictly: a query, label or video named twice in one object is an `EvaluationError`,
and so is a similarity that is not a finite number. Ids of the database stand one a line; blank
lines and repeats do not matter. A byte order mark and Windows line ends are accepted, and so are
files packed with gzip (``.gz``).

The results of FIVR-200K hold 22.6 million similarities. As JSON they take most of the time; an
archive (``.npz``) of ``query_ids`` (q,), ``video_ids`` (v,) and ``similarities`` (q, v) is read at
once.
"""

from __future__ import annotations

import json
import os
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from reprlib import repr as short
from sys import float_info
from typing import Any

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd_eval.archives import open_archive
from vcd_eval.fivr import Database, Retrieved, check_labels
from vcd_eval.formats import read_text

__all__ = ["read_annotation", "read_results", "read_video_ids"]

StrPath = str | os.PathLike[str]
Pairs = list[tuple[str, Any]]

_ANNOTATION = 'write {"<query>": {"ND": ["<video>", ...], "DS": [...], ...}, ...}'
_RESULTS = 'write {"<query>": {"<video>": <similarity>, ...}, ...}'
_ARRAYS = "give query_ids (q,), video_ids (v,) and similarities (q, v), plain text and numbers"
_NOT_FOUND = "leave out what was not retrieved"


def read_annotation(path: StrPath) -> dict[str, dict[str, list[str]]]:
    """Read ``{query: {label: [video, ...]}}``; a video named twice under a label counts once.

    Raises
    ------
    EvaluationError
        Not such a file, a query or a label is named twice, or a label is unknown.
    """
    content = _read_json(path, lambda pairs: _unique(pairs, path), _ANNOTATION)
    if not isinstance(content, dict):
        raise EvaluationError("the file holds no object of queries", file=path, remedy=_ANNOTATION)
    for query, labelled in content.items():
        if not isinstance(labelled, dict) or not all(map(_is_list_of_text, labelled.values())):
            raise EvaluationError(
                f"query {query!r} holds no lists of videos by label", file=path, remedy=_ANNOTATION
            )
    check_labels(content, file=path)
    return content


def read_video_ids(path: StrPath) -> list[str]:
    """Read the database: one id a line, each returned once.

    Raises
    ------
    EvaluationError
        There is no id, or more than one on a line.
    """
    ids: dict[str, None] = {}
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        words = line.split()
        if len(words) > 1:
            raise EvaluationError(
                f"line {number} holds more than an id", file=path, remedy="write one id a line"
            )
        ids.update(dict.fromkeys(words))
    if not ids:
        raise EvaluationError("the file is empty", file=path, remedy="write one id a line")
    return list(ids)


def read_results(path: StrPath, video_ids: Sequence[str]) -> dict[str, Retrieved]:
    """Read the similarities of each query, from JSON or, where the name ends so, from ``.npz``.

    Parameters
    ----------
    path : path-like
        ``{query: {video: similarity}}``, or an archive as this module describes it.
    video_ids : sequence of str
        The database, each video once.

    Returns
    -------
    dict of str to Retrieved
        In the order of the file, which decides between equal similarities.

    Raises
    ------
    EvaluationError
        Not such a file, a query or a video of the database is named twice, or a similarity is not
        a finite number.
    """
    database = Database(video_ids)
    if Path(path).suffix.lower() == ".npz":
        return _read_matrix(path, database)

    def row_or_table(pairs: Pairs) -> object:
        values = [value for _, value in pairs]
        if set(map(type, values)) <= {int, float}:
            return _row([name for name, _ in pairs], values, database)
        return _unique(pairs, path)

    content = _read_json(path, row_or_table, _RESULTS)
    if not isinstance(content, dict):
        raise EvaluationError("the file holds no object of queries", file=path, remedy=_RESULTS)
    for query, row in content.items():
        if not isinstance(row, Retrieved):
            problem, remedy = _what_is_wrong(row)
            raise EvaluationError(f"query {query!r}: {problem}", file=path, remedy=remedy)
    return content


def _row(names: list[str], values: list[float], database: Database) -> object:
    """Return a query's results, or what is wrong: the reader of JSON does not know the query."""
    try:
        similarities = np.array(values, dtype=np.float64)
        if not np.isfinite(similarities).all():
            raise OverflowError
    except OverflowError:
        name, value = next(
            (name, value)
            for name, value in zip(names, values, strict=True)
            if not abs(value) <= float_info.max
        )
        return EvaluationError(
            f"video {name!r}: the similarity is {short(value)}, not a finite number",
            remedy=_NOT_FOUND,
        )
    try:
        return database.retrieved(names, similarities)
    except EvaluationError as error:
        known = Counter(name for name in names if name in database.positions)
        return EvaluationError(
            f"video {known.most_common(1)[0][0]!r} is listed twice", remedy=error.remedy
        )


def _what_is_wrong(row: object) -> tuple[str, str]:
    if isinstance(row, EvaluationError):
        return row.problem, row.remedy
    if isinstance(row, dict):
        for name, value in row.items():
            if type(value) not in {int, float}:
                shown = "an object" if isinstance(value, dict | Retrieved) else short(value)
                return f"video {name!r}: the similarity is {shown}, not a number", _NOT_FOUND
    return "there is no object of similarities", _RESULTS


def _read_matrix(path: StrPath, database: Database) -> dict[str, Retrieved]:
    with open_archive(path) as archive:
        queries = _read_ids(archive.read("query_ids", needed=_ARRAYS), "query_ids", path)
        videos = _read_ids(archive.read("video_ids", needed=_ARRAYS), "video_ids", path)
        matrix = archive.read("similarities", needed=_ARRAYS)
    if matrix.shape != (len(queries), len(videos)) or matrix.dtype.kind not in "fiu":
        raise EvaluationError(
            f"similarities must be numbers of shape {(len(queries), len(videos))}, got "
            f"{matrix.dtype} of {matrix.shape}",
            file=path,
            remedy=_ARRAYS,
        )
    results = {}
    for query, row in zip(queries, matrix, strict=True):
        bad = np.flatnonzero(~np.isfinite(row))
        if len(bad):
            raise EvaluationError(
                f"query {query!r}, video {videos[bad[0]]!r}: the similarity is {row[bad[0]]}, not "
                "a finite number",
                file=path,
                remedy="give every video one; results as JSON may leave videos out",
            )
        results[query] = database.retrieved(videos, row)
    return results


def _read_ids(array: npt.NDArray[Any], name: str, path: StrPath) -> list[str]:
    if array.ndim != 1 or array.dtype.kind != "U":
        raise EvaluationError(
            f"{name} must be text of shape (n,), got {array.dtype} of {array.shape}",
            file=path,
            remedy=_ARRAYS,
        )
    ids: list[str] = array.tolist()
    return list(_unique([(i, None) for i in ids], path))


def _unique(pairs: Pairs, path: StrPath) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise EvaluationError(f"{twice!r} is listed twice", file=path, remedy="list it once")
    return content


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _read_json(path: StrPath, make_object: Callable[[Pairs], object], remedy: str) -> object:
    try:
        return json.loads(_read_text(path), object_pairs_hook=make_object)
    except RecursionError:
        raise EvaluationError("nested too deeply", file=path, remedy=remedy) from None
    except ValueError as error:
        raise EvaluationError(f"not a JSON file: {error}", file=path, remedy=remedy) from error


def _read_text(path: StrPath) -> str:
    try:
        return read_text(path)
    except zlib.error as error:
        raise EvaluationError(
            f"cannot be unpacked: {error}", file=path, remedy="pack it anew"
        ) from error
