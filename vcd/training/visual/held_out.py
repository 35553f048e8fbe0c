"""How well a network under training finds edited copies of pictures that it never learns from."""

from __future__ import annotations

import numpy as np
import torch

from vcd.training.visual.edits import make_views
from vcd.training.visual.pictures import Pictures

__all__ = ["HeldOut"]

_VERSIONS = 3  # edited versions of each picture
_SEED = 99


class HeldOut:
    """Micro-AP of edited copies among plain pictures; a third of the pictures is not listed.

    Parameters
    ----------
    pictures : ndarray of uint8, shape (n, side, side, 3)
    marks : Tensor
        Of `make_views`.
    size : int
        Pixels a side.
    """

    def __init__(self, pictures: Pictures, marks: torch.Tensor, size: int) -> None:
        self.listed = len(pictures) * 2 // 3
        generator = torch.Generator().manual_seed(_SEED)
        batch = torch.from_numpy(np.array(pictures)).to(marks.device)
        drawn = [
            make_views(batch, marks, size=size, strength=0.8, shared=0.0, generator=generator)
            for _ in range(_VERSIONS)
        ]
        self.edited = torch.cat([views.edited for views in drawn])
        # What the second picture of a composition shows is there, too: it must not count as wrong.
        self.other = torch.cat([views.other for views in drawn])
        self.plain = drawn[0].plain[: self.listed]

    def average_precision(self, network: torch.nn.Module) -> float:
        """Return the micro-AP over all pairs of an edited and a plain picture."""
        with torch.inference_mode():
            edited, plain = (
                torch.cat([network(part) for part in views.split(50)])
                for views in (self.edited, self.plain)
            )
        scores = (edited @ plain.T).cpu().numpy()
        listed = np.arange(self.listed)
        own = np.arange(len(scores)) % (len(scores) // _VERSIONS)
        right = own[:, None] == listed
        counted = right | (self.other.cpu().numpy()[:, None] != listed)
        order = np.argsort(-scores[counted], kind="stable")
        hits = right[counted][order]
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        return float(precision[hits].sum() / hits.sum())
