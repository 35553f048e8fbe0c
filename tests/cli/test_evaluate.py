"""`vcd eval`: exit codes, and the same figures as the functions give."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vcd_cli.main import main
from vcd_eval.formats import (
    Labels,
    SegmentTable,
    write_labels,
    write_segments,
    write_subset,
)

VECTORS = Path(__file__).parents[1] / "eval" / "vectors" / "vsc"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def vcd(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the command in this process: exit code, stdout, stderr."""

    def run(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vcd", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return run


def descriptor(name: str) -> tuple[Any, ...]:
    folder = VECTORS / "descriptor" / name
    return (
        "eval", "vsc", "descriptor", "--groundtruth", folder / "gt.csv",
        "--queries", folder / "queries.npz", "--references", folder / "refs.npz",
    )  # fmt: skip


def test_the_descriptor_track(vcd: Run, tmp_path: Path) -> None:
    code, out, err = vcd(*descriptor("uneven_lengths"), "--json", "--output", tmp_path / "c.csv")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"uap": pytest.approx(0.8064285714, abs=1e-6), "candidates": 150}
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 151
    code, out, _ = vcd(*descriptor("uneven_lengths"))
    assert out == "descriptor micro-AP  0.8064\ncandidate pairs      150\n"


def test_scattered_rows_are_grouped_or_refused(vcd: Run) -> None:
    code, out, err = vcd(*descriptor("error_not_contiguous"), "--json")
    assert (code, json.loads(out)["uap"]) == (0, 1)
    assert "do not lie together" in err
    code, out, err = vcd(*descriptor("error_not_contiguous"), "--challenge")
    assert (code, out) == (2, "")
    assert "ids must ascend" in err


def test_normalised_scores_change_the_result(vcd: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "b.npz",
        video_ids=np.array(["B1"] * 50),
        timestamps=np.arange(50),
        features=rng.normal(size=(50, 32)).astype(np.float32),
    )
    scores = []
    for options in ([], ["--score-normalisation", tmp_path / "b.npz"]):
        code, out, _ = vcd(*descriptor("uneven_lengths"), *options, "--json")
        assert code == 0
        scores.append(json.loads(out)["uap"])
    assert scores[0] != scores[1]


def test_a_ground_truth_of_other_videos_is_no_zero(vcd: Run, tmp_path: Path) -> None:
    truth = tmp_path / "gt.csv"
    truth.write_text("query_id,ref_id,query_start,query_end,ref_start,ref_end\n1,2,0,1,0,1\n")
    arguments = list(descriptor("uneven_lengths"))
    arguments[4] = truth
    code, out, err = vcd(*arguments)
    assert (code, out) == (2, "")
    assert "no query of the ground truth is among those it is compared with" in err


def test_numbers_as_ids_of_the_background_follow_the_challenge(vcd: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = {}
    for name, ids in (("queries", [1, 2]), ("references", [3, 4]), ("background", [4, 3])):
        files[name] = tmp_path / f"{name}.npz"
        np.savez(
            files[name],
            video_ids=ids,
            timestamps=np.arange(2),
            features=rng.normal(size=(2, 4)).astype(np.float32),
        )
    truth = tmp_path / "gt.csv"
    truth.write_text("query_id,ref_id,query_start,query_end,ref_start,ref_end\n1,3,0,1,0,1\n")
    code, out, err = vcd(
        "eval", "vsc", "descriptor", "--challenge", "--groundtruth", truth,
        "--queries", files["queries"], "--references", files["references"],
        "--score-normalisation", files["background"],
    )  # fmt: skip
    assert (code, out) == (2, "")
    assert "2 videos are both background and reference, the first is R000003" in err


def test_a_beta_takes_a_background(vcd: Run) -> None:
    code, out, err = vcd(*descriptor("uneven_lengths"), "--beta", 1)
    assert (code, out) == (2, "")
    assert "--score-normalisation" in err


def matching(folder: Path, query: str, score: float = 0.5) -> tuple[Any, ...]:
    """Write a truth of two pairs, and two predictions, the first right; return the command."""
    header = "query_id,ref_id,query_start,query_end,ref_start,ref_end"
    rows = "{0},R000001,0,1,0,1{1}\n{0},R000002,0,1,0,1{2}\n"
    (folder / "gt.csv").write_text(f"{header}\nQ000001,R000001,0,1,0,1\n")
    text = f"{header},score\n" + rows.format(query, f",{score}", f",{score - 1}")
    (folder / "p.csv").write_text(text)
    return (
        "eval", "vsc", "matching",
        "--groundtruth", folder / "gt.csv", "--predictions", folder / "p.csv",
    )  # fmt: skip


def test_the_matching_track_says_which_pair_ap_it_prints(vcd: Run, tmp_path: Path) -> None:
    code, out, err = vcd(*matching(tmp_path, "Q000001", -0.5))
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "segment micro-AP  1.0000",
        "pair micro-AP     1.0000  by the scores as they are",
        "                  0.5000  as published: negative scores count as 0",
    ]


