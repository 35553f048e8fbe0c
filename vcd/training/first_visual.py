"""Makes `visual-1`: EfficientNet-Lite0 as trained on ImageNet, GeM pooling, nothing learnt on top.

Run as ``python -m vcd.training.first_visual PHOTOS MODELS_FOLDER``; PHOTOS are tar archives or
folders of pictures for the background descriptors.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from vcd.training.export import describe_background, export_model
from vcd.training.visual.network import VisualNetwork
from vcd.training.visual.pictures import load_photographs

SIZE = 160  # pixels a side: the best of 160, 224 and 288 for copies that were compressed or blurred
BACKGROUND_PHOTOS = 700

Picture = npt.NDArray[np.uint8]


class FirstVisual(nn.Module):
    """RGB (b, 3, h, w) in grey levels from 0 to 255 to unit vectors (b, 1280)."""

    def __init__(self) -> None:
        super().__init__()
        self.network = VisualNetwork(1).eval()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Describe a batch of pictures."""
        return F.normalize(self.network.pooled(pictures), dim=1, eps=1e-9)


def made_frames(seed: int = 0) -> Iterator[Picture]:
    """Yield frames that many videos share: black, white, grey, gradients, noise, title cards."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    for level in (0, 8, 16, 64, 128, 200, 235, 255):
        noise = rng.normal(0, 2, (SIZE, SIZE, 3))
        yield np.clip(level + noise, 0, 255).astype(np.uint8)
    for _ in range(12):
        ends = rng.uniform(0, 255, (2, 3))
        angle = rng.uniform(0, 2 * np.pi)
        ramp = (np.cos(angle) * columns + np.sin(angle) * rows)[..., None]
        ramp = (ramp - ramp.min()) / np.ptp(ramp)
        yield (ends[0] * (1 - ramp) + ends[1] * ramp).astype(np.uint8)
    for spread in (20, 40, 60):
        yield np.clip(128 + rng.normal(0, spread, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)
    for _ in range(30):
        yield _card(rng)


def _card(rng: np.random.Generator) -> Picture:
    """Return a title card: lines of word-like blocks on a plain ground."""
    dark = rng.random() < 0.6
    card = np.full((SIZE, SIZE, 3), rng.integers(0, 50) if dark else rng.integers(200, 256))
    ink = rng.integers(190, 256, 3) if dark else rng.integers(0, 80, 3)
    height = int(rng.integers(5, 16))
    lines = int(rng.integers(1, 7))
    top = (SIZE - lines * height * 2) // 2
    for line in range(lines):
        y = max(0, top + line * height * 2)
        x = int(rng.integers(10, 60))
        right = SIZE - x
        while x < right:
            width = int(rng.integers(2, max(3, height)))
            if rng.random() < 0.8:
                card[y : y + height, x : min(x + width, right)] = ink
            x += width + max(1, height // 4)
    return np.clip(card, 0, 255).astype(np.uint8)


def _scaled(picture: Picture) -> Picture:
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    small = F.interpolate(planes, size=SIZE, mode="bilinear", antialias=True, align_corners=False)
    return small[0].clamp(0, 255).permute(1, 2, 0).byte().numpy()  # type: ignore[no-any-return]


def _blurred(picture: Picture) -> Picture:
    small = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    blurred = F.interpolate(F.interpolate(small, size=9, mode="area"), size=SIZE, mode="bicubic")
    return blurred[0].clamp(0, 255).permute(1, 2, 0).byte().numpy()  # type: ignore[no-any-return]


def background_frames(sources: Sequence[Path], seed: int = 0) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield batches of photographs, some of them blurred, and of frames that many videos share."""
    known = load_photographs(sources)
    order = np.random.default_rng(seed).permutation(len(known))
    photos = [_scaled(known[k]) for k in order[:BACKGROUND_PHOTOS]]
    pictures = [*photos, *(_blurred(p) for p in photos[:40]), *made_frames()]
    for i in range(0, len(pictures), 16):
        yield np.stack(pictures[i : i + 16])


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the model and its background, and enter both in the models folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    model_id = export_model(
        FirstVisual(),
        torch.zeros(2, 3, SIZE, SIZE),
        options.folder,
        name="visual",
        version=1,
        stream="visual",
        inputs={"height": SIZE, "width": SIZE},
        licence="Apache-2.0",
    )
    describe_background(options.folder, model_id, background_frames(options.photos))


if __name__ == "__main__":
    main()
