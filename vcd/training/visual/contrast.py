"""What training asks for: a copy nearest its original, and all others spread over the sphere."""

from __future__ import annotations

import torch
from torch.nn import functional as F

__all__ = ["Bank", "contrastive_loss", "differential_entropy"]


class Bank:
    """The latest vectors of the momentum encoder, as negatives (MoCo: He et al. 2020)."""

    def __init__(self, size: int, dimensions: int, device: torch.device) -> None:
        self.vectors = torch.zeros(size, dimensions, device=device)
        self.filled = 0
        self.next = 0

    def add(self, vectors: torch.Tensor) -> None:
        """Put vectors in the place of the oldest."""
        at = (torch.arange(len(vectors), device=vectors.device) + self.next) % len(self.vectors)
        self.vectors[at] = vectors
        self.next = (self.next + len(vectors)) % len(self.vectors)
        self.filled = min(self.filled + len(vectors), len(self.vectors))

    def known(self) -> torch.Tensor:
        """Return what the bank holds, shape (filled, dimensions)."""
        return self.vectors[: self.filled]


def contrastive_loss(
    queries: torch.Tensor,
    keys: torch.Tensor,
    negatives: torch.Tensor,
    *,
    other: torch.Tensor,
    share: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """Return InfoNCE (van den Oord et al. 2018) of edited views against plain ones.

    Parameters
    ----------
    queries, keys : Tensor of shape (b, d)
        Unit vectors; key i belongs to query i.
    negatives : Tensor of shape (k, d)
    other : Tensor of int64, shape (b,)
        Key of the second picture that query i shows, where it shows one.
    share : Tensor of shape (b,)
        How much of the target goes to that key; 0 makes it a negative like all others.
    temperature : float
    """
    logits = queries @ torch.cat([keys, negatives]).T / temperature
    log_p = F.log_softmax(logits, dim=1)
    own = log_p.diagonal()
    second = log_p.gather(1, other[:, None])[:, 0]
    return -((1 - share) * own + share * second).mean()


def differential_entropy(queries: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return the negative Kozachenko-Leonenko estimate of the entropy (Sablayrolles et al. 2019).

    Minus the mean logarithm of the distance of each query to its nearest of the others, which must
    not hold its own key.
    """
    nearest = (queries @ others.T).max(dim=1).values
    return -(2 - 2 * nearest).clamp(min=1e-6).sqrt().log().mean()
