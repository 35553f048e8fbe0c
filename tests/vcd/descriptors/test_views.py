"""Frames put together of several pictures are taken apart; whole pictures stay whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcd.descriptors.seams import FIRST, INSET, SECOND, parts
from vcd.descriptors.views import INNER_VIEW, LEFT_VIEW, RIGHT_VIEW, VIEWS, views_of
from vcd.media.pixels import scale_pixels

SIDE = 128
FEW = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 200)


def smooth_pictures(n, seed=0):
    """Return pictures of a few soft blobs: they have no lines."""
    small = np.random.default_rng(seed).integers(0, 256, (n, 5, 5, 3), dtype=np.uint8)
    return np.stack([scale_pixels(picture, SIDE, SIDE) for picture in small])


def two(seed):
    """Return two pictures without hard lines, the second one clearly lighter."""
    first, second = smooth_pictures(2, seed)
    return first // 2, 128 + second // 2


@FEW
@given(seeds, st.integers(40, 88), st.booleans())
def test_pictures_side_by_side_are_told_apart(seed, at, turned):
    first, second = two(seed)
    frame = np.concatenate([first[:, :at], second[:, at:]], axis=1)
    frame = np.ascontiguousarray(frame.transpose(1, 0, 2)) if turned else frame
    found = parts(frame)
    halves = [found[name].cut(frame) for name in (FIRST, SECOND)]
    halves = [half.transpose(1, 0, 2) if turned else half for half in halves]
    assert halves[0].shape[1] == pytest.approx(at, abs=2)
    assert np.array_equal(halves[0], first[:, : halves[0].shape[1]])
    assert np.array_equal(halves[1], second[:, SIDE - halves[1].shape[1] :])


@FEW
@given(seeds, st.integers(36, 90), st.integers(36, 90), st.data())
def test_an_inset_is_found_where_it_is(seed, width, height, data):
    ground, upper = two(seed)
    left = data.draw(st.integers(8, SIDE - width - 8))
    top = data.draw(st.integers(8, SIDE - height - 8))
    frame = ground.copy()
    frame[top : top + height, left : left + width] = scale_pixels(upper, width, height)
    found = parts(frame)[INSET]
    assert found == pytest.approx((top, top + height, left, left + width), abs=4)
    # Nothing of the ground is in it.
    assert top <= found.top < found.bottom <= top + height
    assert left <= found.left < found.right <= left + width


@FEW
@given(seeds)
def test_a_picture_of_one_piece_stays_whole(seed):
    picture = smooth_pictures(1, seed)[0]
    assert parts(picture) == {}
    assert views_of(picture) == {}


@pytest.mark.parametrize("shape", [(1, 1), (4, 200), (31, 31), (33, 200)])
def test_frames_of_any_size_and_flat_ones_are_taken(shape):
    assert views_of(np.zeros((*shape, 3), np.uint8)) == {}
    views_of(np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8))


def test_a_strip_between_bars_may_lie_on_its_side():
    picture = smooth_pictures(1, 5)[0]
    strip = scale_pixels(np.ascontiguousarray(np.rot90(picture)), 40, SIDE)
    frame = np.zeros((SIDE, SIDE, 3), np.uint8)
    frame[:, 44:84] = strip
    found = views_of(frame)
    assert np.array_equal(found[RIGHT_VIEW], np.rot90(found[INNER_VIEW], -1))
    assert np.array_equal(found[LEFT_VIEW], np.rot90(found[INNER_VIEW]))
    upright = scale_pixels(np.ascontiguousarray(found[RIGHT_VIEW]), SIDE, SIDE).astype(float)
    assert np.abs(upright - scale_pixels(picture, SIDE, SIDE)).mean() < 8


def test_a_wide_picture_between_bars_is_not_turned():
    frame = np.zeros((SIDE, SIDE, 3), np.uint8)
    frame[16:112] = scale_pixels(smooth_pictures(1, 5)[0], SIDE, 96)
    assert set(views_of(frame)) == {INNER_VIEW}
    assert set(views_of(np.ascontiguousarray(np.rot90(frame)))) == {INNER_VIEW}


def test_halves_are_found_inside_borders_and_lose_their_own():
    first, second = two(3)
    frame = np.zeros((SIDE, SIDE, 3), np.uint8)
    frame[16:112, :64] = scale_pixels(first, 64, 96)
    frame[40:88, 64:] = scale_pixels(second, 64, 48)
    found = views_of(frame)
    assert set(found) <= set(VIEWS)
    assert found[INNER_VIEW].shape[:2] == (96, 128)
    assert found[SECOND].shape[:2] == pytest.approx((48, 63), abs=2)
