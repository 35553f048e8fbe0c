"""Where two long videos are worth a close look: windows around the lines of coarse matrices.

A pair of windows is then compared as any two short videos are, so that nothing that was fitted on
short ones changes its meaning.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from vcd.errors import ContractError
from vcd.localization.board import Board
from vcd.localization.bounds import TimeAxis, to_segment
from vcd.localization.lines import Line, LineSearch
from vcd.records import Segment, SimilarityMatrix, Stream
from vcd.similarity import PreparedTrack, pooled_matrix

__all__ = ["Window", "coarse_windows", "find_windows"]

_COARSE_RATE = 1.0  # groups a second; at half of it a tenth of the copies is lost
_TILE = 3600  # groups of each side that are looked at together: an hour, and always as many
_TILE_OVERLAP = 30

_SPEEDS = 9
_LEAST_EVIDENCE = 5.0
_ROUNDS = 3  # a diagonal gives one line a round
_NEAR = 2.0  # positions around a line's box that tell of the same copy
_EXPLAINED = np.float32(-1)

_MARGIN = 20.0
_LEAST_SIDE = 60.0  # a smaller matrix tells too little of what chance reaches
_LONGEST = 240.0
_FEWEST = 60
_OVERLAP = 20.0  # shared by neighbouring windows of one copy, so that its pieces can be joined
_WORTH = 1.2  # two windows become one where it is no larger than this times the larger
_LARGEST_JOINED = 320.0


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the query and a stretch of the reference, in seconds, half-open."""

    query_start: float
    query_end: float
    ref_start: float
    ref_end: float

    @property
    def area(self) -> float:
        """Square seconds."""
        return (self.query_end - self.query_start) * (self.ref_end - self.ref_start)

    def with_other(self, other: Window) -> Window:
        """Return the smallest window that holds both."""
        return Window(
            min(self.query_start, other.query_start),
            max(self.query_end, other.query_end),
            min(self.ref_start, other.ref_start),
            max(self.ref_end, other.ref_end),
        )


def find_windows(
    query: Mapping[Stream, PreparedTrack], reference: Mapping[Stream, PreparedTrack]
) -> list[Window]:
    """Return windows in which two long videos may share something, by picture or by sound.

    Memory is that of an hour against an hour at one position a second, however long they are.

    Parameters
    ----------
    query, reference : mapping of stream to PreparedTrack
    """
    found: list[Window] = []
    for stream in sorted(query.keys() & reference.keys()):
        steps = _step(query[stream]), _step(reference[stream])
        for rows in _tiles(query[stream], steps[0]):
            for columns in _tiles(reference[stream], steps[1]):
                found += coarse_windows(pooled_matrix(rows, columns, *steps))
    return _joined(found)


def coarse_windows(matrix: SimilarityMatrix) -> list[Window]:
    """Return windows around all lines of a coarse matrix that might be copies.

    A line of many minutes gives several windows that overlap along it.

    Parameters
    ----------
    matrix : SimilarityMatrix
        Normalised, about one position a second.
    """
    if matrix.excess is None:
        raise ContractError("this matrix holds plain cosines and no evidence")
    if matrix.excess.size == 0:
        return []
    query, ref = TimeAxis(matrix.query_times), TimeAxis(matrix.ref_times)
    speeds = 2.0 ** np.linspace(-1, 1, _SPEEDS)
    slopes = np.concatenate((speeds, -speeds)) * (ref.rate / query.rate)
    evidence = Board(matrix.excess).evidence
    found: list[Window] = []
    for _ in range(_ROUNDS):
        search = LineSearch(evidence, slopes, np.ones(len(slopes)))
        lines = _apart(search.strong(_LEAST_EVIDENCE))
        for line in lines:
            segment = to_segment(line, query, ref, 0.0, frozenset())
            found += [_around(piece) for piece in _pieces(segment, len(line.rows))]
            evidence[_box(line, evidence.shape[1])] = _EXPLAINED
        if not lines:
            break
    return found


