import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import make_track

import vcd
from vcd.detection import Detector
from vcd.detection.openings import as_opening, is_opening
from vcd.records import Segment, VideoDescriptor

SPANS = ((0.0, 60.0), (0.0, 90.0))


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
    assert is_opening(segment(query, ref, speed=speed), [], SPANS) is opens


def test_what_another_pass_tells_of_the_same_copy_counts():
    late = segment((1.5, 10), (1.5, 10))
    assert not is_opening(late, [], SPANS)
    assert is_opening(late, [segment((0.5, 10), (0.5, 10))], SPANS)
    whole = segment((0, 59.5), (0, 59.5))
    assert not is_opening(whole, [segment((0, 3.5), (0, 3.5))], SPANS)


def test_a_video_that_ends_in_black_and_silence_is_used_up_before():
    assert is_opening(segment((0, 10), (0, 10)), [], ((0.0, 13.0), (0.0, 90.0)))
    assert not is_opening(segment((0, 10), (0, 10)), [], ((0.0, 10.5), (0.0, 90.0)))
    assert not is_opening(segment((3, 13), (3, 13)), [], ((3.0, 13.0), (3.0, 90.0)))


@given(st.floats(0.001, 0.999))
def test_odds_of_an_opening_are_a_thirtieth(score):
    lowered = as_opening(segment((0, 3), (0, 3), score=score)).score
    assert lowered / (1 - lowered) * 30 == pytest.approx(score / (1 - score), rel=1e-6)


def test_certainty_and_impossibility_stay_in_range():
    assert as_opening(segment((0, 3), (0, 3), score=0.0)).score == 0
    assert 0.99 < as_opening(segment((0, 3), (0, 3), score=1.0)).score <= 1


def test_the_detector_weighs_openings_where_it_knows_spans():
    passes = {
        "visual": [segment((0, 3.5), (0, 3.5), score=0.8)],
        "fused": [segment((1.5, 4.5), (1.5, 4.5)), segment((20, 30), (5, 15), score=0.7)],
    }
    known = Detector().detect("q", "r", passes, {}, spans=SPANS)
    assert [s.query_start for s in known.segments] == [20]
    assert known.score == pytest.approx(0.7)
    assert Detector().detect("q", "r", passes, {}).score == pytest.approx(0.9)
    used_up = ((0.0, 4.6), (0.0, 90.0))
    assert Detector().detect("q", "r", passes, {}, spans=used_up).score == pytest.approx(0.9)


def test_the_engine_tells_from_when_to_when_there_is_something_to_see():
    engine = vcd.Engine(streams=["visual"])
    info = engine.models["visual"]
    weight = np.ones(20, np.float32)
    weight[:3] = weight[-5:] = 0
    track = make_track(20, info.dimensions, model=info.id, weight=weight)
    video = engine.prepare(VideoDescriptor("v", 60.0, {"visual": track}))
    (first, last), _ = engine.spans(video, video)
    assert (first, last) == (track.times[3, 0], track.times[14, 1])
    assert vcd.Engine(streams=["visual"], localizer=engine.localizer).spans(video, video) is None
