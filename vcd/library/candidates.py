"""Near positions become candidates: the videos whose hits agree in time, the best first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from vcd.library.index import NOTHING, Ids, keys_of, seconds_of
from vcd.records import FloatArray
from vcd.similarity import UNKNOWN_LEVEL, PreparedTrack

__all__ = ["Candidate", "Hits", "evidence_of_hits", "is_promising", "rank"]

Reals = npt.NDArray[np.float64]

_SCALE = 0.3  # centred similarity above chance that counts as full evidence, as in similarity
_BIN = 1.0  # seconds of offset that count as one
_SPEEDS = np.array([sign * 2.0 ** (step / 4) for sign in (1, -1) for step in range(-4, 5)])
_SHIFTS = (0.0, 0.5)  # bins of two grids, as a line may lie on the edge of one
_LOOKED_AT = 96  # videos whose hits are brought in order, at least
_PER_CANDIDATE = 3  # the same, for each candidate asked for
_LEAST_VOTES = 1.5  # seconds; of 292 made copies that comparing finds, 290 had as many
_LEAST_SHARE = 0.15  # of the shorter video, where that is less: a still gathers next to nothing


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What one stream of a query found.

    Parameters
    ----------
    moments : ndarray of int, shape (n,)
        Positions of the query's track; views of one moment share one.
    times : ndarray of float64, shape (n,)
        The middle of each, in seconds.
    seconds : ndarray of float64, shape (n,)
        What each of them stands for.
    ids : ndarray of int64, shape (n, k)
        Positions of the index, as `vcd.library.index.pack` makes them.
    evidence : ndarray of float32, shape (n, k)
        How much each speaks for a copy, in [0, 1].
    """

    moments: npt.NDArray[np.intp]
    times: Reals
    seconds: Reals
    ids: Ids
    evidence: FloatArray


@dataclass(frozen=True, slots=True)
class Candidate:
    """A video that may share something with a query.

    `votes` is the evidence that agrees in time, in seconds of full evidence. There the reference
    shows at ``speed * t + offset`` what the query shows at t.
    """

    key: int
    votes: float
    offset: float
    speed: float


def is_promising(candidate: Candidate, shorter: float, min_length: float = math.inf) -> bool:
    """Whether so many hits agree that comparing may find a copy.

    Parameters
    ----------
    candidate : Candidate
    shorter : float
        Duration of the shorter one of both videos, in seconds.
    min_length : float
        Of the copies that are wanted, in seconds.
    """
    return candidate.votes >= min(_LEAST_VOTES, min_length, _LEAST_SHARE * shorter)


def evidence_of_hits(
    track: PreparedTrack, rows: npt.NDArray[np.intp], cosines: FloatArray
) -> FloatArray:
    """Return how much hits of some positions of a query speak for a copy, in [0, 1].

    What unrelated content reaches is known for the query's side alone and taken for both.

    Parameters
    ----------
    track : PreparedTrack
    rows : ndarray of int, shape (n,)
        Positions of the track.
    cosines : ndarray of float32, shape (n, k)
    """
    mean, level = np.zeros(len(rows), np.float32), np.full(len(rows), UNKNOWN_LEVEL, np.float32)
    if track.background is not None:
        mean = np.clip(track.background.mean[rows], -0.9, 0.9)
        level = (track.background.top_mean[rows] - mean) / (1 - mean)
    centred = (cosines - mean[:, None]) / (1 - mean[:, None])
    excess = (centred - level[:, None]) * (track.track.weight[rows, None] / np.float32(_SCALE))
    return np.clip(excess, 0, 1)


def rank(hits: Sequence[Hits], count: int) -> list[Candidate]:
    """Return the videos whose hits agree best in time, over both streams, the best first.

    All hits vote for the lines of time they may lie on: for each speed from 0.5 to 2, forwards and
    backwards, the offset. A moment of the query votes once for each line. Pictures and sounds share
    one clock, and vote for the same lines.
    """
    found = _flat(hits)
    if not len(found.ids):
        return []
    # Few videos gather enough to be looked at: the best hit of each moment, whenever it is.
    names, video = np.unique(keys_of(found.ids), return_inverse=True)
    owners, gathered = _gathered(video, found)
    looked_at = max(_LOOKED_AT, _PER_CANDIDATE * count)
    if len(owners) > looked_at:
        enough = gathered >= np.partition(gathered, -looked_at)[-looked_at]
        kept = enough[video]
        found, video = found.only(kept), video[kept]
    variants = [(speed, shift) for speed in _SPEEDS.tolist() for shift in _SHIFTS]
    lines = [_best_lines(video, found, speed, shift) for speed, shift in variants]
    of_video, votes, offset = (np.concatenate(column) for column in zip(*lines, strict=True))
    variant = np.repeat(np.arange(len(variants)), [len(line[0]) for line in lines])
    order = np.lexsort((variant, of_video, -votes))
    first = np.sort(np.unique(of_video[order], return_index=True)[1])[:count]
    return [
        Candidate(
            key=int(names[of_video[place]]),
            votes=float(votes[place]),
            offset=float(offset[place]),
            speed=variants[variant[place]][0],
        )
        for place in order[first]
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Flat:
    """The hits of all streams that speak, one a place: moments of all streams have own numbers."""

    moments: Ids
    times: Reals
    ids: Ids
    votes: Reals

    def only(self, kept: npt.NDArray[np.bool_]) -> _Flat:
        return _Flat(self.moments[kept], self.times[kept], self.ids[kept], self.votes[kept])


def _flat(hits: Sequence[Hits]) -> _Flat:
    nothing = np.zeros(0)
    parts = [_Flat(nothing.astype(np.int64), nothing, nothing.astype(np.int64), nothing)]
    first = 0
    for one in hits:
        place, column = np.nonzero((one.evidence > 0) & (one.ids != NOTHING))
        votes = one.evidence[place, column].astype(np.float64) * one.seconds[place]
        moments = one.moments[place] + first
        parts.append(_Flat(moments, one.times[place], one.ids[place, column], votes))
        first += int(one.moments.max(initial=-1)) + 1
    return _Flat(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(_Flat)))


def _gathered(group: Ids, found: _Flat) -> tuple[Ids, Reals]:
    """Return the groups, and the sum of votes of each; a moment gives each its best vote only."""
    moments = int(found.moments.max()) + 1
    code = group * moments + found.moments
    order = np.argsort(code)
    first = _beginnings(code[order])
    best = np.maximum.reduceat(found.votes[order], first)
    owner = code[order][first] // moments
    begins = _beginnings(owner)
    return owner[begins], np.add.reduceat(best, begins)


def _beginnings(ordered: Ids) -> npt.NDArray[np.intp]:
    """Return where each run of one number begins."""
    return np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))


def _best_lines(video: Ids, found: _Flat, speed: float, shift: float) -> tuple[Ids, Reals, Reals]:
    """Return each video with the votes and the offset of its best line, among those of a speed."""
    places = (seconds_of(found.ids) - speed * found.times) / _BIN + shift
    bins = np.floor(places).astype(np.int64)
    low = int(bins.min())
    span = int(bins.max()) - low + 1
    line, votes = _gathered(video * span + (bins - low), found)
    owner = line // span
    order = np.lexsort((-votes, owner))
    best = order[_beginnings(owner[order])]
    offset = (line[best] % span + low).astype(np.float64) + 0.5 - shift
    return owner[best], votes[best], offset * np.float64(_BIN)
