"""Training on sound: what is gathered, edits, runs that resume, and the file that comes of it."""

import json
import sys
import wave
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from vcd.descriptors import DescriptorModel, load_manifest
from vcd.descriptors.audio import AudioTrackBuilder
from vcd.descriptors.check import check_model
from vcd.errors import ContractError, MediaError, ModelError
from vcd.media import SAMPLE_RATE, Samples
from vcd.training.audio.edits import edited, plain
from vcd.training.audio.material import LENGTH, WINDOW, draw
from vcd.training.audio.network import BANDS, AudioNetwork, Spectrogram, load_network
from vcd.training.audio.publish import steady_sounds
from vcd.training.audio.run import AudioRun
from vcd.training.audio.settings import AudioTraining
from vcd.training.audio.sounds import RECORD, gather, open_sounds, power
from vcd_cli.main import main

TINY = AudioTraining(
    steps=4, places=2, windows=2, width=2, dimensions=8, bank=8, warm_up=1, held_out=2
)


def melody(seed, seconds):
    """Return sound in which something happens: notes of random pitch, with overtones."""
    rng = np.random.default_rng(seed)
    notes = []
    while sum(map(len, notes)) < seconds * SAMPLE_RATE:
        time = np.arange(int(rng.uniform(0.1, 0.4) * SAMPLE_RATE)) / SAMPLE_RATE
        tone = sum(np.sin(2 * np.pi * rng.uniform(150, 900) * k * time) / k for k in (1, 2, 3))
        notes.append(tone * np.exp(-time * rng.uniform(2, 10)))
    return (0.2 * np.concatenate(notes)[: seconds * SAMPLE_RATE]).astype(np.float32)


