"""What is counted down a ranking does not depend on the order of its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vcd_eval.ranking import average_precision, count_by_score

ranked = st.lists(st.tuples(st.sampled_from([-1e308, -0.0, 0.0, 1.0, 1e308]), st.booleans()))


@given(ranked)
def test_counts_are_those_of_the_definition(rows: list[tuple[float, bool]]) -> None:
    scores, retrieved, found = count_by_score([s for s, _ in rows], [hit for _, hit in rows])
    assert scores.tolist() == sorted({s for s, _ in rows}, reverse=True)
    assert retrieved.tolist() == [sum(s >= score for s, _ in rows) for score in scores]
    assert found.tolist() == [sum(hit for s, hit in rows if s >= score) for score in scores]


@given(ranked, st.randoms(use_true_random=False))
def test_order_does_not_matter(rows: list[tuple[float, bool]], random: Any) -> None:
    shuffled = random.sample(rows, len(rows))
    one, other = (count_by_score([s for s, _ in x], [h for _, h in x]) for x in (rows, shuffled))
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a, b)


@given(st.lists(st.booleans(), min_size=1), st.integers(0, 5))
def test_average_precision_lies_between_0_and_1(hits: list[bool], missing: int) -> None:
    positives = sum(hits) + missing
    if positives:
        ap = average_precision(np.cumsum(hits), np.arange(1, len(hits) + 1), positives)
        assert 0 <= ap <= 1 + 1e-12
        assert (ap == 0) == (sum(hits) == 0)
