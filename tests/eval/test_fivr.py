"""FIVR metrics: golden values of the published scorers, properties, and files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcd.errors import EvaluationError
from vcd_eval.fivr import LABELS, TASKS, Retrieved, evaluate, rank, score
from vcd_eval.fivr_files import read_annotation, read_results, read_video_ids

VECTORS = Path(__file__).parent / "vectors" / "fivr"
EXPECTED: dict[str, Any] = json.loads((VECTORS / "expected.json").read_text())
TOLERANCE = EXPECTED["tolerance_abs"]


def test_no_golden_case_is_lost() -> None:
    assert len(EXPECTED["cases"]) == 10
    assert all((VECTORS / name / "results.json").is_file() for name in EXPECTED["cases"])
    assert {task: tuple(labels) for task, labels in EXPECTED["tasks"].items()} == TASKS


@pytest.mark.parametrize("name", sorted(EXPECTED["cases"]))
def test_a_case_equals_the_published_code(name: str) -> None:
    folder = VECTORS / name
    ids = read_video_ids(folder / "video_ids.txt")
    results = read_results(folder / "results.json", ids)
    rankings = rank(read_annotation(folder / "annotation.json"), results, ids)
    for task, expected in EXPECTED["cases"][name]["tasks"].items():
        # The published scorer counts a query that is labelled as its own match; S2VS does not.
        official, ours = score(rankings, task, count_self=True), score(rankings, task)
        assert official.map == pytest.approx(expected["map"], rel=0, abs=TOLERANCE)
        assert official.ap == pytest.approx(expected["ap_per_query"], rel=0, abs=TOLERANCE)
        assert official.curve == pytest.approx(expected["pr_curve_21"], rel=0, abs=TOLERANCE)
        assert len(official.ap) == expected["n_queries"]
        assert len(official.undefined) + len(rankings.missing) == expected["warnings"]
        if "s2vs" in expected:
            assert ours.map == pytest.approx(expected["s2vs"]["map"], rel=0, abs=TOLERANCE)
            assert ours.uap == pytest.approx(expected["s2vs"]["uap"], rel=0, abs=TOLERANCE)
            assert len(ours.ap) == expected["s2vs"]["n_queries"]
        if "map_best_tie_order" in expected:
            bounds = expected["map_worst_tie_order"], expected["map_best_tie_order"]
            assert (ours.map_worst, ours.map_best) == pytest.approx(bounds, rel=0, abs=TOLERANCE)


def test_what_is_left_out_is_told() -> None:
    annotation = {"q1": {"ND": ["a"]}, "q2": {"ND": ["nowhere"]}, "q3": {"ND": ["a"]}, "q4": {}}
    results = {
        "other": {"a": 1.0},
        "q1": {"elsewhere": 3, "a": 2, "b": 1},
        "q2": {"a": 1},
        "q4": {},
    }
    rankings = rank(annotation, results, ["a", "b"])
    assert (rankings.missing, rankings.unannotated, rankings.unknown) == (["q3"], ["other"], 1)
    result = score(rankings, "DSVR")
    assert (result.map, result.ap, result.undefined) == (1.0, {"q1": 1.0}, ["q2", "q4"])
    nothing = score(rankings, "DAVR")
    assert (nothing.map, nothing.uap, nothing.curve, nothing.ap) == (None, None, None, {})


def test_a_query_need_not_be_in_the_database() -> None:
    annotation = {"q": {"ND": ["a"]}}
    outside = evaluate(annotation, {"q": {"q": 9, "b": 2, "a": 1}}, ["a", "b"])["DSVR"]
    inside = evaluate(annotation, {"q": {"q": 9, "b": 2, "a": 1}}, ["a", "b", "q"])["DSVR"]
    assert (outside.map, inside.map) == (0.5, 0.5)


def test_a_query_that_is_only_its_own_match() -> None:
    annotation = {"p": {"IS": ["p"]}, "q": {"IS": ["a"]}}
    results = {"p": {"a": 1}, "q": {"a": 1}}
    ours = evaluate(annotation, results, ["p", "q", "a"])["ISVR"]
    official = evaluate(annotation, results, ["p", "q", "a"], count_self=True)["ISVR"]
    assert (ours.map, official.map) == (1.0, 0.5)


def test_wrong_use_is_refused() -> None:
    annotation = {"q": {"ND": ["a"]}}
    for wrong, message in (
        (({}, {"q": {"a": 1}}, ["a"]), "no query"),
        (({"q": {"nd": ["a"]}}, {"q": {"a": 1}}, ["a"]), "'nd' is not known"),
        ((annotation, {"p": {"a": 1}}, ["a"]), "no query of the annotation"),
        ((annotation, {"q": {"b": 1}}, ["a"]), "no video of the results"),
        ((annotation, {"q": {"b": 1}}, ["b"]), "no video of the annotation"),
        ((annotation, {"q": {"a": 1}}, ["a", "a"]), "listed twice"),
        ((annotation, {"q": {"a": float("nan")}}, ["a"]), "query 'q': .* not finite"),
        ((annotation, {"q": Retrieved(np.array([1]), np.ones(1))}, ["a"]), "outside"),
    ):
        with pytest.raises(EvaluationError, match=message):
            evaluate(*wrong)
    for videos, similarities, message in (
        ([0, 0], [1, 2], "twice"),
        ([-1], [1], "outside"),
        ([0], [1, 2], "one shape"),
        ([0], [np.inf], "not finite"),
    ):
        with pytest.raises(EvaluationError, match=message):
            Retrieved(np.array(videos), np.array(similarities, dtype=float))
    with pytest.raises(EvaluationError, match="no task 'DSVD'"):
        score(rank(annotation, {"q": {"a": 1}}, ["a"]), "DSVD")


VIDEOS = [f"v{i}" for i in range(6)]
labelled = st.dictionaries(
    st.sampled_from(LABELS), st.lists(st.sampled_from(VIDEOS), unique=True), max_size=3
)
annotations = st.dictionaries(st.sampled_from(VIDEOS[:3]), labelled, min_size=1)
similarity = st.integers(-2, 2).map(lambda x: x / 2)
rows = st.dictionaries(st.sampled_from([*VIDEOS, "unknown"]), similarity)
resultses = st.dictionaries(st.sampled_from(VIDEOS[:3]), rows, min_size=1)


def figures(annotation: Any, results: Any) -> dict[str, Any]:
    """Return the figures of every task; nothing where nothing can be scored."""
    try:
        return dict(evaluate(annotation, results, VIDEOS))
    except EvaluationError:
        return {}


def brute_force(labelled: Mapping[str, Any], row: list[tuple[str, float]], query: str) -> float:
    """AP as the paper defines it: rank by rank, in the order given among equals."""
    relevant = {v for videos in labelled.values() for v in videos} - {query}
    ranked = sorted(row, key=lambda item: -item[1])
    ranked = [(v, s) for v, s in ranked if v in VIDEOS and v != query]
    hits, total = 0, 0.0
    for position, (video, _) in enumerate(ranked, start=1):
        if video in relevant:
            hits += 1
            total += hits / position
    return total / len(relevant)


@settings(max_examples=80)
@given(annotations, resultses)
def test_figures_lie_in_their_bounds(annotation: Any, results: Any) -> None:
    for result in figures(annotation, results).values():
        if result.map is not None:
            assert 0 <= result.map_worst <= result.map + 1e-12
            assert result.map <= result.map_best + 1e-12 <= 1 + 2e-12
            assert 0 <= result.uap <= 1
            assert result.curve[0] == 1
            assert (np.diff(result.curve) <= 1e-12).all()


@settings(max_examples=80)
@given(annotations, resultses, st.randoms(use_true_random=False))
def test_order_matters_only_between_equals(annotation: Any, results: Any, random: Any) -> None:
    def shuffled(mapping: Mapping[str, Any]) -> dict[str, Any]:
        items = list(mapping.items())
        random.shuffle(items)
        return dict(items)

    one = figures(annotation, results)
    other = figures(shuffled(annotation), shuffled({q: shuffled(r) for q, r in results.items()}))
    for task, result in one.items():
        for name in ("map_worst", "map_best", "uap", "curve"):
            assert getattr(result, name) == pytest.approx(getattr(other[task], name))
        if result.map is not None:
            assert result.map_worst - 1e-12 <= other[task].map <= result.map_best + 1e-12


@settings(max_examples=60, deadline=None)
@given(labelled, st.dictionaries(st.sampled_from(VIDEOS), similarity, max_size=5))
def test_ties_are_bounded_by_every_order(labelled: Any, row: Any) -> None:
    query = "v0"
    labels = {label: videos for label, videos in labelled.items() if label != "DA"}
    result = figures({query: labels}, {query: row}).get("ISVR")
    if result is None or result.map is None:
        return
    every = [brute_force(labels, list(order), query) for order in permutations(row.items())]
    assert result.map == pytest.approx(brute_force(labels, list(row.items()), query))
    assert (result.map_worst, result.map_best) == pytest.approx((min(every), max(every)))


@settings(max_examples=40)
@given(annotations)
def test_the_truth_scores_one(annotation: Any) -> None:
    for task, labels in TASKS.items():
        perfect = {
            query: {v: float(any(v in sets.get(x, ()) for x in labels)) for v in VIDEOS}
            for query, sets in annotation.items()
        }
        result = figures(annotation, perfect).get(task)
        if result is not None and result.map is not None:
            assert (result.map, result.map_worst, result.uap) == pytest.approx((1, 1, 1))
            assert result.curve == pytest.approx(np.ones(21))


def test_files_as_other_programs_write_them(tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_bytes(b"\xef\xbb\xbfa\r\n\r\n b \r\na\r\n")
    assert read_video_ids(ids) == ["a", "b"]
    annotation = tmp_path / "annotation.json"
    annotation.write_bytes(b'\xef\xbb\xbf{"q":\r\n{"ND": ["a", "a"]}}\r\n')
    assert read_annotation(annotation) == {"q": {"ND": ["a", "a"]}}
    results = tmp_path / "results.json.gz"
    results.write_bytes(gzip.compress(b'{"q": {"b": 1, "elsewhere": 0.5, "a": -1e3}, "p": {}}'))
    read = read_results(results, ["a", "b"])
    assert (read["q"].videos.tolist(), read["q"].similarities.tolist()) == ([1, 0], [1, -1000])
    assert (read["q"].unknown, len(read["p"].videos)) == (1, 0)


def test_a_matrix_is_read_as_the_same_results(tmp_path: Path) -> None:
    folder = VECTORS / "full_results"
    ids = read_video_ids(folder / "video_ids.txt")
    annotation = read_annotation(folder / "annotation.json")
    rows = json.loads((folder / "results.json").read_text())
    videos = [*sorted(rows[next(iter(rows))]), "unknown"]
    matrix = [[rows[query].get(video, 5.0) for video in videos] for query in rows]
    np.savez(tmp_path / "r.npz", query_ids=list(rows), video_ids=videos, similarities=matrix)
    one = evaluate(annotation, rows, ids)
    other = evaluate(annotation, read_results(tmp_path / "r.npz", ids), ids)
    for task, result in one.items():
        assert other[task].ap == pytest.approx(result.ap, rel=0, abs=1e-12)
        assert other[task].uap == pytest.approx(result.uap, rel=0, abs=1e-12)


DEEP = '{"a":' * 100_000
BAD_RESULTS = {
    "": "not a JSON file",
    "[]": "no object of queries",
    "{}": "no object of queries",
    '{"a": 0.5}': "no object of queries",
    DEEP: "nested too deeply",
    "[" * 100_000: "nested too deeply",
    '{"q": {"a": NaN}}': "query 'q': video 'a': the similarity is nan, not a finite number",
    '{"q": {"a": -Infinity}}': "is -inf, not a finite",
    '{"q": {"a": 1e999}}': "is inf, not a finite",
    '{"q": {"a": 1' + "0" * 400 + "}}": "not a finite",
    '{"q": {"a": "0.5"}}': "query 'q': video 'a': the similarity is '0.5', not a number",
    '{"q": {"a": null}}': "is None, not a number",
    '{"q": {"a": true}}': "is True, not a number",
    '{"q": {"a": {"b": 1}}}': "is an object, not a number",
    '{"q": [0.5]}': "query 'q': there is no object of similarities",
    '{"p": {"a": 1}, "q": 2}': "query 'q': there is no object of similarities",
    '{"q": {"a": 1}, "q": {"a": 2}}': "'q' is listed twice",
    '{"q": {"b": 1, "a": 2, "a": 2}}': "query 'q': video 'a' is listed twice",
}
BAD_ANNOTATIONS = {
    "": "not a JSON file",
    "[]": "no object of queries",
    "{}": "no query",
    DEEP: "nested too deeply",
    '{"q": ["a"]}': "query 'q' holds no lists",
    '{"q": {"ND": "a"}}': "query 'q' holds no lists",
    '{"q": {"ND": [1]}}': "query 'q' holds no lists",
    '{"q": {"nd": ["a"]}}': "query 'q': the label 'nd' is not known",
    '{"q": {"ND": [], "ND": []}}': "'ND' is listed twice",
    '{"q": {}, "q": {}}': "'q' is listed twice",
}


@pytest.mark.parametrize(("content", "message"), BAD_RESULTS.items(), ids=BAD_RESULTS.values())
def test_results_that_are_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(content)
    with pytest.raises(EvaluationError, match=message) as caught:
        read_results(path, ["a", "b"])
    assert caught.value.file == str(path)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("content", "message"), BAD_ANNOTATIONS.items(), ids=BAD_ANNOTATIONS.values()
)
def test_annotations_that_are_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(EvaluationError, match=message) as caught:
        read_annotation(path)
    assert caught.value.file == str(path)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"similarities": np.ones((2, 1))}, r"of shape \(1, 2\), got float64 of \(2, 1\)"),
        ({"similarities": np.ones((1, 2), dtype=bool)}, "must be numbers"),
        ({"similarities": np.array([[1, np.nan]])}, "query 'q', video 'b': the similarity is nan"),
        ({"video_ids": ["a", "a"]}, "'a' is listed twice"),
        ({"video_ids": [1, 2]}, "video_ids must be text"),
        ({"query_ids": np.array([["q"]])}, "query_ids must be text"),
    ],
)
def test_matrices_that_are_refused(changed: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    arrays = {"query_ids": ["q"], "video_ids": ["a", "b"], "similarities": np.ones((1, 2))}
    np.savez(path, **(arrays | changed))
    with pytest.raises(EvaluationError, match=message) as caught:
        read_results(path, ["a", "b"])
    assert caught.value.file == str(path)


def test_ids_and_archives_that_are_refused(tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("\n")
    with pytest.raises(EvaluationError, match=r"ids\.txt: the file is empty"):
        read_video_ids(ids)
    ids.write_text("a\nb c\n")
    with pytest.raises(EvaluationError, match="line 2 holds more than an id"):
        read_video_ids(ids)
    packed = tmp_path / "r.json.gz"
    damaged = bytearray(gzip.compress(b'{"q": {"a": 1}}'))
    damaged[10] = 0xFF  # a block of a type that does not exist
    packed.write_bytes(damaged)
    with pytest.raises(EvaluationError, match=r"r\.json\.gz: cannot be unpacked"):
        read_results(packed, ["a"])
