"""A model of one's own: tried, entered with its background, or refused with what is wrong."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, load
from PIL import Image
from small_models import WINDOW, audio_model, visual_model

from vcd.descriptors import DescriptorModel, load_background, load_manifest, models_folder
from vcd.descriptors.adding import add_model
from vcd.descriptors.check import check_model
from vcd.descriptors.inspection import inspect_model
from vcd.encoding import write_whole
from vcd.errors import ModelError, OutputError
from vcd_cli.main import main

OURS = load_manifest()


@pytest.fixture
def bare(tmp_path):
    """Return a models folder without any model."""
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "models.json").write_text('{"defaults": {}, "models": []}')
    return folder


@pytest.fixture
def photographs(tmp_path):
    """Return a folder of 60 small pictures."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for seed in range(60):
        blocks = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((48, 48)).save(folder / f"{seed}.png")
    return folder


def test_a_model_of_pictures_is_entered(tmp_path, photographs):
    file = visual_model(tmp_path / "mine.onnx")
    folder = tmp_path / "models"
    done = []
    info = add_model(
        file,
        folder,
        model_id="mine-3",
        stream="visual",
        size=(24, 32),
        licence="MIT",
        background=[photographs],
        on_file=lambda *counts: done.append(counts),
    )
    assert done[-1] == (60, 60)
    manifest = load_manifest(folder)
    assert manifest.default("visual") == info
    assert manifest.default("audio").id == OURS.default("audio").id
    check_model(manifest.default("audio"))
    assert check_model(info) == 0
    assert info.path == folder / "mine" / "3" / "model.onnx"
    assert info.path.read_bytes() == file.read_bytes()
    assert (info.bytes, info.dimensions, info.opset) == (file.stat().st_size, 16, 18)
    assert (info.licence, dict(info.input)) == ("MIT", {"height": 24, "width": 32})
    assert load_background(info).shape == (60, 16)
    assert not list(folder.glob(".vcd*"))
    again = add_model(file, folder, model_id="mine-3", stream="visual", size=(24, 32))
    assert again.background == info.background
    assert again.licence == "MIT"


def test_the_original_is_never_written(tmp_path):
    before = (models_folder() / "models.json").read_bytes()
    add_model(
        visual_model(tmp_path / "m.onnx", side=24),
        tmp_path / "new",
        model_id="m-1",
        stream="visual",
    )
    assert (models_folder() / "models.json").read_bytes() == before


@pytest.mark.parametrize(
    ("make", "asked", "inputs"),
    [
        ({"side": 24}, {}, {"height": 24, "width": 24}),
        ({"metadata": {"height": "40", "width": "20"}}, {}, {"height": 40, "width": 20}),
        (
            {"metadata": {"height": "40", "width": "20"}},
            {"size": (8, 9)},
            {"height": 8, "width": 9},
        ),
    ],
)
def test_the_size_is_told_by_axes_option_or_metadata(tmp_path, make, asked, inputs):
    seen = inspect_model(visual_model(tmp_path / "m.onnx", **make), "visual", **asked)
    assert seen["input"] == inputs


def test_a_model_of_sound_is_entered(tmp_path, bare):
    file = audio_model(tmp_path / "heard.onnx")
    info = add_model(file, bare, model_id="heard-1", stream="audio", hop=0.5)
    assert dict(info.input) == {"sample_rate": 16000, "window": WINDOW / 16000, "hop": 0.5}
    assert check_model(info) == 0


@pytest.mark.parametrize("stream", ["visual", "audio"])
def test_ours_are_known_again(stream):
    """Opset by the file itself, runs by trying, the rest by metadata."""
    info = OURS.default(stream)
    seen = inspect_model(info.path, stream)
    assert seen == {
        "dimensions": info.dimensions,
        "opset": load(info.path).opset_import[0].version,
        "input": dict(info.input),
        "licence": info.licence,
    }


