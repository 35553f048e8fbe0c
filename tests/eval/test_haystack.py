"""A run over a haystack on the demo's media: scores, resuming, the page, and malformed folders."""

import json
import shutil

import numpy as np
import pytest

from vcd.engine import Engine
from vcd.errors import EvaluationError
from vcd_eval.formats import Labels
from vcd_eval.haystack import RUNS, Haystack, _settings, read_haystack, run_haystack
from vcd_eval.haystack_metrics import haystack_metrics
from vcd_eval.haystack_page import render_page
from vcd_eval.localizers import published
from vcd_eval.vsc import segment_ap


@pytest.fixture(scope="module")
def engine(cache_folder):
    return Engine(cache=cache_folder, threshold=0.0, jobs=2)


@pytest.fixture(scope="module")
def done(engine, demo, tmp_path_factory):
    """Return a haystack, its run, and the run's folder."""
    output = tmp_path_factory.mktemp("run")
    haystack = read_haystack(demo.folder)
    return haystack, run_haystack(haystack, engine, output, on_error=pytest.fail), output


def rows(table):
    return [
        (q, r, *qt, *rt, s)
        for q, r, qt, rt, s in zip(
            table.query_ids,
            table.ref_ids,
            table.query_times.tolist(),
            table.ref_times.tolist(),
            table.scores.tolist(),
            strict=True,
        )
    ]


def pairs_of(table):
    return sorted(zip(table.query_ids, table.ref_ids, strict=True))


def test_copies_are_found_by_each_stream(done):
    haystack, run, _ = done
    for name in RUNS:
        assert segment_ap(haystack.truth(name), run.predictions[name]).ap > 0.8


def test_fused_predictions_are_those_of_a_plain_match(done, engine, demo):
    _, run, _ = done
    matches = engine.match(demo.folder / "queries", demo.folder / "refs")
    expected = {
        (m.query_id, m.ref_id, s.query_start, s.query_end, s.ref_start, s.ref_end, s.score)
        for m in matches
        for s in m.segments
    }
    assert set(rows(run.predictions["any"])) == expected


