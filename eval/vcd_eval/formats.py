"""The files of the benchmarks: strict reading into plain arrays, and writing them back.

Conventions
-----------
Times are seconds, intervals half-open. Columns are found by name in any order; unknown ones are
ignored. Ids are text (``NA`` and ``null`` are names like any other). With ``vsc_ids=True`` the
rules of the VSC 2023 challenge hold: query ids begin with ``Q`` and reference ids with ``R``, and a
column that holds only whole numbers is formatted as ``Q%06d`` / ``R%06d``.

Whatever cannot be scored honestly (a missing column, a NaN, an interval that ends before it starts)
is an `EvaluationError` that names the file, the line and the remedy.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vcd.encoding import write_whole
from vcd.errors import EvaluationError
from vcd_eval.csv_table import CsvTable

__all__ = [
    "Boxes",
    "Labels",
    "Metadata",
    "Pair",
    "PairTable",
    "SegmentTable",
    "read_boxes",
    "read_candidates",
    "read_groundtruth",
    "read_labels",
    "read_metadata",
    "read_pair_list",
    "read_predictions",
    "read_query_sets",
    "read_subset",
    "read_text",
    "scores_of",
    "write_candidates",
    "write_labels",
    "write_metadata",
    "write_segments",
    "write_subset",
]

StrPath = str | os.PathLike[str]
Array = npt.NDArray[np.float64]
Pair = tuple[str, str]
Boxes = Mapping[Pair, Array]
"""Boxes ``[query_start, ref_start, query_end, ref_end]``, shape (n, 4), by (query, reference)."""

_IDS = ("query_id", "ref_id")
_TIMES = ("query_start", "query_end", "ref_start", "ref_end")
_SEGMENT_COLUMNS = (*_IDS, *_TIMES)
_METADATA_COLUMNS = ("video_id", "duration_sec", "frames_per_sec", "width", "height")
_LABEL_COLUMNS = (*_SEGMENT_COLUMNS, "visual", "audio", "edits", "speed")
_NEEDS_QUOTES = re.compile(r'[,"\r\n]')
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")

Place = Callable[[int], str]


@dataclass(frozen=True, slots=True, eq=False)
class SegmentTable:
    """Segments of (query, reference) pairs: a ground truth, or predictions with scores.

    Parameters
    ----------
    query_ids, ref_ids : sequence of str, length n
    query_times, ref_times : ndarray of float64, shape (n, 2)
        Start and end in seconds.
    scores : ndarray of float64, shape (n,), optional
        Higher is more certain. None in a ground truth.

    Raises
    ------
    EvaluationError
        Lengths differ, a number is not finite, an interval ends before it starts, or an id is
        empty.
    """

    query_ids: Sequence[str]
    ref_ids: Sequence[str]
    query_times: Array
    ref_times: Array
    scores: Array | None = None

    def __post_init__(self) -> None:
        n = len(self.query_ids)
        for name in ("query_times", "ref_times"):
            times = np.asarray(getattr(self, name), dtype=np.float64)
            _check_shape(name, times, (n, 2))
            object.__setattr__(self, name, times)
        _set_ids_and_scores(self, n)
        _check_rows(self.columns(), _row_place)
        for axis in ("query", "ref"):
            times = getattr(self, f"{axis}_times")
            _check_not_reversed(times[:, 0], times[:, 1], axis, _row_place)

    def __len__(self) -> int:
        return len(self.query_ids)

    def columns(self) -> dict[str, Array]:
        """Return the columns of numbers by the name they have in a file."""
        numbers = {
            "query_start": self.query_times[:, 0],
            "query_end": self.query_times[:, 1],
            "ref_start": self.ref_times[:, 0],
            "ref_end": self.ref_times[:, 1],
        }
        return numbers if self.scores is None else numbers | {"score": self.scores}

    def take(self, rows: npt.ArrayLike) -> SegmentTable:
        """Return the given rows (indices or a mask)."""
        chosen = np.asarray(rows)
        # An empty list becomes an array of floats, which are no indices.
        index = np.arange(len(self))[chosen if chosen.size else chosen.astype(np.intp)]
        return SegmentTable(
            query_ids=[self.query_ids[i] for i in index],
            ref_ids=[self.ref_ids[i] for i in index],
            query_times=self.query_times[index],
            ref_times=self.ref_times[index],
            scores=None if self.scores is None else self.scores[index],
        )


@dataclass(frozen=True, slots=True, eq=False)
class PairTable:
    """Candidate pairs, each at most once, with scores of shape (n,).

    Raises
    ------
    EvaluationError
        Lengths differ, a score is not finite, an id is empty, or a pair occurs twice.
    """

    query_ids: Sequence[str]
    ref_ids: Sequence[str]
    scores: Array

    def __post_init__(self) -> None:
        _set_ids_and_scores(self, len(self.query_ids))
        _check_rows({"score": self.scores}, _row_place)
        _check_unique(self.query_ids, self.ref_ids, _row_place)

    def __len__(self) -> int:
        return len(self.query_ids)


def scores_of(predictions: SegmentTable | PairTable) -> Array:
    """Return the scores of predictions, shape (n,).

    Raises
    ------
    EvaluationError
        They have none.
    """
    if predictions.scores is None:
        raise EvaluationError(
            "the predictions have no scores",
            remedy="give each prediction a score; without one there is no ranking",
        )
    return predictions.scores


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What is known of each row of a made ground truth; all sequences have one entry a row.

    `visual` and `audio` (bool) say which half was copied, `edits` names what was done to it,
    `speed` is reference seconds per query second (negative: backwards).

    Raises
    ------
    EvaluationError
        Lengths differ, or a speed is 0 or not finite.
    """

    segments: SegmentTable
    visual: npt.NDArray[np.bool_]
    audio: npt.NDArray[np.bool_]
    edits: Sequence[tuple[str, ...]]
    speed: Array

    def __post_init__(self) -> None:
        n = len(self.segments)
        for name in ("visual", "audio", "speed"):
            _check_shape(name, getattr(self, name), (n,))
        if len(self.edits) != n:
            raise EvaluationError(f"edits must have {n} entries, got {len(self.edits)}")
        _check_speed(self.speed, _row_place)


