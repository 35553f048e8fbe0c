"""Confidences are fitted on judged segments, checked on queries that were not seen, and entered."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from vcd.descriptors import load_manifest, models_folder
from vcd.detection import STILL
from vcd.engine import Engine
from vcd.errors import EvaluationError, ModelError
from vcd.localization import default_confidence
from vcd.localization.features import FEATURES
from vcd_eval.calibration import (
    PASSES,
    SIGNS,
    Judged,
    cross_validated,
    enter,
    error_of,
    fit,
    joined,
    judge,
)
from vcd_eval.haystack import read_haystack


def drawn(n=4000, k=3, seed=0, queries=100):
    """Return segments whose rightness follows a known logistic model, and the model."""
    rng = np.random.default_rng(seed)
    measures = rng.standard_normal((n, k)) * 10.0 ** np.arange(k) + 5
    weights = np.array([1.5, -0.1, 0.02][:k] + [0.0] * max(0, k - 3))
    odds = measures @ weights - weights.sum() * 5 - 1
    right = rng.uniform(size=n) < 1 / (1 + np.exp(-odds))
    names = np.array([f"Q{i}" for i in rng.integers(queries, size=n)])
    return Judged(measures, right, names, pairs=n, related=n // 101), weights


def test_fit_finds_the_model_that_made_the_labels():
    judged, weights = drawn(20_000)
    found, intercept = fit(judged)
    assert found == pytest.approx(weights, rel=0.15, abs=1e-3)
    assert intercept == pytest.approx(-1 - weights.sum() * 5, abs=0.5)


def test_a_measure_that_never_varies_gets_no_weight():
    judged, _ = drawn()
    constant = np.concatenate([judged.measures, np.full((len(judged.right), 1), 7.0)], axis=1)
    weights, intercept = fit(dataclasses.replace(judged, measures=constant))
    assert abs(weights[-1]) < 1e-6
    assert np.isfinite(intercept)


def lines(n, *, seed=0):
    """Return segments of all features, whose rightness is the opposite of what is known."""
    rng = np.random.default_rng(seed)
    measures = rng.standard_normal((n, len(FEATURES)))
    odds = -3 * measures[:, FEATURES.index("contrast")]
    right = rng.uniform(size=n) < 1 / (1 + np.exp(-odds))
    return Judged(measures, right, np.array([f"Q{i % 50}" for i in range(n)]), 100, 1)


def test_few_segments_leave_weights_as_they_were_known():
    known = default_confidence().weights
    few, _ = fit(lines(12))
    assert few == pytest.approx(known, abs=0.2 * np.abs(known).max())


def test_a_weight_never_contradicts_what_is_known():
    weights, _ = fit(lines(20_000))
    assert weights[FEATURES.index("contrast")] == 0
    for sign, weight in zip(SIGNS, weights, strict=True):
        assert sign * weight >= 0


@pytest.mark.parametrize("answer", [True, False])
def test_nothing_to_tell_apart_is_told(answer):
    judged, _ = drawn(50)
    with pytest.raises(EvaluationError, match="nothing to tell apart"):
        fit(dataclasses.replace(judged, right=np.full(50, answer)))


def test_cross_validated_probabilities_hold_for_unseen_queries():
    judged, _ = drawn()
    assert error_of(judged) < 0.04
    assert ((cross_validated(judged) > 0.5) == judged.right).mean() > 0.7


def test_no_segment_is_judged_by_a_model_of_its_own_query():
    """Measures that name the query: whoever has seen a query's segments knows their labels."""
    rng = np.random.default_rng(0)
    number = np.repeat(np.arange(60), 2)
    right = rng.uniform(size=60)[number] < 0.5
    judged = Judged(np.eye(60)[number], right, np.array([f"Q{i}" for i in number]), 60, 30)
    weights, intercept = fit(judged)
    by_heart = (judged.measures @ weights + intercept > 0) == right
    blind = (cross_validated(judged) > 0.5) == right
    assert by_heart.all()
    assert blind.mean() < 0.7


