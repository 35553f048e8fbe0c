"""The sampling rule alone."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcd.media.sampling import IntervalPicker, interval_count, is_picked


def run(times, end, rate):
    picker = IntervalPicker(rate)
    picks = []
    for i, time in enumerate(times):
        picks += picker.offer(time, i)
    return picks + picker.finish(end)


def test_middle_of_the_interval():
    picks = run([i / 30 for i in range(90)], 3.0, 1)
    assert [p.item for p in picks] == [15, 45, 75]
    assert [(p.start, p.end) for p in picks] == [(0, 1), (1, 2), (2, 3)]


def test_equally_near_takes_the_earlier():
    assert [p.item for p in run([0.2, 0.3], 0.5, 2)] == [0]
    assert [p.item for p in run([0.2003, 0.2998], 0.5, 2)] == [0]  # times rounded to milliseconds


def test_what_stands_on_the_screen():
    picks = run([0.0, 0.1, 3.2], 5.0, 1)
    assert [p.item for p in picks] == [1, 1, 1, 2, 2]
    assert [p.time for p in picks] == [0.1, 0.1, 0.1, 3.2, 3.2]


def test_nothing_before_the_first_frame():
    picks = run([2.6, 2.7], 2.8, 1)
    assert [(p.start, p.end, p.item) for p in picks] == [(2.0, 2.8, 0)]


def test_the_last_interval_ends_with_the_picture():
    assert run([0.0], 0.04, 1)[-1].end == 0.04
    assert len(run([0.0, 0.9], 1.0004, 1)) == 1  # a sliver is no interval of its own
    assert run([0.0, 0.9], 1.0004, 1)[-1].end == 1.0004


def test_frames_out_of_order_are_ignored():
    assert [p.item for p in run([0.0, 0.5, 0.4, 0.5, 0.9], 1.0, 1)] == [1]


def test_no_frame():
    assert run([], 3.0, 1) == []


@pytest.mark.parametrize(
    ("end", "rate", "count"),
    [(0, 1, 0), (-1, 1, 0), (1e-4, 1, 1), (1, 1, 1), (1.001, 1, 1), (1.01, 1, 2), (2, 1000, 2000)],
)
def test_interval_count(end, rate, count):
    assert interval_count(end, rate) == count


steps = st.lists(st.integers(1, 3000), min_size=1, max_size=60)
rates = st.sampled_from([0.25, 0.5, 1, 2, 3, 7.5, 25])


@given(steps, st.integers(0, 5000), st.integers(1, 4000), rates)
def test_intervals_are_whole_and_in_order(steps, first, last, rate):
    times = [(first + t) / 1000 for t in itertools.accumulate([0, *steps])]
    end = times[-1] + last / 1000
    picks = run(times, end, rate)
    assert picks[0].start <= times[0] + 1e-6
    for one, two in itertools.pairwise(picks):
        assert one.end == pytest.approx(two.start)
        assert one.start < one.end
        assert one.item <= two.item
    assert picks[-1].end == pytest.approx(end)
    for pick in picks:
        inside = [t for t in times if pick.start - 1e-6 <= t < pick.start + 1 / rate - 1e-6]
        if inside:
            middle = pick.start + 0.5 / rate
            best = min(abs(t - middle) for t in inside)
            assert abs(pick.time - middle) <= best + 0.06 * max(1e-3, 1 / rate)
        else:
            assert pick.time == max(t for t in times if t < pick.start + 1e-6)


@given(steps, st.integers(0, 5000), st.integers(1, 4000), rates)
def test_a_frame_is_known_by_its_neighbours(steps, first, last, rate):
    times = [(first + t) / 1000 for t in itertools.accumulate([0, *steps])]
    end = times[-1] + last / 1000
    around = zip([None, *times], times, [*times[1:], None], strict=False)
    known = {t for before, t, after in around if is_picked(before, t, after, rate, end)}
    assert known == {pick.time for pick in run(times, end, rate)}
