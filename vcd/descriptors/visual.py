"""Sampled frames in, the visual tracks out: of the whole picture, and of what borders surround."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from vcd.descriptors.borders import inside_borders
from vcd.descriptors.runtime import DescriptorModel
from vcd.media.decoder import Frame
from vcd.records import FloatArray, Track

__all__ = ["INNER_VIEW", "VisualTrackBuilder", "frame_weight"]

INNER_VIEW = "inner"
"""The view of frames without the flat borders around them; only frames that have some are in it."""

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
    red, green, blue = np.moveaxis(pixels, 2, 0).astype(np.uint16)
    return float((red + green + blue).std() >= 3 * _FLAT_DEVIATION)


class VisualTrackBuilder:
    """Describes frames as they come; holds a batch of pixels of each view at most.

    Frames that cannot testify get a row of zeros, and a frame that repeats the one before it (a
    slide, a frame rate below the sampling rate) its vector: neither costs a run of the model.
    Frames with flat borders are described once more without them, in the view `INNER_VIEW`.
    """

    def __init__(self, model: DescriptorModel) -> None:
        self._full = _View(model)
        self._inner = _View(model)
        self._last: npt.NDArray[np.uint8] | None = None

    def add(self, frame: Frame) -> None:
        """Take the next frame, already scaled to the model's size."""
        times, pixels = (frame.start, frame.end), frame.pixels
        if self._last is not None and np.array_equal(pixels, self._last):
            self._full.repeat(times)
            self._inner.repeat(times)
            return
        self._last = pixels
        if not frame_weight(pixels):
            self._full.add(times, None)
            self._inner.add(times, None)
            return
        self._full.add(times, pixels)
        from vcd.media.pixels import scale_pixels  # loads PyAV

        inner = inside_borders(pixels)
        if inner is None or not frame_weight(inner):
            self._inner.add(times, None)
        else:
            self._inner.add(times, scale_pixels(inner, pixels.shape[1], pixels.shape[0]))

    def finish(self) -> list[Track]:
        """Return the track of all frames taken, and that of the frames that have borders, if any.

        Times of the second are times of the first.
        """
        full, inner = self._full.finish(), self._inner.finish()
        bordered = np.flatnonzero(inner.weight)
        if not len(bordered):
            return [full]
        return [
            full,
            replace(
                inner,
                view=INNER_VIEW,
                times=inner.times[bordered],
                vectors=inner.vectors[bordered],
                weight=inner.weight[bordered],
            ),
        ]


class _View:
    """One view of every frame, described in batches; None stands for nothing to describe."""

    def __init__(self, model: DescriptorModel) -> None:
        self._model = model
        self._pixels: list[npt.NDArray[np.uint8]] = []
        self._times: list[tuple[float, float]] = []
        self._described: list[int] = []  # by frame: which vector, or -1
        self._number = 0  # of vectors
        self._vectors: list[FloatArray] = []

    def repeat(self, times: tuple[float, float]) -> None:
        """Take a frame that is the same as the one before."""
        self._times.append(times)
        self._described.append(self._described[-1])

    def add(self, times: tuple[float, float], pixels: npt.NDArray[np.uint8] | None) -> None:
        self._times.append(times)
        if pixels is None:
            self._described.append(-1)
            return
        self._described.append(self._number)
        self._number += 1
        self._pixels.append(pixels)
        if len(self._pixels) == _BATCH:
            self._describe()

    def finish(self) -> Track:
        """Return the track of all frames."""
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
