"""Which of many references are worth the localizer's time for one query.

All references lie one after the other on one grid of half seconds, with gaps between them. A query
is compared with all of it at once; what counts is the best run of three seconds along any of six
slopes, forwards or backwards, in the picture, the sound, and both added up. Sound counts with the
most alike of both as they are, and of either played faster. It ranks, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from vcd.descriptors import FASTER_VIEW
from vcd.engine import Engine
from vcd.integrations.threatexchange.comparing import CODE_TO_FULL, PreparedHash
from vcd.records import FloatArray, Stream, TimeArray
from vcd.similarity import PreparedTrack
from vcd.similarity.positions import nearest_positions

__all__ = ["Grid", "Shortlist", "lay_out"]

# Evidence of a run, of 15 at most, that any copy has: 145 made ones had 4.3 or more, 51 of sound
# at .8 or 1.25 of its speed, pitch and all, 11.3.
_WORTH = 4.0
_WORTH_OF_CODES = 0.5  # the same where codes are compared: their evidence is noisier
_STEP = 0.5  # seconds
_RUN = 6  # positions of the grid
_SLOPES = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
_GAP = round((_RUN - 1) * max(_SLOPES))  # positions, so that no run reaches the next reference
_OTHER_SLOPE = np.float32(0.94)  # what the localizer gives for other speeds than 1
_GAIN, _LEAST, _MOST = np.float32(2.5), np.float32(-1), np.float32(2.5)
_SCALE = np.float32(0.3)
_MEAN_LIMIT = 0.9
_BLOCK = 4096  # positions of references worked on at once, so that sums stay in the caches
_ROWS = 256  # of queries, likewise
_FASTER_SOUND = f"audio/{FASTER_VIEW}"
_LANES: Mapping[Stream, tuple[str, ...]] = {
    "visual": ("visual",),
    "audio": ("audio", _FASTER_SOUND),
}


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """One track of one video on the grid.

    `vectors` is int8 (n, d); `scale`, `mean` and `level` are float32 (n,): what makes unit rows of
    them, and what unrelated material reaches there. A scale of 0 says nothing.
    """

    vectors: npt.NDArray[np.int8]
    scale: FloatArray
    mean: FloatArray
    level: FloatArray


Grid = Mapping[str, Lane]  # by the key of the track


def lay_out(engine: Engine, given: PreparedHash) -> dict[str, Lane]:
    """Return a video on the grid, all lanes of one length.

    There is one for each stream of the engine, and one for the sound played faster.
    """
    tracks: dict[str, PreparedTrack] = dict(given.video.tracks.items())
    end = max((track.track.times.max() for track in tracks.values()), default=0.0)
    count = max(1, round(float(end) / _STEP))
    middles = np.arange(count, dtype=np.float64) * _STEP + _STEP / 2
    nothing = np.zeros(count, np.float32)
    if "audio" in tracks:
        tracks[_FASTER_SOUND] = _faster(tracks["audio"])
    return {
        key: _lane(tracks[key], middles, given.compact)
        if key in tracks
        else Lane(np.zeros((count, info.dimensions), np.int8), nothing, nothing, nothing)
        for stream, info in engine.models.items()
        for key in _LANES[stream]
    }


def _faster(sound: PreparedTrack) -> PreparedTrack:
    """Return the sound played faster, and as it is where nothing is known of that."""
    vectors = sound.vectors.copy()
    for rows, faster in sound.views:
        vectors[rows] = faster
    return replace(sound, track=replace(sound.track, vectors=vectors))


def _lane(prepared: PreparedTrack, middles: TimeArray, compact: bool) -> Lane:
    track = prepared.track
    own = track.times.mean(axis=1)
    at = nearest_positions(own, middles)
    half = np.maximum(np.diff(track.times[at], axis=1)[:, 0] / 2, _STEP)
    speaks = (track.weight[at] > 0) & (np.abs(own[at] - middles) <= half)
    vectors = track.quantised().vectors[at].astype(np.int8)
    length = np.linalg.norm(vectors.astype(np.float32), axis=1)
    scale = np.where(speaks, (CODE_TO_FULL if compact else 1) / np.maximum(length, 1), 0)
    mean = level = np.zeros(len(middles), np.float32)
    if prepared.background is not None:
        mean = np.clip(prepared.background.mean[at], -_MEAN_LIMIT, _MEAN_LIMIT)
        level = (prepared.background.top_mean[at] - mean) / (1 - mean)
    return Lane(vectors, scale.astype(np.float32), mean, level)


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

    def ranking(self, query: Grid, *, compact: bool) -> npt.NDArray[np.intp]:
        """Return the references worth a look, the most promising first.

        They are called by their number in the order of adding. `compact` says whether codes may
        be among what is compared.
        """
        blocks = [*self._blocks, *([_join(self._tail)] if self._tail else [])]
        runs = np.concatenate([np.zeros(0, np.float32), *(_best_runs(query, b) for b in blocks)])
        order = np.argsort(-runs, kind="stable")
        return order[runs[order] >= (_WORTH_OF_CODES if compact else _WORTH)]


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Lanes of some references one after the other; `starts` is where each begins.

    `gaps` are the positions behind each that belong to none; `lengths` counts its own.
    """

    starts: npt.NDArray[np.intp]
    lengths: npt.NDArray[np.intp]
    gaps: npt.NDArray[np.intp]
    lanes: Grid


