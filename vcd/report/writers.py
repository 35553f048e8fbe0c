"""Matches written one by one in a format chosen by name, from a table to an editor's time line."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TextIO, get_args

from vcd.encoding import write_whole
from vcd.errors import ContractError, PathLike, VcdError, display_name
from vcd.report.views import PairView, query_coverage, ref_coverage

__all__ = [
    "CSV_COLUMNS",
    "FORMATS",
    "CsvWriter",
    "Format",
    "JsonLinesWriter",
    "JsonWriter",
    "ResultWriter",
    "error_record",
    "make_writer",
    "match_record",
    "whole_file",
    "write_results",
]

Format = Literal["table", "jsonl", "json", "csv", "otio", "edl"]
FORMATS: tuple[Format, ...] = get_args(Format)

CSV_COLUMNS = (
    "query_id",
    "ref_id",
    "query_start",
    "query_end",
    "ref_start",
    "ref_end",
    "score",
)
"""Column order of the VSC matching track."""

_TIME_DIGITS = 3
_SCORE_DIGITS = 6


class ResultWriter(ABC):
    """Takes matches and failures as they come; `close` ends the output.

    A writer never closes the stream it writes to. As a context manager it closes itself where no
    error passes through.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    @abstractmethod
    def write_match(self, pair: PairView) -> None:
        """Take one match."""

    def write_error(self, error: VcdError) -> None:  # noqa: B027 - a choice, not a duty
        """Take one failed input; formats without a place for it leave it out."""

    def close(self) -> None:  # noqa: B027 - a choice, not a duty
        """Write what was kept back."""

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()


class JsonLinesWriter(ResultWriter):
    """One JSON object a line, written at once and flushed, so that a reader can follow."""

    def write_match(self, pair: PairView) -> None:
        """Write one match."""
        self._write(match_record(pair))

    def write_error(self, error: VcdError) -> None:
        """Write one failed input."""
        self._write(error_record(error))

    def _write(self, record: dict[str, Any]) -> None:
        self.stream.write(_json(record) + "\n")
        self.stream.flush()


class JsonWriter(ResultWriter):
    """One JSON object: ``{"matches": [...], "errors": [...]}``, written on `close`."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._parts: dict[str, list[dict[str, Any]]] = {"matches": [], "errors": []}

    def write_match(self, pair: PairView) -> None:
        """Keep one match."""
        self._parts["matches"].append(match_record(pair))

    def write_error(self, error: VcdError) -> None:
        """Keep one failed input."""
        self._parts["errors"].append(error_record(error))

    def close(self) -> None:
        """Write all."""
        self.stream.write(_json(self._parts, indent=2) + "\n")


class CsvWriter(ResultWriter):
    """One row a segment, in the column order of the VSC matching track; ids as in the match."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._rows = csv.writer(stream, lineterminator="\n")
        self._rows.writerow(CSV_COLUMNS)

    def write_match(self, pair: PairView) -> None:
        """Write one row a segment."""
        match = pair.match
        ids = [display_name(match.query_id), display_name(match.ref_id)]
        for s in match.segments:
            times = (s.query_start, s.query_end, s.ref_start, s.ref_end)
            self._rows.writerow(
                [*ids, *(f"{_time(t):.{_TIME_DIGITS}f}" for t in times), f"{s.score:.6f}"]
            )


def make_writer(name: str, stream: TextIO, *, width: int | None = None) -> ResultWriter:
    """Return a writer of a format.

    Parameters
    ----------
    name : {"table", "jsonl", "json", "csv", "otio", "edl"}
    stream : text stream
        Written to, never closed.
    width : int, optional
        Columns of the table; those of the terminal where left out.

    Raises
    ------
    ContractError
        The format is unknown.
    MissingExtraError
        It needs an extra that is not installed.
    """
    if name == "table":
        from vcd.report.table import TableWriter

        return TableWriter(stream, width=width)
    if name in ("otio", "edl"):
        from vcd.report.editing import EdlWriter, OtioWriter

        return OtioWriter(stream) if name == "otio" else EdlWriter(stream)
    plain: dict[str, Callable[[TextIO], ResultWriter]] = {
        "jsonl": JsonLinesWriter,
        "json": JsonWriter,
        "csv": CsvWriter,
    }
    if name not in plain:
        raise ContractError(
            f"unknown format {name!r}", remedy=f"choose one of {', '.join(FORMATS)}"
        )
    return plain[name](stream)


@contextmanager
def whole_file(path: PathLike) -> Iterator[TextIO]:
    """Give a text stream whose content becomes the file at the end: whole or not at all.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    stream = io.StringIO(newline="")
    yield stream
    write_whole(path, stream.getvalue().encode())


def write_results(
    path: PathLike, name: str, pairs: Iterable[PairView], failures: Iterable[VcdError] = ()
) -> None:
    """Write a whole run to a file in a format of `make_writer`.

    Raises
    ------
    OutputError
        The file cannot be written.
    ContractError
        The format is unknown.
    """
    with whole_file(path) as stream, make_writer(name, stream) as writer:
        for pair in pairs:
            writer.write_match(pair)
        for failure in failures:
            writer.write_error(failure)


def match_record(pair: PairView) -> dict[str, Any]:
    """Return the JSON object of a match: times in seconds, coverages as shares of the video."""
    record = pair.match.to_dict()
    return {
        "query": pair.query.name,
        "reference": pair.reference.name,
        "score": record["score"],
        "sure": pair.is_sure(pair.match.score),
        "query_coverage": _score(query_coverage(pair.match, pair.query.duration)),
        "ref_coverage": _score(ref_coverage(pair.match, pair.reference.duration)),
        "segments": record["segments"],
    }


def error_record(error: VcdError) -> dict[str, Any]:
    """Return the JSON object of a failed input; `file` is null where no file is concerned."""
    return {"error": error.problem, "file": error.file, "remedy": error.remedy}


def _time(seconds: float) -> float:
    return round(float(seconds), _TIME_DIGITS) + 0.0  # + 0.0 turns -0.0 into 0.0


def _score(value: float) -> float:
    return round(float(value), _SCORE_DIGITS) + 0.0


def _json(value: Any, *, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
