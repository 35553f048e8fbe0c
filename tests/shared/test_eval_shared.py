"""The metrics on real annotations, which lie outside the repository."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from vcd_eval.formats import (
    SegmentTable,
    read_boxes,
    read_groundtruth,
    read_metadata,
    read_predictions,
)
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


@pytest.mark.parametrize(
    ("name", "prefix", "rows", "budget"),
    [("train_query", "Q", 8404, 302_401), ("train_reference", "R", 40_311, 1_282_714)],
)
def test_the_budget_of_the_training_set(name: str, prefix: str, rows: int, budget: int) -> None:
    path = SHARED / "vectors" / "vsc" / "real" / f"{name}_metadata.csv.gz"
    metadata = read_metadata(path, prefix=prefix)
    assert len(metadata) == rows
    assert row_budget(metadata) == budget
