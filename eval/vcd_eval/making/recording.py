"""Frames and samples into a video file, through PyAV."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from vcd.errors import ContractError, OutputError

__all__ = ["write_video"]

Frame = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]

# Of libx264; about 25 kB a second at 320x180. Without mbtree, equal frames give equal bytes: with
# it, the result was seen to depend on what the memory held before.
_OPTIONS = {"preset": "superfast", "x264-params": "mbtree=0"}
_CRF = 25
_FALLBACK_BIT_RATE = 700_000  # of mpeg4 at _CRF, bit/s; six steps of crf are a factor of two
_SOUND_BIT_RATE = 64_000  # of AAC, bit/s
_SOUND_BLOCK = 1024  # samples of one AAC frame


def write_video(
    path: str | os.PathLike[str],
    frames: Iterable[Frame] | None,
    fps: float,
    samples: Samples | None = None,
    sample_rate: int = 24_000,
    *,
    crf: int = _CRF,
) -> None:
    """Write a file with a picture stream, a sound stream, or both; it appears whole or not at all.

    The container follows from the name (``.mp4``, ``.mkv``, ...); the picture is H.264 where PyAV
    has libx264, else MPEG-4, the sound AAC. One thread encodes, so that equal input gives equal
    files.

    Parameters
    ----------
    path : path-like
    frames : iterable of ndarray of uint8, shape (height, width, 3), optional
        RGB; sides must be even. Frame k stands for ``[k / fps, (k + 1) / fps)``.
    fps : float
    samples : ndarray of float32, shape (n,), optional
        Mono, in [-1, 1].
    sample_rate : int
        Hz; one that AAC knows.
    crf : int
        Coarseness of the picture, 0 to 51; from 35 on blocks are seen.

    Raises
    ------
    ContractError
        A sample is not finite.
    OutputError
        The file cannot be written.
    """
    if samples is not None and not np.isfinite(samples).all():
        raise ContractError("samples must be finite")
    target = Path(os.fsdecode(path))
    # With the ending, from which the container follows.
    part = target.with_name(f".vcd-{uuid.uuid4().hex}.part{target.suffix}")
    try:
        try:
            container = av.open(os.fspath(part), "w")
        except ValueError:
            raise OutputError(
                "its ending names no kind of media file", file=path, remedy="end the name in .mp4"
            ) from None
        with container:
            sound = None if samples is None else _Sound(container, samples, sample_rate)
            if frames is not None:
                rate = Fraction(fps).limit_denominator(1001)
                _write_picture(container, frames, rate, sound, crf)
            if sound is not None:
                sound.finish()
        part.replace(target)
    except (av.error.FFmpegError, OSError) as error:
        raise OutputError(
            f"cannot be written: {error.strerror or error}",
            file=path,
            remedy="check that the folder exists and has room",
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


class _Sound:
    """The sound stream of a file, written bit by bit so that it stays beside the picture."""

    def __init__(self, container: Any, samples: Samples, rate: int) -> None:
        self.container = container
        self.samples = np.ascontiguousarray(samples, dtype=np.float32)
        self.rate = rate
        self.written = 0
        self.stream = container.add_stream("aac", rate=rate, options={"aac_coder": "fast"})
        self.stream.layout = "mono"
        self.stream.bit_rate = _SOUND_BIT_RATE

    def advance(self, seconds: float) -> None:
        """Write until a time is reached."""
        end = min(seconds * self.rate, len(self.samples))
        while self.written < end:
            block = self.samples[self.written : self.written + _SOUND_BLOCK]
            frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
            frame.sample_rate = self.rate
            frame.time_base = Fraction(1, self.rate)
            frame.pts = self.written
            self.container.mux(self.stream.encode(frame))
            self.written += len(block)

    def finish(self) -> None:
        self.advance(float("inf"))
        self.container.mux(self.stream.encode(None))


def _write_picture(
    container: Any, frames: Iterable[Frame], fps: Fraction, sound: _Sound | None, crf: int
) -> None:
    stream = None
    for number, picture in enumerate(frames):
        if stream is None:
            stream = _picture_stream(container, picture, fps, crf)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.time_base = 1 / fps
        frame.pts = number
        container.mux(stream.encode(frame))
        if sound is not None:
            sound.advance(float((number + 1) / fps))
    if stream is not None:
        container.mux(stream.encode(None))


def _picture_stream(container: Any, picture: Frame, fps: Fraction, crf: int) -> Any:
    name, options = "mpeg4", {}
    if _has_encoder("libx264"):
        name, options = "libx264", _OPTIONS | {"crf": str(crf)}
    stream = container.add_stream(name, rate=fps, options=options)
    stream.height, stream.width = picture.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = 1 / fps
    stream.codec_context.thread_count = 1
    if name == "mpeg4":
        stream.bit_rate = round(_FALLBACK_BIT_RATE * 2 ** ((_CRF - crf) / 6))
    return stream


def _has_encoder(name: str) -> bool:
    try:
        av.codec.Codec(name, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True
