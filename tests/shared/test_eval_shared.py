"""The metrics on real annotations, which lie outside the repository."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from vcd_eval.fivr import rank, score
from vcd_eval.fivr_files import read_annotation, read_results, read_video_ids
from vcd_eval.formats import (
    SegmentTable,
    read_boxes,
    read_groundtruth,
    read_metadata,
    read_predictions,
)
from vcd_eval.vcdb import evaluate
from vcd_eval.vcsl import overall
from vcd_eval.vsc import pair_ap, segment_ap
from vcd_eval.vsc_validation import row_budget

SHARED = Path(os.environ.get("VCD_SHARED", Path(__file__).resolve().parents[3] / "shared"))

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not (SHARED / "vectors").is_dir(), reason=f"no data folder {SHARED}"),
]


def test_vsc_training_set() -> None:
    folder = SHARED / "vectors" / "vsc" / "real"
    expected = json.loads((folder / "expected.json").read_text())
    truth = read_groundtruth(folder / expected["ground_truth_file"], vsc_ids=True)
    predictions = read_predictions(folder / "pred_simulated.csv.gz", vsc_ids=True)
    assert len(truth) == expected["ground_truth_segments"]
    assert len(predictions) == expected["predictions"]
    result = segment_ap(truth, predictions)
    assert result.ap == pytest.approx(expected["segment_ap"], rel=0, abs=1e-9)
    assert result.curve[-1, 1] == pytest.approx(expected["precision_at_final_recall"], abs=1e-9)
    assert result.curve[-1, 2] == pytest.approx(expected["final_recall"], abs=1e-9)
    pairs = pair_ap(truth, predictions, reference_clamp=True)
    assert pairs.ap == pytest.approx(expected["pairwise_ap"], rel=0, abs=1e-9)
    itself = SegmentTable(
        truth.query_ids, truth.ref_ids, truth.query_times, truth.ref_times, [1.0] * len(truth)
    )
    assert segment_ap(truth, itself).ap == pytest.approx(1, abs=1e-9)


def test_vcdb_labels_in_vcsl_format() -> None:
    folder = SHARED / "vectors" / "vcsl" / "real"
    expected = json.loads((folder / "expected.json").read_text())
    keys = json.loads(gzip.decompress((folder / "vcdb_label_file.json.gz").read_bytes()))
    pairs = [(key, "") for key in keys]  # the ids hold '-' themselves: the key stands for the pair
    named = [(key.partition("-")[0], key.partition("-")[2]) for key, _ in pairs]
    truth = read_boxes(folder / "vcdb_label_file.json.gz", named)
    predictions = read_boxes(folder / "vcdb_pred_simulated.json.gz", named)
    result = overall(truth, predictions, named)
    assert result.pairs == expected["pairs"]
    for key in ("precision", "recall", "f1", "far"):
        assert getattr(result, key) == pytest.approx(expected["overall"][key], rel=0, abs=5e-6), key
    assert result.frr == pytest.approx(expected["overall"]["frr_at_ratio_1"], abs=5e-6)


def test_vcdb_labels_against_themselves() -> None:
    path = SHARED / "vectors" / "vcsl" / "real" / "vcdb_label_file.json.gz"
    keys = json.loads(gzip.decompress(path.read_bytes()))
    labels = read_boxes(path, [(key[:40], key[41:]) for key in keys])
    rows = [(*pair, box) for pair, boxes in labels.items() for box in boxes]
    times = np.array([box for *_, box in rows])
    truth = SegmentTable(
        [q for q, *_ in rows],
        [r for _, r, _ in rows],
        times[:, [0, 2]],
        times[:, [1, 3]],
        [1.0] * len(rows),
    )
    assert len(truth) == 9236
    best, everything = evaluate(truth, truth, either_way=True)
    assert best == everything
    assert (best.precision, best.recall, best.f1) == (1, 1, 1)


def test_fivr_annotation() -> None:
    folder = SHARED / "vectors" / "fivr" / "real"
    expected = json.loads((folder / "expected.json").read_text())
    annotation = read_annotation(folder / "annotation.json.gz")
    labelled = {v for labels in annotation.values() for videos in labels.values() for v in videos}
    ids = sorted(labelled | annotation.keys())
    assert len(ids) == expected["n_video_ids"]
    rankings = rank(annotation, read_results(folder / "results_simulated.json.gz", ids), ids)
    assert [r.query for r in rankings.queries if r.own] == ["eCrhXArKE24"]
    for task, wanted in expected["tasks"].items():
        official, ours = score(rankings, task, count_self=True), score(rankings, task)
        assert official.map == pytest.approx(wanted["map"], rel=0, abs=1e-9)
        assert official.curve == pytest.approx(wanted["pr_curve_21"], rel=0, abs=1e-9)
        assert len(official.ap) == wanted["n_queries"]
        assert ours.map == pytest.approx(wanted["s2vs_map"], rel=0, abs=wanted["s2vs_tolerance"])


def test_fivr_of_twenty_queries() -> None:
    folder = SHARED / "vectors" / "fivr"
    expected = json.loads((folder / "expected.json").read_text())["cases"]["mid"]["tasks"]
    ids = read_video_ids(folder / "mid" / "video_ids.txt")
    results = read_results(folder / "mid" / "results.json", ids)
    rankings = rank(read_annotation(folder / "mid" / "annotation.json"), results, ids)
    for task, wanted in expected.items():
        result = score(rankings, task)
        assert result.ap == pytest.approx(wanted["ap_per_query"], rel=0, abs=1e-9)
        assert result.curve == pytest.approx(wanted["pr_curve_21"], rel=0, abs=1e-9)
        assert result.uap == pytest.approx(wanted["s2vs"]["uap"], rel=0, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "prefix", "rows", "budget"),
    [("train_query", "Q", 8404, 302_401), ("train_reference", "R", 40_311, 1_282_714)],
)
def test_the_budget_of_the_training_set(name: str, prefix: str, rows: int, budget: int) -> None:
    path = SHARED / "vectors" / "vsc" / "real" / f"{name}_metadata.csv.gz"
    metadata = read_metadata(path, prefix=prefix)
    assert len(metadata) == rows
    assert row_budget(metadata) == budget
