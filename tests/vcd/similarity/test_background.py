"""Background statistics against a direct computation."""

import numpy as np
import pytest
from making import unit_rows

from vcd.errors import ContractError
from vcd.similarity import background
from vcd.similarity.background import BackgroundStatistics, background_statistics


def test_the_three_numbers():
    rng = np.random.default_rng(1)
    track, other = unit_rows(rng, 7, 16), unit_rows(rng, 40, 16)
    found = background_statistics(track, other)
    cosines = np.sort(track @ other.T, axis=1)
    np.testing.assert_allclose(found.mean, cosines.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(found.top_mean, cosines[:, -10:].mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(found.largest, cosines[:, -1], atol=1e-6)
    assert len(found) == 7


def test_pieces_give_what_the_whole_gives(monkeypatch):
    rng = np.random.default_rng(2)
    track, other = unit_rows(rng, 50, 8), unit_rows(rng, 30, 8)
    whole = background_statistics(track, other)
    monkeypatch.setattr(background, "_CELLS_AT_ONCE", 90)
    pieces = background_statistics(track, other)
    np.testing.assert_allclose(pieces.top_mean, whole.top_mean, atol=1e-6)
    np.testing.assert_allclose(pieces.mean, whole.mean, atol=1e-6)


def test_background_smaller_than_ten():
    rng = np.random.default_rng(3)
    track, other = unit_rows(rng, 4, 8), unit_rows(rng, 3, 8)
    found = background_statistics(track, other)
    np.testing.assert_allclose(found.top_mean, found.mean, atol=1e-6)


def test_rows_beyond_a_thousand_raise_no_level():
    rng = np.random.default_rng(5)
    track, other = unit_rows(rng, 6, 64), unit_rows(rng, 3000, 64)
    highest = np.sort(track @ other.T, axis=1)[:, -10:].mean(axis=1)
    found = background_statistics(track, other)
    np.testing.assert_allclose(found.top_mean, highest - 0.56 * np.log(3) / 8, atol=1e-6)
    fewer = background_statistics(track, other[:1000])
    plain = np.sort(track @ other[:1000].T, axis=1)[:, -10:].mean(axis=1)
    np.testing.assert_allclose(fewer.top_mean, plain, atol=1e-6)


def test_empty_track():
    other = unit_rows(np.random.default_rng(4), 3, 8)
    assert len(background_statistics(np.zeros((0, 8), np.float32), other)) == 0


@pytest.mark.parametrize("shape", [(0, 8), (3, 9)])
def test_refuses_a_background_that_cannot_serve(shape):
    with pytest.raises(ContractError):
        background_statistics(np.zeros((2, 8), np.float32), np.zeros(shape, np.float32))


def test_refuses_unequal_lengths_and_nan():
    ones = np.ones(3, np.float32)
    with pytest.raises(ContractError, match="top_mean"):
        BackgroundStatistics(ones, np.ones(2, np.float32), ones)
    with pytest.raises(ContractError, match="finite"):
        BackgroundStatistics(ones, ones, np.full(3, np.nan, np.float32))
