import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vcd.descriptors.faster import SPEED_UP, Faster

SOUND = np.random.default_rng(0).normal(size=5000).astype(np.float32)


@given(st.lists(st.integers(0, 5000), max_size=8))
def test_pieces_give_what_the_whole_gives(cuts):
    faster = Faster()
    played = np.concatenate([faster.play(piece) for piece in np.split(SOUND, sorted(cuts))])
    at = np.arange(len(played)) * SPEED_UP
    assert len(played) == int((len(SOUND) - 1) / SPEED_UP) + 1
    np.testing.assert_allclose(played, np.interp(at, np.arange(len(SOUND)), SOUND), atol=1e-5)
    assert played.dtype == np.float32


def test_what_was_played_is_not_kept():
    faster = Faster()
    for _ in range(50):
        faster.play(SOUND)
    assert len(faster._kept) <= 2
