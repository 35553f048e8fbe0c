"""The nearest position is the one that looking at all of them finds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vcd.similarity.positions import nearest_positions

SECONDS = st.integers(0, 8000).map(lambda eighths: eighths / 8)  # equally near is exactly so


@given(st.lists(SECONDS, min_size=1, max_size=30, unique=True), st.lists(SECONDS, max_size=30))
def test_as_looking_at_all(middles, moments):
    middles, moments = np.sort(np.array(middles, float)), np.array(moments, float)
    found = nearest_positions(middles, moments)
    assert found.tolist() == [int(np.abs(middles - m).argmin()) for m in moments]
