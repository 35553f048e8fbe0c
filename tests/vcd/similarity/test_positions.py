"""The nearest position is the one that looking at all of them finds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vcd.similarity.positions import nearest_positions

SECONDS = st.floats(0, 1000, width=32)
EIGHTHS = st.integers(0, 8000).map(lambda number: number / 8)  # equally near is exactly so


def ordered(middles, moments):
    return np.sort(np.array(middles, float)), np.array(moments, float)


@given(st.lists(SECONDS, min_size=1, max_size=30, unique=True), st.lists(SECONDS, max_size=30))
def test_none_is_nearer(middles, moments):
    middles, moments = ordered(middles, moments)
    found = nearest_positions(middles, moments)
    distances = np.abs(moments[:, None] - middles)
    np.testing.assert_array_equal(np.abs(moments - middles[found]), distances.min(axis=1))


@given(st.lists(EIGHTHS, min_size=1, max_size=30, unique=True), st.lists(EIGHTHS, max_size=30))
def test_the_earlier_of_two_equally_near(middles, moments):
    middles, moments = ordered(middles, moments)
    found = nearest_positions(middles, moments)
    assert found.tolist() == [int(np.abs(middles - m).argmin()) for m in moments]
