"""The challenge's limits: its own verdict on every golden file, and where the problems lie."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vcd.errors import EvaluationError
from vcd_eval.formats import Metadata, read_metadata, read_subset
from vcd_eval.vsc_validation import check_descriptors, check_matches, match_remarks, row_budget

VECTORS = Path(__file__).parent / "vectors" / "vsc" / "validation"
CASES: dict[str, Any] = json.loads((VECTORS / "expected.json").read_text())["cases"]
HEADER = "query_id,ref_id,query_start,query_end,ref_start,ref_end,score\n"


def test_no_golden_case_is_lost() -> None:
    files = {path.name for path in VECTORS.glob("[qm]_*")}
    assert files == CASES.keys()
    assert len(files) == 23


@pytest.mark.parametrize("name", sorted(n for n in CASES if n.endswith(".npz")))
@pytest.mark.parametrize("part", ["full", "subset"])
def test_descriptors_as_the_challenge(name: str, part: str) -> None:
    metadata = read_metadata(VECTORS / "query_metadata.csv", prefix="Q")
    subset = read_subset(VECTORS / "query_subset.csv") if part == "subset" else None
    problems = check_descriptors(VECTORS / name, budget=row_budget(metadata, subset))
    assert (CASES[name][part] == "ok") == (not problems), [str(p) for p in problems]
    assert len(problems) <= 1


@pytest.mark.parametrize("name", sorted(n for n in CASES if n.endswith(".csv")))
def test_matches_as_the_challenge(name: str) -> None:
    problems = check_matches(VECTORS / name)
    assert (CASES[name] == "ok") == (not problems), [str(p) for p in problems]


def test_references_have_a_budget_of_their_own() -> None:
    metadata = read_metadata(VECTORS / "reference_metadata.csv", prefix="R")
    assert check_descriptors(VECTORS / "refs_ok.npz", budget=row_budget(metadata)) == []


def test_the_budget_rounds_every_video_up() -> None:
    metadata = Metadata(["a", "b"], [1.2, 3.0], [25, 25], [1, 1], [1, 1])  # type: ignore[arg-type]
    assert row_budget(metadata) == 5
    assert row_budget(metadata, ["a"]) == 2
    with pytest.raises(EvaluationError, match="names 'c'"):
        row_budget(metadata, ["c"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["the file is empty"]),
        ("a,b\n", ["line 1: column 1 is a", "line 1: column 2 is b", "line 1: no column query_s"]),
        (HEADER + "Q1,R1,0,1,0\n", ["line 2: the row has not 7 cells"]),
        (HEADER + "Q1,R1,x,1,0,,1\n", ["line 2: query_start is 'x'", "line 2: ref_end is ''"]),
        (HEADER + "\r\nQ1,R1,2,1,0,1,1\r\nQ1,R1,0,1,3,2,1\n", ["line 3: query_s", "line 4: ref_s"]),
        ("\ufeff" + HEADER + "Q1,R1,0,1,0,1,1\n", []),
        (HEADER + 'Q1,"R1\n', ["line 2: not CSV"]),
    ],
)
def test_all_breaches_are_named_with_their_line(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    path = tmp_path / "m.csv"
    path.write_text(text, encoding="utf-8", newline="")
    problems = check_matches(path)
    assert len(problems) == len(expected)
    for problem, start in zip(problems, expected, strict=True):
        assert str(problem).startswith(f"{path}: {start}")


def test_a_file_wrong_throughout_is_told_so_in_few_lines(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text(HEADER + "Q1,R1,-1,1,0,1,1\n" * 1000)
    problems = check_matches(path)
    assert len(problems) == 21
    assert str(problems[-1]) == f"{path}: and 980 more like the last one"


def test_the_row_of_unsorted_ids_is_named(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(
        path,
        video_ids=["Q1", "Q3", "Q2"],
        timestamps=np.arange(3),
        features=np.zeros((3, 600)),
    )
    assert [str(p) for p in check_descriptors(path, budget=2)] == [
        f"{path}: features are float64, not float32",
        f"{path}: features have 600 dimensions, more than 512",
        f"{path}: row 3: video_ids are not sorted: Q2 follows Q3",
        f"{path}: 3 rows, more than one a second: 2 are allowed in all",
    ]
    assert "cannot be read" in check_descriptors(tmp_path / "none.npz")[0].text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"video_ids": np.array([b"Q1", b"Q\xe9"])}, "a video id is not ASCII"),
        ({"features": np.zeros((), np.float32)}, r"features \(n, d\), got"),
        ({"timestamps": np.zeros(())}, "timestamps must be"),
    ],
)
def test_what_is_no_table_is_a_problem(tmp_path: Path, changes: Any, message: str) -> None:
    arrays = {
        "video_ids": ["Q1", "Q2"],
        "timestamps": np.arange(2),
        "features": np.zeros((2, 4), np.float32),
    }
    np.savez(tmp_path / "d.npz", **(arrays | changes))
    [problem] = check_descriptors(tmp_path / "d.npz", budget=9)
    assert re.search(message, problem.text)


def test_remarks_tell_what_the_scorer_refuses() -> None:
    assert match_remarks(VECTORS / "m_ok.csv") == []
    assert "line 2: score is" in match_remarks(VECTORS / "m_nan_score.csv")[0]
    assert "no column score" in match_remarks(VECTORS / "m_missing_score.csv")[0]
