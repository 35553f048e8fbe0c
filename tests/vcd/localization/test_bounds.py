"""From positions to seconds."""

import numpy as np
import pytest
from making import grid

from vcd.localization.bounds import TimeAxis, to_segment
from vcd.localization.lines import Line


def windows(n, length=2.0, hop=0.25):
    start = hop * np.arange(n)
    return np.stack((start, start + length), axis=1)


def segment_of(line, query, ref):
    s = to_segment(line, TimeAxis(query), TimeAxis(ref), 0.5, frozenset())
    return (s.query_start, s.query_end, s.ref_start, s.ref_end, s.speed)


def test_abutting_frames():
    axis = TimeAxis(grid(10, 0.5, start=3))
    assert axis.rate == pytest.approx(2)
    assert [axis.seconds(e) for e in (0, 1, 9.5, 10, 12)] == pytest.approx([3, 3.5, 7.75, 8, 8])
    assert axis.overhang == pytest.approx((0, 0))


def test_long_windows_inside_count_by_their_centres():
    line = Line(1, 5, 10, 19)
    expected = (10 * 0.25 + 0.875, 20 * 0.25 + 0.875, 15 * 0.25 + 0.875, 25 * 0.25 + 0.875, 1)
    assert segment_of(line, windows(40), windows(60)) == pytest.approx(expected)


def test_long_windows_at_the_border_reach_it_on_both_sides():
    q0, q1, r0, r1, _ = segment_of(Line(1, 5, 0, 39), windows(40), windows(60))
    assert (q0, r0) == pytest.approx((0, 1.25))
    assert (q1, r1) == pytest.approx((39 * 0.25 + 2, 44 * 0.25 + 2))


def test_backwards_at_the_border():
    q0, q1, r0, r1, speed = segment_of(Line(-1, 59, 0, 19), windows(40), windows(60))
    assert speed == pytest.approx(-1)
    assert (q0, r1) == pytest.approx((0, 59 * 0.25 + 2))
    assert q1 - q0 == pytest.approx(r1 - r0)


def test_rates_differ():
    found = segment_of(Line(2, 0, 5, 9), grid(10, 1), grid(40, 0.5))
    assert found == pytest.approx((5, 10, 4.75, 9.75, 1))


def test_gap_in_the_clock():
    times = grid(10, 1)
    times[5:] += 30
    axis = TimeAxis(times)
    assert axis.rate == pytest.approx(1)
    assert (axis.seconds(4), axis.seconds(6)) == pytest.approx((4, 36 - 0.0), abs=16)
    assert axis.seconds(10) == pytest.approx(40)


def test_single_position():
    axis = TimeAxis(grid(1, 2.0))
    assert (axis.seconds(0), axis.seconds(1)) == pytest.approx((0, 2))
