"""Two kinds of evidence in one vector: what a network has learnt, and what a linear map finds.

They err in different places. A network sees through crops, speeds and pictures laid over; a linear
map of a small picture, or of a short spectrogram, is exact where the copy is merely worse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from vcd.training.discriminants import discriminants

__all__ = ["Both", "Copies", "Linear", "narrow"]

Copies = Sequence[tuple[torch.Tensor, torch.Tensor]]

_SHRINKAGE = 10.0  # for directions of a network, which are spread out already


class Both(nn.Module):
    """The unit vectors of two modules, one behind the other, of unit length together.

    A cosine of two such vectors is the weighted mean of the two cosines.

    Parameters
    ----------
    first, second : nn.Module
        From the same batch to unit vectors (b, d) and (b, e).
    share : float
        Weight of the second in the cosine, in (0, 1).
    """

    def __init__(self, first: nn.Module, second: nn.Module, share: float) -> None:
        super().__init__()
        self.first: Any = first
        self.second: Any = second
        self.weights = math.sqrt(1 - share), math.sqrt(share)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Describe a batch."""
        vectors = self.weights[0] * self.first(x), self.weights[1] * self.second(x)
        return torch.cat(vectors, dim=1)


class Linear(nn.Module):
    """Features (b, n) to unit vectors by a map found in closed form.

    Parameters
    ----------
    mean : Tensor, shape (n,)
    projection : Tensor, shape (n, dimensions)
    """

    def __init__(self, mean: torch.Tensor, projection: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("projection", projection)

    @classmethod
    def fitted(cls, copies: Copies, dimensions: int, *, shrinkage: float = 0.02) -> Linear:
        """Return the map that tells copies from strangers best.

        Parameters
        ----------
        copies : sequence of (Tensor, Tensor), each of shape (k, n)
            Features of originals, and of edited copies of them.
        dimensions : int
        shrinkage : float
            Of `vcd.training.discriminants.discriminants`.
        """
        mean, projection = _discriminants(copies, dimensions, shrinkage)
        return cls(torch.from_numpy(mean).float(), torch.from_numpy(projection).float())

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map a batch."""
        return F.normalize((features - self.mean) @ self.projection, dim=1, eps=1e-9)


def _discriminants(
    copies: Copies, dimensions: int, shrinkage: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    plain, edited = (torch.cat(part).numpy() for part in zip(*copies, strict=True))
    return discriminants(plain, edited, dimensions, shrinkage=shrinkage)


def narrow(head: nn.Linear, copies: Copies, dimensions: int) -> nn.Linear:
    """Return a head that keeps the most telling directions of what a head gives.

    Parameters
    ----------
    head : nn.Linear
        The last layer before vectors are made unit vectors, whose mean is near 0.
    copies : sequence of (Tensor, Tensor), each of shape (k, n)
        Unit vectors of originals, and of edited copies of them.
    dimensions : int
    """
    _, projection = _discriminants(copies, dimensions, _SHRINKAGE)
    turn = torch.from_numpy(np.ascontiguousarray(projection.T))
    narrower = nn.Linear(head.in_features, dimensions)
    with torch.no_grad():
        narrower.weight.copy_(turn @ head.weight.double())
        narrower.bias.copy_(turn @ head.bias.double())
    return narrower
