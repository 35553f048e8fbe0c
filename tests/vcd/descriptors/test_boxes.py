"""Boxes cut what they say, also one inside the other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vcd.descriptors.boxes import Box

FRAME = np.arange(24 * 32 * 3, dtype=np.uint16).reshape(24, 32, 3).astype(np.uint8)


@st.composite
def boxes(draw, height, width):
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    return Box(top, draw(st.integers(top + 1, height)), left, draw(st.integers(left + 1, width)))


@given(boxes(24, 32), st.data())
def test_a_box_in_a_box_is_one_of_the_frame(outer, data):
    part = outer.cut(FRAME)
    inner = data.draw(boxes(*part.shape[:2]))
    assert np.array_equal(inner.within(outer).cut(FRAME), inner.cut(part))
    assert np.shares_memory(part, FRAME)


def test_the_box_around_a_frame_is_all_of_it():
    assert np.array_equal(Box.around(FRAME).cut(FRAME), FRAME)
    assert Box.around(FRAME) == (0, 24, 0, 32)
