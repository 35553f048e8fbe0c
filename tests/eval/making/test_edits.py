"""Edits of picture and sound: each changes what it should, by seed, and nothing else."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from vcd.errors import ContractError
from vcd_eval.making.picture_edits import PICTURE_EDITS, cover, fit, prepare_edit
from vcd_eval.making.sound_edits import SOUND_EDITS, edit_sound

SIZE = 180, 320
RATE = 16_000
WITH_OTHER = [name for name, edit in PICTURE_EDITS.items() if edit.needs_other]
HAS_DEGREES = sorted(set(PICTURE_EDITS) - {"flip", "rot90", "grey", *WITH_OTHER})


@lru_cache
def picture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return coloured blobs and grain between 40 and 215: edits have room up and down."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(size) / 12
    waves = [np.sin(x * a + y * b + c) for a, b, c in rng.uniform(-2, 2, (9, 3))]
    colours = np.stack([sum(waves[i::3]) for i in range(3)], axis=2)
    grain = rng.uniform(-20, 20, (*size, 3))
    return (127.5 + 67.5 * colours / np.abs(colours).max() + grain).astype(np.uint8)


def edited(name: str, strength: float, seed: int = 0) -> np.ndarray:
    draw = prepare_edit(name, SIZE, strength, np.random.default_rng(seed))
    return draw(picture(1), 0, picture(2, (50, 50)))


@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("name", PICTURE_EDITS)
def test_an_edit_changes_the_picture_and_keeps_its_form(name: str, strength: float) -> None:
    frame, other = picture(1), picture(2, (50, 50))
    untouched = frame.copy(), other.copy()
    draw = prepare_edit(name, SIZE, strength, np.random.default_rng(0))
    result = draw(frame, 0, other)
    assert (result.shape, result.dtype) == (frame.shape, np.uint8)
    assert np.abs(result.astype(int) - frame).mean() > 1
    np.testing.assert_array_equal(frame, untouched[0])
    np.testing.assert_array_equal(other, untouched[1])


@pytest.mark.parametrize("name", PICTURE_EDITS)
def test_choices_follow_the_seed_and_last_for_the_stretch(name: str) -> None:
    np.testing.assert_array_equal(edited(name, 0.5, 4), edited(name, 0.5, 4))
    draw = prepare_edit(name, SIZE, 0.5, np.random.default_rng(4))
    first, later = (draw(picture(1), k, picture(2)).astype(int) for k in (0, 9))
    if name == "noise":
        assert np.abs(first - later).mean() > 1
    else:
        assert np.abs(first - later).mean() < 1  # a cursor or a play bar may have moved


@pytest.mark.parametrize("name", HAS_DEGREES)
def test_a_stronger_edit_changes_more(name: str) -> None:
    frame = picture(1).astype(int)
    weak, strong = (
        np.mean([np.abs(edited(name, s, seed) - frame).mean() for seed in range(4)])
        for s in (0.0, 1.0)
    )
    assert strong > 1.1 * weak


@pytest.mark.parametrize("name", WITH_OTHER)
def test_the_other_video_is_seen_and_the_more_the_stronger(name: str) -> None:
    changes = []
    for strength in (0.0, 1.0):
        draw = prepare_edit(name, SIZE, strength, np.random.default_rng(0))
        seen = [draw(picture(1), 0, picture(other)).astype(int) for other in (2, 3)]
        changes.append(np.abs(seen[0] - seen[1]).mean())
    assert changes[1] > 1.3 * changes[0] > 1


def test_geometry_is_what_it_is_called() -> None:
    frame = picture(1)
    np.testing.assert_array_equal(edited("flip", 0), frame[:, ::-1])
    assert edited("grey", 0).std(axis=2).max() == 0
    assert (edited("letterbox", 1)[[0, -1]] == 0).all()
    assert (edited("rot_small", 1)[0, 0] == 0).all()
    blocks = edited("pixelate", 1)
    assert (
        len(np.unique(blocks.reshape(-1, 3), axis=0))
        < len(np.unique(frame.reshape(-1, 3), axis=0)) / 4
    )
    for name in ("blur", "crop"):
        gradient = np.abs(np.diff(edited(name, 1).astype(int), axis=1)).mean()
        assert gradient < np.abs(np.diff(frame.astype(int), axis=1)).mean()


def test_fit_shows_the_whole_and_cover_fills() -> None:
    frame = np.full((40, 40, 3), 200, np.uint8)
    whole, filled = fit(frame, SIZE), cover(frame, SIZE)
    assert whole.shape == filled.shape == (*SIZE, 3)
    assert (whole[:, [0, -1]] == 0).all()
    assert (whole[:, 72:248] > 190).all()
    assert (filled > 190).all()
    assert fit(whole, SIZE) is whole


def music(seed: int = 0, seconds: float = 1.0) -> np.ndarray:
    """Return a chord with overtones up to 6 kHz that changes every quarter of a second."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    tones = rng.uniform(200, 6000, (round(4 * seconds), 5))[(time * 4).astype(int)]
    return (0.08 * np.sin(2 * np.pi * tones * time[:, None]).sum(axis=1)).astype(np.float32)


@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("name", SOUND_EDITS)
def test_an_edit_changes_the_sound_and_keeps_its_form(name: str, strength: float) -> None:
    samples, other = music(0), music(1)
    untouched = samples.copy()
    results = [
        edit_sound(
            name, samples, RATE, strength=strength, rng=np.random.default_rng(3), other=other
        )
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*results)
    assert (results[0].shape, results[0].dtype) == (samples.shape, np.float32)
    assert np.abs(results[0]).max() <= 1
    assert np.abs(results[0] - samples).max() > 0.02
    np.testing.assert_array_equal(samples, untouched)


def sounding(name: str, strength: float, samples: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(3)
    return edit_sound(name, samples, RATE, strength=strength, rng=rng, other=music(1))


def test_sound_edits_do_what_they_are_called() -> None:
    samples = music(0)
    assert not sounding("mute", 0, samples).any()
    np.testing.assert_array_equal(sounding("sound_replaced", 0, samples), music(1))
    frequency = np.fft.rfftfreq(RATE, 1 / RATE)
    high = np.abs(np.fft.rfft(sounding("lowpass", 1, samples)))[frequency > 2000]
    assert high.max() < 0.01 * np.abs(np.fft.rfft(samples)).max()
    left = sounding("anoise", 1, samples) - samples
    assert 20 * np.log10(samples.std() / left.std()) == pytest.approx(3, abs=0.3)
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    shifted = sounding("pitch", 1, tone)[RATE // 4 : -RATE // 4]
    peak = np.argmax(np.abs(np.fft.rfft(shifted * np.hanning(len(shifted))))) * RATE / len(shifted)
    assert abs(12 * np.log2(peak / 440)) == pytest.approx(4, abs=0.2)
    click = np.zeros(RATE, np.float32)
    click[0] = 0.5
    assert np.count_nonzero(sounding("echo", 0.5, click)) == 4


def test_wrong_use_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ContractError, match=r"no picture edit 'melt' \(choose among crop"):
        prepare_edit("melt", SIZE, 0.5, rng)
    with pytest.raises(ContractError, match=r"strength must lie in \[0, 1\], got 2"):
        prepare_edit("crop", SIZE, 2, rng)
    with pytest.raises(ContractError, match=r"no sound edit 'melt' \(choose among mute"):
        edit_sound("melt", music(), RATE, strength=0, rng=rng)
    with pytest.raises(ContractError, match=r"strength must lie in \[0, 1\], got -1"):
        edit_sound("mute", music(), RATE, strength=-1, rng=rng)
