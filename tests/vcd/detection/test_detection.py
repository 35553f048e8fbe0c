"""Segments of several passes become one match without repeats."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import grid

from vcd.detection import Calibration, Detector, join_pieces, merge_segments
from vcd.detection.merging import overlap
from vcd.detection.testimony import mean_evidence, speaking_streams
from vcd.errors import ContractError
from vcd.records import Segment, SimilarityMatrix


def segment(start=0.0, length=10.0, ref=0.0, score=0.9, streams=("visual",), speed=1.0):
    return Segment(start, start + length, ref, ref + length, score, frozenset(streams), speed)


def test_same_copy_seen_and_heard_is_one_segment():
    seen, heard = segment(score=0.8), segment(0.5, score=0.9, ref=0.4, streams=("audio",))
    assert merge_segments([seen, heard]) == [heard]


def matrix(excess, stream):
    excess = np.asarray(excess, np.float32)
    n, m = excess.shape
    return SimilarityMatrix(excess / 4, grid(n, 1), grid(m, 1), stream, excess=excess)


def test_streams_are_those_with_evidence_along_the_line():
    seen = matrix(np.eye(12) * 2 - 1, "visual")
    heard = matrix(-np.ones((12, 12)), "audio")
    both = segment(streams=("visual", "audio"))
    assert speaking_streams(both, {"visual": seen, "audio": heard}) == {"visual"}
    assert speaking_streams(both, {"visual": seen, "audio": seen}) == {"visual", "audio"}
    assert speaking_streams(both, {"visual": heard}) == {"visual", "audio"}
    silent = matrix(np.zeros((12, 12)), "audio")
    assert speaking_streams(both, {"visual": seen, "audio": silent}) == {"visual"}


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0, -1.0, -2.0])
def test_mean_evidence_follows_the_line(speed):
    excess = np.full((10, 40), -1.0)
    line = np.arange(10) * abs(speed)
    columns = (line if speed > 0 else line[::-1]).round().astype(int)
    excess[np.arange(10), columns + 4] = 1
    found = Segment(0, 10, 4, 4 + 10 * abs(speed), 0.5, speed=speed)
    assert mean_evidence(found, matrix(excess, "visual")) > 0.3
    away = Segment(0, 10, 15, 15 + 10 * abs(speed), 0.5, speed=speed)
    assert mean_evidence(away, matrix(excess, "visual")) == -1


def test_segment_between_positions_has_no_evidence():
    assert mean_evidence(segment(0.1, 0.2), matrix(np.eye(3), "visual")) == 0


def test_sound_moved_against_the_picture_stays_two_segments():
    assert len(merge_segments([segment(), segment(ref=30, streams=("audio",))])) == 2


def test_reversed_copy_is_another_one():
    assert len(merge_segments([segment(), segment(speed=-1.0)])) == 2


@given(st.permutations([segment(i, 10, i % 3, 0.5 + i / 100) for i in range(0, 40, 4)]))
def test_merging_does_not_depend_on_order(segments):
    usual = merge_segments([segment(i, 10, i % 3, 0.5 + i / 100) for i in range(0, 40, 4)])
    assert merge_segments(segments) == usual


@given(st.floats(0, 20), st.floats(0.1, 20), st.floats(0, 20), st.floats(0.1, 20))
def test_overlap_is_symmetric_and_bounded(a, la, b, lb):
    first, second = segment(a, la, b), segment(b, lb, a)
    assert 0 <= overlap(first, second) <= 1 + 1e-9
    assert overlap(first, second) == overlap(second, first)


def test_threshold_and_length_decide():
    passes = {"visual": [segment(0, 2.4), segment(20, 10, score=0.4), segment(50, 10, score=0.6)]}
    match = Detector(threshold=0.5, min_length=2.5).detect("q", "r", passes, {})
    assert [s.query_start for s in match.segments] == [50]
    assert match.score == 0.6
    assert Detector(threshold=0.7).detect("q", "r", passes, {}) is None
    assert Detector().detect("q", "r", {}, {}) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 1.5}, "threshold"),
        ({"threshold": math.nan}, "threshold"),
        ({"min_length": -1}, "min_length"),
    ],
)
def test_detector_refuses(settings, message):
    with pytest.raises(ContractError, match=message):
        Detector(**settings)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.1, 3), st.floats(-3, 3))
def test_calibration_keeps_order_and_range(a, b, slope, intercept):
    calibration = Calibration(slope, intercept)
    assert 0 <= calibration(a) <= 1
    if a <= b:
        assert calibration(a) <= calibration(b)


@given(st.floats(1e-6, 1 - 1e-6))
def test_default_calibration_changes_nothing(p):
    assert Calibration()(p) == pytest.approx(p)


def test_calibration_is_read_from_the_manifest():
    assert Calibration.from_mapping({}) == Calibration()
    assert Calibration.from_mapping({"slope": 2, "intercept": -1}) == Calibration(2.0, -1.0)
    with pytest.raises(ContractError, match="positive slope"):
        Calibration.from_mapping({"slope": -1})


def test_pieces_of_one_copy_become_one():
    first, second = segment(0, 240, 100, 0.8), segment(220, 200, 320.4, 0.95, ("audio",))
    apart = segment(230, 50, 500)
    (joined, other) = join_pieces([second, apart, first])
    assert (joined.query_start, joined.query_end) == (0, 420)
    assert (joined.ref_start, joined.ref_end) == (100, 520.4)
    assert joined.score == 0.95
    assert joined.streams == {"visual", "audio"}
    assert joined.speed == pytest.approx(420.4 / 420)
    assert other == apart


def test_pieces_that_run_backwards_are_joined_in_order():
    first, second = segment(0, 50, 200, speed=-1.0), segment(45, 60, 145, speed=-1.0)
    (joined,) = join_pieces([first, second])
    assert (joined.query_start, joined.query_end, joined.speed) == (0, 105, -1.0)
    assert (joined.ref_start, joined.ref_end) == (145, 250)


@pytest.mark.parametrize(
    "other",
    [
        segment(12, 10, 12),  # a gap of two seconds
        segment(10, 10, 13),  # the line moved
        segment(10, 10, 10, speed=-1.0),
    ],
)
def test_what_does_not_continue_stays_apart(other):
    assert join_pieces([segment(), other]) == [segment(), other]


def test_a_change_of_speed_is_no_straight_line():
    slow = Segment(98, 130, 98, 114, 0.9, frozenset({"visual"}), 0.5)
    assert join_pieces([segment(0, 100, 0), slow]) == [segment(0, 100, 0), slow]
