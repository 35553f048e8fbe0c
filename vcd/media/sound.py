"""From decoded sound to one gapless run of mono samples on the file's clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from vcd.media.decoder import SAMPLE_RATE, Samples
from vcd.records import FloatArray

__all__ = ["SoundReader", "clean"]

_RUN = SAMPLE_RATE  # samples gathered before a run is given out
_PIECE = SAMPLE_RATE // 2  # samples that the resampler gathers before it gives them out
# Less than the shortest common packet (20 ms) and more than the rounding of any container.
_JITTER = 0.015


def clean(samples: FloatArray) -> FloatArray:
    """Return samples in [-1, 1], what is not a number as silence."""
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), -1, 1)


class SoundReader:
    """Resamples frames to mono at `SAMPLE_RATE` and lays them on the clock without a gap.

    Frames that follow each other are one segment, resampled as a whole. Where a frame begins later
    than the one before ended, silence is filled in; where it begins earlier, what overlaps is left
    out.

    Attributes
    ----------
    start : float or None
        Seconds at which the sound begins; None before the first sample.
    count : int
        Samples given out or waiting, silence included.
    decoded : int
        Samples that were decoded: `count` less the silence filled in.
    left_out : int
        Samples that were decoded for a time already given out.
    """

    def __init__(self) -> None:
        self.start: float | None = None
        self.count = 0
        self.decoded = 0
        self.left_out = 0
        self._given = 0
        self._waiting: list[FloatArray] = []
        self._resampler: AudioResampler | None = None
        self._kind: tuple[Any, ...] = ()
        self._segment_start = 0.0
        self._segment_length = 0.0  # seconds of source sound in the segment
        self._downmix = False
        self._skip = 0

    @property
    def end(self) -> float:
        """Seconds at which the sound that was read ends."""
        return (self.start or 0.0) + self.count / SAMPLE_RATE

    def feed(self, frame: AudioFrame, time: float | None) -> Iterator[Samples]:
        """Take the next frame, presented at `time` seconds, and yield the runs that are full."""
        if frame.samples <= 0 or frame.sample_rate <= 0:
            return
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        expected = self._segment_start + self._segment_length
        follows = time is None or abs(time - expected) <= _JITTER
        if self._resampler is None or kind != self._kind or not follows:
            self._flush()
            at = time if time is not None else expected if self.start is not None else 0.0
            yield from self._begin(at, kind)
        self._segment_length += frame.samples / frame.sample_rate
        self._resample(frame)
        yield from self._full(_RUN)

    def finish(self) -> Iterator[Samples]:
        """End the sound and yield what is left."""
        self._flush()
        yield from self._full(1)

    def _begin(self, time: float, kind: tuple[Any, ...]) -> Iterator[Samples]:
        self._kind = kind
        self._resampler = AudioResampler("flt", "mono", SAMPLE_RATE, _PIECE)
        self._segment_start, self._segment_length = time, 0.0
        if self.start is None:
            self.start = time
        missing = round((time - self.start) * SAMPLE_RATE) - self.count
        self._skip = max(0, -missing)
        while missing > 0:  # in pieces: a gap may be hours long
            piece = min(missing, _RUN)
            self._waiting.append(np.zeros(piece, np.float32))
            self.count += piece
            missing -= piece
            yield from self._full(_RUN)

    def _resample(self, frame: AudioFrame | None) -> None:
        if self._resampler is None:
            return
        if frame is not None:
            frame.pts = None  # the graph must neither fill nor cut by time stamps
            if self._downmix:
                frame = _mean_of_channels(frame)
        try:
            resampled = self._resampler.resample(frame)
        except (av.error.FFmpegError, ValueError):
            if frame is None or self._downmix:
                raise
            # A layout that FFmpeg has no mixing matrix for.
            self._downmix = True
            self._resampler = AudioResampler("flt", "mono", SAMPLE_RATE, _PIECE)
            self._resample(frame)
            return
        for piece in resampled:
            if piece is not None:
                self._append(np.asarray(piece.to_ndarray(), np.float32).reshape(-1))

    def _append(self, samples: FloatArray) -> None:
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        self.left_out += skipped
        samples = samples[skipped:]
        self._waiting.append(samples)
        self.count += len(samples)
        self.decoded += len(samples)

    def _flush(self) -> None:
        if self._resampler is not None and self._segment_length:
            self._resample(None)
        self._resampler = None

    def _full(self, least: int) -> Iterator[Samples]:
        waiting = sum(map(len, self._waiting))
        if waiting < least:
            return
        run = clean(np.concatenate(self._waiting))
        self._waiting = []
        start = (self.start or 0.0) + self._given / SAMPLE_RATE
        self._given += waiting
        yield Samples(start, run)


def _mean_of_channels(frame: AudioFrame) -> AudioFrame:
    """Return the mean of all channels as a mono frame."""
    values: Any = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    scale = 1.0
    if values.dtype.kind in "iu":
        scale = float(np.iinfo(values.dtype).max)
    middle = 128.0 if values.dtype == np.uint8 else 0.0
    mean = ((values.astype(np.float64) - middle) / (scale - middle)).mean(axis=0, keepdims=True)
    mono = AudioFrame.from_ndarray(mean.astype(np.float32), format="flt", layout="mono")
    mono.sample_rate = frame.sample_rate
    return mono
