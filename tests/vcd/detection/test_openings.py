import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcd.detection import Detector
from vcd.detection.openings import as_opening, is_opening
from vcd.records import Segment


def segment(query, ref, *, score=0.9, speed=1.0):
    return Segment(*query, *ref, score=score, streams=frozenset({"visual"}), speed=speed)


@pytest.mark.parametrize(
    ("query", "ref", "speed", "opens"),
    [
        ((0, 3.5), (0.5, 4), 1.0, True),  # both begin alike and go on
        ((56, 60), (86, 90), 1.0, True),  # both end alike
        ((0, 59.5), (0, 59.5), 1.0, False),  # all of the query
        ((0, 3.5), (40, 43.5), 1.0, False),  # a place of its own in the reference
        ((20, 23.5), (0, 3.5), 1.0, False),
        ((0, 3), (0, 6), 2.0, False),  # nobody plays an intro at twice its speed
        ((0, 3), (0, 3), -1.0, False),
        ((0, 4), (86, 90), 1.0, False),  # begins the one and ends the other
    ],
)
def test_an_opening_is_shared_by_both_ends_alone(query, ref, speed, opens):
    assert is_opening(segment(query, ref, speed=speed), (60.0, 90.0)) is opens


@given(st.floats(0, 1))
def test_an_opening_is_less_probable_and_never_out_of_range(score):
    lowered = as_opening(segment((0, 3), (0, 3), score=score)).score
    assert 0 <= lowered <= score + 1e-9


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_order_is_kept(a, b):
    scores = [as_opening(segment((0, 3), (0, 3), score=s)).score for s in sorted((a, b))]
    assert scores[0] <= scores[1]


def test_the_detector_weighs_openings_where_it_knows_durations():
    passes = {"fused": [segment((0, 3.5), (0, 3.5)), segment((20, 30), (5, 15), score=0.7)]}
    known = Detector().detect("q", "r", passes, {}, durations=(60.0, 90.0))
    assert [s.query_start for s in known.segments] == [20]
    assert known.score == pytest.approx(0.7)
    assert Detector().detect("q", "r", passes, {}).score == pytest.approx(0.9)
    whole = Detector().detect("q", "r", {"fused": passes["fused"][:1]}, {}, durations=(4.0, 90.0))
    assert whole.score == pytest.approx(0.9)