@dataclass(frozen=True, slots=True, eq=False)
class Metadata:
    """What the challenge says of the videos of one side.

    Parameters
    ----------
    video_ids : sequence of str, length n
        Each once.
    durations : ndarray of float64, shape (n,)
        Seconds, not negative.
    frame_rates, widths, heights : ndarray of float64, shape (n,)
        Frames a second; pixels.

    Raises
    ------
    EvaluationError
        Lengths differ, an id is empty or occurs twice, a number is not finite, or a duration is
        negative.
    """

    video_ids: Sequence[str]
    durations: Array
    frame_rates: Array
    widths: Array
    heights: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "video_ids", tuple(self.video_ids))
        for name in ("durations", "frame_rates", "widths", "heights"):
            column = np.asarray(getattr(self, name), dtype=np.float64)
            _check_shape(name, column, (len(self),))
            object.__setattr__(self, name, column)
        _check_metadata(self.video_ids, self.columns(), _row_place)

    def __len__(self) -> int:
        return len(self.video_ids)

    def columns(self) -> dict[str, Array]:
        """Return the columns of numbers by the name they have in a file."""
        columns = (self.durations, self.frame_rates, self.widths, self.heights)
        return dict(zip(_METADATA_COLUMNS[1:], columns, strict=True))


def read_groundtruth(path: StrPath, *, vsc_ids: bool = False) -> SegmentTable:
    """Read ``query_id,ref_id,query_start,query_end,ref_start,ref_end``; a score is ignored.

    Negative times and times beyond the end of a video are accepted: real ground truth has them.
    """
    return _read_segments(path, scored=False, vsc_ids=vsc_ids)


def read_predictions(path: StrPath, *, vsc_ids: bool = False) -> SegmentTable:
    """Read a ground truth's columns and ``score``; a header alone is an empty prediction."""
    return _read_segments(path, scored=True, vsc_ids=vsc_ids)


