"""The manifest describes every model fully, and wrong files are refused."""

import json
import shutil

import pytest

from vcd.descriptors import load_manifest, models_folder
from vcd.descriptors.check import check_model
from vcd.errors import ModelChecksumError, ModelError, ModelNotFoundError

OURS = [m for m in load_manifest().models if not m.package]


@pytest.fixture
def folder(tmp_path):
    """Return a copy of the models folder that a test may damage."""
    return shutil.copytree(models_folder(), tmp_path / "models")


def test_defaults_are_there():
    manifest = load_manifest()
    for stream in ("visual", "audio"):
        assert manifest.default(stream).stream == stream


@pytest.mark.parametrize("model", OURS, ids=lambda m: m.id)
def test_entry_is_complete_and_true(model):
    assert model.path.stat().st_size == model.bytes
    assert model.licence
    assert model.opset >= 17
    check_model(model)


@pytest.mark.parametrize("model", OURS, ids=lambda m: m.id)
def test_model_has_card_and_triton_layout(model):
    assert model.path == models_folder() / model.file
    name, version, file = model.file.split("/")
    assert (f"{name}-{version}", file) == (model.id, "model.onnx")
    card = (models_folder() / name / "README.md").read_text("utf-8")
    assert model.id in card
    assert "Licence" in card
    assert f'name: "{name}"' in (models_folder() / name / "config.pbtxt").read_text()


def test_name_without_version_is_the_newest(folder):
    path = folder / "models.json"
    data = json.loads(path.read_text())
    data["models"].append(data["models"][0] | {"id": "audio-23"})
    path.write_text(json.dumps(data))
    assert load_manifest(folder).get("audio").id == "audio-23"


def test_unknown_model_lists_the_known():
    with pytest.raises(ModelNotFoundError, match="audio-2"):
        load_manifest().get("nonsense")


def test_other_bytes_are_refused(folder):
    path = folder / "audio" / "2" / "model.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelChecksumError, match="is not the file of model audio-2"):
        load_manifest(folder).get("audio-2").verify()


def test_missing_file_is_named(folder):
    (folder / "audio" / "2" / "model.onnx").unlink()
    with pytest.raises(ModelNotFoundError, match=r"model\.onnx"):
        load_manifest(folder).get("audio-2").verify()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"models": []}', '{"models": [{}], "defaults": {}}']
)
def test_broken_manifest_is_named(folder, text):
    (folder / "models.json").write_text(text)
    with pytest.raises(ModelError, match=r"models\.json: is not a valid"):
        load_manifest(folder)


@pytest.mark.parametrize(
    ("name", "wrong", "told"),
    [
        ("audio-2", {"input": {"window": 2, "hop": 0.25}}, "its input has no sample_rate"),
        ("audio-2", {"input": {"sample_rate": 16000, "window": "2"}}, "window of its input is '2'"),
        ("audio-2", {"input": {"sample_rate": 8000}}, "sample_rate of its input is 8000"),
        (
            "audio-2",
            {"input": {"sample_rate": 16000, "window": 2, "hop": 2e-5}},
            "hop of its input is 2e-05, not 0.01 to 3600",
        ),
        ("visual-8", {"input": {}}, "its input has no height"),
        ("visual-8", {"input": {"height": 1e6}}, "height of its input is 1000000.0, not 8 to 9999"),
        (
            "visual-8",
            {"input": {"height": 64, "width": 64, "small": 4}},
            "small of its input is 4, not 8 to 9999",
        ),
        ("visual-8", {"input": [1]}, "input is no object"),
        ("visual-8", {"canonical": 5}, "canonical 5 is no text"),
        ("visual-8", {"background": None}, "background None is no text"),
        ("visual-8", {"orientations": 3}, "orientations 3 is no text"),
        ("visual-8", {"file": ""}, "no file is named"),
        ("visual-8", {"dimensions": "256"}, "dimensions '256' is no whole number"),
        ("refiner", {"file": 5}, "the refiner: file 5 is no text"),
    ],
)
def test_a_wrong_entry_is_told(folder, name, wrong, told):
    path = folder / "models.json"
    data = json.loads(path.read_text())
    entries = {entry["id"]: entry for entry in data["models"]} | {"refiner": data["refiner"]}
    entries[name].update(wrong)
    path.write_text(json.dumps(data))
    with pytest.raises(ModelError, match=told) as caught:
        load_manifest(folder)
    assert caught.value.file == str(path)
    assert caught.value.remedy


def test_folder_without_manifest(tmp_path):
    with pytest.raises(ModelNotFoundError, match="VCD_MODELS"):
        load_manifest(tmp_path)


def test_environment_chooses_the_folder(folder, monkeypatch):
    monkeypatch.setenv("VCD_MODELS", str(folder))
    assert load_manifest().folder == folder


@pytest.mark.parametrize("package", ["no_such_package", "no.such.package", ".relative"])
def test_package_that_is_not_installed_says_how(folder, package):
    path = folder / "models.json"
    data = json.loads(path.read_text())
    data["models"].append(
        data["models"][0] | {"id": "far-1", "package": package, "install": "pip install x"}
    )
    path.write_text(json.dumps(data))
    with pytest.raises(ModelNotFoundError, match="pip install x"):
        load_manifest(folder).get("far-1").verify()


@pytest.mark.parametrize(
    "points",
    [
        {"a-1": {"strict": 0.9}},
        {"a-1": {"strict": {}}},
        {"a-1": None},
        {"a-1": {"strict": {"threshold": 2, "precision": 1, "recall": 1}}},
        [],
    ],
)
def test_malformed_operating_points_are_named(folder, points):
    path = folder / "models.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"operating_points": points}))
    with pytest.raises(ModelError, match="not a valid model manifest"):
        load_manifest(folder)
