"""From a decoded frame to small, upright RGB pixels."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import av.error
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from vcd.errors import MediaLimitError
from vcd.media.decoder import Limits

__all__ = [
    "Orientation",
    "PixelMaker",
    "PixelScaler",
    "displayed_size",
    "orientation_of",
    "scale_pixels",
    "target_size",
]

_MAX_ASPECT = 16.0  # a pixel aspect beyond this is an error of the file


class Orientation:
    """One of the eight ways to hold a picture, from a display matrix.

    Parameters
    ----------
    a, b, c, d : float
        A pixel at (x, y) is shown at (a x + c y, b x + d y), up to a shift and a scale.
    """

    def __init__(self, a: float = 1, b: float = 0, c: float = 0, d: float = 1) -> None:
        self.swapped = abs(b) + abs(c) > abs(a) + abs(d)
        across, down = (c, b) if self.swapped else (a, d)
        self._mirror_x, self._mirror_y = across < 0, down < 0

    @property
    def mirrored(self) -> bool:
        """Whether no turn alone shows it upright."""
        return (self._mirror_x != self._mirror_y) != self.swapped

    @property
    def rotation(self) -> int:
        """Clockwise turn in degrees (0, 90, 180 or 270) that shows it upright, mirroring aside."""
        if self.swapped:
            return 90 if self._mirror_x else 270
        return 180 if self._mirror_x and self._mirror_y else 0

    def apply(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the pixels, shape (height, width, 3), as they are shown."""
        if self.swapped:
            pixels = pixels.transpose(1, 0, 2)
        if self._mirror_x:
            pixels = pixels[:, ::-1]
        if self._mirror_y:
            pixels = pixels[::-1]
        return np.ascontiguousarray(pixels)


def orientation_of(frame: VideoFrame) -> Orientation:
    """Return the orientation that the frame's display matrix asks for."""
    try:
        side_data: Any = frame.side_data
        matrix = np.frombuffer(bytes(side_data[Type.DISPLAYMATRIX]), np.int32)
    except KeyError:
        return Orientation()
    except ValueError:
        # PyAV fails on kinds of side data it does not know, such as EXIF. The turn is still to be
        # had, counter-clockwise; mirroring is not.
        turn = math.radians(frame.rotation)
        a, b = math.cos(turn), -math.sin(turn)
        return Orientation(a, b, -b, a)
    if len(matrix) != 9 or not matrix[[0, 1, 3, 4]].any():
        return Orientation()
    return Orientation(*(float(matrix[i]) for i in (0, 1, 3, 4)))


def displayed_size(
    width: int, height: int, aspect: Fraction | None, orientation: Orientation, max_pixels: int
) -> tuple[int, int]:
    """Return (width, height) as displayed: pixel aspect, then orientation applied."""
    ratio = float(aspect) if aspect else 1.0
    if 1 / _MAX_ASPECT <= ratio <= _MAX_ASPECT:
        stretched = max(1, round(width * ratio))
        if stretched * height <= max_pixels:
            width = stretched
    return (height, width) if orientation.swapped else (width, height)


def target_size(displayed: tuple[int, int], size: tuple[int, int] | int | None) -> tuple[int, int]:
    """Return (width, height) of the pixels that `Sampling.size` asks for."""
    if isinstance(size, tuple):
        return size
    width, height = displayed
    if size is None or max(width, height) <= size:
        return displayed
    scale = size / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


class PixelMaker:
    """Scales frames while they are converted, so that no large RGB picture ever exists.

    Parameters
    ----------
    size : (int, int), int or None
        As in `Sampling`.
    aspect : Fraction or None
        Width of a pixel divided by its height.
    limits : Limits
    """

    def __init__(
        self, size: tuple[int, int] | int | None, aspect: Fraction | None, limits: Limits
    ) -> None:
        self._size = size
        self._aspect = aspect
        self._max_pixels = limits.max_pixels
        self._reformatter = VideoReformatter()

    def make(self, frame: VideoFrame) -> npt.NDArray[np.uint8]:
        """Return RGB pixels of shape (height, width, 3), upright.

        Raises
        ------
        MediaLimitError
            The frame is larger than allowed.
        """
        if frame.width * frame.height > self._max_pixels:
            raise MediaLimitError(f"a frame of {frame.width}x{frame.height} pixels is too large")
        orientation = orientation_of(frame)
        displayed = displayed_size(
            frame.width, frame.height, self._aspect, orientation, self._max_pixels
        )
        width, height = target_size(displayed, self._size)
        if orientation.swapped:
            width, height = height, width
        return orientation.apply(_scale(self._reformatter, frame, width, height))


class PixelScaler:
    """Scales RGB pixels to one size; those of the size of the last ones at less cost.

    Parameters
    ----------
    width, height : int
    """

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._reformatter = VideoReformatter()

    def scale(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return RGB pixels, shape (any, any, 3), scaled to shape (height, width, 3)."""
        if pixels.shape[:2] == (self._height, self._width):
            return pixels
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        return _scale(self._reformatter, frame, self._width, self._height)


def scale_pixels(pixels: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    """Return RGB pixels, shape (any, any, 3), scaled to shape (height, width, 3)."""
    return PixelScaler(width, height).scale(pixels)


def _scale(
    reformatter: VideoReformatter, frame: VideoFrame, width: int, height: int
) -> npt.NDArray[np.uint8]:
    shrinks = width < frame.width or height < frame.height
    wanted = Interpolation.AREA if shrinks else Interpolation.BICUBIC
    for interpolation in (wanted, Interpolation.BILINEAR):
        try:
            scaled = reformatter.reformat(
                frame, width, height, "rgb24", interpolation=interpolation, threads=1
            )
            break
        except (av.error.FFmpegError, ValueError):
            if interpolation is Interpolation.BILINEAR:
                raise
    return np.asarray(scaled.to_ndarray(), np.uint8)
