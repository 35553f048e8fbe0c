"""Candidate search: golden values of the published code, brute force, and its limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcd.errors import EvaluationError
from vcd_eval import candidates as module
from vcd_eval.candidates import best_vector_pairs, find_candidates
from vcd_eval.descriptors import DescriptorTable, read_descriptors
from vcd_eval.formats import read_candidates, read_groundtruth
from vcd_eval.vsc import check_same_videos, pair_ap

VECTORS = Path(__file__).parent / "vectors" / "vsc" / "descriptor"
CASES: dict[str, Any] = json.loads((VECTORS / "expected.json").read_text())["cases"]
AGREEING = sorted(name for name, case in CASES.items() if "candidates" in case)


def tables(name: str) -> tuple[DescriptorTable, DescriptorTable]:
    return (
        read_descriptors(VECTORS / name / "queries.npz", prefix="Q"),
        read_descriptors(VECTORS / name / "refs.npz", prefix="R"),
    )


def test_no_golden_case_is_lost() -> None:
    assert len(CASES) == len(list(VECTORS.glob("*/gt.csv"))) == len(AGREEING) + 2 == 8


@pytest.mark.parametrize("name", AGREEING)
def test_equals_the_published_search(name: str) -> None:
    case = CASES[name]
    found = find_candidates(*tables(name))
    expected = read_candidates(VECTORS / name / "candidates.csv", vsc_ids=True)
    assert len(found) == case["candidates"]
    assert (found.query_ids, found.ref_ids) == (expected.query_ids, expected.ref_ids)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=1e-5)
    truth = read_groundtruth(VECTORS / name / "gt.csv", vsc_ids=True)
    assert pair_ap(truth, found).ap == pytest.approx(case["uap"], abs=case["tolerance_abs"])


def test_ties_at_the_last_rank_are_cut_in_stable_order_where_the_reference_loses_all() -> None:
    queries, references = tables("ties_at_global_k_lost")
    found = find_candidates(queries, references)
    first, last = queries.video_ids[0], references.video_ids[-1]
    assert (found.query_ids, found.ref_ids) == ((first,), (last,))
    truth = read_groundtruth(VECTORS / "ties_at_global_k_lost" / "gt.csv", vsc_ids=True)
    assert pair_ap(truth, found).ap == 0.5


def test_scattered_rows_count_each_video_once() -> None:
    queries, references = tables("error_not_contiguous")
    assert queries.first_scattered() is not None
    truth = read_groundtruth(VECTORS / "error_not_contiguous" / "gt.csv", vsc_ids=True)
    found = find_candidates(queries.grouped(), references)
    expected = CASES["error_not_contiguous"]["recommended"]["uap"]
    assert pair_ap(truth, found).ap == pytest.approx(expected, abs=1e-9)


small = st.integers(-2, 2)


@given(st.data(), st.integers(1, 40), st.sampled_from([(1, 1), (2, 3), (4, 64), (64, 5)]))
@settings(max_examples=120)
def test_equals_sorting_everything(data: st.DataObject, k: int, tile: tuple[int, int]) -> None:
    """Whatever the tiles and however many ties, as a stable sort of the whole matrix."""
    n, m = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 9))
    q, r = (
        np.array(data.draw(st.lists(st.tuples(small, small), min_size=size, max_size=size)))
        .reshape(size, 2)
        .astype(np.float32)
        for size in (n, m)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_TILE", tile)
        best = best_vector_pairs(q, r, k)
    products = (q @ r.T).ravel()
    order = np.argsort(-products, kind="stable")[:k]
    assert best.scores.tolist() == products[order].tolist()
    assert (best.rows * m + best.columns).tolist() == order.tolist()


def random_table(rng: np.random.Generator, prefix: str, videos: int) -> DescriptorTable:
    ids = np.repeat([f"{prefix}{i}" for i in range(videos)], rng.integers(1, 5, videos))
    return DescriptorTable(ids, np.arange(len(ids)), rng.normal(size=(len(ids), 8)))


@pytest.mark.parametrize("seed", range(3))
def test_row_order_never_matters_without_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    queries, references = random_table(rng, "Q", 6), random_table(rng, "R", 40)
    before = find_candidates(queries, references, vector_pairs=50, candidates=4)
    assert len(before) == 24
    orders = rng.permutation(len(queries)), rng.permutation(len(references))
    shuffled = (
        DescriptorTable(t.video_ids[o], t.timestamps[o], t.features[o])
        for t, o in zip((queries, references), orders, strict=True)
    )
    after = find_candidates(*shuffled, vector_pairs=50, candidates=4)
    assert (after.query_ids, after.ref_ids) == (before.query_ids, before.ref_ids)
    np.testing.assert_allclose(after.scores, before.scores, atol=1e-5)
    assert (np.diff(before.scores) <= 0).all()


def test_nothing_to_search_gives_nothing() -> None:
    nothing = DescriptorTable([], np.zeros(0), np.zeros((0, 8)))  # type: ignore[arg-type]
    some = random_table(np.random.default_rng(0), "R", 3)
    for pair in ((nothing, some), (some, nothing), (nothing, nothing)):
        assert len(find_candidates(*pair)) == 0


def test_what_cannot_be_compared_is_refused() -> None:
    one = np.ones((2, 3), np.float32)
    with pytest.raises(EvaluationError, match=r"shape \(2, 3\), references \(2, 4\)"):
        best_vector_pairs(one, np.ones((2, 4)), 5)
    with pytest.raises(EvaluationError, match="exceed float32"):
        best_vector_pairs(one * np.float32(1e30), one * np.float32(1e30), 5)
    with pytest.raises(EvaluationError, match="limits must be positive"):
        some = random_table(np.random.default_rng(0), "R", 3)
        find_candidates(some, some, candidates=0)


def test_ids_spelt_in_two_ways_are_no_zero() -> None:
    truth = read_groundtruth(VECTORS / "integer_ties" / "gt.csv")
    with pytest.raises(EvaluationError, match="no reference of the ground truth"):
        check_same_videos(truth, query_ids=truth.query_ids, ref_ids=["1", "2"])
    check_same_videos(truth, query_ids=truth.query_ids, ref_ids=[*truth.ref_ids[:1], "2"])
