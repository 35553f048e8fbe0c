"""Sampled frames in, the visual tracks out: of whole frames, and of further views of some."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from vcd.descriptors.runtime import DescriptorModel
from vcd.descriptors.views import PICTURE_VIEWS, views_of
from vcd.media.decoder import Frame
from vcd.records import FloatArray, Track

__all__ = ["VisualTrackBuilder", "frame_weight"]

_BATCH = 2  # larger ones outgrow what the allocator keeps: page faults cost more than they save
_FLAT_DEVIATION = 5.0
"""Grey levels (0-255); below, a frame is black, flat or nearly so and cannot testify. What is dark
or pale deviates by little, and can: night, fog, a faded copy."""

_LOOK_EVERY = 0.9
"""Seconds after a look for views, until which a frame that is much the same has those found."""

_MUCH_THE_SAME = 8.0
"""Levels (0-255) by which averages of blocks of two such frames may differ, on average."""

_BLOCKS = 16  # a side, of a frame


def frame_weight(pixels: npt.NDArray[np.uint8]) -> float:
    """Return how much a frame can testify: 0 for black and flat frames, else 1.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)

    Notes
    -----
    A frame counts as flat where the standard deviation of its grey values is under 5 of 255.
    """
    red, green, blue = np.moveaxis(pixels, 2, 0).astype(np.uint16)
    return float((red + green + blue).std() >= 3 * _FLAT_DEVIATION)


class VisualTrackBuilder:
    """Describes frames as they come; holds a batch of pixels of each view at most.

    Frames that cannot testify get a row of zeros, and a frame that repeats the one before it (a
    slide, a frame rate below the sampling rate) its vector: neither costs a run of the model.
    Frames with borders, halves or an inset are described once more in each of these views. These
    are looked for once a second while a shot lasts: the frames between have the vectors found.
    """

    def __init__(self, model: DescriptorModel) -> None:
        self._full = _View(model, every_frame=True)
        self._others = {view: _View(model, every_frame=False) for view in PICTURE_VIEWS}
        self._last: npt.NDArray[np.uint8] | None = None
        self._looked_at = -np.inf  # seconds
        self._averages: FloatArray = np.zeros(0, np.float32)  # of the frame looked at

    def add(self, frame: Frame) -> None:
        """Take the next frame, already scaled to the model's size."""
        times, pixels = (frame.start, frame.end), frame.pixels
        if self._last is not None and np.array_equal(pixels, self._last):
            for view in (self._full, *self._others.values()):
                view.repeat(times)
            return
        self._last = pixels
        speaks = bool(frame_weight(pixels))
        self._full.add(times, pixels if speaks else None)
        averages = _averages(pixels)
        if speaks and self._is_known(frame.start, averages):
            for view in self._others.values():
                view.repeat(times)
            return
        self._looked_at, self._averages = (frame.start if speaks else -np.inf), averages
        found = views_of(pixels) if speaks else {}
        for name, view in self._others.items():
            part = found.get(name)
            if part is None or not frame_weight(part):
                view.add(times, None)
            else:
                view.add(times, _filling(part, pixels))

    def _is_known(self, start: float, averages: FloatArray) -> bool:
        """Return whether a frame is of the moment whose views were found last."""
        if start >= self._looked_at + _LOOK_EVERY:
            return False
        return float(np.abs(averages - self._averages).mean()) < _MUCH_THE_SAME

    def finish(self) -> list[Track]:
        """Return the track of all frames taken, and those of views that some frames have.

        Times of the others are times of the first.
        """
        tracks = [self._full.finish()]
        for name, view in self._others.items():
            track = view.finish()
            if len(track):
                tracks.append(replace(track, view=name))
        return tracks


def _averages(pixels: npt.NDArray[np.uint8]) -> FloatArray:
    """Return the mean level of each block of a frame; coding and noise hardly change them."""
    height, width = (max(1, side // _BLOCKS) for side in pixels.shape[:2])
    down, across = pixels.shape[0] // height, pixels.shape[1] // width
    whole = pixels[: down * height, : across * width].reshape(down, height, across, width * 3)
    averages: FloatArray = whole.mean(axis=(1, 3), dtype=np.float32)
    return averages


def _filling(part: npt.NDArray[np.uint8], whole: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a part of a frame at the size of the whole."""
    from vcd.media.pixels import scale_pixels  # loads PyAV

    return scale_pixels(part, whole.shape[1], whole.shape[0])


class _View:
    """One view of frames, described in batches; None stands for nothing to describe.

    With `every_frame`, frames with nothing to describe get a row of zeros; else they get none.
    """

    def __init__(self, model: DescriptorModel, *, every_frame: bool) -> None:
        self._model, self._every_frame = model, every_frame
        self._pixels: list[npt.NDArray[np.uint8]] = []
        self._times: list[tuple[float, float]] = []
        self._described: list[int] = []  # by row: which vector, or -1
        self._last = -1  # that of the last frame
        self._number = 0  # of vectors
        self._vectors: list[FloatArray] = []

    def repeat(self, times: tuple[float, float]) -> None:
        """Take a frame that is the same as the one before."""
        if self._last >= 0 or self._every_frame:
            self._times.append(times)
            self._described.append(self._last)

    def add(self, times: tuple[float, float], pixels: npt.NDArray[np.uint8] | None) -> None:
        """Take a frame."""
        self._last = -1 if pixels is None else self._number
        self.repeat(times)
        if pixels is None:
            return
        self._number += 1
        self._pixels.append(pixels)
        if len(self._pixels) == _BATCH:
            self._describe()

    def finish(self) -> Track:
        """Return the track of all rows."""
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
