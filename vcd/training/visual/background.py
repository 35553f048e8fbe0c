"""Frames of unrelated material: pictures, crops of them, and what many videos share."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from vcd.training.visual.pictures import Pictures

__all__ = ["background_frames", "made_frames", "scaled"]

_BLURRED = 40
_CROPPED_TO = (0.4, 0.75)  # of either side
_BATCH = 16

Picture = npt.NDArray[np.uint8]


def made_frames(size: int, seed: int = 0) -> Iterator[Picture]:
    """Yield frames that many videos share: black, white, grey, gradients, noise, title cards."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:size, 0:size] / size
    for level in (0, 8, 16, 64, 128, 200, 235, 255):
        noise = rng.normal(0, 2, (size, size, 3))
        yield np.clip(level + noise, 0, 255).astype(np.uint8)
    for _ in range(12):
        ends = rng.uniform(0, 255, (2, 3))
        angle = rng.uniform(0, 2 * np.pi)
        ramp = (np.cos(angle) * columns + np.sin(angle) * rows)[..., None]
        ramp = (ramp - ramp.min()) / np.ptp(ramp)
        yield (ends[0] * (1 - ramp) + ends[1] * ramp).astype(np.uint8)
    for spread in (20, 40, 60):
        yield np.clip(128 + rng.normal(0, spread, (size, size, 3)), 0, 255).astype(np.uint8)
    for _ in range(30):
        yield _card(size, rng)


def _card(size: int, rng: np.random.Generator) -> Picture:
    """Return a title card: lines of word-like blocks on a plain ground."""
    dark = rng.random() < 0.6
    card = np.full((size, size, 3), rng.integers(0, 50) if dark else rng.integers(200, 256))
    ink = rng.integers(190, 256, 3) if dark else rng.integers(0, 80, 3)
    height = int(rng.integers(5, 16))
    lines = int(rng.integers(1, 7))
    top = (size - lines * height * 2) // 2
    for line in range(lines):
        y = max(0, top + line * height * 2)
        x = int(rng.integers(10, 60))
        right = size - x
        while x < right:
            width = int(rng.integers(2, max(3, height)))
            if rng.random() < 0.8:
                card[y : y + height, x : min(x + width, right)] = ink
            x += width + max(1, height // 4)
    return np.clip(card, 0, 255).astype(np.uint8)


def scaled(picture: Picture, size: int) -> Picture:
    """Return a picture as a square of `size` pixels a side; antialiased bilinear."""
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    small = F.interpolate(planes, size=size, mode="bilinear", antialias=True, align_corners=False)
    return small[0].clamp(0, 255).permute(1, 2, 0).byte().numpy()  # type: ignore[no-any-return]


def _blurred(picture: Picture, size: int) -> Picture:
    small = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    blurred = F.interpolate(F.interpolate(small, size=9, mode="area"), size=size, mode="bicubic")
    return blurred[0].clamp(0, 255).permute(1, 2, 0).byte().numpy()  # type: ignore[no-any-return]


def _crop(picture: Picture, rng: np.random.Generator) -> Picture:
    sides = [round(side * rng.uniform(*_CROPPED_TO)) for side in picture.shape[:2]]
    top, left = (
        int(rng.integers(whole - side + 1))
        for side, whole in zip(sides, picture.shape[:2], strict=True)
    )
    return picture[top : top + sides[0], left : left + sides[1]]


def background_frames(pictures: Pictures, size: int, seed: int = 0) -> Iterator[Pictures]:
    """Yield batches of unrelated frames.

    Of two pictures one is there whole, the other as a crop, for frames that show sky or ground
    alone; some are there blurred, too; and there are frames that many videos share.

    Parameters
    ----------
    pictures : ndarray of uint8, shape (n, side, side, 3)
    size : int
        Pixels a side of the frames.
    seed : int, optional
        Of the crops, and of which pictures are blurred.
    """
    rng = np.random.default_rng(seed)
    blurred = rng.permutation(len(pictures))[:_BLURRED]
    frames = chain(
        (
            scaled(np.array(_crop(picture, rng) if k % 2 else picture), size)
            for k, picture in enumerate(pictures)
        ),
        (_blurred(scaled(np.array(pictures[k]), size), size) for k in blurred),
        made_frames(size),
    )
    while batch := list(islice(frames, _BATCH)):
        yield np.stack(batch)
