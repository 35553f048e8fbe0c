"""Frames and samples become tracks whatever way they arrive, with times and weights that hold."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcd.descriptors import DescriptorModel, load_manifest, visual
from vcd.descriptors.audio import AudioTrackBuilder, window_weight
from vcd.descriptors.faster import SPEED_UP
from vcd.descriptors.views import boxes_of
from vcd.descriptors.visual import VisualTrackBuilder, frame_weight
from vcd.errors import ModelError
from vcd.media import SAMPLE_RATE, Frame, Samples
from vcd.media.pixels import scale_pixels

AUDIO = DescriptorModel(load_manifest().default("audio"))
VISUAL = DescriptorModel(load_manifest().default("visual"))
WINDOW = round(AUDIO.info.input["window"] * SAMPLE_RATE)
HOP = AUDIO.info.input["hop"]


def noise(seconds, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.3, 0.3, round(seconds * SAMPLE_RATE)).astype(np.float32)


def audio_tracks(runs, start=0.0):
    builder = AudioTrackBuilder(AUDIO)
    at = start
    for run in runs:
        builder.add(Samples(at, run))
        at += len(run) / SAMPLE_RATE
    return builder.finish()


def audio_track(runs, start=0.0):
    return audio_tracks(runs, start)[0]


def test_audio_windows_have_the_right_times():
    track = audio_track([noise(5)], start=1.5)
    window = WINDOW / SAMPLE_RATE
    assert len(track) == int((5 - window) / HOP) + 1
    assert track.times[0] == pytest.approx([1.5, 1.5 + window])
    assert np.diff(track.times[:, 0]) == pytest.approx(HOP)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=8))
def test_audio_track_does_not_depend_on_the_runs(sizes):
    sound = noise(12)
    cuts = np.minimum(np.cumsum(sizes), len(sound))
    runs = [run for run in np.split(sound, cuts) if len(run)]
    for whole, parts in zip(audio_tracks([sound]), audio_tracks(runs), strict=True):
        assert np.array_equal(whole.times, parts.times)
        assert np.allclose(whole.vectors, parts.vectors, atol=1e-4)


def melody(seconds):
    """Return notes of changing pitch and length over a little noise."""
    rng = np.random.default_rng(5)
    phase = np.concatenate(
        [
            np.full(int(rng.integers(1500, 6000)), 2 * np.pi * rng.uniform(200, 2500) / SAMPLE_RATE)
            for _ in range(seconds * 8)
        ]
    )[: seconds * SAMPLE_RATE].cumsum()
    return (0.3 * np.sin(phase)).astype(np.float32) + 0.1 * noise(seconds)[: len(phase)]


def test_sound_that_was_sped_up_is_found_by_the_faster_view():
    sound = melody(12)
    plain, faster = audio_tracks([sound])
    assert (faster.view, faster.model) == ("faster", plain.model)
    assert {tuple(t) for t in faster.times} <= {tuple(t) for t in plain.times}
    sped_up = np.interp(np.arange(0, len(sound) - 1, SPEED_UP), np.arange(len(sound)), sound)
    copy = audio_track([sped_up.astype(np.float32)])
    at = copy.times.mean(axis=1) * SPEED_UP
    cosines = []
    for track in (plain, faster):
        nearest = np.abs(track.times.mean(axis=1)[:, None] - at).argmin(axis=0)
        cosines.append(float((copy.vectors * track.vectors[nearest]).sum(axis=1).mean()))
    assert cosines[0] < 0.5
    assert cosines[1] > 0.9


def test_sound_shorter_than_a_window_gives_one_position():
    assert len(audio_track([noise(0.6)])) == 1


def test_no_sound_gives_an_empty_track():
    assert len(audio_track([])) == 0
    assert len(audio_track([noise(0.01)])) == 0


def test_times_do_not_drift_where_a_hop_is_no_whole_number_of_samples():
    given = {"sample_rate": SAMPLE_RATE, "window": 2.0, "hop": 0.25003}
    builder = AudioTrackBuilder(DescriptorModel(dataclasses.replace(AUDIO.info, input=given)))
    builder.add(Samples(0.0, np.tile(noise(20), 3)))
    times = builder.finish()[0].times
    assert times[-1, 1] <= 60
    assert times[-1, 0] == pytest.approx((len(times) - 1) * 0.25, abs=1e-9)


def test_silence_cannot_testify():
    track = audio_track([np.zeros(5 * SAMPLE_RATE, np.float32)])
    assert len(track) > 0
    assert not track.weight.any()


def test_weight_of_windows_is_by_level():
    levels = np.array([0, 1e-4, 0.1], np.float32)[:, None] * np.ones((3, 100), np.float32)
    assert window_weight(levels).tolist() == [0, 0, 1]


def frames(pictures):
    for i, picture in enumerate(pictures):
        yield Frame(i / 2, (i + 1) / 2, i / 2 + 0.25, picture)


def visual_track(pictures):
    builder = VisualTrackBuilder(VISUAL)
    for frame in frames(pictures):
        builder.add(frame)
    return builder.finish()[0]


def pictures(n, seed=0):
    size = int(VISUAL.info.input["height"])
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def smooth_pictures(n, seed=0):
    """Return pictures of a few soft blobs, which survive scaling as noise does not."""
    size = int(VISUAL.info.input["height"])
    small = np.random.default_rng(seed).integers(0, 256, (n, 6, 6, 3), dtype=np.uint8)
    return np.stack([scale_pixels(picture, size, size) for picture in small])


def test_visual_track_has_one_row_a_frame():
    track = visual_track(pictures(11))
    assert len(track) == 11
    assert track.times[10].tolist() == [5.0, 5.5]
    assert np.allclose(np.linalg.norm(track.vectors, axis=1), 1, atol=1e-3)


def test_a_frame_is_described_alike_alone_and_in_a_batch():
    batch = pictures(9)
    together = visual_track(batch)
    alone = visual_track(batch[8:])
    assert np.allclose(together.vectors[8], alone.vectors[0], atol=1e-3)


@pytest.mark.parametrize("level", [0, 16, 128, 255])
def test_flat_frames_cannot_testify(level):
    assert frame_weight(np.full((16, 16, 3), level, np.uint8)) == 0


@pytest.mark.parametrize("share", [1, 0.2])
def test_lively_frames_testify_and_dark_ones(share):
    assert frame_weight((smooth_pictures(1)[0] * share).astype(np.uint8)) == 1


def test_the_noise_of_a_camera_in_the_dark_cannot_testify():
    noise = np.random.default_rng(0).normal(20, 4, (128, 128, 3))
    assert frame_weight(noise.clip(0, 255).astype(np.uint8)) == 0


def test_a_dark_copy_is_described_as_the_bright_one_is():
    bright, other = smooth_pictures(2)
    dark = (bright * 0.2).astype(np.uint8)
    track = visual_track([bright, dark, other])
    assert track.weight.tolist() == [1, 1, 1]
    assert track.vectors[0] @ track.vectors[1] > track.vectors[0] @ track.vectors[2] + 0.2


class CountingModel(DescriptorModel):
    """The real model, how many pictures it was shown, and of which sizes."""

    shown = 0

    def __call__(self, batch):
        self.shown += len(batch)
        self.sides = [*getattr(self, "sides", ()), *[batch.shape[1]] * len(batch)]
        return super().__call__(batch)


def test_the_model_sees_neither_flat_nor_repeated_frames():
    model = CountingModel(VISUAL.info)
    builder = VisualTrackBuilder(model)
    first, second = pictures(2)
    black = np.zeros_like(first)
    for frame in frames([black, first, first, black, first, second, second, black]):
        builder.add(frame)
    [track] = builder.finish()
    assert model.shown == 3
    assert track.weight.tolist() == [0, 1, 1, 0, 1, 1, 1, 0]
    assert not track.vectors[track.weight == 0].any()
    expected = visual_track([first, second]).vectors
    np.testing.assert_allclose(track.vectors[[1, 2, 4, 5, 6]], expected[[0, 0, 0, 1, 1]], atol=1e-3)


def test_a_camera_at_rest_is_described_once_and_a_slow_change_again():
    rng = np.random.default_rng(0)
    still = (smooth_pictures(1)[0] // np.uint8(2)).astype(np.int16) + 40
    rest = [still + rng.integers(-2, 3, still.shape) for _ in range(6)]
    tracks, shown = described_of([picture.astype(np.uint8) for picture in rest], 2.0)
    assert shown == 1
    assert np.ptp(tracks[0].vectors, axis=0).max() == 0
    fading = [still + 0.006 * k * (still - still.mean()) for k in range(30)]
    fading = [picture.astype(np.uint8) for picture in fading]
    (track,), shown = described_of(fading, 2.0)
    assert 8 <= shown <= 16
    for picture, vector in zip(fading, track.vectors, strict=True):
        assert vector @ VISUAL(picture[None])[0] > 0.98


def test_a_sign_that_appears_in_a_picture_at_rest_is_described():
    still = smooth_pictures(1)[0]
    sign = still.copy()
    sign[100:116, 40:72] ^= 128
    tracks, shown = described_of([still, still, sign, sign, still], 2.0)
    assert shown == 3
    np.testing.assert_array_equal(tracks[0].vectors[[0, 2]], tracks[0].vectors[[1, 3]])


def test_a_track_of_nothing_but_black_is_whole():
    track = visual_track(np.zeros((20, 160, 160, 3), np.uint8))
    assert len(track) == 20
    assert not track.weight.any()


def bordered(picture, inset=0.2, colour=(0, 90, 0)):
    """Return the picture made small in a frame of one colour."""
    side = picture.shape[0]
    margin = round(inset * side)
    framed = np.empty_like(picture)
    framed[:] = colour
    framed[margin : side - margin, margin : side - margin] = scale_pixels(
        picture, side - 2 * margin, side - 2 * margin
    )
    return framed


def test_frames_with_borders_get_a_view_without_them():
    plain = smooth_pictures(4)
    shown = [plain[0], bordered(plain[1]), bordered(plain[1]), np.zeros_like(plain[0]), plain[2]]
    builder = VisualTrackBuilder(VISUAL)
    for frame in frames(shown):
        builder.add(frame)
    full, inner = builder.finish()
    assert (full.key, inner.key) == ("visual", "visual/inner")
    assert inner.times.tolist() == full.times[1:3].tolist()
    assert inner.weight.tolist() == [1, 1]
    expected = visual_track(plain[1:2]).vectors[0]
    assert inner.vectors[0] @ expected > 0.9
    assert inner.vectors[0] @ expected > full.vectors[1] @ expected + 0.05


def test_halves_are_described_at_the_smaller_size_where_the_model_has_one():
    picture = smooth_pictures(2)
    side = picture.shape[1]
    both = np.concatenate([picture[0][:, : side // 2], 255 - picture[1][:, : side // 2]], axis=1)
    given = dict(VISUAL.info.input)
    small = int(given.pop("small"))
    for info, sides in (
        (VISUAL.info, [side, small, small]),
        (dataclasses.replace(VISUAL.info, input=given), [side] * 3),
    ):
        model = CountingModel(info)
        builder = VisualTrackBuilder(model)
        builder.add(Frame(0.0, 0.5, 0.25, both))
        tracks = builder.finish()
        assert [track.view for track in tracks] == ["full", "first", "second"]
        assert model.sides == sides
        halves = [np.ascontiguousarray(both[:, :64]), np.ascontiguousarray(both[:, 64:])]
        expected = [VISUAL(scale_pixels(half, side, side)[None])[0] for half in halves]
        for track, vector in zip(tracks[1:], expected, strict=True):
            assert track.vectors[0] @ vector > 0.6


def described_of(pictures, rate):
    """Return the tracks of frames, and how many pictures the model was shown for them."""
    model = CountingModel(VISUAL.info)
    builder = VisualTrackBuilder(model)
    for i, picture in enumerate(pictures):
        builder.add(Frame(i / rate, (i + 1) / rate, (i + 0.5) / rate, picture))
    return builder.finish(), model.shown


@pytest.mark.parametrize(("rate", "looks"), [(1.0, 8), (2.0, 4), (4.0, 2)])
def test_views_are_looked_for_once_a_second_while_a_shot_lasts(rate, looks):
    picture = bordered(smooth_pictures(1)[0])
    shot = [np.roll(picture, i, axis=2) // np.uint8(2) + np.uint8(i) for i in range(8)]
    (full, inner), shown = described_of(shot, rate)
    assert shown == len(shot) + looks
    assert np.array_equal(full.times, inner.times)
    assert inner.weight.all()
    assert len(np.unique(inner.vectors, axis=0)) == looks


def test_where_views_lie_is_found_every_two_seconds_while_a_shot_lasts(monkeypatch):
    found = []
    monkeypatch.setattr(visual, "boxes_of", lambda pixels: found.append(0) or boxes_of(pixels))
    picture = bordered(smooth_pictures(1)[0])
    shot = [np.roll(picture, i, axis=2) // np.uint8(2) + np.uint8(i) for i in range(8)]
    (full, inner), shown = described_of(shot, 2.0)
    assert (shown, len(found)) == (len(shot) + 4, 2)
    for picture, vector in zip(shot[::2], inner.vectors[::2], strict=True):
        (_, alone), _ = described_of([picture], 2.0)
        np.testing.assert_allclose(vector, alone.vectors[0], atol=1e-3)
    assert np.array_equal(full.times, inner.times)


def test_views_are_looked_for_again_after_a_cut_and_after_black():
    first, second = (bordered(picture) for picture in smooth_pictures(2))
    black = np.zeros_like(first)
    (_, inner), shown = described_of([first, second, second + np.uint8(1), black, second], 8.0)
    assert shown == 4 + 3
    assert inner.times[:, 0].tolist() == [0, 0.125, 0.25, 0.5]
    same = inner.vectors @ inner.vectors[1]
    assert same[0] < 0.9
    np.testing.assert_allclose(same[1:], 1, atol=1e-3)


def test_pictures_of_any_size_are_scaled_in_the_graph():
    blocks = pictures(1)[0][:8, :8]
    small = blocks.repeat(20, axis=0).repeat(20, axis=1)
    large = blocks.repeat(60, axis=0).repeat(90, axis=1)
    other = pictures(1, seed=1)[0][:8, :8].repeat(20, axis=0).repeat(20, axis=1)
    vectors = [VISUAL(picture[None])[0] for picture in (small, large, other)]
    assert vectors[0] @ vectors[1] > 0.95
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.02


def test_model_that_breaks_its_promise_is_named():
    info = dataclasses.replace(AUDIO.info, dimensions=7)
    with pytest.raises(ModelError, match="vcd models verify"):
        DescriptorModel(info)(np.zeros((1, WINDOW), np.float32))


def test_input_of_a_wrong_shape_is_a_model_error():
    with pytest.raises(ModelError, match=AUDIO.info.id):
        AUDIO(np.zeros((1, 2, 3), np.float32))
