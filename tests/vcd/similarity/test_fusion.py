"""Fusion puts the sound's evidence where it belongs in time, and silence changes nothing."""

import numpy as np
import pytest
from making import grid

from vcd.errors import ContractError
from vcd.records import SimilarityMatrix
from vcd.similarity import fuse


def matrix(excess, step, stream, start=0.0):
    excess = np.asarray(excess, np.float32)
    n, m = excess.shape
    return SimilarityMatrix(
        excess / 4, grid(n, step, start), grid(m, step, start), stream, excess=excess
    )


def test_both_streams_add_up():
    both = fuse(matrix(np.eye(8), 0.5, "visual"), matrix(np.eye(16), 0.25, "audio"))
    assert both.stream == "fused"
    assert np.diag(both.excess) == pytest.approx(2**0.5, abs=1e-5)


def test_sound_lands_at_its_own_time():
    heard = np.zeros((16, 16))
    heard[10, 4] = heard[11, 5] = 1
    both = fuse(matrix(np.zeros((8, 8)), 0.5, "visual"), matrix(heard, 0.25, "audio"))
    assert np.unravel_index(both.excess.argmax(), (8, 8)) == (5, 2)


def test_no_sound_leaves_the_picture_as_it_was():
    seen = matrix(np.eye(4), 0.5, "visual")
    silent = SimilarityMatrix(
        np.zeros((0, 3), np.float32),
        grid(0),
        grid(3),
        "audio",
        excess=np.zeros((0, 3), np.float32),
    )
    assert np.allclose(fuse(seen, silent).excess * 2**0.5, seen.excess)


def test_sound_says_nothing_where_it_does_not_reach():
    seen = matrix(np.zeros((8, 8)), 0.5, "visual")
    heard = matrix(np.ones((4, 4)), 0.25, "audio", start=3.0)
    fused = fuse(seen, heard).excess
    assert (fused[6:, 6:] > 0).all()
    assert not fused[:5, :5].any()


def test_spread_of_chance_evidence_stays():
    rng = np.random.default_rng(0)
    seen = matrix(rng.standard_normal((100, 100)) * 0.3, 0.5, "visual")
    heard = matrix(rng.standard_normal((100, 100)) * 0.3, 0.5, "audio")
    assert fuse(seen, heard).excess.std() == pytest.approx(0.3, rel=0.25)


def test_only_normalised_matrices():
    seen = matrix(np.eye(2), 0.5, "visual")
    plain = SimilarityMatrix(seen.values, seen.query_times, seen.ref_times, "audio")
    with pytest.raises(ContractError, match="normalised"):
        fuse(seen, plain)
