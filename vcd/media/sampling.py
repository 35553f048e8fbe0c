"""The sampling rule: which frame stands for which interval of a file. Pure; every decoder uses it.

See `vcd.media.decoder` for the rule in words. Two frames that are equally far from the middle of an
interval, to within a twentieth of their distance from each other, count as equal and the earlier
one is taken: containers round times, and the choice must not hang on the rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["IntervalPicker", "Pick", "interval_count", "interval_of", "is_picked"]

T = TypeVar("T")

_ROUNDING = 1e-6  # intervals: a time this little before an interval begins belongs to it
_SLIVER = 2e-3  # seconds: an end this little inside an interval does not reach it
_TIE = 0.05  # of the distance between two frames


@dataclass(frozen=True, slots=True)
class Pick(Generic[T]):
    """An interval in seconds, the time of the frame that stands for it, and the frame."""

    start: float
    end: float
    time: float
    item: T


def interval_of(time: float, rate: float) -> int:
    """Return the index of the interval that a frame at `time` seconds begins in."""
    return math.floor(time * rate + _ROUNDING)


def interval_count(end: float, rate: float) -> int:
    """Return how many intervals a picture reaches that ends at `end` seconds.

    Examples
    --------
    >>> interval_count(2.5, 1.0), interval_count(3.0, 1.0), interval_count(3.0004, 1.0)
    (3, 3, 3)
    """
    if end <= 0:
        return 0
    sliver = min(_SLIVER, 0.25 / rate)
    return max(1, math.ceil((end - sliver) * rate - _ROUNDING))


def _nearer(later: float, earlier: float, middle: float) -> bool:
    """Say whether the later of two times is clearly nearer the middle."""
    gain = abs(earlier - middle) - abs(later - middle)
    return gain > _TIE * (later - earlier)


def is_picked(
    before: float | None,
    time: float,
    after: float | None,
    rate: float,
    end: float | None = None,
) -> bool:
    """Say whether the frame at `time` stands for any interval, given its neighbours in time.

    Parameters
    ----------
    before, after : float or None
        Seconds at which the neighbouring frames are presented; None where there is none.
    time : float
        Seconds at which the frame is presented.
    rate : float
        Intervals a second.
    end : float, optional
        Seconds at which the picture ends; matters where `after` is None.
    """
    k = interval_of(time, rate)
    if after is not None:
        through = interval_of(after, rate) > k + 1
        beaten = interval_of(after, rate) == k and _nearer(after, time, (k + 0.5) / rate)
    else:
        through = end is None or interval_count(end, rate) > k + 1
        beaten = False
    if through:
        return True  # it stands on the screen through a whole interval
    if beaten:
        return False
    return (
        before is None or interval_of(before, rate) < k or _nearer(time, before, (k + 0.5) / rate)
    )


class IntervalPicker(Generic[T]):
    """Apply the sampling rule to a stream of frames.

    Parameters
    ----------
    rate : float
        Intervals a second.

    Notes
    -----
    Holds at most two frames at a time, however long the stream.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._current = -1  # interval of the last frame offered
        self._best: tuple[float, T] | None = None
        self._standing: tuple[float, T] | None = None

    @property
    def last_time(self) -> float | None:
        """Seconds at which the last frame offered is presented."""
        return None if self._standing is None else self._standing[0]

    def offer(self, time: float, item: T) -> list[Pick[T]]:
        """Take the next frame in order of presentation; return the intervals now decided.

        A frame that is not later than the one before is ignored.
        """
        if self._standing is not None and time <= self._standing[0]:
            return []
        k = interval_of(time, self._rate)
        picks: list[Pick[T]] = []
        if k > self._current:
            picks = self._close(k)
            self._current, self._best = k, (time, item)
        elif self._best is None or _nearer(time, self._best[0], (k + 0.5) / self._rate):
            self._best = (time, item)
        self._standing = (time, item)
        return picks

    def finish(self, end: float) -> list[Pick[T]]:
        """End the picture at `end` seconds; return the intervals still open."""
        if self._standing is None:
            return []
        end = max(end, self._standing[0])
        picks = self._close(max(interval_count(end, self._rate), self._current + 1))
        last = picks[-1]
        picks[-1] = Pick(last.start, max(end, last.start), last.time, last.item)
        self._best = self._standing = None
        return picks

    def _close(self, until: int) -> list[Pick[T]]:
        """Return the picks of the intervals from the current one up to, without, `until`."""
        if self._best is None or self._standing is None:
            return []
        picks = []
        for k in range(self._current, until):
            time, item = self._best if k == self._current else self._standing
            picks.append(Pick(k / self._rate, (k + 1) / self._rate, time, item))
        return picks
