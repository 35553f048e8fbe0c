"""A coarse similarity matrix of two long tracks, made piece by piece, for a first look.

The matrix of the single positions of two films never exists as a whole: an hour of sound against an
hour of sound has 200 million cells.
"""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np

from vcd.records import FloatArray, SimilarityMatrix, TimeArray, Track
from vcd.similarity.background import BackgroundStatistics
from vcd.similarity.cosine import PreparedTrack, cosine_matrix
from vcd.similarity.evidence import normalise

__all__ = ["is_long", "overview", "pooled_matrix"]

_LONG_CELLS = 4_000_000
"""Cells from which a pair is looked at in two steps: 16 minutes of picture, 8 of sound, squared."""

_OVERVIEW_CELLS = 1_000_000
_CELLS_AT_ONCE = 200_000
_SILENT = np.float32(-1)


def is_long(query: PreparedTrack, reference: PreparedTrack) -> bool:
    """Whether the matrix of two tracks is too large to be made as a whole."""
    return len(query.track) * len(reference.track) > _LONG_CELLS


def overview(query: PreparedTrack, reference: PreparedTrack) -> SimilarityMatrix:
    """Return the pooled matrix of two tracks with about a million cells, to be looked at."""
    cells = len(query.track) * len(reference.track)
    step = math.ceil((cells / _OVERVIEW_CELLS) ** 0.5)
    return pooled_matrix(query, reference, step, step)


def pooled_matrix(
    query: PreparedTrack, reference: PreparedTrack, rows: int, columns: int
) -> SimilarityMatrix:
    """Return the normalised matrix of groups of positions that follow each other.

    A cell is the highest cosine of any position of one group with any of the other; silent
    positions take no part.

    Parameters
    ----------
    query, reference : PreparedTrack
        n and m positions.
    rows, columns : int
        Positions in a group of either side; the last group may have fewer.

    Returns
    -------
    SimilarityMatrix
        Shape (ceil(n / rows), ceil(m / columns)); a group spans from the start of its first
        position to the end of its last.

    Raises
    ------
    DescriptorError
        The tracks come from different streams or models.
    """
    q, r = query.track, reference.track
    pooled = np.full((-(-len(q) // rows), -(-len(r) // columns)), _SILENT)
    # The k-th positions of all groups together: such matrices lie on each other cell by cell.
    parts = [reference.at(slice(start, None, columns)) for start in range(columns)]
    step = max(1, _CELLS_AT_ONCE // max(1, pooled.shape[1]))
    for top in range(0, len(pooled), step):
        for start in range(top * rows, (top + 1) * rows):
            lines = query.at(slice(start, (top + step) * rows, rows))
            for others in parts:
                cells = cosine_matrix(lines, others).values
                best = pooled[top : top + len(cells), : cells.shape[1]]
                speaking = (lines.track.weight > 0)[:, None] & (others.track.weight > 0)
                np.maximum(best, cells, out=best, where=speaking)
    coarse = SimilarityMatrix(pooled, _times(q, rows), _times(r, columns), q.stream)
    return normalise(
        coarse,
        query_background=_statistics(query.background, rows),
        ref_background=_statistics(reference.background, columns),
        query_weight=_highest(q.weight, rows),
        ref_weight=_highest(r.weight, columns),
    )


def _times(track: Track, step: int) -> TimeArray:
    starts = np.arange(0, len(track), step)
    ends = np.minimum(starts + step, len(track)) - 1
    return np.stack((track.times[starts, 0], track.times[ends, 1]), axis=1)


def _highest(values: FloatArray, step: int) -> FloatArray:
    return np.maximum.reduceat(values, np.arange(0, len(values), step))


def _statistics(background: BackgroundStatistics | None, step: int) -> BackgroundStatistics | None:
    """Return the highest of each number in each group: the best of many is what a cell holds."""
    if background is None:
        return None
    return BackgroundStatistics(
        *(_highest(getattr(background, field.name), step) for field in fields(background))
    )
