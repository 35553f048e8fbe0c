"""Pooled matrices: the best cell of every group, silent positions apart, at any length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import make_track, unit_rows

from vcd.similarity import (
    cosine_matrix,
    evidence_matrix,
    is_long,
    overview,
    pooled_matrix,
    pooling,
    prepare,
)

BACKGROUND = unit_rows(np.random.default_rng(5), 40, 16)


def sparse_track(n, seed):
    """Return a track of which some positions are silent, and its view of some others."""
    rng = np.random.default_rng(seed)
    weight = (rng.random(n) < 0.8).astype(np.float32)
    track = make_track(n, seed=seed, weight=weight)
    rows = np.flatnonzero(rng.random(n) < 0.3)
    view = make_track(len(rows), seed=seed + 1, times=track.times[rows], view="inner")
    return prepare(track, BACKGROUND, views=[view])


def best_of_groups(query, ref, rows_step, step):
    """Return the pooled cosines, group by group."""
    cells = cosine_matrix(query, ref).values
    rows, columns = query.track.weight > 0, ref.track.weight > 0
    pooled = np.full((-(-len(rows) // rows_step), -(-len(columns) // step)), -1.0)
    for i in range(len(pooled)):
        for j in range(pooled.shape[1]):
            a = slice(i * rows_step, (i + 1) * rows_step)
            b = slice(j * step, (j + 1) * step)
            inside = cells[a, b][np.ix_(rows[a], columns[b])]
            if inside.size:
                pooled[i, j] = inside.max()
    return pooled


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 23),
    m=st.integers(1, 23),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    seed=st.integers(0, 999),
)
def test_a_cell_is_the_best_of_its_group(n, m, rows, columns, seed):
    query, ref = sparse_track(n, seed), sparse_track(m, seed + 7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooling, "_CELLS_AT_ONCE", 8)  # several pieces
        patch.setattr(pooling, "normalise", lambda matrix, **_: matrix)
        pooled = pooled_matrix(query, ref, rows, columns)
    np.testing.assert_allclose(pooled.values, best_of_groups(query, ref, rows, columns), atol=1e-6)


def test_groups_keep_the_clock_and_what_is_silent():
    query, ref = prepare(make_track(5)), sparse_track(9, 3)
    pooled = pooled_matrix(query, ref, 2, 2)
    np.testing.assert_array_equal(pooled.query_times, [[0, 1], [1, 2], [2, 2.5]])
    silent = [not ref.track.weight[k : k + 2].any() for k in range(0, 9, 2)]
    np.testing.assert_array_equal((pooled.excess == 0).all(axis=0), silent)


def test_groups_of_one_are_the_positions():
    query, ref = sparse_track(30, 1), sparse_track(40, 2)
    pooled, plain = pooled_matrix(query, ref, 1, 1), evidence_matrix(query, ref)
    np.testing.assert_allclose(pooled.excess, plain.excess, atol=0.05)  # medians, silence apart


def test_an_overview_has_a_bounded_number_of_cells():
    long, short = prepare(make_track(9000, 2)), prepare(make_track(400, 2))
    assert not is_long(short, short)
    assert is_long(long, short) is False
    assert is_long(long, prepare(make_track(500, 2)))
    assert overview(long, short).values.size <= 1_000_000
