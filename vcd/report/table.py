"""Matches as a table for a person at a terminal: one line a segment, pairs kept together."""

from __future__ import annotations

from typing import TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vcd.errors import VcdError
from vcd.records import Segment
from vcd.report.views import PairView
from vcd.report.wording import clock, percent, shorten, stream_words
from vcd.report.writers import ResultWriter

__all__ = ["NOTHING_FOUND", "TableWriter"]

NOTHING_FOUND = "no copies found"

_NAMES = ("query", "reference")
_FACTS = ("prob.", "query time", "reference time", "speed", "streams")
_LEAST_NAME = 10
_UNLIMITED = 10_000  # columns of a file, where nothing need be shortened
_UNSURE = "?"
_UNSURE_REMARK = "? unsure: look at it yourself"
_GAP = 2  # one of padding, one of the line between columns


class TableWriter(ResultWriter):
    """Collects matches and writes the table on `close`.

    Parameters
    ----------
    stream : text stream
    width : int, optional
        Columns; those of the terminal where left out, and unlimited where there is none.
    """

    def __init__(self, stream: TextIO, *, width: int | None = None) -> None:
        super().__init__(stream)
        self._width = width
        self._pairs: list[PairView] = []
        self._failed = 0

    def write_match(self, pair: PairView) -> None:
        """Keep one match."""
        self._pairs.append(pair)

    def write_error(self, error: VcdError) -> None:
        """Count one failed input."""
        self._failed += 1

    def close(self) -> None:
        """Write the table, or that nothing was found."""
        console = Console(file=self.stream, width=self._width, highlight=False, soft_wrap=True)
        if self._width is None and not console.is_terminal:
            console.width = _UNLIMITED
        if self._pairs:
            table = _table(self._pairs, console.width)
            # a table wider than the terminal is wrapped by the terminal, never cut by rich
            console.width = max(console.width, _UNLIMITED)
            console.print(table)
            if any(_is_unsure(pair, s) for pair in self._pairs for s in pair.match.segments):
                console.print(Text(_UNSURE_REMARK, style="yellow"))
        else:
            console.print(Text(NOTHING_FOUND))
        if self._failed:
            inputs = "input" if self._failed == 1 else "inputs"
            console.print(Text(f"{self._failed} {inputs} failed", style="yellow"))


def _table(pairs: list[PairView], width: int) -> Table:
    cells = [(pair, [_cells(pair, s) for s in pair.match.segments]) for pair in pairs]
    rows = [_FACTS, *(row for _, rows in cells for row in rows)]
    fixed = sum(max(cell_len(row[i]) for row in rows) for i in range(len(_FACTS)))
    space = width - fixed - (len(_FACTS) + 1) * _GAP
    query_width, ref_width = _share(
        max(space, 2 * _LEAST_NAME),
        max(cell_len(name) for name in (_NAMES[0], *(pair.query.name for pair in pairs))),
        max(cell_len(name) for name in (_NAMES[1], *(pair.reference.name for pair in pairs))),
    )
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    for name in _NAMES:
        table.add_column(name, no_wrap=True)
    for name in _FACTS:
        table.add_column(name, no_wrap=True, justify="left" if name == "streams" else "right")
    for pair, segments in cells:
        names = (
            shorten(pair.query.name, query_width, cell_len),
            shorten(pair.reference.name, ref_width, cell_len),
        )
        for i, row in enumerate(segments or [(percent(pair.match.score), "", "", "", "")]):
            table.add_row(*(Text(cell) for cell in (("", "") if i else names) + row))
    return table


def _is_unsure(pair: PairView, segment: Segment) -> bool:
    return pair.is_sure(segment.score) is False


def _cells(pair: PairView, segment: Segment) -> tuple[str, str, str, str, str]:
    return (
        percent(segment.score) + (_UNSURE if _is_unsure(pair, segment) else ""),
        f"{clock(segment.query_start)}–{clock(segment.query_end)}",
        f"{clock(segment.ref_start)}–{clock(segment.ref_end)}",
        f"{segment.speed:.2f}×",
        _streams(segment),
    )


def _streams(segment: Segment) -> str:
    words = stream_words(segment)
    return "both" if len(words) > 1 else "".join(words)


def _share(space: int, first: int, second: int) -> tuple[int, int]:
    """Divide space between two names: each gets what it needs, at most half where both are long."""
    if first + second <= space:
        return first, second
    half = space // 2
    if first <= half:
        return first, space - first
    if second <= half:
        return space - second, second
    return half, space - half
