"""Sampled frames in, the visual track out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vcd.descriptors.runtime import DescriptorModel
from vcd.media.decoder import Frame
from vcd.records import FloatArray, Track

__all__ = ["VisualTrackBuilder", "frame_weight"]

_BATCH = 2  # larger ones outgrow what the allocator keeps: page faults cost more than they save
_FLAT_DEVIATION = 14.0
"""Grey levels (0-255); below, a frame is black, flat or nearly so and cannot testify."""


def frame_weight(pixels: npt.NDArray[np.uint8]) -> float:
    """Return how much a frame can testify: 0 for black and flat frames, else 1.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)

    Notes
    -----
    A frame counts as flat where the standard deviation of its grey values is under 14 of 255.
    """
    return float(pixels.mean(axis=2).std() >= _FLAT_DEVIATION)


class VisualTrackBuilder:
    """Describes frames as they come; holds a batch of pixels at most.

    Frames that cannot testify get a row of zeros, and a frame that repeats the one before it (a
    slide, a frame rate below the sampling rate) its vector: neither costs a run of the model.
    """

    def __init__(self, model: DescriptorModel) -> None:
        self._model = model
        self._pixels: list[npt.NDArray[np.uint8]] = []
        self._last: npt.NDArray[np.uint8] | None = None
        self._times: list[tuple[float, float]] = []
        self._described: list[int] = []  # by frame: which vector, or -1
        self._number = 0  # of vectors
        self._vectors: list[FloatArray] = []

    def add(self, frame: Frame) -> None:
        """Take the next frame, already scaled to the model's size."""
        self._times.append((frame.start, frame.end))
        if self._last is not None and np.array_equal(frame.pixels, self._last):
            self._described.append(self._described[-1])
            return
        self._last = frame.pixels
        if not frame_weight(frame.pixels):
            self._described.append(-1)
            return
        self._described.append(self._number)
        self._number += 1
        self._pixels.append(frame.pixels)
        if len(self._pixels) == _BATCH:
            self._describe()

    def finish(self) -> Track:
        """Return the track of all frames taken."""
        if self._pixels:
            self._describe()
        info = self._model.info
        nothing = np.zeros((1, info.dimensions), np.float32)
        described = np.array(self._described, np.intp)
        return Track(
            stream="visual",
            model=info.id,
            times=np.array(self._times, np.float64).reshape(-1, 2),
            vectors=np.concatenate([*self._vectors, nothing])[described],
            weight=(described >= 0).astype(np.float32),
        )

    def _describe(self) -> None:
        self._vectors.append(self._model(np.stack(self._pixels)))
        self._pixels.clear()
