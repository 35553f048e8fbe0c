"""What training asks for: a copy nearest its original, and all others spread over the sphere."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

__all__ = ["Bank", "contrastive_loss", "differential_entropy"]


class Bank:
    """The latest vectors of the momentum encoder, as negatives (MoCo: He et al. 2020).

    Each is kept with the number of its picture, or of its sound file: what comes again within one
    filling of the bank would else be told to lie far from itself.
    """

    def __init__(self, size: int, dimensions: int, device: torch.device) -> None:
        self.vectors = torch.zeros(size, dimensions, device=device)
        self.numbers = torch.full((size,), -1, dtype=torch.int64, device=device)
        self.filled = 0
        self.next = 0

    def add(self, vectors: torch.Tensor, numbers: torch.Tensor) -> None:
        """Put vectors, and the numbers of their pictures, in the place of the oldest."""
        at = (torch.arange(len(vectors), device=vectors.device) + self.next) % len(self.vectors)
        self.vectors[at] = vectors
        self.numbers[at] = numbers.to(at.device)
        self.next = (self.next + len(vectors)) % len(self.vectors)
        self.filled = min(self.filled + len(vectors), len(self.vectors))

    def similarities(self, queries: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """Return cosines of queries with what the bank holds, shape (b, filled).

        They are minus infinity where both have the same number.
        """
        known = slice(0, self.filled)
        same = numbers.to(self.numbers.device)[:, None] == self.numbers[None, known]
        return (queries @ self.vectors[known].T).masked_fill(same, -torch.inf)

    def state(self) -> dict[str, Any]:
        """Return all that it holds, for a run to resume from."""
        return {
            "vectors": self.vectors,
            "numbers": self.numbers,
            "filled": self.filled,
            "next": self.next,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what `state` returned."""
        self.vectors.copy_(state["vectors"])
        self.numbers.copy_(state["numbers"])
        self.filled, self.next = state["filled"], state["next"]


def contrastive_loss(
    with_keys: torch.Tensor,
    with_bank: torch.Tensor,
    *,
    other: torch.Tensor,
    share: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """Return InfoNCE (van den Oord et al. 2018) of edited views against plain ones.

    Parameters
    ----------
    with_keys : Tensor of shape (b, b)
        Cosines of queries and keys; key i belongs to query i.
    with_bank : Tensor of shape (b, k)
        Cosines with negatives.
    other : Tensor of int64, shape (b,)
        Key of the second picture that query i shows, where it shows one.
    share : Tensor of shape (b,)
        How much of the target goes to that key; 0 makes it a negative like all others.
    temperature : float
    """
    log_p = F.log_softmax(torch.cat([with_keys, with_bank], dim=1) / temperature, dim=1)
    own = log_p.diagonal()
    second = log_p.gather(1, other[:, None])[:, 0]
    return -((1 - share) * own + share * second).mean()


def differential_entropy(with_keys: torch.Tensor, with_bank: torch.Tensor) -> torch.Tensor:
    """Return the negative Kozachenko-Leonenko estimate of the entropy (Sablayrolles et al. 2019).

    Minus the mean logarithm of the distance of each query to the nearest vector that is not its own
    key. Parameters as in `contrastive_loss`.
    """
    own = torch.eye(len(with_keys), dtype=torch.bool, device=with_keys.device)
    cosines = torch.cat([with_keys.masked_fill(own, -torch.inf), with_bank], dim=1)
    nearest = cosines.max(dim=1).values
    return -(2 - 2 * nearest).clamp(min=1e-6).sqrt().log().mean()
