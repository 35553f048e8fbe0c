"""VCSL metrics: golden values of the published code and properties."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcd.errors import EvaluationError
from vcd_eval.formats import read_boxes, read_pair_list, read_query_sets
from vcd_eval.vcsl import macro, overall, precision_recall

VECTORS = Path(__file__).parent / "vectors" / "vcsl"
SINGLE: dict[str, Any] = json.loads((VECTORS / "pairs.json").read_text())["cases"]
SETS = sorted(path.parent.name for path in VECTORS.glob("*/gt.json"))
TOLERANCE = 5e-6  # the published code passes union lengths through float32


def test_no_golden_case_is_lost() -> None:
    assert len(SINGLE) == 25
    assert len(SETS) == 6


@pytest.mark.parametrize("name", sorted(SINGLE))
def test_one_pair_equals_the_published_code(name: str) -> None:
    case = SINGLE[name]
    expected = case["precision"], case["recall"]
    assert precision_recall(case["gt"], case["pred"]) == pytest.approx(
        expected, rel=0, abs=TOLERANCE
    )


@pytest.mark.parametrize("name", SETS)
def test_a_set_equals_the_published_code(name: str) -> None:
    folder = VECTORS / name
    expected = json.loads((folder / "expected.json").read_text())
    pairs = read_pair_list(folder / "pair_file_test.csv")
    truth, predictions = (read_boxes(folder / f, pairs) for f in ("gt.json", "pred.json"))

    for query, ref in pairs:
        one = precision_recall(
            truth.get((query, ref), np.zeros((0, 4))), predictions.get((query, ref), [])
        )
        assert one == pytest.approx(expected["per_pair"][f"{query}-{ref}"], rel=0, abs=TOLERANCE)

    result = overall(truth, predictions, pairs, ratio=expected["ratio_pos_neg"])
    assert (result.pairs, result.positives) == (expected["n_pairs"], expected["n_positive"])
    if "overall" in expected:
        for key, number in expected["overall"].items():
            assert getattr(result, key) == pytest.approx(number, rel=0, abs=TOLERANCE), key
    else:
        assert (result.precision, result.recall, result.f1) == (None, 0.0, 0.0)

    sets = read_query_sets(folder / "split_meta_pairs.json", pairs)
    averages = macro(truth, predictions, sets)
    wanted = expected["macro_over_query_sets"]
    assert averages.sets == wanted["n_sets"]
    for key in ("precision", "recall", "f1"):
        assert getattr(averages, key) == pytest.approx(wanted[key], rel=0, abs=TOLERANCE), key


def test_missing_pairs_count_as_empty_and_are_told() -> None:
    truth = {("a", "b"): np.array([[0.0, 0, 1, 1]])}
    pairs = [("a", "b"), ("a", "c")]
    assert overall(truth, {("a", "b"): truth["a", "b"]}, pairs).missing == 1
    result = overall(truth, {}, pairs)
    assert (result.missing, result.precision, result.frr) == (2, None, 1.0)


def test_wrong_use_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"groundtruth must have shape \(n, 4\)"):
        precision_recall([0, 1, 2, 3], [])
    with pytest.raises(EvaluationError, match="not finite"):
        precision_recall([[0, 1, 2, np.inf]], [])
    with pytest.raises(EvaluationError, match="no pairs"):
        overall({}, {}, [])
    with pytest.raises(EvaluationError, match="the pair a, b is listed twice"):
        overall({}, {}, [("a", "c"), ("a", "b"), ("a", "b")])
    for ratio in (0, -1, np.nan, np.inf, 1e-310):
        with pytest.raises(EvaluationError, match="ratio"):
            overall({}, {}, [("a", "b")], ratio=ratio)
    with pytest.raises(EvaluationError, match="no query set"):
        macro({}, {}, {})
    with pytest.raises(EvaluationError, match="'a' has no pair"):
        macro({}, {}, {"a": []})


box = st.tuples(*[st.integers(0, 20)] * 4).map(
    lambda b: [min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]) + 1, max(b[1], b[3]) + 1]
)
boxes = st.lists(box, min_size=1, max_size=5)


@settings(max_examples=40, deadline=None)
@given(boxes, boxes)
def test_exchanging_the_sides_exchanges_precision_and_recall(a: list[Any], b: list[Any]) -> None:
    assert precision_recall(a, b) == precision_recall(b, a)[::-1]


@settings(max_examples=40, deadline=None)
@given(boxes, boxes)
def test_exchanging_query_and_reference_changes_nothing(a: list[Any], b: list[Any]) -> None:
    def turned(boxes: list[Any]) -> list[Any]:
        return [[box[1], box[0], box[3], box[2]] for box in boxes]

    assert precision_recall(turned(a), turned(b)) == pytest.approx(precision_recall(a, b))


@settings(max_examples=40, deadline=None)
@given(boxes)
def test_the_truth_scores_one(a: list[Any]) -> None:
    assert precision_recall(a, a) == pytest.approx((1, 1), abs=1e-5)
