"""The bootstrap over queries: intervals hold the score, and differences know their side."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcd.errors import EvaluationError
from vcd_eval.bootstrap import interval, paired_difference
from vcd_eval.formats import SegmentTable
from vcd_eval.measures import segment_uap
from vcd_eval.vsc import segment_ap_of_draws

QUERIES = [f"q{k}" for k in range(20)]


def predictions(found, seed=0):
    """Return a true segment for the first queries, and a wrong one for all others."""
    rng = np.random.default_rng(seed)
    n = len(QUERIES)
    times = np.tile([0.0, 10.0], (n, 1))
    return SegmentTable(
        query_ids=QUERIES,
        ref_ids=["r" if k < found else "x" for k in range(n)],
        query_times=times,
        ref_times=times,
        scores=rng.uniform(0, 1, n),
    )


TRUTH = SegmentTable(
    QUERIES[:15], ["r"] * 15, np.tile([0.0, 10.0], (15, 1)), np.tile([0.0, 10.0], (15, 1))
)


def drawn_anew(table, drawn):
    """Return the rows of the drawn queries; one drawn twice is there twice, under two ids."""
    rows = [
        (n, i) for n, q in enumerate(drawn) for i, own in enumerate(table.query_ids) if own == q
    ]
    taken = table.take(np.array([i for _, i in rows], np.int64))
    ids = [f"{n}:{query}" for (n, _), query in zip(rows, taken.query_ids, strict=True)]
    return SegmentTable(ids, taken.ref_ids, taken.query_times, taken.ref_times, taken.scores)


@given(st.integers(0, 2**32), st.integers(0, 30), st.integers(0, 12))
def test_queries_that_count_often_are_as_queries_that_are_there_often(seed, n, true):
    rng = np.random.default_rng(seed)

    def table(rows, scores):
        start = rng.integers(0, 8, (2, rows, 1))
        times = np.concatenate([start, start + rng.integers(0, 5, (2, rows, 1))], axis=2)
        ids = [[f"{k}{i}" for i in rng.integers(0, 4, rows)] for k in "qr"]
        return SegmentTable(*ids, *times.astype(float), scores)

    truth = table(true, None)
    some = table(n, rng.integers(0, 4, n) / 4)
    queries = ["q0", "q1", "q2", "q3", "unseen"]
    draws = rng.integers(5, size=(3, 5))
    counts = [np.bincount(draw, minlength=5) for draw in draws]
    found = segment_ap_of_draws(truth, some, queries, counts)
    for draw, score in zip(draws, found, strict=True):
        names = [queries[k] for k in draw]
        anew = drawn_anew(truth, names), drawn_anew(some, names)
        np.testing.assert_allclose(score, segment_uap(*anew), rtol=1e-9)


def test_interval_holds_the_score_and_repeats_with_its_seed():
    found = predictions(10)
    low, high = interval(TRUTH, found, QUERIES, draws=100)
    assert low <= segment_uap(TRUTH, found) <= high
    assert (low, high) == interval(TRUTH, found, QUERIES, draws=100)


def test_a_perfect_run_has_no_spread():
    truth = SegmentTable(
        QUERIES, ["r"] * 20, np.tile([0.0, 10.0], (20, 1)), np.tile([0.0, 10.0], (20, 1))
    )
    assert interval(truth, predictions(20), QUERIES, draws=30) == (1, 1)


def test_a_clear_difference_is_told_from_none():
    clear = paired_difference(TRUTH, predictions(4), predictions(14), QUERIES, draws=200)
    assert clear.value > 0.3
    assert 0 < clear.low < clear.value < clear.high
    assert clear.p_value < 0.05
    none = paired_difference(TRUTH, predictions(9), predictions(9), QUERIES, draws=50)
    assert (none.value, none.low, none.high, none.p_value) == (0, 0, 0, 1)


def test_what_no_draw_defines_is_undefined():
    nothing = TRUTH.take(np.zeros(0, np.int64))
    found = predictions(3)
    assert np.isnan(interval(nothing, found, QUERIES, draws=3)).all()
    undefined = paired_difference(nothing, found, found, QUERIES, draws=3)
    assert np.isnan([undefined.value, undefined.low, undefined.high, undefined.p_value]).all()


def test_queries_must_be_known():
    with pytest.raises(EvaluationError, match="q0"):
        interval(TRUTH, predictions(3), ["someone"])