def read_candidates(path: StrPath, *, vsc_ids: bool = False) -> PairTable:
    """Read ``query_id,ref_id,score``, every pair at most once."""
    table = CsvTable.parse(read_text(path), _IDS, ("score",), path)
    query_ids, ref_ids = _read_ids(table, vsc_ids=vsc_ids)
    scores = table.numbers["score"]
    _check_rows({"score": scores}, table.place, file=path)
    _check_unique(query_ids, ref_ids, table.place, file=path)
    return PairTable(query_ids, ref_ids, scores)


def read_labels(path: StrPath) -> Labels:
    """Read a ground truth with the columns ``visual,audio,edits,speed``."""
    table = CsvTable.parse(
        read_text(path), (*_IDS, "edits"), (*_TIMES, "visual", "audio", "speed"), path
    )
    speed = table.numbers["speed"]
    _check_speed(speed, table.place, file=path)
    return Labels(
        segments=_segments_of(table, scored=False, vsc_ids=False),
        visual=table.flags("visual"),
        audio=table.flags("audio"),
        edits=[tuple(filter(None, cell.split("|"))) for cell in table.texts["edits"]],
        speed=speed,
    )


def read_metadata(path: StrPath, *, prefix: str = "") -> Metadata:
    """Read ``video_id,duration_sec,frames_per_sec,width,height`` of queries or references.

    With the prefix ``Q`` or ``R`` ids follow the rules of the challenge.
    """
    table = CsvTable.parse(read_text(path), ("video_id",), _METADATA_COLUMNS[1:], path)
    ids = _challenge_ids(table, "video_id", prefix) if prefix else table.ids("video_id")
    _check_metadata(ids, table.numbers, table.place, file=path)
    return Metadata(ids, *table.numbers.values())


def read_subset(path: StrPath, *, prefix: str = "") -> list[str]:
    """Read the ``video_id`` of the videos that take part, each once; `prefix` as above."""
    table = CsvTable.parse(read_text(path), ("video_id",), (), path)
    ids = _challenge_ids(table, "video_id", prefix) if prefix else table.ids("video_id")
    _check_metadata(ids, {}, table.place, file=path)
    return ids


def write_segments(path: StrPath, table: SegmentTable) -> None:
    """Write a ground truth, or predictions where the table has scores, in the challenge's order.

    Numbers are written so that reading gives the same float64 again.
    """
    columns = table.columns()
    rows = zip(
        table.query_ids,
        table.ref_ids,
        *([repr(float(x)) for x in column] for column in columns.values()),
        strict=True,
    )
    _write_csv(path, (*_IDS, *columns), rows)


def write_candidates(path: StrPath, table: PairTable) -> None:
    """Write ``query_id,ref_id,score``."""
    scores = [repr(float(x)) for x in table.scores]
    rows = zip(table.query_ids, table.ref_ids, scores, strict=True)
    _write_csv(path, (*_IDS, "score"), rows)


def write_metadata(path: StrPath, table: Metadata) -> None:
    """Write the challenge's columns, ``rn`` (the number of the row, from 1) included."""
    columns = ([f"{x:.17g}" for x in column] for column in table.columns().values())
    rows = zip(table.video_ids, *columns, range(1, len(table) + 1), strict=True)
    _write_csv(path, (*_METADATA_COLUMNS, "rn"), rows)


def write_subset(path: StrPath, video_ids: Iterable[str]) -> None:
    """Write what `read_subset` reads."""
    _write_csv(path, ("video_id",), ([video_id] for video_id in video_ids))


def write_labels(path: StrPath, labels: Labels) -> None:
    """Write what `read_labels` reads, and ``length`` in the query; times with three decimals."""
    segments = labels.segments
    rows = []
    for i in range(len(segments)):
        times = [*segments.query_times[i], *segments.ref_times[i]]
        rows.append(
            [
                segments.query_ids[i],
                segments.ref_ids[i],
                *(f"{t:.3f}" for t in times),
                int(labels.visual[i]),
                int(labels.audio[i]),
                "|".join(labels.edits[i]),
                f"{labels.speed[i]:g}",
                f"{times[1] - times[0]:.3f}",
            ]
        )
    _write_csv(path, (*_LABEL_COLUMNS, "length"), rows)


