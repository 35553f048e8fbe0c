"""A moving camera over a still, and things that move through the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vcd_eval.making.canvas import Image, Mask

__all__ = ["HEIGHT", "WIDTH", "Frame", "Path", "Point", "Shot", "Sprite", "pack"]

Frame = npt.NDArray[np.uint8]
Point = tuple[float, float]
Path = Callable[[float], Point]

WIDTH, HEIGHT = 320, 180  # of a frame, in pixels


@dataclass(frozen=True, slots=True)
class Sprite:
    """A small picture with coverage that moves over the frame; `path` gives its centre in time."""

    picture: Image
    cover: Mask
    path: Path


@dataclass(frozen=True, slots=True)
class Shot:
    """A still under a moving camera.

    Parameters
    ----------
    still : ndarray of uint32, shape (height, width)
        Picture of the scene, larger than a frame, as `pack` gives it.
    start, end : (float, float, float)
        Centre x, centre y and width of the window at both ends, as shares of the still.
    seconds : float
    sprites : sequence of Sprite
    size : (int, int)
        Height and width of its frames, in pixels.
    """

    still: npt.NDArray[np.uint32]
    start: tuple[float, float, float]
    end: tuple[float, float, float]
    seconds: float
    sprites: Sequence[Sprite] = field(default=())
    size: tuple[int, int] = (HEIGHT, WIDTH)

    def frame(self, time: float) -> Frame:
        """Return the picture `time` seconds into the shot, shape (height, width, 3)."""
        height, breadth = self.size
        share = np.clip(time / self.seconds, 0, 1)
        tall, wide = self.still.shape
        x, y, width = (a + (b - a) * share for a, b in zip(self.start, self.end, strict=True))
        step = width * wide / breadth
        shake = 0.004 * np.array([np.sin(2.1 * time), np.cos(1.7 * time)])
        columns = (x + shake[0]) * wide + (np.arange(breadth) - (breadth - 1) / 2) * step
        rows = (y + shake[1]) * tall + (np.arange(height) - (height - 1) / 2) * step
        across = np.clip(np.rint(columns), 0, wide - 1).astype(np.intp)
        down = np.clip(np.rint(rows), 0, tall - 1).astype(np.intp)
        pixels = self.still[down].take(across, axis=1)
        picture: Frame = pixels.view(np.uint8).reshape(height, breadth, 4)[:, :, :3].copy()
        for sprite in self.sprites:
            _overlay(picture, sprite, time)
        return picture


def pack(image: Image) -> npt.NDArray[np.uint32]:
    """Return an image with one number a pixel, which is quicker to sample than three."""
    packed = np.zeros((*image.shape[:2], 4), np.uint8)
    packed[:, :, :3] = np.clip(image * 255 + 0.5, 0, 255)
    return packed.view(np.uint32)[:, :, 0]


def _overlay(picture: Frame, sprite: Sprite, time: float) -> None:
    x, y = sprite.path(time)
    height, width = sprite.cover.shape
    left, top = round(x - width / 2), round(y - height / 2)
    y0, y1 = max(top, 0), min(top + height, picture.shape[0])
    x0, x1 = max(left, 0), min(left + width, picture.shape[1])
    if y0 < y1 and x0 < x1:
        part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        cover = sprite.cover[part][:, :, None]
        target = picture[y0:y1, x0:x1]
        blended = target + cover * (sprite.picture[part] * 255 - target)
        picture[y0:y1, x0:x1] = blended.astype(np.uint8)
