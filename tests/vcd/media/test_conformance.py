"""What every decoder must do, on films whose frames carry their number."""

import itertools

import numpy as np
import pytest

from vcd.errors import ContractError, MediaError, MediaLimitError, MediaNotFoundError
from vcd.media import (
    SAMPLE_RATE,
    Decoder,
    Limits,
    Recording,
    Sampling,
    get_decoder,
)


@pytest.fixture(params=["pyav", "decord"])
def decoder(request):
    if request.param == "decord":
        pytest.importorskip("decord")
    return get_decoder(request.param)


def check_order(frames, runs):
    for one, two in itertools.pairwise(frames):
        assert one.start < one.end <= two.start + 1e-9
    for one, two in itertools.pairwise(runs):
        assert one.start + len(one.samples) / SAMPLE_RATE == pytest.approx(two.start, abs=1e-9)
    for run in runs:
        assert run.samples.dtype == np.float32
        assert np.abs(run.samples).max() <= 1


def numbers(frames, tools):
    return [tools.number_of(frame.pixels) for frame in frames]


def test_it_is_a_decoder(decoder, film):
    assert isinstance(decoder, Decoder)
    recording = decoder.read(film(frames=10))
    assert isinstance(recording, Recording)
    list(recording)
    with pytest.raises(ContractError):
        list(recording)


@pytest.mark.parametrize("rate", [0.4, 1, 2, 7, 30])
@pytest.mark.parametrize("exact", [False, True])
def test_constant_rate(decoder, film, tools, rate, exact):
    path = film(frames=75, sound=2.5)
    recording = decoder.read(path, Sampling(rate=rate, exact=exact))
    frames, runs = tools.split(recording)
    check_order(frames, runs)
    assert numbers(frames, tools) == tools.rule([i / 30 for i in range(75)], 2.5, rate)
    assert frames[0].start == 0
    assert frames[-1].end == pytest.approx(2.5, abs=2e-3)
    assert recording.duration == pytest.approx(2.5, abs=0.03)
    assert recording.health.frames_decoded == recording.health.frames_expected == len(frames)
    assert not recording.health.damaged
    for frame in frames:
        assert frame.time == pytest.approx(tools.number_of(frame.pixels) / 30, abs=1e-3)


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_variable_rate(decoder, film, tools, name):
    times = [0, 40, 80, 500, 520, 540, 900, 2600, 2640, 2700, 2720, 2900, 2940]
    path = film(name, frames=len(times), times_ms=times, options={"bf": "0"})
    frames, _ = tools.split(decoder.read(path, Sampling(rate=2)))
    end = frames[-1].end
    assert numbers(frames, tools) == tools.rule([t / 1000 for t in times], end, 2)


@pytest.mark.parametrize("turn", [90, 180, -90])
@pytest.mark.parametrize("size", [None, 64, (80, 60)])
def test_rotation(decoder, film, tools, turn, size):
    path = film("film.mov", frames=30, turn=turn)
    recording = decoder.read(path, Sampling(rate=1, size=size))
    assert (recording.info.width, recording.info.height) == (128, 96)
    frames, _ = tools.split(recording)
    assert frames[0].pixels.shape == {None: (96, 128, 3), 64: (48, 64, 3)}.get(size, (60, 80, 3))
    assert numbers(frames, tools) == [15]


def test_mirrored(decoder, film, tools):
    path = film("film.mov", frames=30, mirrored=True)
    if decoder.name == "decord":
        with pytest.raises(MediaError, match="use the default decoder"):
            list(decoder.read(path))
        return
    frames, _ = tools.split(decoder.read(path))
    assert numbers(frames, tools) == [7, 22]


@pytest.mark.parametrize(
    ("size", "shape"), [(None, (96, 256)), (128, (48, 128)), ((50, 40), (40, 50)), (999, (96, 256))]
)
def test_pixel_aspect(decoder, film, tools, size, shape):
    path = film(frames=20, aspect=2)
    recording = decoder.read(path, Sampling(rate=1, size=size))
    frames, _ = tools.split(recording)
    assert (recording.info.width, recording.info.height) == (256, 96)
    assert frames[0].pixels.shape == (*shape, 3)
    assert frames[0].pixels.dtype == np.uint8
    assert numbers(frames, tools) == [15]


@pytest.mark.parametrize("sound", [True, False])
def test_sound_that_starts_later(decoder, film, tools, sound):
    path = film("film.mkv", frames=60, sound=1.0, sound_offset=1.5, sound_codec="pcm_s16le")
    recording = decoder.read(path, Sampling(rate=1, sound=sound))
    frames, runs = tools.split(recording)
    assert numbers(frames, tools) == [15, 45]
    if sound:
        check_order(frames, runs)
        assert runs[0].start == pytest.approx(1.5, abs=2e-3)
        assert sum(len(r.samples) for r in runs) == pytest.approx(SAMPLE_RATE, abs=32)
        assert recording.duration == pytest.approx(2.5, abs=5e-3)


