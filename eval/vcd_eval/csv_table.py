"""CSV text with a header in, its wanted columns out; every mistake with the line it stands on."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError

if TYPE_CHECKING:
    from _csv import Reader

__all__ = ["CsvTable"]

StrPath = str | os.PathLike[str]
Array = npt.NDArray[np.float64]

_ROWS_AT_ONCE = 10_000  # cells live as text no longer than that


@dataclass(frozen=True, slots=True, eq=False)
class CsvTable:
    """Columns of one file by name, each with n entries, and the line (from 1) of each row.

    `texts` are as written; a text that occurs again is the same object, so that a million rows
    hold no more ids than there are videos. `numbers` are float64, perhaps not finite.
    """

    path: StrPath
    texts: dict[str, list[str]]
    numbers: dict[str, Array]
    lines: npt.NDArray[np.int64]

    @classmethod
    def parse(
        cls, text: str, texts: Sequence[str], numbers: Sequence[str], path: StrPath
    ) -> CsvTable:
        """Read the named columns; others, and blank lines, are passed over.

        Raises
        ------
        EvaluationError
            A column is missing or named twice, rows differ in length, a cell of `numbers` is no
            number, or the text is no CSV.
        """
        reader = csv.reader(_lines(text), strict=True)
        found: dict[str, list[str]] = {name: [] for name in texts}
        seen: dict[str, dict[str, str]] = {name: {} for name in texts}
        parts: dict[str, list[Array]] = {name: [] for name in numbers}
        lines: list[npt.NDArray[np.int64]] = []
        try:
            header = next(reader, None)
            position = _find_columns(header, (*texts, *numbers), path)
            width = len(header or ())
            for rows, at in _blocks(reader):
                cells = _turned(rows, at, width, path)
                for name, known in seen.items():
                    column = cells[position[name]]
                    found[name].extend(map(known.setdefault, column, column))
                for name, values in parts.items():
                    values.append(_numbers(cells[position[name]], name, at, path))
                lines.append(np.array(at))
        except csv.Error as error:
            raise EvaluationError(
                f"line {reader.line_num} is not CSV: {error}",
                file=path,
                remedy="put cells that hold a comma or a line break in quotes, and double quotes "
                "within them",
            ) from error
        nothing = [np.zeros(0)]
        joined = {name: np.concatenate(nothing + values) for name, values in parts.items()}
        return cls(path, found, joined, np.concatenate([np.zeros(0, np.int64), *lines]))

    def place(self, row: int) -> str:
        """Return where a row stands, for a message."""
        return f"line {self.lines[row]}"

    def flags(self, name: str) -> npt.NDArray[np.bool_]:
        """Return a column of numbers, which must all be 0 or 1, as booleans."""
        values = self.numbers[name]
        bad = np.flatnonzero((values != 0) & (values != 1))
        if len(bad):
            row = int(bad[0])
            raise EvaluationError(
                f"{self.place(row)}: {name} is {values[row]:g}, neither 0 nor 1",
                file=self.path,
                remedy="write 1 where that half was copied, else 0",
            )
        return values.astype(np.bool_)

    def ids(self, name: str) -> list[str]:
        """Return a column of texts, none of which may be empty."""
        cells = self.texts[name]
        if not all(cells):
            raise EvaluationError(
                f"{self.place(cells.index(''))}: {name} is empty",
                file=self.path,
                remedy="name the video",
            )
        return cells


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text with their ends, without a copy of the whole."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _blocks(reader: Reader) -> Iterator[tuple[list[list[str]], list[int]]]:
    """Yield rows that are not blank, some at a time, and the line on which each ends."""
    rows: list[list[str]] = []
    at: list[int] = []
    for row in reader:
        if row:
            rows.append(row)
            at.append(reader.line_num)
            if len(rows) == _ROWS_AT_ONCE:
                yield rows, at
                rows, at = [], []
    if rows:
        yield rows, at


def _turned(
    rows: list[list[str]], at: Sequence[int], width: int, path: StrPath
) -> list[tuple[str, ...]]:
    """Return columns of cells; every row must have as many as the header."""
    if {*map(len, rows)} != {width}:
        bad = next(number for number, row in enumerate(rows) if len(row) != width)
        raise EvaluationError(
            f"line {at[bad]} has {len(rows[bad])} cells, the header has {width}",
            file=path,
            remedy="give every row a cell for each column",
        )
    return list(zip(*rows, strict=True))


def _numbers(cells: Sequence[str], name: str, at: Sequence[int], path: StrPath) -> Array:
    try:
        if "_" in "".join(cells):  # Python reads 1_0 as 10
            raise ValueError
        return np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        bad = next(number for number, cell in enumerate(cells) if not _is_number(cell))
        raise EvaluationError(
            f"line {at[bad]}: {name} is {cells[bad]!r}, not a number",
            file=path,
            remedy="write a finite number, or leave the row out",
        ) from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _find_columns(
    header: Sequence[str] | None, wanted: Sequence[str], path: StrPath
) -> dict[str, int]:
    if not header:
        raise EvaluationError(
            "the file is empty and has no header",
            file=path,
            remedy=f"begin it with the line {','.join(wanted)}",
        )
    names = [cell.strip() for cell in header]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise EvaluationError(
            f"no column {', '.join(missing)}; the header names {', '.join(names)}",
            file=path,
            remedy=f"the columns needed are {','.join(wanted)}",
        )
    twice = [name for name in wanted if names.count(name) > 1]
    if twice:
        raise EvaluationError(
            f"the header names {', '.join(twice)} more than once",
            file=path,
            remedy="keep one of them",
        )
    return {name: names.index(name) for name in wanted}