def test_an_interrupted_run_goes_on_where_it_was(done, engine, cache_folder, tmp_path):
    haystack, run, output = done
    lines = (output / "progress.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == 1 + len(run.queries)
    (tmp_path / "progress.jsonl").write_text("".join(lines[:4]) + lines[4][:50])
    compared = []

    class Counting(Engine):
        def compare_streams(self, query, reference):
            compared.append(query.descriptor.video_id)
            return super().compare_streams(query, reference)

    again = Counting(cache=cache_folder, threshold=0.0, jobs=1)
    second = run_haystack(haystack, again, tmp_path, on_error=pytest.fail, timed=0)
    assert len(set(compared)) == len(run.queries) - 3
    for name in RUNS:
        assert rows(second.predictions[name]) == rows(run.predictions[name])
    third = run_haystack(haystack, engine, tmp_path, on_error=pytest.fail, timed=0)
    assert rows(third.predictions["any"]) == rows(run.predictions["any"])


def test_progress_of_other_settings_is_not_taken(done, cache_folder, demo, tmp_path):
    haystack, _, output = done
    shutil.copy(output / "progress.jsonl", tmp_path)
    other = Engine(cache=cache_folder, threshold=0.9, jobs=2)
    run = run_haystack(haystack, other, tmp_path, on_error=pytest.fail, timed=0)
    assert (run.predictions["any"].scores >= 0.9).all()


@pytest.mark.parametrize(
    "changed", [{"exact": True}, {"rate": 1.0}, {"decoder": "decord"}, {"min_length": 1.0}]
)
def test_settings_that_change_findings_begin_anew(engine, changed):
    pytest.importorskip("decord")
    assert _settings(engine, []) == _settings(Engine(threshold=0.0, jobs=1), [])
    assert _settings(engine, []) != _settings(Engine(**{"threshold": 0.0} | changed), [])


def test_a_query_that_was_replaced_or_removed_is_not_taken_from_before(
    done, engine, demo, tmp_path
):
    haystack, run, _ = done
    folder, kept = tmp_path / "haystack", tmp_path / "run"
    shutil.copytree(demo.folder, folder)
    kept.mkdir()
    copied = read_haystack(folder)
    run_haystack(copied, engine, kept, on_error=pytest.fail, timed=0)
    replaced, removed, *_ = sorted((folder / "queries").iterdir())
    shutil.copy(demo.references[0], replaced)
    removed.unlink()
    told = []
    second = run_haystack(copied, engine, kept, on_error=told.append, timed=0)
    assert removed.stem not in {*second.queries, *second.predictions["any"].query_ids}
    found = [r for q, r in pairs_of(second.predictions["any"]) if q == replaced.stem]
    assert demo.references[0].stem in found
    if removed.stem in haystack.truth("any").query_ids:
        assert removed.stem in str(told[0])
    others = set(run.queries) - {replaced.stem, removed.stem}
    assert [p for p in pairs_of(second.predictions["any"]) if p[0] in others] == [
        p for p in pairs_of(run.predictions["any"]) if p[0] in others
    ]


def test_a_truth_of_other_videos_is_refused(engine, demo, tmp_path):
    for part in ("queries", "refs"):
        (tmp_path / part).symlink_to(demo.folder / part)
    (tmp_path / "groundtruth.csv").write_text(
        "query_id,ref_id,query_start,query_end,ref_start,ref_end\nq1.mp4,r1.mp4,0,5,0,5\n"
    )
    with pytest.raises(EvaluationError, match=r"q1\.mp4"):
        run_haystack(read_haystack(tmp_path), engine, tmp_path, on_error=pytest.fail, timed=0)


def test_a_truth_without_copies_leaves_figures_undefined(done):
    haystack, run, _ = done
    nothing = Haystack(
        haystack.folder,
        Labels(
            haystack.truth("any").take(np.zeros(0, np.int64)),
            visual=np.zeros(0, np.bool_),
            audio=np.zeros(0, np.bool_),
            edits=[],
            speed=np.zeros(0),
        ),
        labelled=True,
    )
    metrics = haystack_metrics(nothing, run, threshold=0.5, draws=5)
    assert metrics["segment_uap"] == {"any": None, "visual": None, "audio": None}
    assert metrics["operating_point"]["false_alarms_per_1000_pairs"] > 0
    pytest.importorskip("matplotlib")
    assert "None." in render_page(nothing, run, metrics, version="0")


def test_metrics_have_every_figure(done):
    haystack, run, _ = done
    metrics = haystack_metrics(haystack, run, threshold=0.5, draws=20)
    assert list(metrics) == [
        "segment_uap",
        "pair_uap",
        "descriptor_uap",
        "boundary_error_s",
        "operating_point",
        "calibration_error",
        "per_edit",
        "ci95",
        "cost",
    ]
    assert metrics["pair_uap"]["any"] == 1
    assert 0.5 < metrics["descriptor_uap"]["visual"] <= 1
    assert metrics["boundary_error_s"]["median"] < 1
    assert metrics["operating_point"]["false_alarms_per_1000_pairs"] == 0
    assert metrics["per_edit"]["speed"] == {
        "n": 1,
        "recall": 1,
        "segment_uap": pytest.approx(1, abs=0.1),
    }
    for low, high in metrics["ci95"].values():
        assert 0 <= low <= high <= 1
    assert metrics["cost"]["match_cpu_ms_per_pair"] > 0
    json.dumps(metrics, allow_nan=False)


def test_the_page_needs_nothing_but_itself(done):
    pytest.importorskip("matplotlib")
    haystack, run, _ = done
    metrics = haystack_metrics(haystack, run, threshold=1.0, draws=5)
    page = render_page(haystack, run, metrics, version="0")
    assert "http" not in page.replace("http://www.w3.org", "")
    assert page.count("data:image/svg+xml") == 3
    assert "data:image/jpeg" in page
    for edit in ("crop", "speed"):
        assert edit in page


def test_a_haystack_without_labels_is_scored_on_all_rows(demo, tmp_path):
    for part in ("queries", "refs"):
        (tmp_path / part).mkdir()
    shutil.copy(demo.groundtruth, tmp_path / "groundtruth.csv")
    haystack = read_haystack(tmp_path)
    assert len(haystack.truth("audio")) == len(haystack.truth("any")) > 0


@pytest.mark.parametrize("missing", ["queries", "refs", "groundtruth.csv"])
def test_a_folder_that_is_no_haystack_is_told(demo, tmp_path, missing):
    for part in {"queries", "refs"} - {missing}:
        (tmp_path / part).mkdir()
    if missing != "groundtruth.csv":
        shutil.copy(demo.groundtruth, tmp_path / "groundtruth.csv")
    with pytest.raises(EvaluationError, match=missing):
        read_haystack(tmp_path)


def test_another_localizer_runs_on_the_same_matrices(done, demo, cache_folder, tmp_path):
    haystack = read_haystack(demo.folder)
    engine = Engine(cache=cache_folder, threshold=0.0, jobs=2, localizer=published("TN"))
    run = run_haystack(haystack, engine, tmp_path, on_error=pytest.fail, timed=0)
    assert segment_ap(haystack.truth("any"), run.predictions["any"]).ap > 0.3