def test_a_model_of_a_package_stays_there(tmp_path, bare, monkeypatch):
    package = tmp_path / "brings_a_model"
    package.mkdir()
    (package / "__init__.py").touch()
    visual_model(package / "inside.onnx", side=24)
    monkeypatch.syspath_prepend(tmp_path)
    info = add_model(
        visual_model(package / "inside.onnx", side=24).relative_to(package),
        bare,
        model_id="far-1",
        stream="visual",
        package="brings_a_model",
    )
    assert info.path == package / "inside.onnx"
    assert info.install == "pip install brings_a_model"
    assert [path.name for path in bare.iterdir()] == ["models.json"]
    check_model(info)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"planes": True}, r"takes uint8 \[batch, 3, height, width\]"),
        ({"kind": TensorProto.FLOAT}, r"takes float32 \[batch, height, width, 3\]"),
        ({"second": True}, r"takes 2 inputs \(frames, other\)"),
        ({"batch": 1}, "takes batches of 1 only"),
        ({"unit": False}, "not unit rows"),
        ({"scale": 0.0}, "the same row whatever it is shown"),
        ({"side": 48}, "takes pictures of height 48 only, not 24"),
        ({"dimensions": 1}, "not a row for each"),
        (
            {"save_as_external_data": True, "size_threshold": 5000},
            "keeps its weights in other files",
        ),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, wrong, told):
    file = visual_model(tmp_path / "wrong.onnx", **wrong)
    folder = tmp_path / "models"
    with pytest.raises(ModelError, match=told) as caught:
        add_model(file, folder, model_id="wrong-1", stream="visual", size=(24, 24))
    assert caught.value.file == str(file)
    assert not folder.exists()


def test_weights_beside_the_model_are_no_part_of_it(tmp_path, bare, monkeypatch, capfd):
    """Also where they lie in the current folder, from which those of bytes would be loaded."""
    visual_model(tmp_path / "m.onnx", side=24, save_as_external_data=True, size_threshold=5000)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="keeps its weights in other files"):
        add_model(Path("m.onnx"), bare, model_id="m-1", stream="visual")
    assert [path.name for path in bare.iterdir()] == ["models.json"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("file", "stream", "options", "told"),
    [
        ("visual", "audio", {}, "let the graph take float32"),
        ("audio", "visual", {}, "let the graph take uint8"),
        ("visual", "visual", {}, "--size"),
        ("audio", "audio", {"window": 2.0}, "takes windows of 1 s only, not 2"),
        ("audio", "audio", {"hop": 1.5}, "leaves out sound"),
        ("rate", "audio", {}, "takes sound at 8000 Hz"),
        ("hop", "audio", {}, "hop of its input is 1e-05, not 0.01 to 3600"),
        ("window", "audio", {}, "window of its input is 1000000000.0, not 0.01 to 3600"),
        ("size", "visual", {}, "height of its input is 1000000, not 8 to 9999"),
        ("size", "visual", {"size": (24, 4)}, "width of its input is 4, not 8 to 9999"),
        ("text", "visual", {}, "is not a model that ONNX Runtime can load"),
        ("none", "visual", {}, "check the path"),
    ],
)
def test_the_wrong_file_or_option_is_told(tmp_path, bare, file, stream, options, told):
    visual_model(tmp_path / "visual")
    audio_model(tmp_path / "audio")
    audio_model(tmp_path / "rate", metadata={"sample_rate": "8000"})
    audio_model(tmp_path / "hop", metadata={"hop": "0.00001"})
    audio_model(tmp_path / "window", window="any", metadata={"window": "1e9"})
    visual_model(tmp_path / "size", metadata={"height": "1e6", "width": "20"})
    (tmp_path / "text").write_text("hello")
    before = (bare / "models.json").read_bytes()
    with pytest.raises(ModelError) as caught:
        add_model(tmp_path / file, bare, model_id="a-1", stream=stream, **options)
    assert told in str(caught.value)
    assert (bare / "models.json").read_bytes() == before


