"""Calibration: the fit, and what is told where there is nothing to fit on."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from vcd.descriptors import models_folder
from vcd.errors import MediaError
from vcd.media import SAMPLE_RATE
from vcd.records import Segment
from vcd.training import calibration
from vcd.training.calibration import LONGEST, Maker, fit, is_right, make_film


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.6, -2.0), (1.5, 1.0)])
def test_fit_finds_the_calibration_that_made_the_labels(slope, intercept):
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.01, 0.99, 20_000)
    logit = slope * np.log(confidence / (1 - confidence)) + intercept
    right = rng.uniform(size=len(logit)) < 1 / (1 + np.exp(-logit))
    found = fit(confidence, right)
    assert found["slope"] == pytest.approx(slope, abs=0.1)
    assert found["intercept"] == pytest.approx(intercept, abs=0.1)


def test_fit_of_separable_labels_stays_sensible():
    found = fit([0.1] * 50 + [0.9] * 20, [False] * 50 + [True] * 20)
    assert 0.5 < found["slope"] < 4
    assert abs(found["intercept"]) < 3


def test_overlap_decides_what_is_right():
    truth = Segment(0, 10, 0, 10, 1)
    assert is_right(Segment(1, 10, 1, 10, 1), truth)
    assert not is_right(Segment(0, 3, 0, 3, 1), truth)
    assert not is_right(Segment(0, 10, 20, 30, 1), truth)


@pytest.mark.parametrize(("photos", "sounds"), [(0, 10), (10, 0), (1, 10), (10, 1)])
def test_too_little_material_is_told(photos, sounds):
    pictures = [np.zeros((8, 8, 3), np.uint8)] * photos
    noises = [np.zeros(LONGEST + 1, np.float32)] * sounds
    with pytest.raises(MediaError, match="too little material"):
        Maker(pictures, noises, models_folder()).film(24, foreign=False)


def test_short_sounds_are_told_and_not_looked_for_for_ever():
    pictures = [np.zeros((8, 8, 3), np.uint8)] * 10
    noises = [np.zeros(5 * SAMPLE_RATE, np.float32)] * 10
    with pytest.raises(MediaError, match="over half a minute"):
        Maker(pictures, noises, models_folder())


def test_a_film_is_as_long_as_its_sound():
    photos = iter(np.random.default_rng(0).integers(0, 256, (9, 160, 160, 3), dtype=np.uint8))
    film = make_film(photos, np.zeros(10 * SAMPLE_RATE, np.float32), np.random.default_rng(1))
    assert len(film.frames) == 20
    assert {frame.shape for frame in film.frames} == {(160, 160, 3)}


def test_fitted_numbers_are_entered_by_pass(tmp_path):
    path = tmp_path / "models.json"
    entries = [{"id": f"{s}-1", "stream": s} for s in ("visual", "audio")]
    defaults = {entry["stream"]: entry["id"] for entry in entries}
    path.write_text(json.dumps({"defaults": defaults, "models": entries}))
    names = ("visual", "audio", "still", "fused")
    calibration.write(path, {name: {"slope": k} for k, name in enumerate(names)})
    written = json.loads(path.read_text())
    assert written["models"][0]["calibration"] == {"slope": 0, "still": {"slope": 2}}
    assert written["models"][1]["calibration"] == {"slope": 1}
    assert written["fusion"] == {"visual-1+audio-1": {"slope": 3}}
