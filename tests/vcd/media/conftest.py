"""Films made in the test: every frame carries its number, every second of sound its tone."""

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

WIDTH, HEIGHT = 128, 96
TONE = 440.0


def numbered(number, width=WIDTH, height=HEIGHT):
    """Return a picture whose 4 x 4 blocks are the bits of a number; a moving bar adds life."""
    bits = (number >> np.arange(16)) & 1
    picture = np.kron(bits.reshape(4, 4), np.ones((height // 4, width // 4)))[:, :, None]
    picture = np.repeat(picture * 215 + 20, 3, axis=2).astype(np.uint8)
    picture[:2, (number * 3) % (width - 8) :][:, :8] = (255, 0, 0)
    return picture


def number_of(pixels):
    """Read the number back from pixels of any size."""
    height, width = pixels.shape[:2]
    bits = 0
    for i in range(16):
        row, column = divmod(i, 4)
        top, left = int((row + 0.4) * height / 4), int((column + 0.3) * width / 4)
        block = pixels[top : top + max(1, height // 16), left : left + max(1, width // 10)]
        bits |= int(block.mean() > 128) << i
    return bits


def write_film(
    path,
    *,
    frames=60,
    rate=30,
    times_ms=None,
    codec="libx264",
    options=None,
    pixel_format="yuv420p",
    turn=0,
    mirrored=False,
    aspect=None,
    picture_offset_ms=0,
    sound=0.0,
    sound_codec="aac",
    sound_rate=48000,
    sound_offset=0.0,
    layout="mono",
    container_options=None,
    file_format=None,
):
    """Write a film; `times_ms` are its frames' times, `sound` the seconds of its tone."""
    few = {} if codec == "mjpeg" else {"bf": "2"}
    options = {"g": "30", "threads": "1", **few, **(options or {})}
    if codec == "libx265":
        options.setdefault("x265-params", "log-level=none:pools=1")
    with av.open(str(path), "w", format=file_format, options=container_options or {}) as out:
        video = audio = None
        if frames:
            video = out.add_stream(codec, rate=rate, options=options)
            shape = numbered(0).shape
            video.height, video.width = shape[:2] if turn % 180 == 0 else (shape[1], shape[0])
            video.pix_fmt = pixel_format
            if times_ms is not None or picture_offset_ms:
                video.codec_context.time_base = Fraction(1, 1000)
            if aspect:
                video.codec_context.sample_aspect_ratio = aspect
            if turn or mirrored:
                video.set_display_rotation(turn, hflip=mirrored)
        if sound:
            audio = out.add_stream(sound_codec, rate=sound_rate, layout=layout)
        for packet in _pictures(video, frames, rate, times_ms, picture_offset_ms, turn, mirrored):
            out.mux(packet)
        for packet in _tone(audio, sound, sound_rate, sound_offset, layout):
            out.mux(packet)
    return Path(path)


def _pictures(video, frames, rate, times_ms, offset_ms, turn, mirrored):
    if video is None:
        return
    for i in range(frames):
        picture = numbered(i)
        if mirrored:
            picture = picture[:, ::-1]
        # What is stored is what the display matrix turns back.
        picture = np.ascontiguousarray(np.rot90(picture, -turn // 90))
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        if times_ms is not None or offset_ms:
            at = times_ms[i] if times_ms is not None else round(i * 1000 / rate)
            frame.pts, frame.time_base = at + offset_ms, Fraction(1, 1000)
        else:
            frame.pts, frame.time_base = i, Fraction(1) / rate
        yield from video.encode(frame)
    yield from video.encode(None)


def _tone(audio, seconds, rate, offset, layout):
    if audio is None:
        return
    count = round(seconds * rate)
    wave = np.sin(2 * np.pi * TONE * np.arange(count) / rate).astype(np.float32) * 0.5
    channels = av.AudioLayout(layout).nb_channels
    step = 1024
    for at in range(0, count, step):
        piece = np.repeat(wave[None, at : at + step], channels, axis=0)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), "fltp", layout)
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = at + round(offset * rate)
        yield from audio.encode(frame)
    yield from audio.encode(None)


def rule(times, end, rate):
    """Return the frame numbers that the sampling rule names, the slow and plain way."""
    picked = []
    k = int(times[0] * rate + 1e-6)
    while k / rate < end - 2e-3:
        inside = [i for i, t in enumerate(times) if k <= t * rate + 1e-6 < k + 1]
        if inside:
            middle = (k + 0.5) / rate
            nearest = min(abs(times[i] - middle) for i in inside)
            picked.append(next(i for i in inside if abs(times[i] - middle) <= nearest + 1e-3))
        else:
            picked.append(max(i for i, t in enumerate(times) if t * rate + 1e-6 < k))
        k += 1
    return picked


def split(recording):
    """Read a recording; return its frames and its runs of samples."""
    from vcd.media import Frame

    frames, runs = [], []
    for item in recording:
        (frames if isinstance(item, Frame) else runs).append(item)
    return frames, runs


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Films already written, by how: encoding is what takes the time."""
    return tmp_path_factory.mktemp("films"), {}


@pytest.fixture
def film(tmp_path, made):
    """Write a film into the test's folder."""
    folder, known = made

    def write(name="film.mp4", **how):
        key = (Path(name).suffix, repr(sorted(how.items())))
        if key not in known:
            known[key] = write_film(folder / f"{len(known)}{key[0]}", **how)
        path = tmp_path / name
        shutil.copy(known[key], path)
        return path

    return write


@pytest.fixture
def tools():
    """Functions that tests share."""

    class Tools:
        pass

    found = Tools()
    found.numbered, found.number_of, found.rule, found.split = numbered, number_of, rule, split
    return found
