"""Small whole files of many containers and codecs, to be damaged."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

__all__ = ["KINDS", "make_corpus"]

WIDTH, HEIGHT, RATE, SECONDS = 64, 48, 10, 1.5
_SOUND_RATES = {"libopus": 48_000, "libmp3lame": 22_050}  # Hz, where a codec takes not all

# Ending, picture codec, sound codec, options of the container.
KINDS = {
    "mp4-h264-aac": (".mp4", "libx264", "aac", {}),
    "mp4-fragmented-h264": (".mp4", "libx264", None, {"movflags": "frag_keyframe+empty_moov"}),
    "mp4-hevc": (".mp4", "libx265", None, {"movflags": "faststart"}),
    "mp4-av1": (".mp4", "libsvtav1", None, {}),
    "mov-mjpeg-pcm": (".mov", "mjpeg", "pcm_s16le", {}),
    "webm-vp9-opus": (".webm", "libvpx-vp9", "libopus", {}),
    "mkv-vp8-mp3": (".mkv", "libvpx", "libmp3lame", {}),
    "mkv-mpeg4-flac": (".mkv", "mpeg4", "flac", {}),
    "avi-mpeg4-mp3": (".avi", "mpeg4", "libmp3lame", {}),
    "avi-mjpeg": (".avi", "mjpeg", None, {}),
    "ts-mpeg2-mp2": (".ts", "mpeg2video", "mp2", {}),
    "flv-flv1-mp3": (".flv", "flv", "libmp3lame", {}),
    "wmv-wmv2": (".wmv", "wmv2", None, {}),
    "gif": (".gif", "gif", None, {}),
    "png": (".png", "png", None, {}),
    "jpg": (".jpg", "mjpeg", None, {}),
    "webp": (".webp", "libwebp", None, {}),
    "ogg-opus": (".ogg", None, "libopus", {}),
    "mp3": (".mp3", None, "libmp3lame", {}),
    "flac": (".flac", None, "flac", {}),
    "wav": (".wav", None, "pcm_s16le", {}),
    "aac": (".aac", None, "aac", {}),
}
_PIXELS = {"mjpeg": "yuvj420p", "png": "rgb24", "gif": "rgb8"}
_STILL = (".png", ".jpg", ".webp")


def make_corpus(folder: Path, kinds: list[str] | None = None) -> dict[str, bytes]:
    """Write one file of each kind whose codecs are there, and return their bytes by kind."""
    os.environ.setdefault("SVT_LOG", "0")  # else it tells its settings
    corpus = {}
    for kind in kinds or KINDS:
        ending, picture, sound, options = KINDS[kind]
        needed = [codec for codec in (picture, sound) if codec is not None]
        if all(_is_there(codec) for codec in needed):
            path = folder / f"{kind}{ending}"
            _write(path, picture, sound, options)
            corpus[kind] = path.read_bytes()
    if hasattr(os, "sched_setscheduler"):  # as root, SVT-AV1 makes a real-time process of this one
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return corpus


def _is_there(codec: str) -> bool:
    try:
        av.codec.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _write(path: Path, picture: str | None, sound: str | None, options: dict[str, str]) -> None:
    still = path.suffix in _STILL
    how = {"options": {"update": "1"}, "format": "image2"} if still else {"options": options}
    with av.open(str(path), "w", **how) as out:
        video = audio = None
        if picture is not None:
            video = out.add_stream(picture, rate=RATE, options=_codec_options(picture))
            video.width, video.height = WIDTH, HEIGHT
            video.pix_fmt = _PIXELS.get(picture, "yuv420p")
            video.codec_context.thread_count = 1
        if sound is not None:
            rate = _SOUND_RATES.get(sound, 16_000)
            audio = out.add_stream(sound, rate=rate, layout="mono")
        if video is not None:
            for number in range(1 if still else round(RATE * SECONDS)):
                out.mux(video.encode(_frame(number)))
            out.mux(video.encode(None))
        if audio is not None:
            for frame in _tone(rate, audio.format.name):
                out.mux(audio.encode(frame))
            out.mux(audio.encode(None))


def _codec_options(codec: str) -> dict[str, str]:
    return {
        "libx264": {"g": "5", "bf": "2", "preset": "ultrafast"},
        "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=1"},
        "libsvtav1": {"preset": "12", "svtav1-params": "lp=1"},
        "libvpx": {"deadline": "realtime", "cpu-used": "8"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    }.get(codec, {})


def _frame(number: int) -> av.VideoFrame:
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    waves = np.sin((across + 5 * number) / 7) + np.cos((down - 3 * number) / 5)
    picture = np.stack([waves * 50 + 120, waves[::-1] * 40 + 100, waves * 20 + 90], axis=2)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture.astype(np.uint8)), "rgb24")
    frame.pts, frame.time_base = number, Fraction(1, RATE)
    return frame


def _tone(rate: int, layout: str) -> list[av.AudioFrame]:
    count = round(rate * SECONDS)
    wave = (np.sin(np.arange(count) * 0.15) * 0.4).astype(np.float32)
    resampler = av.AudioResampler(layout, "mono", rate)
    frame = av.AudioFrame.from_ndarray(wave[None], "flt", "mono")
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
    return resampler.resample(frame)
