"""Normalisation: formulas, weights, missing backgrounds, and what never happens."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import grid

from vcd.errors import ContractError
from vcd.records import SimilarityMatrix
from vcd.similarity import evidence
from vcd.similarity.background import BackgroundStatistics
from vcd.similarity.evidence import UNKNOWN_LEVEL, normalise


def statistics(n, mean=0.1, top=0.4):
    values = (mean, top, top + 0.1)
    return BackgroundStatistics(*(np.full(n, x, np.float32) for x in values))


def matrix_of(values):
    values = np.asarray(values, np.float32)
    return SimilarityMatrix(values, grid(values.shape[0]), grid(values.shape[1]), "visual")


def noise(n, m, seed=0):
    return np.random.default_rng(seed).normal(0.1, 0.08, (n, m)).clip(-1, 1)


def direct(values, mean, top, scale=0.3):
    """The formulas in one piece, with equal background statistics everywhere."""
    centred = (values - mean) / (1 - mean)
    background = (top - mean) / (1 - mean)

    def median(x, axis=None):
        return np.quantile(x, 0.5, axis=axis, method="lower")

    row, column, middle = median(centred, 1)[:, None], median(centred, 0)[None], median(centred)
    bare = np.minimum(row + column - middle, np.maximum(row, column))
    own = bare + max(1.4826 * median(np.abs(centred - bare)), 0.03)
    side = min(values.shape)
    trust = side / (side + 25)
    level = np.maximum(background, (1 - trust) * background + trust * own)
    return centred, (centred - level) / scale


@pytest.mark.parametrize("shape", [(1, 1), (3, 8), (40, 21)])
def test_formulas(shape):
    values = noise(*shape)
    found = normalise(
        matrix_of(values),
        query_background=statistics(shape[0]),
        ref_background=statistics(shape[1]),
    )
    centred, excess = direct(values, 0.1, 0.4)
    np.testing.assert_allclose(found.values, centred, atol=1e-5)
    np.testing.assert_allclose(found.excess, excess, atol=1e-5)


def test_block_of_one_studio_raises_the_level():
    values = noise(60, 60)
    similar = values + 0.6
    backgrounds = {"query_background": statistics(60), "ref_background": statistics(60)}
    plain = normalise(matrix_of(values), **backgrounds)
    lifted = normalise(matrix_of(similar), **backgrounds)
    assert (similar - 0.4 > 0).mean() > 0.99
    assert (lifted.excess > 0.5).mean() < 0.15
    assert (plain.excess > 0.5).mean() < 0.05


def test_one_background_speaks_for_both():
    values = noise(12, 9)
    one = normalise(matrix_of(values), query_background=statistics(12))
    both = normalise(
        matrix_of(values), query_background=statistics(12), ref_background=statistics(9)
    )
    np.testing.assert_allclose(one.excess, both.excess, atol=1e-6)


def test_without_background_nothing_is_centred():
    values = noise(12, 9)
    found = normalise(matrix_of(values))
    np.testing.assert_array_equal(found.values, values.astype(np.float32))
    np.testing.assert_allclose(found.excess, direct(values, 0, UNKNOWN_LEVEL)[1], atol=1e-5)


def test_weight_zero_says_nothing_and_takes_no_part():
    values = noise(30, 40)
    spoiled = values.copy()
    spoiled[5:15] = 0.99
    spoiled[:, 7] = -0.9
    query_weight, ref_weight = np.ones(30, np.float32), np.ones(40, np.float32)
    query_weight[5:15] = 0
    ref_weight[7] = 0
    options = {"query_background": statistics(30), "query_weight": query_weight}
    found = normalise(matrix_of(spoiled), ref_weight=ref_weight, **options)
    clean = normalise(matrix_of(values), ref_weight=ref_weight, **options)
    assert not found.excess[5:15].any()
    assert not found.excess[:, 7].any()
    np.testing.assert_array_equal(found.excess, clean.excess)


def test_weights_multiply():
    values = noise(10, 10)
    half = np.full(10, 0.5, np.float32)
    full = normalise(matrix_of(values)).excess
    weighted = normalise(matrix_of(values), query_weight=half, ref_weight=half).excess
    np.testing.assert_allclose(weighted, full / 4, atol=1e-6)


def test_all_weights_zero():
    found = normalise(matrix_of(noise(6, 5)), query_weight=np.zeros(6, np.float32))
    assert not found.excess.any()


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_empty(shape):
    found = normalise(
        matrix_of(np.zeros(shape)),
        query_background=statistics(shape[0]),
        ref_background=statistics(shape[1]),
    )
    assert found.excess.shape == shape


def test_transposition():
    values = noise(20, 33)
    one = normalise(
        matrix_of(values), query_background=statistics(20), ref_background=statistics(33, 0.2, 0.5)
    )
    other = normalise(
        matrix_of(values.T),
        query_background=statistics(33, 0.2, 0.5),
        ref_background=statistics(20),
    )
    np.testing.assert_allclose(one.excess, other.excess.T, atol=1e-6)


def test_sampled_medians_stay_close(monkeypatch):
    values = noise(200, 300)
    whole = normalise(matrix_of(values)).excess
    monkeypatch.setattr(evidence, "_MEDIAN_CELLS", 8_000)
    assert np.abs(normalise(matrix_of(values)).excess - whole).max() < 0.15


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 6),
    m=st.integers(0, 6),
    mean=st.floats(-1, 1, width=32),
    top=st.floats(-1, 1, width=32),
    seed=st.integers(0, 99),
)
def test_never_nan(n, m, mean, top, seed):
    rng = np.random.default_rng(seed)
    values = rng.choice([-1, 0, 1, 0.3], (n, m))
    weight = rng.choice([0, 0.5, 1], n).astype(np.float32)
    found = normalise(
        matrix_of(values), query_background=statistics(n, mean, top), query_weight=weight
    )
    assert np.isfinite(found.excess).all()
    assert np.isfinite(found.values).all()


def test_refuses_sizes_that_do_not_fit():
    matrix = matrix_of(noise(4, 5))
    with pytest.raises(ContractError, match="query background has 5 positions"):
        normalise(matrix, query_background=statistics(5))
    with pytest.raises(ContractError, match="reference weight"):
        normalise(matrix, ref_weight=np.ones(4, np.float32))
    with pytest.raises(ContractError, match="scale"):
        normalise(matrix, scale=0)