def test_predictions_of_other_ids_are_no_silent_zero(vcd: Run, tmp_path: Path) -> None:
    command = matching(tmp_path, "1")
    code, out, err = vcd(*command, "--json")
    assert (code, json.loads(out)["segment_ap"]) == (0, 0)
    assert err.startswith(f"vcd: warning: {tmp_path / 'p.csv'}: no query of the ground truth is")
    assert "--challenge" in err
    code, out, err = vcd(*command, "--json", "--challenge")
    assert (code, json.loads(out)["segment_ap"], err) == (0, 1, "")
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("query_id,ref_id,score\n1,R000001,0.5\n")
    command = ("eval", "vsc", "pairs", "--groundtruth", tmp_path / "gt.csv", "--candidates", pairs)
    assert "no query of the ground truth is" in vcd(*command)[2]
    assert vcd(*command, "--challenge")[1:] == ("pair micro-AP  1.0000\n", "")


def test_no_predictions_are_an_honest_zero(vcd: Run, tmp_path: Path) -> None:
    command = matching(tmp_path, "Q000001")
    (tmp_path / "p.csv").write_text((tmp_path / "p.csv").read_text().partition("\n")[0])
    code, out, err = vcd(*command, "--json")
    assert (code, json.loads(out)["segment_ap"], err) == (0, 0, "")


VALIDATION = VECTORS / "validation"


def test_valid_files(vcd: Run) -> None:
    code, out, err = vcd(
        "eval", "vsc", "validate", VALIDATION / "q_at_limit.npz", VALIDATION / "refs_ok.npz",
        VALIDATION / "m_ok.csv", "--metadata", VALIDATION / "query_metadata.csv",
        "--metadata", VALIDATION / "reference_metadata.csv",
    )  # fmt: skip
    assert (code, out, err) == (0, "valid: 3 files\n", "")


def test_every_problem_is_a_line(vcd: Run, tmp_path: Path) -> None:
    (tmp_path / "torn.npz").write_bytes(b"PK")
    files = [VALIDATION / "m_negative_time.csv", tmp_path / "torn.npz", VALIDATION / "m_ok.csv"]
    code, out, _ = vcd("eval", "vsc", "validate", *files)
    assert code == 3
    second, first = out.splitlines()
    assert first == f"{files[0]}: line 2: query_start is '-1.0', not a number of at least 0"
    assert second.startswith(f"{files[1]}: not an archive")
    code, out, _ = vcd("eval", "vsc", "validate", "--predictions", files[0], "--json")
    result = json.loads(out)
    assert (code, result["valid"], result["problems"][0]["line"]) == (3, False, 2)


def test_a_subset_lowers_the_limit(vcd: Run) -> None:
    options = ["--metadata", VALIDATION / "query_metadata.csv", "--json"]
    subset = ["--subset", VALIDATION / "query_subset.csv"]
    files = ["--queries", VALIDATION / "q_at_limit.npz"]
    assert vcd("eval", "vsc", "validate", *files, *options)[0] == 0
    code, out, _ = vcd("eval", "vsc", "validate", *files, *options, *subset)
    assert code == 3
    assert "7 are allowed" in json.loads(out)["problems"][0]["problem"]


def test_what_passes_but_cannot_be_scored_is_a_remark(vcd: Run) -> None:
    code, out, err = vcd("eval", "vsc", "validate", VALIDATION / "m_nan_score.csv")
    assert (code, out) == (0, "valid: 1 file\n")
    assert "cannot be scored" in err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["matches.txt"],
        ["--metadata", VALIDATION / "query_metadata.csv"],
        [
            VALIDATION / "m_ok.csv",
            *["--metadata", VALIDATION / "query_metadata.csv"] * 2,
        ],
        [VALIDATION / "m_ok.csv", "--metadata", VALIDATION / "none.csv"],
        [VALIDATION / "q_at_limit.npz", "--subset", VALIDATION / "none.csv"],
        [
            VALIDATION / "refs_ok.npz",
            *["--metadata", VALIDATION / "reference_metadata.csv"],
            *["--subset", VALIDATION / "query_subset.csv"],
        ],
    ],
)
def test_wrong_usage_of_validate(vcd: Run, arguments: list[Any]) -> None:
    code, out, err = vcd("eval", "vsc", "validate", *arguments)
    assert (code, out) == (2, "")
    assert err


