"""Named thresholds: chosen as they are defined, measured as they are reported."""

import json

import numpy as np
import pytest

from vcd.descriptors import load_manifest
from vcd.engine import Engine
from vcd.errors import EvaluationError, ModelError
from vcd_eval.formats import SegmentTable
from vcd_eval.haystack import read_haystack
from vcd_eval.operating_points import enter_points, measure_haystack, measure_points


def table(rows):
    """Return segments of 10 s at the same place, given as (query, reference, score)."""
    times = np.tile([0.0, 10.0], (len(rows), 1))
    return SegmentTable(
        query_ids=[query for query, _, _ in rows],
        ref_ids=[reference for _, reference, _ in rows],
        query_times=times,
        ref_times=times,
        scores=np.array([score for *_, score in rows], np.float64),
    )


TRUTH = table([(f"Q{i}", "R0", 1.0) for i in range(100)])
FOUND = [(f"Q{i}", "R0", 0.01 + 0.0098 * i) for i in range(100)]


def test_points_are_what_their_names_say():
    alarms = [("Q0", "R1", 0.505), ("Q1", "R1", 0.31), ("Q2", "R1", 0.3), ("Q3", "R1", 0.055)]
    points = measure_points(TRUTH, table(FOUND + alarms), pairs=10_000)
    strict = points["strict"]
    assert 0.31 < strict["threshold"] <= 0.505  # one alarm in 10,000 pairs is allowed
    assert strict["false_alarms_per_10000_pairs"] == 1
    kept = sum(score >= strict["threshold"] for *_, score in FOUND)
    assert strict["recall"] == pytest.approx(kept / 100)
    assert strict["precision"] == pytest.approx(kept / (kept + 1), abs=1e-4)
    best = points["balanced"]
    f1 = 2 / (1 / best["precision"] + 1 / best["recall"])
    for point in points.values():
        assert f1 >= 2 / (1 / point["precision"] + 1 / point["recall"]) - 1e-3


def test_review_keeps_what_can_be_found():
    low = [(f"Q{i}", "R1", 0.035) for i in range(20)]
    points = measure_points(TRUTH, table(FOUND + low), pairs=10_000)
    assert points["review"]["recall"] == 0.98
    assert points["review"]["threshold"] < points["balanced"]["threshold"]


def test_points_are_in_order():
    points = measure_points(TRUTH, table(FOUND), pairs=10_000)
    thresholds = [points[name]["threshold"] for name in ("strict", "balanced", "review")]
    assert thresholds == sorted(thresholds, reverse=True)


@pytest.mark.parametrize("alarm", [0.99, 0.9999999, 1.0])
def test_where_nothing_is_strict_enough_there_is_no_strict_point(alarm):
    points = measure_points(TRUTH, table([*FOUND, ("Q0", "R1", alarm)]), pairs=10)
    assert set(points) == {"balanced", "review"}


@pytest.mark.parametrize(("found", "pairs"), [([], 5), ([("Q0", "R7", 0.9)], 5), (FOUND, 0)])
def test_nothing_to_measure_is_told(found, pairs):
    with pytest.raises(EvaluationError, match="operating points need"):
        measure_points(TRUTH, table(found), pairs=pairs)


def test_measured_points_can_be_asked_for_by_name(demo, cache_folder, tmp_path):
    haystack = read_haystack(demo.folder)
    engine = Engine(cache=cache_folder, threshold=0.0, jobs=2)
    points, error = measure_haystack(haystack, engine, on_error=pytest.fail)
    ids = "+".join(model.id for model in engine.models.values())
    assert set(points) == {ids, *ids.split("+")}
    assert 0 <= error < 0.5
    manifest = json.loads((load_manifest().folder / "models.json").read_text())
    del manifest["operating_points"]
    (tmp_path / "models.json").write_text(json.dumps(manifest))
    enter_points(tmp_path, points)
    entered = Engine(models=tmp_path, threshold="strict")
    assert entered.detector.threshold == points[ids]["strict"]["threshold"]
    alone = Engine(models=tmp_path, streams=["audio"], threshold="review")
    assert alone.detector.threshold == points[ids.split("+")[1]]["review"]["threshold"]
    with pytest.raises(ModelError, match="no operating point 'lenient'"):
        Engine(models=tmp_path, threshold="lenient")
