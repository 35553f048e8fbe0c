"""Still pictures, moving ones, cover art, thumbnails, and pictures as bytes."""

import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from vcd.errors import ContractError, MediaError, MediaLimitError
from vcd.media import Limits, Sampling, get_decoder
from vcd.media.pixels import PixelScaler
from vcd.media.thumbnails import encode_jpeg, encode_png, thumbnail

FLAT = np.full((40, 60, 3), (200, 60, 30), np.uint8)


def write_picture(path, codec, layout, pixels):
    context = av.CodecContext.create(codec, "w")
    context.height, context.width = pixels.shape[:2]
    context.pix_fmt = layout
    context.time_base = Fraction(1, 1)
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=layout)
    frame.pts = 0
    packets = [*context.encode(frame), *context.encode(None)]
    path.write_bytes(b"".join(bytes(p) for p in packets))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "layout"),
    [
        ("a.png", "png", "rgb24"),
        ("a.png", "png", "rgba"),
        ("a.png", "png", "rgb48be"),
        ("a.png", "png", "gray"),
        ("a.jpg", "mjpeg", "yuvj444p"),
        ("%03d.jpg", "mjpeg", "yuvj420p"),
        ("a.bmp", "bmp", "bgr24"),
        ("a.tif", "tiff", "rgb24"),
        ("a.webp", "libwebp", "bgra"),
    ],
)
def test_still(name, codec, layout, tmp_path, tools):
    path = write_picture(tmp_path / name, codec, layout, FLAT)
    for rate in (1, 4):
        recording = get_decoder().read(path, Sampling(rate=rate))
        assert recording.info.kind == "picture"
        assert recording.info.duration == 0
        assert (recording.info.width, recording.info.height) == (60, 40)
        frames, runs = tools.split(recording)
        assert not runs
        assert [(f.start, f.end, f.time) for f in frames] == [(0, 1 / rate, 0)]
        assert recording.duration == 1 / rate
        if layout != "gray":
            assert np.abs(frames[0].pixels.astype(int) - FLAT).max() < 12
        assert not recording.health.damaged
        assert recording.health.frames_decoded == recording.health.frames_expected == 1


def write_gif(path, count):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 60, 40, "rgb8"
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(np.full((40, 60, 3), 25 * i, np.uint8), "rgb24")
            for packet in stream.encode(frame.reformat(format="rgb8")):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return path


def test_a_gif_may_move(tmp_path, tools):
    recording = get_decoder().read(write_gif(tmp_path / "a.gif", 10), Sampling(rate=5))
    assert recording.info.kind == "video"
    assert len(tools.split(recording)[0]) == 5
    recording = get_decoder().read(write_gif(tmp_path / "b.gif", 1))
    assert recording.info.kind == "picture"
    assert len(tools.split(recording)[0]) == 1


def test_cover_art_is_no_picture(tmp_path, tools):
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as out:
        sound = out.add_stream("libmp3lame", rate=44100, layout="stereo")
        cover = out.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 60, 40, "rgb24"
        cover.disposition = 1 << 10
        for packet in cover.encode(av.VideoFrame.from_ndarray(FLAT, "rgb24")):
            out.mux(packet)
        wave = np.zeros((2, 44100), np.float32)
        frame = av.AudioFrame.from_ndarray(wave, "fltp", "stereo")
        frame.sample_rate = 44100
        for packet in (*sound.encode(frame), *sound.encode(None)):
            out.mux(packet)
    recording = get_decoder().read(path)
    assert recording.info.kind == "sound"
    frames, runs = tools.split(recording)
    assert not frames
    assert sum(len(r.samples) for r in runs) == pytest.approx(16000, abs=1200)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.ogg", "libopus"),
                        ("a.m4a", "aac"), ("a.mp3", "libmp3lame"), ("a.aiff", "pcm_s16be"),
                        ("a.aac", "aac"), ("a.mka", "flac")]
)  # fmt: skip
def test_sound_files(name, codec, film, tools):
    recording = get_decoder().read(film(name, frames=0, sound=1.0, sound_codec=codec))
    assert recording.info.kind == "sound"
    _, runs = tools.split(recording)
    samples = np.concatenate([r.samples for r in runs])
    assert runs[0].start == pytest.approx(0, abs=1e-3)
    assert len(samples) == pytest.approx(16000, abs=1700)
    assert np.sqrt(np.mean(samples[4000:12000] ** 2)) == pytest.approx(0.3536, abs=0.03)
    assert not recording.health.damaged


@pytest.mark.parametrize("layout", ["yuv420p10le", "yuv444p", "yuv422p"])
def test_other_layouts(layout, film, tools):
    path = film(frames=30, codec="libx264", pixel_format=layout)
    frames, _ = tools.split(get_decoder().read(path, Sampling(rate=1)))
    assert [tools.number_of(f.pixels) for f in frames] == [15]


