"""VCDB metrics: worked cases, the definition counted by hand, properties, and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcd.errors import EvaluationError
from vcd_eval.formats import SegmentTable
from vcd_eval.vcdb import evaluate, pairs_with_itself, read_annotation, segment_curve

Row = tuple[str, str, float, float, float, float, float]


def table(rows: list[Any]) -> SegmentTable:
    """Rows of query, reference, query start and end, reference start and end, score."""
    return SegmentTable(
        [r[0] for r in rows],
        [r[1] for r in rows],
        np.array([r[2:4] for r in rows], dtype=float).reshape(-1, 2),
        np.array([r[4:6] for r in rows], dtype=float).reshape(-1, 2),
        np.array([r[6] if len(r) > 6 else 0 for r in rows], dtype=float),
    )


TRUTH = table([("q", "r", 0, 10, 100, 110), ("q", "r", 20, 30, 120, 130), ("q", "s", 0, 5, 0, 5)])


@pytest.mark.parametrize(
    ("row", "correct", "found"),
    [
        (("q", "r", 0, 10, 100, 110, 1), 1, 1),  # the true segment
        (("q", "r", 9, 50, 109, 200, 1), 1, 2),  # one that covers two, however little
        (("q", "r", 10, 20, 110, 120, 1), 0, 0),  # edges that touch
        (("q", "r", 0, 10, 120, 130, 1), 0, 0),  # each axis meets another true segment
        (("q", "r", 5, 5, 105, 105, 1), 0, 0),  # no length
        (("q", "r", 0, 10, 0, 50, 1), 0, 0),  # one axis alone
        (("q", "s", 4, 9, 4, 9, 1), 1, 1),
        (("s", "q", 4, 9, 4, 9, 1), 0, 0),  # the other way round is another pair
        (("q", "t", 0, 10, 100, 110, 1), 0, 0),  # another video
    ],
)
def test_one_prediction(row: Row, correct: int, found: int) -> None:
    curve = segment_curve(TRUTH, table([row]))
    assert curve[0, 1:3] == pytest.approx([correct, found / 3])


def test_the_best_threshold_and_all_predictions() -> None:
    predictions = table(
        [
            ("q", "r", 0, 10, 100, 110, 0.9),
            ("q", "r", 1, 10, 101, 110, 0.8),  # again the first: right, but nothing new
            ("q", "s", 0, 1, 0, 1, 0.7),
            ("q", "t", 0, 1, 0, 1, 0.2),
            ("q", "u", 0, 1, 0, 1, 0.2),
        ]
    )
    assert segment_curve(TRUTH, predictions)[:, :3] == pytest.approx(
        np.array([[0.9, 1, 1 / 3], [0.8, 1, 1 / 3], [0.7, 1, 2 / 3], [0.2, 3 / 5, 2 / 3]])
    )
    best, everything = evaluate(TRUTH, predictions)
    assert (best.threshold, best.precision, best.recall) == pytest.approx((0.7, 1, 2 / 3))
    assert best.f1 == pytest.approx(0.8)
    assert (everything.threshold, everything.precision) == pytest.approx((0.2, 0.6))


def test_nothing_predicted() -> None:
    best, everything = evaluate(TRUTH, table([]))
    assert best == everything
    assert (best.precision, best.recall, best.f1, best.threshold) == (None, 0, 0, None)


def test_either_way_round() -> None:
    turned = table([("r", "q", 100, 110, 0, 10, 1)])
    assert segment_curve(TRUTH, turned)[0, 1:3].tolist() == [0, 0]
    assert segment_curve(TRUTH, turned, either_way=True)[0, 1:3] == pytest.approx([1, 1 / 3])
    itself = table([("a", "a", 0, 5, 50, 55)])
    found = table([("a", "a", 50, 55, 0, 5, 1)])
    assert segment_curve(itself, found, either_way=True)[0, 1:3].tolist() == [1, 1]


def test_wrong_use_is_refused() -> None:
    with pytest.raises(EvaluationError, match="no ground truth"):
        evaluate(table([]), TRUTH)
    with pytest.raises(EvaluationError, match="no scores"):
        evaluate(TRUTH, SegmentTable(["q"], ["r"], np.zeros((1, 2)), np.zeros((1, 2))))
    with pytest.raises(EvaluationError, match=r"no video .* 'x' among 'q'"):
        evaluate(TRUTH, table([("x", "y", 0, 1, 0, 1, 1)]))


segment = st.tuples(st.integers(0, 6), st.integers(0, 3)).map(lambda x: (x[0], x[0] + x[1]))
row = st.tuples(
    st.sampled_from("ab"), st.sampled_from("bc"), segment, segment, st.integers(0, 3)
).map(lambda r: (r[0], r[1], *r[2], *r[3], r[4] / 2))
rows = st.lists(row, max_size=8)
truths = st.lists(row, min_size=1, max_size=5)


def meets(a: Row, b: Row) -> bool:
    return (
        a[:2] == b[:2] and min(a[3], b[3]) > max(a[2], b[2]) and min(a[5], b[5]) > max(a[4], b[4])
    )


def by_definition(truth: list[Row], found: list[Row], *, either_way: bool) -> list[list[float]]:
    def meet(p: Row, t: Row) -> bool:
        turned = (p[1], p[0], p[4], p[5], p[2], p[3], p[6])
        return meets(p, t) or (either_way and meets(turned, t))

    curve = []
    for score in sorted({p[6] for p in found}, reverse=True):
        kept = [p for p in found if p[6] >= score]
        precision = sum(any(meet(p, t) for t in truth) for p in kept) / len(kept)
        recall = sum(any(meet(p, t) for p in kept) for t in truth) / len(truth)
        total = precision + recall
        curve.append([score, precision, recall, 2 * precision * recall / total if total else 0])
    return curve


@settings(max_examples=100)
@given(truths, rows, st.booleans())
def test_the_definition(truth: list[Row], found: list[Row], either_way: bool) -> None:
    try:
        curve = segment_curve(table(truth), table(found), either_way=either_way)
    except EvaluationError:  # they share no video
        return
    expected = by_definition(truth, found, either_way=either_way)
    assert curve == pytest.approx(np.array(expected).reshape(-1, 4))
    assert ((curve[:, 1:] >= 0) & (curve[:, 1:] <= 1)).all()
    assert (np.diff(curve[:, 2]) >= 0).all()
    best, everything = evaluate(table(truth), table(found), either_way=either_way)
    assert best.f1 >= everything.f1 >= 0


@settings(max_examples=50)
@given(truths, rows, st.randoms(use_true_random=False))
def test_order_does_not_matter(truth: list[Row], found: list[Row], random: Any) -> None:
    found = [*found, truth[0]]
    one = segment_curve(table(truth), table(found))
    truth, found = random.sample(truth, len(truth)), random.sample(found, len(found))
    assert np.array_equal(one, segment_curve(table(truth), table(found)))


@settings(max_examples=50)
@given(truths)
def test_the_truth_scores_one(truth: list[Row]) -> None:
    truth = [r for r in truth if r[2] < r[3] and r[4] < r[5]]
    if truth:
        _, everything = evaluate(table(truth), table(truth))
        assert (everything.precision, everything.recall, everything.f1) == (1, 1, 1)


def test_the_annotation_folder(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_bytes(
        b"\xef\xbb\xbfa.flv,b.flv,00:00:10,00:01:20,01:00:00,01:00:30.5\r\n\r\n"
    )
    (tmp_path / "two.txt").write_text("c.flv, c.flv, 0:05, 0:07, 5, 7\n")
    (tmp_path / "readme.md").write_text("not a topic")
    truth = read_annotation(tmp_path)
    assert (truth.query_ids, truth.ref_ids) == (("a.flv", "c.flv"), ("b.flv", "c.flv"))
    assert truth.query_times.tolist() == [[10, 80], [5, 7]]
    assert truth.ref_times.tolist() == [[3600, 3630.5], [5, 7]]
    assert pairs_with_itself(truth).tolist() == [False, True]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,b,0:01,0:02,0:03", "line 2 is"),
        ("a,b,0:01,0:02,0:03,0:04,0:05", "line 2 is"),
        ("a,,0:01,0:02,0:03,0:04", "line 2 is"),
        ("a,b,0:01,0:02,0:03,nan", "line 2 is"),
        ("a,b,0:01,-1,0:03,0:04", "line 2 is"),
        ("a", "line 2 is"),
        ("a,b,0:02,0:01,0:03,0:04", "line 2: a segment ends before it starts"),
    ],
)
def test_lines_that_are_refused(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "topic.txt"
    path.write_text(f"a,b,0:01,0:02,0:03,0:04\n{line}\n")
    with pytest.raises(EvaluationError, match=message) as caught:
        read_annotation(tmp_path)
    assert caught.value.file == str(path)
    assert caught.value.remedy


def test_a_folder_without_annotation(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no annotation in this folder"):
        read_annotation(tmp_path)
