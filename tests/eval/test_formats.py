"""The benchmark formats: what is refused and how it is said, and round trips."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vcd.errors import EvaluationError, OutputError
from vcd_eval.formats import (
    Labels,
    Metadata,
    PairTable,
    SegmentTable,
    read_boxes,
    read_candidates,
    read_groundtruth,
    read_labels,
    read_metadata,
    read_pair_list,
    read_predictions,
    read_query_sets,
    read_subset,
    write_candidates,
    write_labels,
    write_metadata,
    write_segments,
    write_subset,
)

HEADER = "query_id,ref_id,query_start,query_end,ref_start,ref_end,score\n"
LABELS = HEADER.replace("score", "visual,audio,edits,speed")


def write(folder: Path, text: str, name: str = "p.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty and has no header"),
        ("query_id,ref_id\n", "no column query_start, query_end, ref_start, ref_end, score"),
        (HEADER + "q,r,0,1,0,1\n", "line 2 has 6 cells, the header has 7"),
        (HEADER + "q,r,0,1,0,1,1\nq,r,0,x,0,1,1\n", "line 3: query_end is 'x', not a number"),
        (HEADER + "q,r,0,1_0,0,1,1\n", "'1_0', not a number"),
        (HEADER + "q,r,0,1,0,1,nan\n", "line 2: score is nan"),
        (HEADER + "q,r,0,1,0,1,-inf\n", "line 2: score is -inf"),
        (HEADER + "\nq,r,0,1,2,1,1\n", "line 3: ref_start 2.0 is after ref_end 1.0"),
        (HEADER + ",r,0,1,0,1,1\n", "line 2: query_id is empty"),
        (HEADER.replace("ref_id", "query_id,ref_id"), "query_id more than once"),
        (HEADER + 'q,"r,0,1,0,1,1\n', "line 2 is not CSV"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(EvaluationError, match=message) as caught:
        read_predictions(path)
    assert caught.value.file == str(path)
    assert caught.value.remedy


def test_a_file_that_cannot_be_read_is_an_evaluation_error(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="cannot be read: No such file"):
        read_groundtruth(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes(b"query_id\xe9\n")
    with pytest.raises(EvaluationError, match="byte 8 is not UTF-8"):
        read_groundtruth(tmp_path / "latin.csv")
    packed = gzip.compress(HEADER.encode())
    for damaged in (packed[:20], packed[:12] + b"\xff" * 8 + packed[20:], b"plain"):
        (tmp_path / "damaged.csv.gz").write_bytes(damaged)
        with pytest.raises(EvaluationError, match="cannot be unpacked"):
            read_groundtruth(tmp_path / "damaged.csv.gz")


def test_ids_are_text(tmp_path: Path) -> None:
    table = read_predictions(write(tmp_path, HEADER + "NA,null,0,1,0,1,1\n007,1,0,1,0,1,1\n"))
    assert table.query_ids == ("NA", "007")
    assert table.ref_ids == ("null", "1")


def test_whole_number_ids_are_formatted_in_the_challenge(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "7,1234567,0,1,0,1,1\n")
    table = read_predictions(path, vsc_ids=True)
    assert (table.query_ids, table.ref_ids) == (("Q000007",), ("R1234567",))


def test_real_oddities_of_ground_truth_are_accepted(tmp_path: Path) -> None:
    text = "\ufeffquery_end,query_start,ref_end,ref_start,ref_id,query_id,note\r\n"
    table = read_groundtruth(write(tmp_path, text + "1,-0.5,4,4,r,q,x\r\n\r\n"))
    np.testing.assert_array_equal(table.query_times, [[-0.5, 1]])
    np.testing.assert_array_equal(table.ref_times, [[4, 4]])


def test_a_header_alone_is_an_empty_prediction(tmp_path: Path) -> None:
    assert len(read_predictions(write(tmp_path, HEADER))) == 0


@pytest.mark.parametrize(
    ("query_times", "score", "message"),
    [
        ([[2.0, 1.0]], 0.5, "row 1: query_start 2.0 is after query_end 1.0"),
        ([[0.0, np.nan]], 0.5, "row 1: query_end is nan"),
        ([[0.0, 1.0]], np.inf, "row 1: score is inf"),
        ([0.0, 1.0], 0.5, r"query_times must have shape \(1, 2\)"),
    ],
)
def test_a_table_is_checked_when_made(
    query_times: list[object], score: float, message: str
) -> None:
    with pytest.raises(EvaluationError, match=message):
        SegmentTable(["q"], ["r"], np.array(query_times), np.array([[0.0, 1.0]]), np.array([score]))


ids = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
times = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).map(sorted)


@given(st.lists(st.tuples(ids, ids, times, times, st.floats(-1e300, 1e300)), max_size=6))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_segments_survive_a_round_trip(tmp_path: Path, rows: list[tuple[object, ...]]) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), (), (), ()]
    table = SegmentTable(
        columns[0],  # type: ignore[arg-type]
        columns[1],  # type: ignore[arg-type]
        np.array(columns[2], dtype=float).reshape(-1, 2),
        np.array(columns[3], dtype=float).reshape(-1, 2),
        np.array(columns[4], dtype=float),
    )
    write_segments(tmp_path / "s.csv", table)
    again = read_predictions(tmp_path / "s.csv")
    assert (again.query_ids, again.ref_ids) == (table.query_ids, table.ref_ids)
    for name, column in table.columns().items():
        np.testing.assert_array_equal(again.columns()[name], column)


def test_candidates_survive_a_round_trip(tmp_path: Path) -> None:
    table = PairTable(["q,1", "q2"], ["r", 'r"2'], np.array([0.1, -1e-300]))
    write_candidates(tmp_path / "c.csv", table)
    again = read_candidates(tmp_path / "c.csv")
    assert (again.query_ids, again.ref_ids) == (table.query_ids, table.ref_ids)
    np.testing.assert_array_equal(again.scores, table.scores)


def test_a_file_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written") as caught:
        write_subset(tmp_path / "none" / "s.csv", ["Q1"])
    assert caught.value.file == str(tmp_path / "none" / "s.csv")


def test_labels_survive_a_round_trip(tmp_path: Path) -> None:
    segments = SegmentTable(
        ["a", "b"], ["r", "r"], np.array([[0, 1.5], [2, 3]]), np.array([[4, 5.5], [6, 7.25]])
    )
    labels = Labels(
        segments,
        np.array([True, False]),
        np.array([True, True]),
        [("crop", "speed"), ()],
        np.array([1, 1.25]),
    )
    write_labels(tmp_path / "l.csv", labels)
    again = read_labels(tmp_path / "l.csv")
    assert list(again.edits) == [("crop", "speed"), ()]
    assert again.visual.tolist() == [True, False]
    np.testing.assert_array_equal(again.speed, labels.speed)
    np.testing.assert_array_equal(again.segments.ref_times, segments.ref_times)
    assert (tmp_path / "l.csv").read_text().splitlines()[1].endswith(",1,1,crop|speed,1,1.500")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("nan,1,crop,1", "line 2: visual is nan, neither 0 nor 1"),
        ("1,2,crop,1", "line 2: audio is 2, neither 0 nor 1"),
        ("1,,crop,1", "line 2: audio is '', not a number"),
        ("1,1,crop,nan", "line 2: speed is nan"),
        ("1,1,crop,-inf", "line 2: speed is -inf"),
        ("1,1,crop,0", r"line 2: speed is 0\.0"),
    ],
)
def test_broken_labels_are_refused(tmp_path: Path, cells: str, message: str) -> None:
    path = write(tmp_path, LABELS + f"a,r,0,1,0,1,{cells}\n")
    with pytest.raises(EvaluationError, match=message) as caught:
        read_labels(path)
    assert caught.value.file == str(path)
    assert caught.value.remedy


def test_labels_need_no_length_and_may_run_backwards(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, LABELS + "a,r,0,1,0,2,1,0,,-2\n"))
    assert (labels.visual.tolist(), labels.audio.tolist()) == ([True], [False])
    assert labels.speed.tolist() == [-2]


def test_boxes_by_pair(tmp_path: Path) -> None:
    path = write(tmp_path, '{"a-b": [[0, 1, 2, 3]], "c-d": []}', "b.json")
    boxes = read_boxes(path)
    np.testing.assert_array_equal(boxes["a", "b"], [[0, 1, 2, 3]])
    assert boxes["c", "d"].shape == (0, 4)
    dashed = write(tmp_path, '{"a-b-c": [[0, 1, 2, 3]], "x-y": []}', "d.json")
    unknown: list[str] = []
    pairs = [("a-b", "c"), ("d", "e")]
    assert list(read_boxes(dashed, pairs, on_unknown=unknown.append)) == [("a-b", "c")]
    assert unknown == ["x-y"]
    with pytest.raises(EvaluationError, match="'a-b-c' would stand for two pairs: a-b, c and a, b"):
        read_boxes(dashed, [("a-b", "c"), ("a", "b-c")])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "no object of pairs"),
        ("{", "not a JSON file"),
        ("[" * 100_000, "not a JSON file"),
        ('{"ab": []}', "cannot be split"),
        ('{"a-b-c": []}', "cannot be split"),
        ('{"a-b": [[0, 1, 2]]}', "'a-b': a box is not four numbers"),
        ('{"a-b": [0, 1, 2, 3]}', "'a-b': a box is not four numbers"),
        ('{"a-b": [[2, 1, 0, 3]]}', "'a-b': a box ends before it starts"),
        ('{"a-b": [[0, 1, NaN, 3]]}', "'a-b': a number is not finite"),
        ('{"a-b": [[0, 1, 1' + "0" * 400 + ", 3]]}", "'a-b': a number is not finite"),
    ],
)
def test_broken_boxes_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        read_boxes(write(tmp_path, text, "b.json"))


def test_pair_list(tmp_path: Path) -> None:
    assert read_pair_list(write(tmp_path, "query_id,reference_id\na,b\n")) == [("a", "b")]
    twice = write(tmp_path, "query_id,ref_id\na,b\na,c\na,b\n")
    with pytest.raises(EvaluationError, match="line 4: the pair a, b occurs a second") as caught:
        read_pair_list(twice)
    assert (caught.value.file, caught.value.remedy) == (str(twice), "list each pair once")


def test_query_sets(tmp_path: Path) -> None:
    sets = write(tmp_path, '{"test": {"a": ["a-b-c"]}}', "s.json")
    assert read_query_sets(sets, [("a", "b-c")]) == {"a": [("a", "b-c")]}
    with pytest.raises(EvaluationError, match="would stand for two pairs"):
        read_query_sets(sets, [("a", "b-c"), ("a-b", "c")])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "no query sets named 'test'"),
        ('{"val": {}}', "no query sets named 'test'"),
        ('{"test": ["a-b"]}', "no query sets named 'test'"),
        ('{"test": {"a": 5}}', "the query set 'a' is no list"),
        ('{"test": {"a": "a-b"}}', "the query set 'a' is no list"),
        ('{"test": {"a": ["a-b", 5]}}', "'a': the pair 5 is not among"),
        ('{"test": {"a": ["a-c"]}}', "'a': the pair 'a-c' is not among"),
        ('{"test": {"a": [["a", "b"]]}}', "is not among"),
    ],
)
def test_broken_query_sets_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text, "s.json")
    with pytest.raises(EvaluationError, match=message) as caught:
        read_query_sets(path, [("a", "b")])
    assert caught.value.file == str(path)
    assert caught.value.remedy


def test_rows_are_taken_by_index_or_mask() -> None:
    times = np.array([[0.0, 1], [2, 3]])
    table = SegmentTable(["a", "b"], ["r", "r"], times, times)
    assert table.take([1]).query_ids == ("b",)
    assert table.take(np.array([True, False])).query_ids == ("a",)
    assert len(table.take([])) == 0
    assert len(table.take([]).take([])) == 0


METADATA = "video_id,duration_sec,frames_per_sec,width,height,rn\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video_id,duration_sec\nQ1,1\n", "no column frames_per_sec, width, height"),
        (METADATA + "Q1,-1,25,1,1,1\n", "line 2: duration_sec is negative"),
        (METADATA + "Q1,nan,25,1,1,1\n", "line 2: duration_sec is nan"),
        (METADATA + "Q1,1,25,1,1,1\nQ1,1,25,1,1,2\n", "line 3: video_id 'Q1' occurs a second time"),
        (METADATA + ",1,25,1,1,1\n", "line 2: video_id is empty"),
        (METADATA + "X1,1,25,1,1,1\n", "does not begin with Q"),
    ],
)
def test_broken_metadata_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message) as caught:
        read_metadata(write(tmp_path, text), prefix="Q")
    assert caught.value.file
    assert caught.value.remedy


def test_metadata_and_subset_round_trip(tmp_path: Path) -> None:
    table = Metadata(["Q1", "Q2"], [1.5, 0.1 + 0.2], [25, 30000 / 1001], [640, 1], [360, 1])  # type: ignore[arg-type]
    write_metadata(tmp_path / "m.csv", table)
    back = read_metadata(tmp_path / "m.csv", prefix="Q")
    assert back.video_ids == table.video_ids
    for name, column in table.columns().items():
        assert back.columns()[name].tolist() == column.tolist()
    assert (tmp_path / "m.csv").read_text().splitlines()[1] == "Q1,1.5,25,640,360,1"
    write_subset(tmp_path / "s.csv", ["Q2", "Q1"])
    assert read_subset(tmp_path / "s.csv") == ["Q2", "Q1"]


def test_numbers_as_ids_of_metadata_follow_the_mode(tmp_path: Path) -> None:
    path = write(tmp_path, METADATA + "7,1,25,1,1,1\n")
    assert read_metadata(path, prefix="R").video_ids == ("R000007",)
    assert read_metadata(path).video_ids == ("7",)
    assert read_subset(path, prefix="R") == ["R000007"]
    with pytest.raises(EvaluationError, match="line 3: video_id '7' occurs a second time"):
        read_subset(write(tmp_path, "video_id\n7\n7\n"))
