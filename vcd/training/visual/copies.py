"""Plain and edited views of some pictures: what linear maps are found by, before training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from vcd.training.visual.edits import Views, make_views
from vcd.training.visual.marks import make_marks
from vcd.training.visual.pictures import Pictures

__all__ = ["edited_copies"]

_STRENGTHS = (0.05, 0.3, 0.3, 0.6)  # of the edits that copies are made with
_MARKS, _SEED = 256, 3
_CHOSEN, _BATCH = 1000, 32  # pictures


def edited_copies(pictures: Pictures, size: int) -> Iterator[Views]:
    """Yield plain and edited views of a thousand pictures, a batch of them at each strength.

    Parameters
    ----------
    pictures : ndarray of uint8, shape (n, side, side, 3)
        Those that are trained on; all are taken where there are fewer.
    size : int
        Pixels a side of the views.
    """
    marks = torch.from_numpy(make_marks(_MARKS, pictures.shape[1], _SEED))
    generator = torch.Generator().manual_seed(_SEED)
    number = min(_CHOSEN, len(pictures))
    chosen = np.linspace(0, len(pictures) - 1, number).astype(np.intp)
    for rows in np.array_split(chosen, max(1, number // _BATCH)):
        batch = torch.from_numpy(np.array(pictures[rows]))
        for strength in _STRENGTHS:
            yield make_views(
                batch, marks, size=size, strength=strength, shared=0.0, generator=generator
            )