def read_boxes(
    path: StrPath,
    pairs: Iterable[Pair] | None = None,
    *,
    on_unknown: Callable[[str], object] | None = None,
) -> Boxes:
    """Read the VCSL format ``{"<query>-<ref>": [[q_start, r_start, q_end, r_end], ...]}``.

    Parameters
    ----------
    path : path-like
    pairs : iterable of (str, str), optional
        The pairs that may occur. Needed where ids contain ``-``; keys of other pairs are then left
        out. Without it a key is split at its only ``-``.
    on_unknown : callable, optional
        Told every key that is left out.

    Raises
    ------
    EvaluationError
        Not such a file, a box that is not four finite numbers, one that ends before it starts, or
        two of the pairs have the same key.
    """
    content = _read_json(path)
    if not isinstance(content, dict):
        raise EvaluationError(
            "the file holds no object of pairs",
            file=path,
            remedy='write {"<query>-<reference>": [[q_start, r_start, q_end, r_end], ...]}',
        )
    known = None if pairs is None else _pairs_by_key(pairs, path)
    boxes: dict[Pair, Array] = {}
    for key, value in content.items():
        pair = _split_key(key, path) if known is None else known.get(key)
        if pair is not None:
            boxes[pair] = _box_array(value, key, path)
        elif on_unknown is not None:
            on_unknown(key)
    return boxes


def read_pair_list(path: StrPath) -> list[Pair]:
    """Read a list of pairs, each once.

    The columns are ``query_id`` and ``reference_id`` (VCSL) or ``ref_id`` (VSC).
    """
    text = read_text(path)  # once: it may be a pipe
    header = text.partition("\n")[0].split(",")
    name = "ref_id" if "ref_id" in [cell.strip() for cell in header] else "reference_id"
    table = CsvTable.parse(text, ("query_id", name), (), path)
    query_ids, ref_ids = table.ids("query_id"), table.ids(name)
    _check_unique(query_ids, ref_ids, table.place, file=path, remedy="list each pair once")
    return list(zip(query_ids, ref_ids, strict=True))


def read_query_sets(
    path: StrPath, pairs: Iterable[Pair], split: str = "test"
) -> dict[str, list[Pair]]:
    """Read VCSL query sets ``{"<split>": {query: ["<query>-<ref>", ...]}}`` of one split.

    Parameters
    ----------
    path : path-like
    pairs : iterable of (str, str)
        The pairs that may occur.
    split : str

    Raises
    ------
    EvaluationError
        Not such a file, it lacks the split, a pair is not among those that may occur, or two of
        these have the same key.
    """
    content = _read_json(path)
    splits = content if isinstance(content, dict) else {}
    sets = splits.get(split)
    if not isinstance(sets, dict):
        raise EvaluationError(
            f"the file has no query sets named {split!r}",
            file=path,
            remedy=f"its splits are {', '.join(splits)}"
            if splits
            else 'write {"<split>": {"<query>": ["<query>-<reference>", ...]}}',
        )
    known = _pairs_by_key(pairs, path)
    named: dict[str, list[Pair]] = {}
    for query, keys in sets.items():
        if not isinstance(keys, list):
            raise EvaluationError(
                f"the query set {query!r} is no list",
                file=path,
                remedy='a query set is ["<query>-<reference>", ...]',
            )
        unknown = [key for key in keys if not isinstance(key, str) or key not in known]
        if unknown:
            raise EvaluationError(
                f"query set {query!r}: the pair {unknown[0]!r} is not among those that are scored",
                file=path,
                remedy="add it to the list of pairs, or leave it out of the set",
            )
        named[query] = [known[key] for key in keys]
    return named


def _read_segments(path: StrPath, *, scored: bool, vsc_ids: bool) -> SegmentTable:
    table = CsvTable.parse(read_text(path), _IDS, (*_TIMES, "score") if scored else _TIMES, path)
    return _segments_of(table, scored=scored, vsc_ids=vsc_ids)


