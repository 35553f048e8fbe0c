"""Indexes: the exhaustive one against plain NumPy, the approximate one against the exhaustive."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import unit_rows

from vcd.errors import ContractError
from vcd.library.index import (
    NOTHING,
    ExhaustiveIndex,
    Index,
    IndexWriter,
    keys_of,
    pack,
    seconds_of,
)


def codes_of(rows):
    return np.rint(rows * (127 / np.abs(rows).max(axis=1, keepdims=True))).astype(np.int8)


def made(n, d=16, seed=0):
    codes = codes_of(unit_rows(np.random.default_rng(seed), n, d))
    return ExhaustiveIndex(np.arange(n, dtype=np.int64) * 3, codes)


@given(st.integers(0, 2**31 - 1), st.lists(st.floats(0, 4e6), max_size=5))
def test_ids_tell_video_and_time(key, times):
    ids = pack(key, np.array(times))
    assert (keys_of(ids) == key).all()
    assert np.abs(seconds_of(ids) - times).max(initial=0) <= 0.001


@pytest.mark.parametrize(("n", "k"), [(0, 3), (2, 3), (50, 3), (20_000, 7)])
def test_exhaustive_index_is_exact(n, k):
    index = made(n)
    asked = unit_rows(np.random.default_rng(1), 5, 16)
    cosines, ids = index.search(asked, k)
    everything = asked @ index.vectors(np.arange(n)).T
    wanted = np.argsort(-everything, axis=1)[:, :k]
    there = min(n, k)
    assert (ids[:, :there] == wanted * 3).all()
    assert np.allclose(cosines[:, :there], np.take_along_axis(everything, wanted, 1), atol=1e-5)
    assert (ids[:, there:] == NOTHING).all()
    assert (cosines[:, there:] == -1).all()
    assert isinstance(index, Index)


def test_written_index_is_the_same(tmp_path):
    index = made(9000)
    writer = IndexWriter(tmp_path / "a.int8", 16)
    for batch in index.batches():
        writer.append(batch)
    writer.close()
    asked = unit_rows(np.random.default_rng(1), 5, 16)
    for one, other in zip(index.search(asked, 4), writer.open().search(asked, 4), strict=True):
        assert (one == other).all()
    writer.remove()
    assert not list(tmp_path.iterdir())


def test_ids_must_fit():
    with pytest.raises(ContractError, match="3 ids do not fit"):
        ExhaustiveIndex(np.zeros(3, np.int64), np.zeros((2, 4), np.int8))


def test_inverted_index_finds_what_is_near(tmp_path):
    pytest.importorskip("faiss")
    from vcd.library.inverted import InvertedIndex

    exact = made(4000, 32)
    InvertedIndex.build(exact, 32).write(tmp_path / "a.faiss")
    index = InvertedIndex.open(tmp_path / "a.faiss")
    assert isinstance(index, Index)
    assert len(index) == 4000
    assert not index.exact
    noise = unit_rows(np.random.default_rng(1), 200, 32)
    asked = 0.9 * exact.vectors(np.arange(200)) + 0.3 * noise
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    wanted_cosines, wanted = exact.search(asked, 1)
    cosines, ids = index.search(asked, 5)
    hit = ids[:, 0] == wanted[:, 0]
    assert hit.mean() > 0.95
    assert np.abs(cosines[hit, 0] - wanted_cosines[hit, 0]).max() < 0.1