def test_queries_of_two_haystacks_are_different_ones():
    judged, _ = drawn(10, queries=2)
    both = joined([{"visual": judged}, {"visual": judged}])["visual"]
    assert (len(both.right), both.pairs) == (20, 2 * judged.pairs)
    assert not set(both.queries[:10]) & set(both.queries[10:])


def test_a_haystack_is_judged(demo, cache_folder):
    engine = Engine(cache=cache_folder, threshold=0.0, jobs=2)
    told = []
    judged = judge(
        read_haystack(demo.folder),
        engine,
        on_error=pytest.fail,
        on_progress=lambda *numbers: told.append(numbers),
    )
    assert told[-1][0] == told[-1][1] == len(told)
    assert set(judged) == set(PASSES)
    for name in ("visual", "audio", "fused"):
        assert judged[name].measures.shape == (len(judged[name].right), len(FEATURES))
        assert judged[name].right.sum() >= 4
        assert judged[name].right.mean() > 0.3
    assert judged[STILL].measures.shape == (len(judged[STILL].right), 1)
    assert judged[STILL].right.any()
    queries, refs = (len(list((demo.folder / part).iterdir())) for part in ("queries", "refs"))
    assert judged["audio"].pairs == queries * refs
    assert 0 < judged["audio"].related < queries * refs / 2
    assert "other_picture" not in judged["visual"].queries[judged["visual"].right]


def test_what_was_fitted_is_used_by_the_engine(tmp_path):
    models = tmp_path / "models"
    shutil.copytree(models_folder(), models)
    segments, _ = drawn(k=len(FEATURES))
    still, _ = drawn(k=1)
    enter(models, {name: still if name == STILL else segments for name in PASSES})
    written = json.loads((models / "models.json").read_text())
    calibrated = {e["id"]: e.get("calibration", {}) for e in written["models"]}
    assert set(calibrated[written["defaults"]["visual"]]) == {"weights", "intercept", STILL}
    fitted = set(written["defaults"].values())  # their points, which were there, hold no more
    assert not any(fitted.intersection(ids.split("+")) for ids in written["operating_points"])
    engine = Engine(models=models)
    used = engine.localizer.confidences
    assert set(used) == {"visual", "audio", "fused"}
    assert used["audio"].as_mapping() == calibrated[written["defaults"]["audio"]]
    [slope], intercept = fit(still)
    used = engine.detector.calibrations[STILL]
    assert used.slope == pytest.approx(slope, abs=1e-4)
    # Made for 39 related pairs of 4,000; 1 of 200 is assumed.
    assert used.intercept == pytest.approx(intercept + np.log(3961 / 39 / 200), abs=1e-4)


def test_a_named_model_is_calibrated_alone(tmp_path):
    models = tmp_path / "models"
    shutil.copytree(models_folder(), models)
    before = json.loads((models / "models.json").read_text())
    segments, _ = drawn(k=len(FEATURES))
    still, _ = drawn(k=1)
    small = load_manifest(models).get("visual_int8").id
    enter(models, {name: still if name == STILL else segments for name in PASSES}, [small])
    after = json.loads((models / "models.json").read_text())
    changed = [
        new["id"]
        for old, new in zip(before["models"], after["models"], strict=True)
        if old.get("calibration") != new.get("calibration")
    ]
    assert changed == [small]
    pair = f"{small}+{before['defaults']['audio']}"
    assert [p for p, of in after["fusion"].items() if before["fusion"].get(p) != of] == [pair]
    gone = before["operating_points"].keys() - after["operating_points"].keys()
    assert gone == {ids for ids in before["operating_points"] if small in ids.split("+")}


@pytest.mark.parametrize("related", [0, 4000])
def test_pairs_of_one_kind_are_told(tmp_path, related):
    judged, _ = drawn()
    one_kind = dataclasses.replace(judged, related=related)
    with pytest.raises(EvaluationError, match="both kinds are needed"):
        enter(tmp_path, dict.fromkeys(PASSES, one_kind))


def test_a_pass_that_finds_nothing_is_told(tmp_path):
    judged, _ = drawn(50)
    with pytest.raises(ModelError, match="nothing by still"):
        enter(tmp_path, {name: judged for name in PASSES if name != STILL})