def write_wav(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.rint(samples * 32767).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    for k, seconds in enumerate((25, 8, 21)):
        write_wav(folder / f"{k}.wav", melody(k, seconds))
    (folder / "broken.mp3").write_bytes(b"no sound")
    return folder


@pytest.fixture(scope="module")
def gathered(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("gathered") / "sounds.npy"
    told = []
    count = gather([folder], out, on_error=told.append)
    assert [error.file.rpartition("/")[2] for error in told] == ["broken.mp3"]
    assert not out.with_name("sounds.npy.part").exists()
    sounds = open_sounds(out)
    assert len(sounds) == count
    return out, sounds


def test_pieces_are_what_was_heard_plain_and_coded(gathered, folder):
    _, sounds = gathered
    assert sounds["file"].tolist() == [0, 0, 1, 2, 2]
    first = torch.from_numpy(melody(0, 25)[None, : 20 * SAMPLE_RATE])
    expected = (Spectrogram()(first)[0] + 1e-10).log()
    loud = expected > expected.max() - 8
    own = torch.from_numpy(sounds["plain"][0].astype(np.float32))
    assert float((own - expected)[loud].abs().max()) < 0.05
    for piece in sounds:  # what the codec gives is the same sound, and in step with it
        heard, coded = (piece[name].astype(np.float32)[8:40] for name in ("plain", "coded"))
        heard, coded = (np.diff(np.maximum(x, -8), axis=1) for x in (heard, coded))
        agreement = [(heard * np.roll(coded, lag, axis=1)).mean() for lag in range(-3, 4)]
        assert int(np.argmax(agreement)) == 3


def test_seconds_that_are_kept_are_not_gathered(folder, tmp_path):
    out = tmp_path / "sounds.npy"
    count = gather([folder], out, skip=(6, 22), on_error=lambda _: None)
    assert count == 3  # one stretch before of each file; what is left after is too short
    assert open_sounds(out)["file"].tolist() == [0, 1, 2]


def test_what_holds_no_sound_is_told(folder, tmp_path):
    (tmp_path / "other.npy").write_bytes(b"something")
    np.save(tmp_path / "numbers.npy", np.zeros(3))
    for name in ("other.npy", "numbers.npy", "missing.npy"):
        with pytest.raises(MediaError, match=name):
            open_sounds(tmp_path / name)
    with pytest.raises(MediaError, match="no sound to train on"):
        gather([folder / "broken.mp3"], tmp_path / "none.npy", on_error=lambda _: None)
    assert not list(tmp_path.glob("none*"))


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_edits_keep_shape_and_stay_power(gathered, strength):
    _, sounds = gathered
    for seed in range(4):
        rng = np.random.default_rng(seed)
        material = draw(sounds, np.arange(len(sounds)), 3, 4, rng)
        assert material.plain.shape == (12, BANDS, LENGTH)
        made = edited(material, strength=strength, shift=0.1, rng=rng)
        assert made.shape == plain(material, rng).shape == (12, BANDS, WINDOW)
        assert bool((made > 0).all())
        assert bool(torch.isfinite(made).all())


def test_without_strength_and_shift_a_window_is_only_coded(gathered):
    _, sounds = gathered
    rng = np.random.default_rng(0)
    material = draw(sounds, np.arange(len(sounds)), 2, 4, rng)
    made = edited(material, strength=0.0, shift=0.0, rng=rng)
    first = (LENGTH - WINDOW) // 2
    own, coded = (x[:, :, first : first + WINDOW] for x in (material.plain, material.coded))
    size = own.amax(dim=(1, 2))
    off = torch.minimum((made - own).abs().amax(dim=(1, 2)), (made - coded).abs().amax(dim=(1, 2)))
    assert float((off / size).max()) < 1e-3


def test_a_run_of_sound_gives_what_its_windows_give():
    torch.manual_seed(0)
    network = AudioNetwork(8, 2).eval()
    samples = torch.from_numpy(melody(5, 4))[None]
    windows = samples[0].unfold(0, 2 * SAMPLE_RATE, SAMPLE_RATE // 4)
    with torch.inference_mode():
        torch.testing.assert_close(network(samples), network(windows), atol=1e-5, rtol=0)
        torch.testing.assert_close(network(0.1 * samples), network(samples), atol=1e-3, rtol=0)


def test_a_run_that_was_stopped_ends_as_one_in_one_go(gathered, tmp_path):
    _, sounds = gathered
    whole = AudioRun(sounds, tmp_path / "whole", TINY, device="cpu")
    assert set(sounds["file"][whole.learnt].tolist()) == {1}
    whole.run()
    AudioRun(sounds, tmp_path / "parts", TINY, device="cpu").run(2)
    again = AudioRun(sounds, tmp_path / "parts", TINY, device="cpu")
    assert again.step == 2
    again.run()
    for name, value in whole.keys.state_dict().items():
        torch.testing.assert_close(again.keys.state_dict()[name], value)
    rows = (tmp_path / "whole" / "log.csv").read_text().splitlines()
    assert rows[-1].startswith("4,")
    assert 0 <= float(rows[-1].rpartition(",")[2]) <= 1
    network, settings = load_network(tmp_path / "whole" / "weights.pt")
    assert settings == TINY
    assert not network.training
    with pytest.raises(ModelError, match="other settings"):
        AudioRun(sounds, tmp_path / "parts", replace(TINY, steps=5), device="cpu")


def test_some_files_are_held_out(gathered, tmp_path):
    _, sounds = gathered
    one = sounds[sounds["file"] == 1]
    with pytest.raises(ContractError, match="too few"):
        AudioRun(one, tmp_path, TINY, device="cpu")
    with pytest.raises(ModelError, match="holds no weights"):
        load_network(tmp_path / "weights.pt")


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"bank": 1}, {"ramp": 2.0}, {"momentum": 1.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ContractError):
        AudioTraining(**wrong)


def test_steady_sounds_are_steady():
    made = steady_sounds(8, np.random.default_rng(0))
    assert float(made.abs().max()) < 1
    moving = torch.from_numpy(melody(0, 2))[None]
    steady, other = (Spectrogram()(x).mean(dim=1).log().std(dim=1) for x in (made, moving))
    assert float(steady.max()) < 0.7 < float(other)


@pytest.fixture
def vcd(monkeypatch, capsys):
    """Return a function that runs the command in this process: exit code and stdout."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["vcd", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        return caught.value.code or 0, capsys.readouterr().out

    return run


def test_from_sounds_to_a_model_from_the_shell(vcd, folder, gathered, tmp_path):
    out, _ = gathered
    models, run = tmp_path / "models", tmp_path / "run"
    (tmp_path / "tiny.toml").write_text(
        "steps = 2\nplaces = 2\nwindows = 2\nwidth = 2\nbank = 8\nwarm_up = 1\nheld_out = 2\n"
    )
    again = tmp_path / "again.npy"
    assert vcd("train", "sounds", folder, "--out", again, "--quiet") == (3, "pieces  5\n")
    assert again.read_bytes() == out.read_bytes()
    settings = ("--settings", tmp_path / "tiny.toml", "--quiet")
    assert vcd("train", "audio", again, run, *settings)[0] == 0
    export = ("models", "export", run, "--to", models, "--version", 9)
    assert vcd(*export)[0] == 2
    code, told = vcd(*export, "--sounds", again)
    assert code == 0
    assert told.startswith("audio-9")
    assert json.loads((models / "models.json").read_text())["defaults"] == {"audio": "audio-9"}

    info = load_manifest(models).get("audio-9")
    assert np.load(models / info.background).shape == (1000, 128)
    assert check_model(info) == 7
    tracks = []
    for inputs in (info.input, {k: v for k, v in info.input.items() if k != "runs"}):
        builder = AudioTrackBuilder(DescriptorModel(replace(info, input=inputs)))
        for start in range(0, 11):
            builder.add(Samples(float(start), melody(start, 1)))
        tracks.append(builder.finish()[0])
    together, one_by_one = tracks
    assert len(together) == len(one_by_one) == 37
    np.testing.assert_array_equal(together.times, one_by_one.times)
    np.testing.assert_allclose(together.vectors, one_by_one.vectors, atol=1e-4)


def test_power_is_what_records_hold():
    pieces = np.zeros(1, RECORD)
    pieces["plain"] = np.log(3.0)
    torch.testing.assert_close(power(pieces["plain"]).mean(), torch.tensor(3.0), atol=0.01, rtol=0)