def test_an_id_stays_with_its_file(tmp_path, bare):
    first = visual_model(tmp_path / "first.onnx", side=24)
    other = visual_model(tmp_path / "other.onnx", side=24, seed=1)
    add_model(first, bare, model_id="mine-1", stream="visual")
    with pytest.raises(ModelError, match="such as mine-2"):
        add_model(other, bare, model_id="mine-1", stream="visual")
    with pytest.raises(ModelError, match="<name>-<version>"):
        add_model(other, bare, model_id="Mine", stream="visual")
    taken = OURS.default("visual").id
    with pytest.raises(ModelError, match=f"there is a model {taken} already"):
        add_model(other, tmp_path / "new", model_id=taken, stream="visual")
    assert not (tmp_path / "new").exists()


def test_an_id_stays_with_its_input(tmp_path, bare):
    """Or its background, calibration and descriptors would be those of two models."""
    seen = visual_model(tmp_path / "seen.onnx")
    heard = audio_model(tmp_path / "heard.onnx")
    add_model(seen, bare, model_id="seen-1", stream="visual", size=(24, 32))
    add_model(heard, bare, model_id="heard-1", stream="audio", hop=0.5)
    before = (bare / "models.json").read_bytes()
    with pytest.raises(ModelError, match=r"with height 24, width 32, .*such as seen-2"):
        add_model(seen, bare, model_id="seen-1", stream="visual", size=(24, 24))
    with pytest.raises(ModelError, match=r"hop 0\.5"):
        add_model(heard, bare, model_id="heard-1", stream="audio", hop=0.25)
    assert (bare / "models.json").read_bytes() == before


def test_files_of_others_are_never_overwritten(tmp_path, bare):
    file = visual_model(tmp_path / "m.onnx", side=24)
    folder = shutil.copytree(models_folder(), tmp_path / "models")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    refiner = OURS.refiner.id
    for place in (folder, tmp_path / "new"):
        with pytest.raises(ModelError, match=f"{refiner} is the refiner"):
            add_model(file, place, model_id=refiner, stream="visual")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "new").exists()

    add_model(file, bare, model_id="mine-1", stream="visual")
    manifest = json.loads((bare / "models.json").read_text())
    manifest["models"][0]["id"] = "renamed-1"
    manifest["refiner"] = {
        name: 0 if name in ("bytes", "opset") else "far/refiner.onnx"
        for name in ("file", "sha256", "bytes", "opset", "licence")
    } | {"id": "far-1"}
    (bare / "models.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=r"would overwrite model\.onnx of renamed-1"):
        add_model(file, bare, model_id="mine-1", stream="visual")
    with pytest.raises(ModelError, match="far-1 is the refiner"):
        add_model(file, bare, model_id="far-1", stream="visual")


def test_the_manifest_is_written_once_and_last(tmp_path, bare, photographs, monkeypatch):
    written = []

    def record(path, data):
        written.append(path.name)
        write_whole(path, data)

    for module in ("adding", "entries"):
        monkeypatch.setattr(f"vcd.descriptors.{module}.write_whole", record)
    file = visual_model(tmp_path / "m.onnx", side=24)
    add_model(file, bare, model_id="m-1", stream="visual", background=[photographs])
    assert written == ["model.onnx", "background.npy", "models.json"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("full"), OutputError("full")])