def _step(track: PreparedTrack) -> int:
    """Return how many positions make a group."""
    return max(1, round(TimeAxis(track.track.times).rate / _COARSE_RATE))


def _tiles(track: PreparedTrack, step: int) -> Iterator[PreparedTrack]:
    """Cut a track by its positions: their times may be anything."""
    for first in range(0, len(track.track), _TILE * step):
        yield track.at(slice(first, first + (_TILE + _TILE_OVERLAP) * step))


def _apart(lines: Iterable[Line]) -> list[Line]:
    """Keep the lines whose middle lies in the box of none that came before."""
    kept: list[Line] = []
    boxes = np.empty((0, 4))
    for line in lines:
        first, last, low, high = line.box
        row, column = (first + last) / 2, (low + high) / 2
        inside = (
            (boxes[:, 0] <= row)
            & (row <= boxes[:, 1])
            & (boxes[:, 2] <= column)
            & (column <= boxes[:, 3])
        )
        if not inside.any():
            kept.append(line)
            near = (first - _NEAR, last + _NEAR, low - _NEAR, high + _NEAR)
            boxes = np.concatenate((boxes, np.array([near])))
    return kept


def _box(line: Line, columns: int) -> tuple[slice, slice]:
    _, _, low, high = line.box
    first, last = max(0, math.floor(low)), min(columns, math.ceil(high))
    return slice(line.first, line.last + 1), slice(first, last)


def _pieces(segment: Segment, rows: int) -> list[Window]:
    """Cut a segment into boxes along its line, each at most `_LONGEST` seconds of the query.

    Boxes of fewer than `_FEWEST` of the rows are longer instead: rows may lie far apart.
    """
    length = segment.query_end - segment.query_start
    if not length:  # all its positions lie at one moment
        return []
    count = max(1, math.ceil((length - _OVERLAP) / (_LONGEST - _OVERLAP)))
    count = min(count, math.ceil(rows / _FEWEST))
    stride = (length - _OVERLAP) / count if count > 1 else length
    pieces = []
    for k in range(count):
        start = k * stride
        end = min(start + stride + _OVERLAP, length)
        shares = [start / length, end / length]
        if segment.speed < 0:
            shares = [1 - share for share in reversed(shares)]
        span = segment.ref_end - segment.ref_start
        pieces.append(
            Window(
                segment.query_start + start,
                segment.query_start + end,
                segment.ref_start + shares[0] * span,
                segment.ref_start + shares[1] * span,
            )
        )
    return pieces


def _around(window: Window) -> Window:
    """Return the window with its margins, not smaller than a matrix needs to be."""
    query = max(_MARGIN, (_LEAST_SIDE - (window.query_end - window.query_start)) / 2)
    ref = max(_MARGIN, (_LEAST_SIDE - (window.ref_end - window.ref_start)) / 2)
    return Window(
        window.query_start - query,
        window.query_end + query,
        window.ref_start - ref,
        window.ref_end + ref,
    )


def _joined(windows: Iterable[Window]) -> list[Window]:
    """Join windows that cost no more as one, in the order of the query."""
    joined: list[Window] = []
    for window in sorted(windows, key=lambda w: (-w.area, w.query_start, w.ref_start)):
        grown = window
        while near := [other for other in joined if _cheaper_together(grown, other)]:
            joined.remove(near[0])
            grown = grown.with_other(near[0])
        joined.append(grown)
    return sorted(joined, key=lambda w: (w.query_start, w.ref_start))


def _cheaper_together(first: Window, second: Window) -> bool:
    both = first.with_other(second)
    if both.area <= _WORTH * max(first.area, second.area):
        return True
    sides = both.query_end - both.query_start, both.ref_end - both.ref_start
    return max(sides) <= _LARGEST_JOINED and both.area <= first.area + second.area