def _length(grid: Grid) -> int:
    return len(next(iter(grid.values())).scale)


def _join(grids: list[Grid]) -> _Block:
    lengths = np.array([_length(grid) for grid in grids], np.intp)
    ends = np.cumsum(lengths + _GAP)
    lanes = {
        stream: Lane(
            *(
                np.concatenate([_with_gap(getattr(grid[stream], field.name)) for grid in grids])
                for field in fields(Lane)
            )
        )
        for stream in grids[0]
    }
    gaps = (ends[:, None] - 1 - np.arange(_GAP)).reshape(-1)
    return _Block(np.append(0, ends[:-1]), lengths, gaps, lanes)


def _with_gap(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate((rows, np.zeros((_GAP, *rows.shape[1:]), rows.dtype)))


def _best_runs(query: Grid, block: _Block) -> FloatArray:
    """Return the evidence of the best run in each reference of a block."""
    best = np.full(len(block.starts), -np.inf, np.float32)
    for top in range(0, _length(query), _ROWS):
        rows = slice(top, top + _ROWS + _RUN - 1)
        passes = [_excess(query, rows, block.lanes, stream) for stream in _LANES if stream in query]
        for excess in passes:
            excess[:, block.gaps] = _LEAST
        if len(passes) > 1:
            bounded = [np.clip(excess, -_MOST, _MOST) for excess in passes]
            passes.append(sum(bounded[1:], start=bounded[0]) * np.float32(0.5**0.5))
        for excess in passes:
            runs = _runs(excess)
            runs[block.gaps] = -np.inf
            np.maximum(best, np.maximum.reduceat(runs, block.starts), out=best)
    # What is too short for a run, as a still picture, loses nothing by that.
    lacking = _RUN - np.minimum(np.minimum(block.lengths, _length(query)), _RUN)
    best -= _LEAST * lacking.astype(np.float32)
    return best


def _excess(query: Grid, rows: slice, reference: Grid, stream: Stream) -> FloatArray:
    """Return by how much each cell exceeds what unrelated material reaches, shape (rows, m)."""
    q, r = query[stream], reference[stream]
    excess = _cosines(q, rows, r)
    for key in _LANES[stream][1:]:
        np.maximum(excess, _cosines(q, rows, reference[key]), out=excess)
        np.maximum(excess, _cosines(query[key], rows, r), out=excess)
    centre = (0.5 * q.mean[rows])[:, None] + 0.5 * r.mean
    excess -= centre
    excess /= np.subtract(1, centre, out=centre)
    excess -= (0.5 * q.level[rows])[:, None] + 0.5 * r.level
    excess *= (q.scale[rows] > 0)[:, None] / _SCALE
    excess *= r.scale > 0
    return excess


def _cosines(query: Lane, rows: slice, reference: Lane) -> FloatArray:
    ours = query.vectors[rows] * query.scale[rows, None]
    cosines: FloatArray = ours @ (reference.vectors * reference.scale[:, None]).T
    return cosines


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
                sums[:, max(m - shift, 0) :] += _LEAST
            else:
                sums[:, -shift:] += cells[:, :shift]
                sums[:, :-shift] += _LEAST
        highest = sums.max(axis=0)
        np.maximum(best, highest if abs(slope) == 1 else highest * _OTHER_SLOPE, out=best)
    return best