def _segments_of(table: CsvTable, *, scored: bool, vsc_ids: bool) -> SegmentTable:
    query_ids, ref_ids = _read_ids(table, vsc_ids=vsc_ids)
    numbers = table.numbers
    columns = (*_TIMES, "score") if scored else _TIMES
    _check_rows({name: numbers[name] for name in columns}, table.place, file=table.path)
    for axis in ("query", "ref"):
        start, end = numbers[f"{axis}_start"], numbers[f"{axis}_end"]
        _check_not_reversed(start, end, axis, table.place, file=table.path)
    return SegmentTable(
        query_ids=query_ids,
        ref_ids=ref_ids,
        query_times=np.stack([numbers["query_start"], numbers["query_end"]], axis=1),
        ref_times=np.stack([numbers["ref_start"], numbers["ref_end"]], axis=1),
        scores=numbers["score"] if scored else None,
    )


def _read_ids(table: CsvTable, *, vsc_ids: bool) -> tuple[list[str], list[str]]:
    query_ids, ref_ids = table.ids("query_id"), table.ids("ref_id")
    if not vsc_ids:
        return query_ids, ref_ids
    return _challenge_ids(table, "query_id", "Q"), _challenge_ids(table, "ref_id", "R")


def _challenge_ids(table: CsvTable, name: str, prefix: str) -> list[str]:
    ids = table.ids(name)
    if all(_WHOLE_NUMBER.fullmatch(i) for i in ids):
        return [f"{prefix}{int(i):06d}" for i in ids]
    for row, video_id in enumerate(ids):
        if not video_id.startswith(prefix):
            raise EvaluationError(
                f"{table.place(row)}: {name} is {video_id!r}, which does not begin with {prefix}",
                file=table.path,
                remedy="name the videos as the challenge does, or score without the VSC id rules",
            )
    return ids


def _check_rows(columns: Mapping[str, Array], place: Place, file: StrPath | None = None) -> None:
    for name, column in columns.items():
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            raise EvaluationError(
                f"{place(int(bad[0]))}: {name} is {column[bad[0]]}, not a finite number",
                file=file,
                remedy="write a finite number, or leave the row out",
            )


def _check_not_reversed(
    start: Array, end: Array, axis: str, place: Place, file: StrPath | None = None
) -> None:
    bad = np.flatnonzero(start > end)
    if len(bad):
        row = int(bad[0])
        raise EvaluationError(
            f"{place(row)}: {axis}_start {start[row]} is after {axis}_end {end[row]}",
            file=file,
            remedy="write the earlier time as start, also where a copy runs backwards",
        )


def _check_speed(speed: Array, place: Place, file: StrPath | None = None) -> None:
    bad = np.flatnonzero(~np.isfinite(speed) | (speed == 0))
    if len(bad):
        raise EvaluationError(
            f"{place(int(bad[0]))}: speed is {speed[bad[0]]}, no speed of a copy",
            file=file,
            remedy="write reference seconds per query second, negative where a copy runs backwards",
        )


def _check_unique(
    query_ids: Sequence[str],
    ref_ids: Sequence[str],
    place: Place,
    file: StrPath | None = None,
    remedy: str = "give each pair one score, its best",
) -> None:
    seen: set[Pair] = set()
    for row, pair in enumerate(zip(query_ids, ref_ids, strict=True)):
        if pair in seen:
            raise EvaluationError(
                f"{place(row)}: the pair {pair[0]}, {pair[1]} occurs a second time",
                file=file,
                remedy=remedy,
            )
        seen.add(pair)


def _check_metadata(
    video_ids: Sequence[str],
    columns: Mapping[str, Array],
    place: Place,
    file: StrPath | None = None,
) -> None:
    seen: set[str] = set()
    for row, video_id in enumerate(video_ids):
        if not video_id or video_id in seen:
            raise EvaluationError(
                f"{place(row)}: video_id {video_id!r} "
                + ("occurs a second time" if video_id else "is empty"),
                file=file,
                remedy="name each video once",
            )
        seen.add(video_id)
    _check_rows(columns, place, file)
    if columns and (columns["duration_sec"] < 0).any():
        row = int(np.argmax(columns["duration_sec"] < 0))
        raise EvaluationError(
            f"{place(row)}: duration_sec is negative",
            file=file,
            remedy="write the length of the video in seconds",
        )


