"""The search against a direct enumeration of all lines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcd.localization.lines import Line, LineSearch, best_interval, most_possible

SLOPES = np.array([0.5, 1, 1.6, 2, -1, -0.7])
BONUS = np.array([0.9, 1, 0.9, 0.9, 0.95, 0.8])


def direct(evidence, slopes, bonus):
    """Largest weighted sum over all slopes, offsets and intervals, walking the shorter axis."""
    if evidence.shape[0] > evidence.shape[1]:
        evidence, slopes = evidence.T, 1 / slopes
    n, m = evidence.shape
    best = -np.inf
    for slope, factor in zip(slopes, bonus, strict=True):
        cells = evidence if slope > 0 else evidence[:, ::-1]
        shift = np.rint(np.arange(n) * abs(slope)).astype(int)
        for offset in range(-shift[-1], m):
            column = offset + shift
            inside = (column >= 0) & (column < m)
            if inside.any():
                along = cells[np.flatnonzero(inside), column[inside]]
                first, last = best_interval(along)
                best = max(best, along[first : last + 1].sum() * factor * min(1, abs(slope)) ** 0.5)
    return best


def random_evidence(n, m, seed):
    rng = np.random.default_rng(seed)
    return rng.choice([-1, -0.5, 0, 1, 2.5], (n, m)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 9), m=st.integers(1, 9), seed=st.integers(0, 10**6))
def test_search_is_exact(n, m, seed):
    evidence = random_evidence(n, m, seed)
    total, _ = LineSearch(evidence, SLOPES, BONUS).best(-np.inf)
    assert total == pytest.approx(direct(evidence, SLOPES, BONUS), abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 9), m=st.integers(1, 9), seed=st.integers(0, 10**6))
def test_no_line_gathers_more_than_is_possible(n, m, seed):
    evidence = random_evidence(n, m, seed)
    total, _ = LineSearch(evidence, SLOPES, BONUS).best(-np.inf)
    assert total <= 0 or total <= most_possible(evidence) + 1e-4


def test_what_is_possible_is_no_more_than_a_plain_line_has():
    evidence = np.where(np.eye(8, 12, dtype=bool), 2, -1).astype(np.float32)
    assert most_possible(evidence) == most_possible(evidence.T) == 16


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 12), m=st.integers(2, 12), seed=st.integers(0, 10**6))
def test_lowered_evidence_gives_what_a_new_search_gives(n, m, seed):
    evidence = random_evidence(n, m, seed)
    search = LineSearch(evidence, SLOPES, BONUS)
    rng = np.random.default_rng(seed)
    for _ in range(3):
        evidence[rng.integers(n), :] = -1
        search.lowered()
        again = LineSearch(evidence, SLOPES, BONUS).best(-np.inf)
        assert search.best(-np.inf)[0] == pytest.approx(again[0], abs=1e-4)


@pytest.mark.parametrize("shape", [(20, 30), (30, 20)])
@pytest.mark.parametrize("slope", [1.0, -1.0])
def test_line_lies_on_its_cells(shape, slope):
    evidence = np.full(shape, -1, np.float32)
    rows = np.arange(4, 15)
    columns = rows + 3 if slope > 0 else 18 - rows
    evidence[rows, columns] = 1
    total, line = LineSearch(evidence, SLOPES, BONUS).best(2)
    assert (line.first, line.last) == (4, 14)
    np.testing.assert_allclose(line.at(rows), columns, atol=1e-9)
    assert total == pytest.approx(11 * (1 if slope > 0 else 0.95))


def test_nothing_above_the_least():
    evidence = np.full((5, 6), -1, np.float32)
    assert LineSearch(evidence, SLOPES, BONUS).best(0.5) is None


def test_box_of_a_line():
    assert Line(1, 3, 2, 5).box == (2, 6, 5, 9)
    assert Line(-1, 9, 2, 5).box == (2, 6, 4, 8)
    assert Line(2, 0, 0, 3).box == (0, 4, -0.5, 7.5)


def test_best_interval_is_the_shortest():
    assert best_interval(np.array([0, -1, 2, -1, 1, 0.0])) == (2, 2)
    assert best_interval(np.array([-3, -1, -2.0])) == (1, 1)


def test_strong_lines_come_by_strength_and_hold_the_best():
    evidence = random_evidence(20, 30, 4)
    evidence[np.arange(3, 12), np.arange(3, 12) + 5] = 2
    search = LineSearch(evidence, SLOPES, BONUS)
    lines = list(search.strong(3.0))
    best = search.best(3.0)[1]
    assert lines[0] == best
    assert len(lines) > 1
    assert len({(line.slope, line.intercept) for line in lines}) == len(lines)
    assert list(search.strong(1e6)) == []
