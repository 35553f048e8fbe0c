"""The bootstrap over queries: intervals hold the score, and differences know their side."""

import numpy as np
import pytest

from vcd.errors import EvaluationError
from vcd_eval.bootstrap import interval, paired_difference, resampled
from vcd_eval.formats import SegmentTable
from vcd_eval.measures import segment_uap

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


def test_a_query_drawn_twice_counts_twice():
    drawn = resampled(predictions(3), ["q0", "q0", "q19", "nobody"])
    assert list(drawn.query_ids) == ["0:q0", "1:q0", "2:q19"]
    assert drawn.scores[0] == drawn.scores[1]


def test_interval_holds_the_score_and_repeats_with_its_seed():
    given = predictions(10)
    low, high = interval(TRUTH, given, QUERIES, segment_uap, draws=100)
    assert low <= segment_uap(TRUTH, given) <= high
    assert (low, high) == interval(TRUTH, given, QUERIES, segment_uap, draws=100)


def test_a_perfect_run_has_no_spread():
    truth = SegmentTable(
        QUERIES, ["r"] * 20, np.tile([0.0, 10.0], (20, 1)), np.tile([0.0, 10.0], (20, 1))
    )
    assert interval(truth, predictions(20), QUERIES, segment_uap, draws=30) == (1, 1)


def test_a_clear_difference_is_told_from_none():
    clear = paired_difference(
        TRUTH, predictions(4), predictions(14), QUERIES, segment_uap, draws=200
    )
    assert clear.value > 0.3
    assert 0 < clear.low < clear.value < clear.high
    assert clear.p_value < 0.05
    none = paired_difference(TRUTH, predictions(9), predictions(9), QUERIES, segment_uap, draws=50)
    assert (none.value, none.low, none.high, none.p_value) == (0, 0, 0, 1)


def test_what_no_draw_defines_is_undefined():
    nothing = TRUTH.take(np.zeros(0, np.int64))
    given = predictions(3)
    assert np.isnan(interval(nothing, given, QUERIES, segment_uap, draws=3)).all()
    undefined = paired_difference(nothing, given, given, QUERIES, segment_uap, draws=3)
    assert np.isnan([undefined.value, undefined.low, undefined.high, undefined.p_value]).all()


def test_queries_must_be_known():
    with pytest.raises(EvaluationError, match="q0"):
        interval(TRUTH, predictions(3), ["someone"], segment_uap)
