"""A still picture is found where a video shows it."""

import numpy as np
import pytest

from vcd.errors import ContractError
from vcd.localization import LineLocalizer, Localizer, StillLocalizer, is_still
from vcd.records import SimilarityMatrix

STILL = np.array([[0.0, 0.5]])


def times(count):
    return np.stack((np.arange(count), np.arange(count) + 1), axis=1) / 2


def matrix(along, *, upright=False):
    excess = np.asarray(along, np.float32)[None, :]
    video = times(excess.shape[1])
    if upright:
        return SimilarityMatrix(excess.T, video, STILL, "visual", excess.T.copy())
    return SimilarityMatrix(excess, STILL, video, "visual", excess)


def test_a_shot_that_shows_the_still_is_one_segment():
    [segment] = StillLocalizer().localize(matrix([-0.5, -0.4, 0.8, 1.2, 0.9, 0.1, -0.5]))
    assert (segment.query_start, segment.query_end) == (0.0, 0.5)
    assert (segment.ref_start, segment.ref_end) == (1.0, 2.5)
    assert segment.score > 0.5
    assert segment.streams == {"visual"}


def test_a_video_without_frames_shows_nothing():
    assert StillLocalizer().localize(matrix([])) == []


def test_the_side_of_the_still_does_not_matter():
    along = [-0.5, 1.2, 1.2, -0.5]
    [segment] = StillLocalizer().localize(matrix(along, upright=True))
    assert (segment.query_start, segment.query_end) == (0.5, 1.5)
    assert (segment.ref_start, segment.ref_end) == (0.0, 0.5)


def test_every_time_it_is_shown_is_found_the_best_first():
    found = StillLocalizer().localize(matrix([0.9, -1, -1, 1.5, -1, -1, 0.7]))
    assert [s.ref_start for s in found] == [1.5, 0.0, 3.0]
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)


def test_a_picture_in_a_picture_is_found():
    [segment] = StillLocalizer().localize(matrix([1.4]))
    assert segment.score > 0.9


@pytest.mark.parametrize("along", [[-0.5] * 6, [0.0] * 6, [0.2] * 6])
def test_what_is_like_chance_says_nothing(along):
    assert StillLocalizer().localize(matrix(along)) == []


def test_many_moments_give_a_bounded_number():
    assert len(StillLocalizer().localize(matrix([1.0, -1.0] * 50))) == 8


def test_two_videos_are_not_its_business():
    excess = np.ones((3, 4), np.float32)
    videos = SimilarityMatrix(excess, times(3), times(4), "visual", excess)
    assert not is_still(videos)
    with pytest.raises(ContractError, match="one row or one column"):
        StillLocalizer().localize(videos)


def test_plain_cosines_are_refused():
    plain = SimilarityMatrix(np.ones((1, 4), np.float32), STILL, times(4), "visual")
    with pytest.raises(ContractError, match="evidence"):
        StillLocalizer().localize(plain)


def test_both_localizers_are_localizers():
    assert isinstance(StillLocalizer(), Localizer)
    assert isinstance(LineLocalizer(), Localizer)
