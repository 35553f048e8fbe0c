"""Made pictures, sounds and files: that they are what they say, by seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from vcd.errors import ContractError, OutputError
from vcd_eval.making.camera import HEIGHT, WIDTH
from vcd_eval.making.editing import caption, change_tempo, crop, inset
from vcd_eval.making.films import FPS, make_film, render_video
from vcd_eval.making.lettering import text_mask
from vcd_eval.making.recording import write_video
from vcd_eval.making.scenes import SCENES, make_shot
from vcd_eval.making.sounds import MUSIC, SAMPLE_RATE, make_sound


@pytest.mark.parametrize("kind", sorted(SCENES))
def test_a_scene_is_rich_and_moves(kind: str) -> None:
    shot = make_shot(kind, np.random.default_rng(3), 2.0)
    first, last = shot.frame(0.0), shot.frame(2.0)
    assert first.shape == (HEIGHT, WIDTH, 3)
    assert first.dtype == np.uint8
    assert first.std() > 12
    assert np.abs(first.astype(int) - last).mean() > 2


def test_scenes_follow_their_seed() -> None:
    one, same, other = (
        make_shot("neon", np.random.default_rng(seed), 1.0).frame(0.5) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one.astype(int) - other).mean() > 5


@pytest.mark.parametrize("kind", [*MUSIC, "speech"])
def test_sound_is_heard_throughout_and_never_repeats(kind: str) -> None:
    samples = make_sound(kind, np.random.default_rng(0), 6.0)
    assert (samples.dtype, samples.shape) == (np.float32, (6 * SAMPLE_RATE,))
    assert np.isfinite(samples).all()
    assert 0.5 < np.abs(samples).max() <= 1
    seconds = samples.reshape(6, -1)
    assert (seconds.std(axis=1) > 0.005).all()
    spectra = np.abs(np.fft.rfft(seconds, axis=1))[:, :4000]
    spectra /= np.linalg.norm(spectra, axis=1, keepdims=True)
    assert (spectra @ spectra.T)[~np.eye(6, dtype=bool)].max() < 0.98


def tone(frequency: float, seconds: float) -> np.ndarray:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.sin(2 * np.pi * frequency * time).astype(np.float32)


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25, 2.0])
def test_a_change_of_tempo_keeps_the_pitch(speed: float) -> None:
    changed = change_tempo(tone(440, 2), speed, SAMPLE_RATE)
    assert len(changed) == round(2 * SAMPLE_RATE / speed)
    middle = changed[len(changed) // 4 : -len(changed) // 4]
    peak = np.argmax(np.abs(np.fft.rfft(middle * np.hanning(len(middle)))))
    assert peak * SAMPLE_RATE / len(middle) == pytest.approx(440, abs=4)


def test_a_change_of_tempo_moves_events_to_their_place() -> None:
    samples = np.zeros(4 * SAMPLE_RATE, np.float32)
    samples[2 * SAMPLE_RATE : 2 * SAMPLE_RATE + 2400] = tone(600, 0.1)
    loud = np.flatnonzero(np.abs(change_tempo(samples, 1.25, SAMPLE_RATE)) > 0.3)
    assert loud[0] / SAMPLE_RATE == pytest.approx(1.6, abs=0.03)


def test_crop_enlarges_its_window() -> None:
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame[90:, 160:] = 200
    assert crop(frame, 0.5, 0.5, 0.5).min() == 200
    assert crop(frame, 0.0, 0.0, 0.5).max() == 0


def test_inset_and_caption_leave_the_rest_alone() -> None:
    frame = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    other = np.zeros_like(frame)
    laid = inset(frame, other, 0.5, 0.5, 0.25)
    assert (laid[100:130, 170:230] == 0).all()
    assert (laid[:80] == 100).all()
    written = caption(frame, "HELLO", height=16, y=0.9)
    assert (written[:140] == 100).all()
    assert written[150:175].max() > 200
    assert (frame == 100).all()


def test_letters_differ_and_unknown_ones_are_blank() -> None:
    assert text_mask("O", 20).sum() > 20
    assert not np.array_equal(text_mask("O", 20), text_mask("Q", 20))
    assert text_mask("\u20ac", 20).sum() == 0
    assert text_mask("AB", 30).shape[0] == pytest.approx(30 * 9 / 7, abs=1)


def read(path: Path) -> tuple[np.ndarray, list[float], np.ndarray, float]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        pictures = np.stack([f.to_ndarray(format="rgb24") for f in frames])
        times = [float(f.time or 0) for f in frames]
    with av.open(str(path)) as container:
        blocks = list(container.decode(audio=0))
        samples = np.concatenate([b.to_ndarray()[0] for b in blocks])
    return pictures, times, samples, float(blocks[0].time or 0)


def test_a_film_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    film = render_video(path, scenes=("card", "reef"), sound="bells", seconds=2.0, seed=5)
    pictures, times, samples, sound_start = read(path)
    assert len(pictures) == 30
    np.testing.assert_allclose(times, np.arange(30) / FPS, atol=1e-3)
    for k in (0, 14, 15, 29):
        assert np.abs(pictures[k].astype(int) - film.frame(k / FPS)).mean() < 8
    assert np.abs(film.frame(14 / FPS).astype(int) - film.frame(15 / FPS)).mean() > 20  # the cut
    start = round(sound_start * SAMPLE_RATE)
    heard, made = samples[4800:36000], film.samples[start + 4800 : start + 36000]
    assert np.corrcoef(heard, made)[0, 1] > 0.95


def test_equal_input_gives_equal_files(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        render_video(tmp_path / name, scenes=("weather",), seconds=1.0, seed=7)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_one_stream_is_enough(tmp_path: Path) -> None:
    grey = np.full((64, 96, 3), 128, np.uint8)
    write_video(tmp_path / "picture.mp4", [grey] * 5, 25)
    write_video(tmp_path / "sound.m4a", None, 25, tone(300, 1))
    with av.open(str(tmp_path / "picture.mp4")) as container:
        assert [s.type for s in container.streams] == ["video"]
    with av.open(str(tmp_path / "sound.m4a")) as container:
        assert [s.type for s in container.streams] == ["audio"]


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ContractError, match="no scenes named"):
        make_film("x", ("moon",), "bells", 1.0, rng)
    with pytest.raises(ContractError, match="no sound named 'hum'"):
        make_film("x", ("card",), "hum", 1.0, rng)
    with pytest.raises(ContractError, match="finite"):
        write_video(tmp_path / "x.mp4", None, 15, np.array([np.nan], np.float32))
    with pytest.raises(OutputError, match="cannot be written"):
        write_video(tmp_path / "none" / "x.mp4", None, 15, np.zeros(2000, np.float32))


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def interrupted() -> Iterator[np.ndarray]:
        for _ in range(5):
            yield np.full((64, 96, 3), 128, np.uint8)
        raise KeyboardInterrupt

    path = tmp_path / "x.mp4"
    path.write_bytes(b"of an earlier run")
    with pytest.raises(KeyboardInterrupt):
        write_video(path, interrupted(), 25)
    assert [p.name for p in tmp_path.iterdir()] == ["x.mp4"]
    assert path.read_bytes() == b"of an earlier run"


def test_an_unknown_ending_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"x\.film: its ending names no kind of media file"):
        write_video(tmp_path / "x.film", [np.zeros((64, 96, 3), np.uint8)], 25)


def test_coarser_coding_gives_a_smaller_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (64, 96, 3), dtype=np.uint8) for _ in range(5)]
    for crf in (20, 44):
        write_video(tmp_path / f"{crf}.mp4", frames, 25, crf=crf)
    assert (tmp_path / "44.mp4").stat().st_size < (tmp_path / "20.mp4").stat().st_size / 3
