"""Frames of unrelated material: photographs, and what many videos share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from vcd.training.visual.pictures import load_photographs

__all__ = ["background_frames", "made_frames", "scaled"]

_PHOTOS = 700
_BLURRED = 40
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


def background_frames(
    sources: Sequence[Path], size: int, seed: int = 0
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield batches of photographs, some of them blurred, and of frames that many videos share."""
    known = load_photographs(sources)
    order = np.random.default_rng(seed).permutation(len(known))
    photos = [scaled(known[k], size) for k in order[:_PHOTOS]]
    pictures = [*photos, *(_blurred(p, size) for p in photos[:_BLURRED]), *made_frames(size)]
    for i in range(0, len(pictures), _BATCH):
        yield np.stack(pictures[i : i + _BATCH])