def _set_ids_and_scores(table: SegmentTable | PairTable, n: int) -> None:
    for name in ("query_ids", "ref_ids"):
        ids = tuple(getattr(table, name))
        _check_shape(name, np.empty(len(ids)), (n,))
        if not all(ids):
            raise EvaluationError(f"{_row_place(ids.index(''))}: {name[:-1]} is empty")
        object.__setattr__(table, name, ids)
    if table.scores is not None:
        scores = np.asarray(table.scores, dtype=np.float64)
        _check_shape("scores", scores, (n,))
        object.__setattr__(table, "scores", scores)


def _check_shape(name: str, array: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise EvaluationError(f"{name} must have shape {shape}, got {array.shape}")


def _row_place(row: int) -> str:
    return f"row {row + 1}"


def _pairs_by_key(pairs: Iterable[Pair], path: StrPath) -> dict[str, Pair]:
    by_key: dict[str, Pair] = {}
    for pair in pairs:
        key = "-".join(pair)
        other = by_key.setdefault(key, pair)
        if other != pair:
            raise EvaluationError(
                f"the key {key!r} would stand for two pairs: {', '.join(other)} and "
                f"{', '.join(pair)}",
                file=path,
                remedy="rename a video, so that each pair has a key of its own",
            )
    return by_key


def _split_key(key: str, path: StrPath) -> Pair:
    query, dash, ref = key.partition("-")
    if not (query and dash and ref) or "-" in ref:
        raise EvaluationError(
            f"the key {key!r} cannot be split into a query and a reference",
            file=path,
            remedy="give the list of pairs, which tells where ids that contain '-' end",
        )
    return query, ref


def _box_array(value: object, key: str, path: StrPath) -> Array:
    problem = None
    try:
        boxes = np.asarray(value, dtype=np.float64).reshape(-1, 4)
    except OverflowError:
        problem = "a number is not finite"
    except (TypeError, ValueError):
        problem = "a box is not four numbers"
    else:
        if not np.isfinite(boxes).all():
            problem = "a number is not finite"
        elif (boxes[:, :2] > boxes[:, 2:]).any():
            problem = "a box ends before it starts"
        elif not isinstance(value, list) or not all(
            isinstance(b, list) and len(b) == 4 for b in value
        ):
            problem = "a box is not four numbers"
    if problem is not None:
        raise EvaluationError(
            f"pair {key!r}: {problem}",
            file=path,
            remedy="a box is [query_start, ref_start, query_end, ref_end]",
        )
    return boxes


def _read_json(path: StrPath) -> Any:
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise EvaluationError(
            f"not a JSON file: {error}", file=path, remedy="write it with a JSON library"
        ) from error


def read_text(path: StrPath) -> str:
    """Return a file of UTF-8 as text, unpacked where its name ends in ``.gz``, without a BOM.

    Raises
    ------
    EvaluationError
        It cannot be read or unpacked, or is not UTF-8.
    """
    try:
        data = Path(path).read_bytes()
        if Path(path).suffix == ".gz":
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EvaluationError(
            f"byte {error.start} is not UTF-8", file=path, remedy="save the file as UTF-8"
        ) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise EvaluationError(
            f"cannot be unpacked: {error}", file=path, remedy="fetch or pack the file anew"
        ) from error
    except OSError as error:
        raise EvaluationError(
            f"cannot be read: {error.strerror or error}",
            file=path,
            remedy="check the name and the access rights",
        ) from error


def _write_csv(path: StrPath, header: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    lines = [",".join(map(_quoted, row)) + "\n" for row in (header, *rows)]
    write_whole(path, "".join(lines).encode())


def _quoted(value: object) -> str:
    """Return a CSV cell; `csv.writer` would leave a lone carriage return bare."""
    cell = str(value)
    return '"' + cell.replace('"', '""') + '"' if _NEEDS_QUOTES.search(cell) else cell
