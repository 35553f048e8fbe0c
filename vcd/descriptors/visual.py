"""Sampled frames in, the visual tracks out: of whole frames, and of further views of some."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from vcd.descriptors.boxes import Box, Pixels
from vcd.descriptors.runtime import DescriptorModel
from vcd.descriptors.views import PICTURE_VIEWS, SMALL_VIEWS, boxes_of, shown
from vcd.media.decoder import Frame
from vcd.records import FloatArray, Track

if TYPE_CHECKING:
    from vcd.media.pixels import PixelScaler

__all__ = ["VisualTrackBuilder", "frame_weight"]

_BATCH = 2  # larger ones outgrow what the allocator keeps: page faults cost more than they save
_FLAT_DEVIATION = 5.0
"""Grey levels (0-255); below, a frame is black, flat or nearly so and cannot testify. What is dark
or pale deviates by little, and can: night, fog, a faded copy."""

_STILL = 0.015
"""Of the deviation of its blocks is the most that a frame differs from the one described last, on
root mean square, to have its vectors."""

_LOOK_EVERY = 0.9
"""Seconds after a look for views, until which a frame that is much the same has those found."""

_FIND_EVERY = 1.9
"""Seconds for which views are taken from where they were found, while frames are much the same."""

_MUCH_THE_SAME = 8.0
"""Levels (0-255) by which averages of blocks of two such frames may differ, on average."""

_BLOCKS = 16  # a side, of a frame


def frame_weight(pixels: Pixels) -> float:
    """Return how much a frame can testify: 0 for black and flat frames, else 1.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)

    Notes
    -----
    A frame counts as flat where the standard deviation of its grey values is under 5 of 255.
    """
    return float(_testifies(_sums(pixels)))


def _sums(pixels: Pixels) -> FloatArray:
    """Return the sums of the three levels of each pixel, shape (height, width)."""
    red, green, blue = np.moveaxis(pixels, 2, 0).astype(np.uint16)
    sums: FloatArray = (red + green + blue).astype(np.float32)
    return sums


def _testifies(sums: FloatArray) -> bool:
    deviations = (sums - sums.mean()).ravel()
    return bool(deviations @ deviations >= deviations.size * (3 * _FLAT_DEVIATION) ** 2)


def _averages(sums: FloatArray) -> FloatArray:
    """Return the mean level of each block of a frame; coding and noise hardly change them."""
    height, width = (max(1, side // _BLOCKS) for side in sums.shape)
    down, across = sums.shape[0] // height, sums.shape[1] // width
    whole = sums[: down * height, : across * width].reshape(down, height, across, width)
    averages: FloatArray = whole.sum(axis=1).sum(axis=2) / (3 * height * width)
    return averages


def _is_still(averages: FloatArray, before: FloatArray) -> bool:
    """Whether a frame is hardly another than one before."""
    if averages.shape != before.shape:
        return False
    deviations, changes = before - before.mean(), averages - before
    return float(np.vdot(changes, changes)) <= _STILL**2 * float(np.vdot(deviations, deviations))


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What one look for views has found, and how to know the frames that it holds for.

    `found_at` is when the boxes were looked for: here, or in an earlier frame that is much the
    same.
    """

    at: float = -np.inf
    found_at: float = -np.inf
    averages: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    boxes: dict[str, Box] = field(default_factory=dict)

    def is_like(self, averages: FloatArray) -> bool:
        """Whether a frame is much the same."""
        return (
            averages.shape == self.averages.shape
            and float(np.abs(averages - self.averages).mean()) < _MUCH_THE_SAME
        )


class VisualTrackBuilder:
    """Describes frames as they come; holds a batch of pixels of each view at most.

    Frames that cannot testify get a row of zeros, and those that hardly differ from the one
    described last (a slide, a frame rate below the sampling rate, a camera at rest) its vectors:
    neither costs a run of the model. Frames with borders, halves or an inset are described once
    more in each of these views, once a second while a shot lasts: the frames between have the
    vectors of the one before. Where the views lie is found less often still.
    """

    def __init__(self, model: DescriptorModel) -> None:
        self._full = _View(model, every_frame=True)
        self._others = {view: _View(model, every_frame=False) for view in PICTURE_VIEWS}
        self._small = model.info.input.get("small")
        self._scalers: dict[str, PixelScaler] = {}
        self._described: FloatArray | None = None  # averages of the frame described last
        self._look = _Look()

    def add(self, frame: Frame) -> None:
        """Take the next frame, already scaled to the model's size."""
        times, pixels = (frame.start, frame.end), frame.pixels
        sums = _sums(pixels)
        if not _testifies(sums):
            self._described, self._look = None, _Look()
            for view in (self._full, *self._others.values()):
                view.add(times, None)
            return
        averages, before = _averages(sums), self._look
        if self._described is not None and _is_still(averages, self._described):
            for view in (self._full, *self._others.values()):
                view.repeat(times)
            return
        self._described = averages
        self._full.add(times, pixels)
        is_like = before.is_like(averages)
        if is_like and frame.start < before.at + _LOOK_EVERY:
            for view in self._others.values():
                view.repeat(times)
            return
        if is_like and frame.start < before.found_at + _FIND_EVERY:
            self._look = _Look(frame.start, before.found_at, averages, before.boxes)
        else:
            self._look = _Look(frame.start, frame.start, averages, boxes_of(pixels))
        for name, view in self._others.items():
            box = self._look.boxes.get(name)
            if box is None or not _testifies(box.cut(sums)):
                view.add(times, None)
            else:
                view.add(times, self._filling(name, shown(pixels, name, box), pixels))

    def _filling(self, view: str, part: Pixels, whole: Pixels) -> Pixels:
        """Return a part of a frame at the size of the whole, or at the model's smaller one."""
        if view not in self._scalers:
            from vcd.media.pixels import PixelScaler  # loads PyAV

            height, width = whole.shape[:2]
            if self._small and view in SMALL_VIEWS:
                height = width = int(self._small)
            self._scalers[view] = PixelScaler(width, height)
        return self._scalers[view].scale(part)

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


class _View:
    """One view of frames, described in batches; None stands for nothing to describe.

    With `every_frame`, frames with nothing to describe get a row of zeros; else they get none.
    """

    def __init__(self, model: DescriptorModel, *, every_frame: bool) -> None:
        self._model, self._every_frame = model, every_frame
        self._pixels: list[Pixels] = []
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

    def add(self, times: tuple[float, float], pixels: Pixels | None) -> None:
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
