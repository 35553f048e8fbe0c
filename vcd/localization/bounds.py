"""Turn a line of positions into a segment of seconds."""

from __future__ import annotations

import numpy as np

from vcd.localization.board import median
from vcd.localization.lines import Line
from vcd.records import Segment, Stream, TimeArray

__all__ = ["TimeAxis", "to_segment"]

_LEAST_SPACING = 1e-6  # seconds; below, positions are as good as at one moment


class TimeAxis:
    """The positions of one side of a matrix on the clock of its file.

    Parameters
    ----------
    times : ndarray of float64, shape (n, 2)
        Start and end of each position, n at least 1; they may overlap or leave gaps.

    Attributes
    ----------
    rate : float
        Positions per second, from the median spacing.
    positions : int
    start, end : float
        Seconds.
    """

    def __init__(self, times: TimeArray) -> None:
        centres = times.mean(axis=1)
        steps = np.diff(centres)
        steps = steps[steps > 0]
        spacing = median(steps) if len(steps) else float(times[0, 1] - times[0, 0])
        if spacing < _LEAST_SPACING:
            spacing = 1.0
        self.rate = 1 / spacing
        self.start, self.end = float(times[0, 0]), float(times[:, 1].max())
        self.positions = len(times)
        self._centres = centres
        self._half = spacing / 2

    @property
    def overhang(self) -> tuple[float, float]:
        """Seconds that the first and the last position reach out beyond half a spacing."""
        before = self._centres[0] - self._half - self.start
        after = self.end - self._centres[-1] - self._half
        return max(0.0, float(before)), max(0.0, float(after))

    def seconds(self, edge: float) -> float:
        """Return the time of an edge; position i spans edges i to i + 1."""
        last = len(self._centres) - 1
        position = edge - 0.5
        inner = min(max(position, 0.0), float(last))
        time = float(np.interp(inner, np.arange(last + 1), self._centres))
        return min(max(time + (position - inner) / self.rate, self.start), self.end)


def to_segment(
    line: Line, query: TimeAxis, ref: TimeAxis, score: float, streams: frozenset[Stream]
) -> Segment:
    """Return the segment of a line.

    Where positions are windows longer than their spacing (audio), a line that begins with the first
    position of a side begins with the file, and so on both sides; likewise at the end.
    """
    first, last, low, high = line.box
    speed = line.slope * query.rate / ref.rate
    q0, q1 = query.seconds(first), query.seconds(last)
    r0, r1 = ref.seconds(low), ref.seconds(high)
    backward = speed < 0
    n, m = query.positions, ref.positions
    at_start = (first == 0, high >= m - 0.5 if backward else low <= 0.5)
    at_end = (last == n, low <= 0.5 if backward else high >= m - 0.5)
    ref_over = ref.overhang[::-1] if backward else ref.overhang
    more = [
        max(query.overhang[k] * at[0], ref_over[k] / abs(speed) * at[1])
        for k, at in enumerate((at_start, at_end))
    ]
    more_low, more_high = more[::-1] if backward else more
    return Segment(
        query_start=max(q0 - more[0], query.start),
        query_end=min(q1 + more[1], query.end),
        ref_start=max(r0 - more_low * abs(speed), ref.start),
        ref_end=min(r1 + more_high * abs(speed), ref.end),
        score=score,
        streams=streams,
        speed=speed,
    )
