"""Canonical rows tell a right model from a wrong one, and inputs made rightly from wrong ones."""

import json
import shutil
import zlib

import numpy as np
import pytest
from small_models import audio_model, visual_model

from vcd.descriptors import DescriptorModel, load_manifest, models_folder
from vcd.descriptors.adding import add_model
from vcd.descriptors.canonical import canonical_inputs
from vcd.descriptors.check import check_model
from vcd.descriptors.entries import write_canonical
from vcd.errors import ModelError
from vcd_cli.main import main

OURS = [m for m in load_manifest().models if not m.package]


@pytest.fixture(params=["visual", "audio"])
def info(request, tmp_path):
    """Return a small model with canonical rows, in a folder of its own."""
    make = visual_model if request.param == "visual" else audio_model
    file = make(tmp_path / "small.onnx")
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "models.json").write_text('{"defaults": {}, "models": []}')
    bare = add_model(file, folder, model_id="small-1", stream=request.param, size=(24, 32))
    manifest = json.loads((folder / "models.json").read_text())
    manifest["models"][0]["canonical"] = write_canonical(folder, DescriptorModel(bare))
    (folder / "models.json").write_text(json.dumps(manifest))
    return load_manifest(folder).get("small-1")


@pytest.mark.parametrize("model", [m for m in OURS if m.canonical], ids=lambda m: m.id)
def test_ours_come_with_rows_that_differ(model):
    data = json.loads((model.folder / model.canonical).read_text())
    rows = np.concatenate([entry["rows"] for entry in data["inputs"]])
    assert check_model(model) == len(rows) >= 5
    cosines = rows @ rows.T
    assert np.diag(cosines) == pytest.approx(1, abs=1e-4)
    assert (cosines - np.eye(len(rows))).max() < 0.8
    sizes = {tuple(entry["shape"]) for entry in data["inputs"]}
    assert len(sizes) == (3 if "small" in model.input else 2)


def test_sound_is_well_above_silence():
    model = load_manifest().default("audio")
    assert min(np.abs(sound).mean() for sound in canonical_inputs(model)) > 0.1


def by_words(stream, k, shape):
    """Return the bytes of an input, number by number, as the file's words have it."""
    if stream == "audio":
        samples = []
        for i in range(shape[1]):
            t = i * i * (k + 1) // 16 % 65536
            samples.append((min(t, 65535 - t) - 16384) / 32768)
        return np.array(samples, "<f4").tobytes()
    values = bytearray()
    for y in range(shape[1]):
        for x in range(shape[2]):
            for c in range(3):
                u, v = x // (6 + 5 * k), y // (21 - 4 * k)
                t = 37 * u * u + 59 * v * v + (11 + k) * u * v + 83 * c * (u + v) + x + 2 * y
                values.append(min(t % 512, 511 - t % 512))
    return bytes(values)


def test_inputs_are_those_of_the_words(info):
    data = json.loads((info.folder / info.canonical).read_text())
    for entry, made in zip(data["inputs"], canonical_inputs(info), strict=True):
        assert by_words(info.stream, entry["k"], entry["shape"]) == made.tobytes()
        assert zlib.adler32(made.tobytes()) == entry["adler32"]
        assert made.ravel()[:6].tolist() == entry["first"]


def test_written_and_read_again(info):
    assert check_model(info) == 5
    before = (info.folder / info.canonical).read_bytes()
    assert write_canonical(info.folder, DescriptorModel(info)) == info.canonical
    assert (info.folder / info.canonical).read_bytes() == before


def test_another_model_is_told(info, tmp_path):
    make = visual_model if info.stream == "visual" else audio_model
    other = make(tmp_path / "other.onnx", seed=1)
    added = add_model(other, info.folder, model_id="other-1", stream=info.stream, size=(24, 32))
    shutil.copy(added.path, info.path)
    manifest = json.loads((info.folder / "models.json").read_text())
    for entry in manifest["models"]:
        entry["sha256"] = added.sha256
    (info.folder / "models.json").write_text(json.dumps(manifest))
    assert check_model(load_manifest(info.folder).get("other-1")) == 0
    with pytest.raises(ModelError, match=r"canonical\.json: model small-1 gives other rows"):
        check_model(load_manifest(info.folder).get("small-1"))


def changed(data, **values):
    data["inputs"][3] |= values
    return json.dumps(data)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda d: json.dumps(d)[:-20], "cannot be read"),
        (lambda d: "[1, 2]", "cannot be read"),
        (lambda d: changed(d, rows="none"), "cannot be read"),
        (lambda d: changed(d, rows=[[10**400]]), "cannot be read"),
        (lambda d: changed(d, rows=[[0.5]]), "other rows"),
        (lambda d: changed(d, rows=[[float("nan")] * 16]), "other rows"),
        (lambda d: changed(d, adler32=7), "other inputs"),
        (lambda d: changed(d, shape=[1, 2]), "other inputs"),
        (lambda d: json.dumps(d | {"inputs": []}), "other inputs"),
    ],
)
def test_a_damaged_file_is_told(info, damage, told):
    path = info.folder / info.canonical
    path.write_text(damage(json.loads(path.read_text())))
    with pytest.raises(ModelError, match=told) as caught:
        check_model(info)
    assert caught.value.file == str(path)
    assert caught.value.remedy


def test_verify_tells_rows_and_what_is_missing(info, monkeypatch, capsys):
    monkeypatch.setenv("VCD_MODELS", str(info.folder))
    monkeypatch.setattr("sys.argv", ["vcd", "models", "verify"])
    with pytest.raises(SystemExit) as done:
        main()
    assert not done.value.code
    assert capsys.readouterr().out.endswith("5 canonical rows\n")
    (info.folder / info.canonical).unlink()
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 3
    told = capsys.readouterr().err
    assert "canonical.json: the canonical rows of model small-1 cannot be read" in told


def test_the_shipped_folder_names_them_all():
    listed = {model.canonical for model in OURS} - {""}
    assert [model.id for model in OURS if not model.canonical] == ["visual_int8-8"]
    assert listed == {
        p.relative_to(models_folder()).as_posix() for p in models_folder().rglob("canonical.json")
    }