def test_why_rows_are_not_counted_is_told(vcd: Run, tmp_path: Path) -> None:
    metadata = ["--metadata", VALIDATION / "query_metadata.csv"]
    for ids, told in (
        ([7], "ids such as 7... do not tell queries from references"),
        (["R1"], "which takes the --metadata of its side"),
        ([b"Q1"], ""),
    ):
        arrays = {"timestamps": [0.0], "features": np.zeros((1, 4), np.float32)}
        np.savez(tmp_path / "d.npz", video_ids=np.array(ids), **arrays)
        code, out, err = vcd("eval", "vsc", "validate", tmp_path / "d.npz", *metadata)
        assert (code, out) == (0, "valid: 1 file\n")
        assert told in err if told else err == ""


def matrices(folder: Path) -> tuple[Path, Path]:
    cosines = np.random.default_rng(0).normal(0.1, 0.05, (30, 40)).astype(np.float32)
    empty = cosines.copy()
    cosines[np.arange(5, 25), np.arange(12, 32)] = 0.9
    np.savez(
        folder / "m.npz", Q1_R1_sim=cosines, Q1_R1_fps=[1, 1], Q2_R1_sim=empty, Q2_R1_fps=[1, 1]
    )
    truth = folder / "gt.csv"
    truth.write_text("query_id,ref_id,query_start,query_end,ref_start,ref_end\nQ1,R1,5,25,12,32\n")
    return folder / "m.npz", truth


def test_localizers_are_compared(vcd: Run, tmp_path: Path) -> None:
    files = matrices(tmp_path)
    code, out, err = vcd("eval", "localizers", *files)
    assert code == 0
    assert err == "vcd: warning: TN-VSC-norm is left out: it takes _qb and _rb of every pair\n"
    lines = out.splitlines()
    assert lines[0].split()[:4] == ["P", "R", "F1", "uAP"]
    assert [line.split()[0] for line in lines[1:]] == ["lines", "TN", "TN-VSC", "DP", "DTW", "HV"]
    code, out, _ = vcd("eval", "localizers", *files, "--json")
    result = json.loads(out)["TN"]
    assert result["recall"] > 0.9
    assert {"precision", "recall", "f1", "segment_ap", "false_alarm_rate", "hit_at_far1",
            "ms_median", "ms_p90", "boundary_error_s"} == set(result)  # fmt: skip


def test_pairs_choose_what_is_compared(vcd: Run, tmp_path: Path) -> None:
    files = matrices(tmp_path)
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("query_id,ref_id\nQ2,R1\n")
    code, out, _ = vcd("eval", "localizers", *files, "--pairs", pairs, "--json")
    assert (code, json.loads(out)["TN"]["segment_ap"]) == (0, None)
    files[1].write_text(files[1].read_text().partition("\n")[0])
    assert vcd("eval", "localizers", *files, "--pairs", pairs)[0] == 0
    pairs.write_text("query_id,reference_id\nQ3,R1\n")
    code, out, err = vcd("eval", "localizers", *files, "--pairs", pairs)
    assert (code, out) == (2, "")
    assert "no array Q3_R1" in err


def test_candidate_pairs(vcd: Run) -> None:
    expected = json.loads((VECTORS / "pairs" / "expected.json").read_text())["cases"]["random_1"]
    folder = VECTORS / "pairs" / "random_1"
    command = (
        "eval", "vsc", "pairs",
        "--groundtruth", folder / "gt.csv", "--candidates", folder / "candidates.csv",
    )  # fmt: skip
    code, out, _ = vcd(*command, "--json")
    assert code == 0
    assert json.loads(out)["ap"] == pytest.approx(expected["ap"], abs=1e-9)
    assert vcd(*command)[1] == f"pair micro-AP  {expected['ap']:.4f}\n"


VCSL = VECTORS.parent / "vcsl" / "mid"
VCSL_COMMAND = (
    "eval", "vcsl", "--groundtruth", VCSL / "gt.json", "--predictions", VCSL / "pred.json",
    "--pairs", VCSL / "pair_file_test.csv",
)  # fmt: skip


