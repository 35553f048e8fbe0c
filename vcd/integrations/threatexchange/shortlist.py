"""Which of many references are worth the localizer's time for one query.

All references lie one after the other on one grid of half seconds. A query is compared with all of
it at once; what counts is the best run of three seconds along any of six slopes, forwards or
backwards, in the picture, the sound, and both added up. It ranks, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from vcd.descriptors import load_background
from vcd.engine import Engine
from vcd.integrations.threatexchange.comparing import CODE_TO_FULL
from vcd.integrations.threatexchange.hashes import VideoHash
from vcd.records import FloatArray, Stream, TimeArray, Track
from vcd.similarity import background_statistics
from vcd.similarity.positions import nearest_positions

__all__ = ["Grid", "Shortlist", "lay_out"]

_STEP = 0.5  # seconds
_RUN = 6  # positions of the grid
_SLOPES = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
_OTHER_SLOPE = np.float32(0.94)  # what the localizer gives for other speeds than 1
_GAIN, _LEAST, _MOST = np.float32(2.5), np.float32(-1), np.float32(2.5)
_SCALE = np.float32(0.3)
_MEAN_LIMIT = 0.9
_BLOCK = 4096  # positions of references worked on at once, so that sums stay in the caches
_ROWS = 256  # of queries, likewise


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """One stream of one video on the grid.

    `vectors` is int8 (n, d); `scale`, `mean` and `level` are float32 (n,): what makes unit rows of
    them, and what unrelated material reaches there. A scale of 0 says nothing.
    """

    vectors: npt.NDArray[np.int8]
    scale: FloatArray
    mean: FloatArray
    level: FloatArray


Grid = Mapping[Stream, Lane]


def lay_out(engine: Engine, given: VideoHash) -> dict[Stream, Lane]:
    """Return a video on the grid, one lane a stream of the engine, all of one length."""
    end = max((t.times.max() for t in given.descriptor.tracks.values() if len(t)), default=0.0)
    count = max(1, round(float(end) / _STEP))
    middles = np.arange(count, dtype=np.float64) * _STEP + _STEP / 2
    lanes: dict[Stream, Lane] = {}
    for stream in engine.streams:
        dimensions = engine.models[stream].dimensions
        track = given.descriptor.tracks.get(stream)
        if track is None or not len(track):
            nothing = np.zeros(len(middles), np.float32)
            vectors = np.zeros((len(middles), dimensions), np.int8)
            lanes[stream] = Lane(vectors, nothing, nothing, nothing)
        else:
            background = load_background(engine.models[stream])
            lanes[stream] = _lane(track, middles, background, given.compact)
    return lanes


def _lane(track: Track, middles: TimeArray, background: FloatArray | None, compact: bool) -> Lane:
    own = track.times.mean(axis=1)
    at = nearest_positions(own, middles)
    half = np.maximum(np.diff(track.times[at], axis=1)[:, 0] / 2, _STEP)
    speaks = (track.weight[at] > 0) & (np.abs(own[at] - middles) <= half)
    vectors = track.quantised().vectors[at].astype(np.int8)
    length = np.linalg.norm(vectors.astype(np.float32), axis=1)
    factor = np.float32(CODE_TO_FULL if compact else 1)
    scale = np.where(speaks, factor / np.maximum(length, 1), 0).astype(np.float32)
    mean = level = np.zeros(len(middles), np.float32)
    if background is not None:
        statistics = background_statistics(track.unit_vectors(), background)
        mean = np.clip(statistics.mean[at] * factor, -_MEAN_LIMIT, _MEAN_LIMIT)
        level = (statistics.top_mean[at] * factor - mean) / (1 - mean)
    return Lane(vectors, scale, mean, level)


class Shortlist:
    """The lanes of many references, and how near each of them is to a query."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._tail: list[Grid] = []

    def add(self, grid: Grid) -> None:
        """Add a reference."""
        self._tail.append(grid)
        if sum(_length(tail) for tail in self._tail) >= _BLOCK:
            self._blocks.append(_join(self._tail))
            self._tail = []

    def ranking(self, query: Grid) -> npt.NDArray[np.intp]:
        """Return the numbers of all references, in order of adding, the most promising first."""
        blocks = [*self._blocks, *([_join(self._tail)] if self._tail else [])]
        if not blocks:
            return np.zeros(0, np.intp)
        return np.argsort(-np.concatenate([_best_runs(query, b) for b in blocks]), kind="stable")


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Lanes of some references one after the other; `starts` is where each begins."""

    starts: npt.NDArray[np.intp]
    lanes: Grid


def _length(grid: Grid) -> int:
    return len(next(iter(grid.values())).scale)


def _join(grids: list[Grid]) -> _Block:
    starts = np.cumsum([0, *map(_length, grids[:-1])])
    lanes = {
        stream: Lane(
            *(
                np.concatenate([getattr(grid[stream], field.name) for grid in grids])
                for field in fields(Lane)
            )
        )
        for stream in grids[0]
    }
    return _Block(starts, lanes)


def _best_runs(query: Grid, block: _Block) -> FloatArray:
    """Return the evidence of the best run in each reference of a block."""
    best = np.full(len(block.starts), -np.inf, np.float32)
    for top in range(0, _length(query), _ROWS):
        rows = slice(top, top + _ROWS + _RUN - 1)
        passes = [_excess(lane, rows, block.lanes[stream]) for stream, lane in query.items()]
        if len(passes) > 1:
            bounded = [np.clip(excess, -_MOST, _MOST) for excess in passes]
            passes.append(sum(bounded[1:], start=bounded[0]) * np.float32(0.5**0.5))
        for excess in passes:
            np.maximum(best, np.maximum.reduceat(_runs(excess), block.starts), out=best)
    return best


def _excess(query: Lane, rows: slice, reference: Lane) -> FloatArray:
    """Return by how much each cell exceeds what unrelated material reaches, shape (rows, m)."""
    q = query.vectors[rows] * query.scale[rows, None]
    excess: FloatArray = q @ (reference.vectors * reference.scale[:, None]).T
    centre = (0.5 * query.mean[rows])[:, None] + 0.5 * reference.mean
    excess -= centre
    excess /= np.subtract(1, centre, out=centre)
    excess -= (0.5 * query.level[rows])[:, None] + 0.5 * reference.level
    excess *= (query.scale[rows] > 0)[:, None] / _SCALE
    excess *= reference.scale > 0
    return excess


def _runs(excess: FloatArray) -> FloatArray:
    """Return the largest sum of evidence of a run that begins in each column, shape (m,)."""
    excess *= _GAIN
    evidence = np.clip(excess, _LEAST, _MOST, out=excess)
    wide = evidence.copy()  # a run may pass beside its line
    np.maximum(wide[:, 1:], evidence[:, :-1], out=wide[:, 1:])
    np.maximum(wide[:, :-1], evidence[:, 1:], out=wide[:, :-1])
    n, m = evidence.shape
    run = min(_RUN, n)
    best = np.full(m, -np.inf, np.float32)
    for slope in _SLOPES:
        sums = evidence[: n - run + 1].copy()
        for k in range(1, run):
            shift = round(k * slope)
            cells = wide[k : k + n - run + 1]
            if shift >= 0:
                sums[:, : max(m - shift, 0)] += cells[:, shift:]
            else:
                sums[:, -shift:] += cells[:, :shift]
        highest = sums.max(axis=0)
        np.maximum(best, highest if abs(slope) == 1 else highest * _OTHER_SLOPE, out=best)
    return best