@pytest.mark.parametrize("sound", [True, False])
def test_picture_that_starts_later(decoder, film, tools, sound):
    path = film("film.mkv", frames=60, picture_offset_ms=1200, sound=3.2, sound_codec="pcm_s16le")
    recording = decoder.read(path, Sampling(rate=2, sound=sound))
    frames, _ = tools.split(recording)
    times = [1.2 + i / 30 for i in range(60)]
    assert frames[0].start == 1.0
    assert numbers(frames, tools) == tools.rule(times, 3.2, 2)
    assert recording.duration == pytest.approx(3.2, abs=0.01)


def test_no_sound(decoder, film, tools):
    recording = decoder.read(film(frames=30))
    frames, runs = tools.split(recording)
    assert len(frames) == 2
    assert not runs
    assert recording.info.has_picture
    assert not recording.info.has_sound
    assert not recording.health.damaged


def test_no_picture(decoder, film, tools):
    recording = decoder.read(film(frames=0, sound=1.5))
    frames, runs = tools.split(recording)
    assert recording.info.kind == "sound"
    assert (recording.info.width, recording.info.height) == (0, 0)
    assert not frames
    samples = np.concatenate([r.samples for r in runs])
    assert len(samples) == pytest.approx(1.5 * SAMPLE_RATE, abs=1600)
    spectrum = np.abs(np.fft.rfft(samples[4000:12000]))
    assert np.argmax(spectrum) * SAMPLE_RATE / 8000 == pytest.approx(440, abs=3)
    assert np.sqrt(np.mean(samples[4000:12000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), abs=0.02)


def test_what_is_not_wanted_is_not_read(decoder, film, tools):
    path = film(frames=30, sound=1.0)
    frames, runs = tools.split(decoder.read(path, Sampling(picture=False)))
    assert not frames
    assert runs
    frames, runs = tools.split(decoder.read(path, Sampling(sound=False)))
    assert frames
    assert not runs


@pytest.mark.parametrize("layout", ["stereo", "5.1"])
def test_channels_become_one(decoder, film, tools, layout):
    _, runs = tools.split(decoder.read(film(frames=0, sound=0.5, layout=layout)))
    assert np.abs(np.concatenate([r.samples for r in runs])).max() > 0.3


def test_probe(decoder, film):
    info = decoder.probe(film(frames=60, rate=25, sound=1.0))
    assert (info.kind, info.width, info.height) == ("video", 128, 96)
    assert info.duration == pytest.approx(2.4, abs=0.01)
    assert info.frame_rate == pytest.approx(25)
    assert (info.video_codec, info.audio_codec) == ("h264", "aac")


def test_not_there(decoder, tmp_path):
    for path in (tmp_path / "none.mp4", tmp_path / "no" / "folder.mp4", b"/nul\x00l.mp4"):
        with pytest.raises(MediaNotFoundError, match="no such file"):
            decoder.read(path)
        with pytest.raises(MediaNotFoundError):
            decoder.probe(path)


def test_limits(decoder, film):
    path = film(frames=60, sound=2.0)
    for limits in (
        Limits(max_pixels=128 * 96 - 1),
        Limits(max_duration=1.0),
        Limits(max_streams=1),
    ):
        with pytest.raises(MediaLimitError, match="limit"):
            decoder.probe(path, limits=limits)
        with pytest.raises(MediaLimitError, match=r"film\.mp4"):
            list(decoder.read(path, limits=limits))
    with pytest.raises(MediaLimitError, match="max_wall_time"):
        list(decoder.read(path, limits=Limits(max_wall_time=0)))
    list(decoder.read(path, limits=Limits(128 * 96, 3.0, 2, 60)))


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("film.mp4", "libx265", {}),
        ("film.mkv", "libx265", {}),
        ("film.avi", "mpeg4", {}),
        ("film.mp4", "mpeg4", {}),
        ("film.avi", "mjpeg", {}),
        ("film.webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
        ("film.mp4", "libsvtav1", {"preset": "12"}),
    ],
)
def test_codecs(decoder, film, tools, name, codec, options):
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = film(name, frames=60, codec=codec, options=options, pixel_format=pixel_format)
    if decoder.name == "decord" and (name, codec) == ("film.avi", "mpeg4"):
        # Frames out of order without time stamps of their own: decord guesses them.
        with pytest.raises(MediaError, match="use the default decoder"):
            list(decoder.read(path))
        return
    frames, _ = tools.split(decoder.read(path, Sampling(rate=2)))
    expected = tools.rule([i / 30 for i in range(60)], frames[-1].end, 2)
    assert numbers(frames, tools) == expected


def test_a_text_is_no_film(decoder, tmp_path):
    (tmp_path / "text.mp4").write_text("not a film\n" * 200)
    with pytest.raises(MediaError, match="cannot be read"):
        decoder.read(tmp_path / "text.mp4")