def test_the_larger_picture_and_the_first_sound_are_read(tmp_path, tools):
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as out:
        streams = []
        for size in ((64, 48), (128, 96)):
            stream = out.add_stream("libx264", rate=10, options={"threads": "1"})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            streams.append(stream)
        for i in range(20):
            for stream in streams:
                pixels = tools.numbered(i, stream.width, stream.height)
                for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")):
                    out.mux(packet)
        for stream in streams:
            for packet in stream.encode(None):
                out.mux(packet)
    recording = get_decoder().read(path, Sampling(rate=1))
    assert recording.info.width == 128
    assert [tools.number_of(f.pixels) for f in tools.split(recording)[0]] == [5, 15]


def test_a_large_picture_is_refused_unseen(tmp_path):
    path = write_picture(tmp_path / "a.png", "png", "rgb24", FLAT)
    with pytest.raises(MediaLimitError):
        get_decoder().read(path, limits=Limits(max_pixels=60 * 40 - 1))


def test_thumbnails(film, tools):
    path = film(frames=60, sound=2.0)
    pictures = thumbnail(path, [0.0, 1.5, 0.5, 99.0], 64)
    assert [p.shape for p in pictures] == [(48, 64, 3)] * 4
    assert [tools.number_of(p) for p in pictures] == [0, 45, 15, 59]


def test_thumbnails_that_cannot_be(film, tmp_path):
    assert thumbnail(film("a.mp4", frames=0, sound=1.0), [0.0, 1.0]) == [None, None]
    with pytest.raises(MediaError):
        thumbnail(tmp_path / "none.mp4", [0.0])


def test_thumbnail_of_a_still(tmp_path):
    path = write_picture(tmp_path / "a.png", "png", "rgb24", FLAT)
    assert [p.shape for p in thumbnail(path, [0.0, 5.0], 30)] == [(20, 30, 3)] * 2


@pytest.mark.parametrize("quality", [1, 50, 100])
def test_jpeg_bytes(quality, tmp_path, tools):
    path = tmp_path / "a.jpg"
    path.write_bytes(encode_jpeg(FLAT, quality))
    frames, _ = tools.split(get_decoder().read(path))
    assert np.abs(frames[0].pixels.astype(int) - FLAT).max() < 16


def test_png_bytes_keep_every_pixel(tmp_path, tools):
    pixels = np.random.default_rng(0).integers(0, 256, (31, 47, 3), np.uint8)
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(pixels[:, ::-1]))
    frames, _ = tools.split(get_decoder().read(path))
    np.testing.assert_array_equal(frames[0].pixels, pixels[:, ::-1])


def test_only_pictures_are_encoded():
    with pytest.raises(ContractError):
        encode_png(np.zeros((4, 4), np.uint8))
    with pytest.raises(ContractError):
        encode_jpeg(np.zeros((4, 4, 3), np.float32))


def test_importing_the_room_loads_no_decoder():
    code = "import sys, vcd.media; assert not {'av', 'decord'} & set(sys.modules), 'loaded'"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_decoder():
    with pytest.raises(ContractError, match="pyav"):
        get_decoder("other")


@pytest.mark.parametrize("turn", [0, 90, 180, -90])
@pytest.mark.parametrize("mirrored", [False, True])
def test_orientation(turn, mirrored, film, tools):
    path = film("a.mov", frames=3, turn=turn, mirrored=mirrored)
    frames, _ = tools.split(get_decoder().read(path, Sampling(rate=30)))
    assert [tools.number_of(f.pixels) for f in frames] == [0, 1, 2]


@pytest.mark.parametrize("turn", [90, 180, -90])
def test_a_turn_beside_unknown_side_data(turn, film, tools, monkeypatch):
    """A frame whose side data PyAV cannot list is turned all the same."""

    def fail(*_):
        raise ValueError("31 is not a valid Type")

    monkeypatch.setattr("vcd.media.pixels.np.frombuffer", fail)
    frames, _ = tools.split(get_decoder().read(film("a.mov", frames=3, turn=turn)))
    assert [tools.number_of(f.pixels) for f in frames] == [2]


def test_a_scaler_gives_each_picture_what_it_gives_it_alone():
    rng = np.random.default_rng(0)
    scaler = PixelScaler(20, 10)
    for shape in ((40, 60), (40, 60), (7, 9), (40, 60), (10, 20), (33, 8)):
        picture = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        scaled = scaler.scale(picture)
        assert scaled.shape == (10, 20, 3)
        assert np.array_equal(scaled, PixelScaler(20, 10).scale(picture))
