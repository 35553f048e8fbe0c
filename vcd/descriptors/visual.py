"""Sampled frames in, the visual track out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vcd.descriptors.runtime import DescriptorModel
from vcd.media.decoder import Frame
from vcd.records import FloatArray, Track

__all__ = ["VisualTrackBuilder", "frame_weight"]

_BATCH = 8
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
    """Describes frames as they come; holds a batch of pixels at most."""

    def __init__(self, model: DescriptorModel) -> None:
        self._model = model
        self._pixels: list[npt.NDArray[np.uint8]] = []
        self._times: list[tuple[float, float]] = []
        self._weights: list[float] = []
        self._vectors: list[FloatArray] = []

    def add(self, frame: Frame) -> None:
        """Take the next frame, already scaled to the model's size."""
        self._times.append((frame.start, frame.end))
        self._weights.append(frame_weight(frame.pixels))
        self._pixels.append(frame.pixels)
        if len(self._pixels) == _BATCH:
            self._describe()

    def finish(self) -> Track:
        """Return the track of all frames taken."""
        if self._pixels:
            self._describe()
        info = self._model.info
        empty = np.zeros((0, info.dimensions), np.float32)
        return Track(
            stream="visual",
            model=info.id,
            times=np.array(self._times, np.float64).reshape(-1, 2),
            vectors=np.concatenate([empty, *self._vectors]),
            weight=np.array(self._weights, np.float32),
        )

    def _describe(self) -> None:
        self._vectors.append(self._model(np.stack(self._pixels)))
        self._pixels.clear()
