"""A similarity matrix as a picture: on an even grid of time, small enough to show, in colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vcd.records import FloatArray, SimilarityMatrix, TimeArray

__all__ = ["COLOURS", "HeatMap", "colourise", "heat_map"]

COLOURS = (
    "#0e0c1f",
    "#18234a",
    "#0e4073",
    "#05628b",
    "#0585a1",
    "#16a9b4",
    "#69c7be",
    "#ade2cf",
    "#ebf9ef",
)
"""Low to high; lightness rises in equal steps of OKLab, so no level stands out by its colour."""


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """Cells in [0, 1] on an even grid of time, and the seconds they span on both axes.

    `cells` has shape (rows, columns): row 0 is the start of the query, column 0 that of the
    reference. The spans are (start, end).
    """

    cells: FloatArray
    query_span: tuple[float, float]
    ref_span: tuple[float, float]


def heat_map(matrix: SimilarityMatrix, *, longest: int = 256) -> HeatMap | None:
    """Return a matrix as a heat map, or None where it is empty or spans no time.

    Where cells are joined the most similar one stays, so a thin diagonal remains visible.

    Parameters
    ----------
    matrix : SimilarityMatrix
    longest : int
        Most rows and columns.
    """
    if 0 in matrix.values.shape:
        return None
    query_span, ref_span = _span(matrix.query_times), _span(matrix.ref_times)
    if query_span[1] <= query_span[0] or ref_span[1] <= ref_span[0]:
        return None
    cells = _even(matrix.values, matrix.query_times, longest)
    cells = _even(cells.T, matrix.ref_times, longest).T
    return HeatMap(np.ascontiguousarray(np.clip(cells, 0, 1)), query_span, ref_span)


def colourise(cells: FloatArray, *, levels: int = 32) -> npt.NDArray[np.uint8]:
    """Return cells in [0, 1] as RGB pixels, shape (rows, columns, 3).

    Few levels keep a PNG of the pixels small; the eye does not tell more apart here.
    """
    anchors = np.array([list(bytes.fromhex(c[1:])) for c in COLOURS], dtype=np.float64)
    at = np.linspace(0, len(anchors) - 1, levels)
    channels = [np.interp(at, np.arange(len(anchors)), c) for c in anchors.T]
    table = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    pixels: npt.NDArray[np.uint8] = table[np.rint(cells * (levels - 1)).astype(np.intp)]
    return pixels


def _span(times: TimeArray) -> tuple[float, float]:
    return float(times[0, 0]), float(times[:, 1].max())


def _even(values: FloatArray, times: TimeArray, longest: int) -> FloatArray:
    """Bring rows at any times onto at most `longest` rows evenly spread over the time they span."""
    count = min(len(values), longest)
    start, end = _span(times)
    edges = np.linspace(start, end, count + 1)
    middles = times.mean(axis=1)
    first = np.searchsorted(middles, edges[:-1], side="left")
    last = np.searchsorted(middles, edges[1:], side="left")
    # a grid row that holds no middle shows the row before it
    first = np.clip(np.where(first == last, first - 1, first), 0, len(values) - 1)
    last = np.maximum(last, first + 1)
    rows = [values[a:b].max(axis=0) for a, b in zip(first, last, strict=True)]
    return np.stack(rows)