def test_a_folder_is_not_there_before_it_is_whole(tmp_path, monkeypatch, error):
    def fail(folder, _entry):
        assert check_model(load_manifest(folder).default("visual"))
        raise error

    file = visual_model(tmp_path / "m.onnx", side=24)
    (tmp_path / "empty").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("vcd.descriptors.adding.enter", fail)
        for name in ("new", "empty"):
            told = KeyboardInterrupt if error is KeyboardInterrupt else OutputError
            with pytest.raises(told) as caught:
                add_model(file, tmp_path / name, model_id="m-1", stream="visual")
            if told is OutputError:
                assert caught.value.file == str(tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {"m.onnx", "empty"}
    assert not list((tmp_path / "empty").iterdir())


def test_what_a_killed_process_left_is_no_hindrance(tmp_path):
    folder = tmp_path / "models"
    (folder / ".vcd-1.part").mkdir(parents=True)
    file = visual_model(tmp_path / "m.onnx", side=24)
    check_model(add_model(file, folder, model_id="m-1", stream="visual"))


def test_a_folder_of_something_else_is_left_alone(tmp_path, photographs):
    file = visual_model(tmp_path / "m.onnx", side=24)
    with pytest.raises(ModelError, match="is no models folder"):
        add_model(file, photographs, model_id="m-1", stream="visual")
    with pytest.raises(ModelError, match="is no models folder"):
        add_model(file, photographs / "0.png", model_id="m-1", stream="visual")
    assert len(list(photographs.iterdir())) == 60


def test_a_package_that_is_not_there_is_told(tmp_path, bare):
    def add(file, package):
        add_model(file, bare, model_id="m-1", stream="visual", package=package)

    for package in ("no_such_package", "no.such.package"):
        with pytest.raises(ModelError, match="there is no installed package"):
            add(Path("m.onnx"), package)
    for file in (tmp_path / "m.onnx", Path("..") / "m.onnx"):
        with pytest.raises(ModelError, match="is no path inside the package vcd"):
            add(file, "vcd")
    with pytest.raises(ModelError, match="name a file inside vcd"):
        add(Path("m.onnx"), "vcd")


def test_a_poor_background_is_told(tmp_path, bare, photographs):
    file = visual_model(tmp_path / "m.onnx", side=24)
    errors = []
    for k in range(30):
        (photographs / f"{k}.png").write_bytes(b"no picture")
    with pytest.raises(ModelError, match="gives 30 rows, too few"):
        add_model(
            file,
            bare,
            model_id="m-1",
            stream="visual",
            background=[photographs],
            on_error=errors.append,
        )
    assert len(errors) == 30
    shutil.rmtree(photographs)
    photographs.mkdir()
    with pytest.raises(ModelError, match="gives 0 rows"):
        add_model(file, bare, model_id="m-1", stream="visual", background=[photographs])
    assert json.loads((bare / "models.json").read_text())["models"] == []


def test_from_the_shell_to_a_match(tmp_path, demo, monkeypatch, capsys):
    file = visual_model(tmp_path / "mine.onnx", dimensions=64)
    monkeypatch.chdir(tmp_path)
    folder = Path("models")

    def vcd(*arguments):
        monkeypatch.setattr("sys.argv", ["vcd", *map(str, arguments)])
        with pytest.raises(SystemExit) as done:
            main()
        return done.value.code or 0, *capsys.readouterr()

    add = ("models", "add", file, "--id", "mine-1", "--stream", "visual", "--to", folder)
    assert vcd(*add)[0] == 2
    assert vcd(*add, "--size", "32")[0] == 2
    refs = demo.folder / "refs"
    code, out, told = vcd(*add, "--size", "32x24", "--background", refs)
    assert code == 0, told
    assert out == f"mine-1  {folder / 'mine' / '1' / 'model.onnx'}\n"
    assert f"vcd train calibration HAYSTACK --models {folder}" in told
    assert f"export VCD_MODELS={tmp_path / folder}\n" in told
    monkeypatch.setenv("VCD_MODELS", str(folder))
    assert "mine-1\tok" in vcd("models", "verify")[1]
    query = demo.folder / "queries" / "other_sound.mp4"
    match = ("match", query, refs, "--streams", "visual", "--no-cache", "--quiet")
    code, out, _ = vcd(*match, "--threshold", 0.01)
    assert code == 0
    assert "reef" in json.loads(out.splitlines()[0])["reference"]


def test_rows_are_those_of_the_file(tmp_path, bare):
    """What is described with the copy is what the graph gives for what vcd shows it."""
    info = add_model(
        visual_model(tmp_path / "m.onnx", side=24), bare, model_id="m-1", stream="visual"
    )
    pictures = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3), dtype=np.uint8)
    assert np.linalg.norm(DescriptorModel(info)(pictures), axis=1) == pytest.approx(1)
