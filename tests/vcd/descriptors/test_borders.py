"""Flat borders are cut off wherever they are; pictures without any stay whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcd.descriptors import borders

SIDE = 64


def inside_borders(picture):
    """Return the pixels inside of borders, or None where there are none."""
    box = borders.inside_borders(picture)
    return None if box is None else box.cut(picture)


def lively(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def framed(margins, colour=(16, 16, 16), seed=0):
    """Return noise inside borders of (top, bottom, left, right) lines."""
    top, bottom, left, right = margins
    picture = np.empty((SIDE, SIDE, 3), np.uint8)
    picture[:] = colour
    inside = lively(SIDE - top - bottom, SIDE - left - right, seed)
    picture[top : SIDE - bottom, left : SIDE - right] = inside
    return picture, inside


depth = st.integers(0, int(0.45 * SIDE) - 1)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(depth, depth, depth, depth),
    st.tuples(*[st.integers(0, 255)] * 3),
)
def test_what_lies_inside_is_found_exactly(margins, colour):
    picture, inside = framed(margins, colour)
    found = inside_borders(picture)
    top, bottom, left, right = margins
    if top + bottom <= 0.04 * SIDE and left + right <= 0.04 * SIDE:
        assert found is None
    else:
        assert np.array_equal(found, inside)


def test_sides_may_have_colours_of_their_own():
    picture, _ = framed((10, 0, 0, 12))
    picture[:10] = (250, 250, 250)
    assert inside_borders(picture).shape == (54, 52, 3)


def test_specks_of_coding_are_tolerated():
    picture, inside = framed((12, 12, 0, 0))
    picture[:12, 5] = 60
    picture[:12] += np.random.default_rng(0).integers(0, 8, (12, SIDE, 3), dtype=np.uint8)
    assert np.array_equal(inside_borders(picture), inside)


def test_a_sky_over_an_uneven_horizon_is_no_border():
    picture = lively(SIDE, SIDE)
    for column, depth in enumerate(np.random.default_rng(1).integers(10, 40, SIDE)):
        picture[:depth, column] = 200
    assert inside_borders(picture) is None


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 2, 3), (3, 200, 3), (200, 1, 3)])
def test_tiny_pictures_have_no_borders(shape):
    assert inside_borders(lively(*shape[:2])) is None


def test_a_flat_picture_is_no_border_of_itself():
    assert inside_borders(np.full((SIDE, SIDE, 3), 90, np.uint8)) is None