def test_vcsl_by_pairs_and_by_query_sets(vcd: Run) -> None:
    expected = json.loads((VCSL / "expected.json").read_text())
    code, out, _ = vcd(*VCSL_COMMAND, "--query-sets", VCSL / "split_meta_pairs.json", "--json")
    assert code == 0
    result = json.loads(out)
    macro = expected["macro_over_query_sets"]
    for key in ("precision", "recall", "f1"):
        assert result["overall"][key] == pytest.approx(expected["overall"][key], abs=5e-6)
        assert result["macro"][key] == pytest.approx(macro[key], abs=5e-6)
    for key in ("frr", "far"):
        assert result[key] == pytest.approx(expected["overall"][key], abs=5e-6)
    code, out, _ = vcd(*VCSL_COMMAND)
    assert (code, len(out.splitlines())) == (0, 2)
    assert out.splitlines()[1] == "FRR 0.0350  FAR 0.2587"


def test_predictions_of_other_pairs_are_no_silent_zero(vcd: Run, tmp_path: Path) -> None:
    other = tmp_path / "pred.json"
    other.write_text('{"x-y": [[0, 0, 1, 1]], "x-z": []}')
    command = [other if part == VCSL / "pred.json" else part for part in VCSL_COMMAND]
    pairs = len((VCSL / "pair_file_test.csv").read_text().splitlines()) - 1
    code, out, err = vcd(*command, "--json")
    assert (code, json.loads(out)["missing"]) == (0, pairs)
    assert err.splitlines() == [
        f"vcd: warning: {other}: lacks {pairs} of the {pairs} pairs; they count as empty",
        f"vcd: warning: {other}: 2 keys are none of the pairs and are not scored, such as 'x-y'",
    ]


@pytest.mark.parametrize("options", [["--split", "val"], ["--ratio", "inf"]])
def test_wrong_usage_of_vcsl(vcd: Run, options: list[str]) -> None:
    code, out, err = vcd(*VCSL_COMMAND, *options)
    assert (code, out) == (2, "")
    assert options[0][2:] in err


def test_a_query_set_of_unknown_pairs_is_told(vcd: Run, tmp_path: Path) -> None:
    sets = tmp_path / "sets.json"
    sets.write_text('{"test": {"a": ["nobody-nothing"]}}')
    code, out, err = vcd(*VCSL_COMMAND, "--query-sets", sets)
    assert (code, out) == (2, "")
    assert "nobody-nothing" in err
    assert str(sets) in err


FIVR = VECTORS.parent / "fivr"


def fivr(name: str, **other: Path) -> tuple[Any, ...]:
    files = {
        "annotation": FIVR / name / "annotation.json",
        "results": FIVR / name / "results.json",
        "database": FIVR / name / "video_ids.txt",
    } | other
    options = [part for key, path in files.items() for part in (f"--{key}", path)]
    return ("eval", "fivr", *options)


def test_fivr_prints_both_readings_of_a_query_that_matches_itself(vcd: Run) -> None:
    name = "query_labelled_as_its_own_match"
    expected = json.loads((FIVR / "expected.json").read_text())["cases"][name]["tasks"]
    code, out, err = vcd(*fivr(name), "--json")
    assert code == 0
    result = json.loads(out)
    assert list(result) == ["DSVR", "CSVR", "ISVR", "DAVR"]
    for task, figures in result.items():
        assert figures["map"] == pytest.approx(expected[task]["s2vs"]["map"], rel=0, abs=1e-9)
        assert figures["uap"] == pytest.approx(expected[task]["s2vs"]["uap"], rel=0, abs=1e-9)
        assert figures["map_published"] == pytest.approx(expected[task]["map"], rel=0, abs=1e-9)
        assert (figures["queries"], len(figures["ap"]), len(figures["curve"])) == (6, 6, 21)
    assert "'-xd4tLvT1wb' labelled as its own match" in err
    code, out, _ = vcd(*fivr(name))
    assert (code, out.splitlines()[3].split()) == (0, ["ISVR", "0.7399", "0.7229", "6", "0.7277"])


def test_fivr_tells_what_was_left_out_and_what_ties_decide(vcd: Run) -> None:
    code, out, err = vcd(*fivr("missing_query_unknown_video"))
    assert (code, out.splitlines()[1].split()) == (0, ["DSVR", "0.7356", "0.7178", "5"])
    assert "1 annotated queries have no results" in err
    assert "1 queries of the results are not annotated" in err
    assert "1 results are left out" in err
    assert "DSVR: equal similarities" in vcd(*fivr("ties"))[2]
    assert vcd(*fivr("full_results"))[2] == ""


def test_fivr_files_that_do_not_fit_are_named(vcd: Run, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("someone\nelse\n")
    code, out, err = vcd(*fivr("full_results", database=ids))
    assert (code, out) == (2, "")
    assert "no video of the results is in the database" in err
    assert str(ids) in err


def test_vcdb_by_its_annotation_and_by_a_table(vcd: Run, tmp_path: Path) -> None:
    topic = tmp_path / "annotation" / "topic.txt"
    topic.parent.mkdir()
    topic.write_text("a,b,0:00:00,0:00:10,0:01:00,0:01:10\na,a,0:00:00,0:01:00,0:00:00,0:01:00\n")
    header = "query_id,ref_id,query_start,query_end,ref_start,ref_end"
    found = tmp_path / "found.csv"
    found.write_text(f"{header},score\nb,a,65,75,5,15,0.9\na,b,30,40,60,70,0.1\n")
    command = ("eval", "vcdb", "--predictions", found, "--groundtruth")
    code, out, err = vcd(*command, topic.parent, "--without-self", "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    best = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "threshold": 0.9}
    assert {key: result[key] for key in best} == best
    assert result["all"]["precision"] == 0.5
    assert (result["true_segments"], result["predictions"]) == (1, 2)

    code, out, err = vcd(*command, topic.parent)
    assert (code, len(out.splitlines())) == (0, 2)
    assert "1 true segments pair a video with itself" in err

    truth = tmp_path / "gt.csv"
    truth.write_text(f"{header}\na,b,0,10,60,70\n")  # here a query is a query
    assert json.loads(vcd(*command, truth, "--json")[1])["recall"] == 0
    truth.write_text(f"{header}\n")
    code, _, err = vcd(*command, truth)
    assert code == 2
    assert f"{truth}: there is no ground truth" in err


def run_folder(folder: Path, found: int, edit: str = "crop") -> Path:
    """Write what `vcd eval haystack` writes of 12 queries, 10 with a copy, some of them found."""
    folder.mkdir()
    times = np.tile([0.0, 10.0], (10, 1))
    names = [f"q{k}" for k in range(12)]
    truth = SegmentTable(names[:10], ["r"] * 10, times, times)
    both = np.ones(10, np.bool_)
    edits = [(edit,) if k < 5 else ("blur",) for k in range(10)]
    write_labels(folder / "labels.csv", Labels(truth, both, both, edits, np.ones(10)))
    write_subset(folder / "queries.csv", names)
    refs = ["r" if k < found else "x" for k in range(12)]
    times = np.tile([0.0, 10.0], (12, 1))
    scores = np.linspace(1, 0.5, 12)
    for name in ("matches.csv", "matches_visual.csv"):
        write_segments(folder / name, SegmentTable(names, refs, times, times, scores))
    return folder


def test_runs_are_compared_by_stream_and_edit(vcd: Run, tmp_path: Path) -> None:
    first, second = run_folder(tmp_path / "a", 2), run_folder(tmp_path / "b", 10)
    command = ("eval", "compare", first, second, "--draws", 100)
    code, out, _ = vcd(*command, "--json")
    result = json.loads(out)
    assert code == 0
    streams, edits = result["streams"], result["per_edit"]
    assert (list(streams), list(edits)) == (["any", "visual"], ["blur", "crop"])
    assert streams["any"]["rows"] == 10
    assert streams["any"]["second"] == 1
    assert streams["any"]["difference"]["value"] == pytest.approx(0.8)
    assert streams["any"]["difference"]["p_value"] < 0.05
    assert edits["blur"]["first"] == 0
    assert len(vcd(*command)[1].splitlines()) == 5
    same = json.loads(vcd("eval", "compare", first, first, "--draws", 5, "--json")[1])
    assert same["streams"]["any"]["difference"] == {"value": 0, "low": 0, "high": 0, "p_value": 1}


def test_runs_over_other_truths_are_not_compared(vcd: Run, tmp_path: Path) -> None:
    first, second = run_folder(tmp_path / "a", 2), run_folder(tmp_path / "b", 2)
    (second / "queries.csv").write_text("video_id\nq1\n")
    code, out, err = vcd("eval", "compare", first, second)
    assert (code, out) == (2, "")
    assert str(second) in err
    code, _, err = vcd("eval", "compare", first, run_folder(tmp_path / "c", 2, edit="pad"))
    assert code == 2
    assert "another haystack" in err
    code, _, err = vcd("eval", "compare", first, tmp_path)
    assert code == 2
    assert "vcd eval haystack" in err
