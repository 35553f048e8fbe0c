"""The refiner: a small residual network of dilated convolutions without a stride."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["RefinerNetwork", "channels"]

_LOWEST, _HIGHEST = -2.0, 3.0


def channels(excess: torch.Tensor) -> torch.Tensor:
    """Return what the network sees of matrices: each cell, and the best of its row and column.

    Parameters
    ----------
    excess : Tensor of float32, shape (batch, rows, columns)

    Returns
    -------
    Tensor of float32, shape (batch, 3, rows, columns)
    """
    cells = excess.clamp(_LOWEST, _HIGHEST) / 2
    row = cells.amax(dim=2, keepdim=True).expand_as(cells)
    column = cells.amax(dim=1, keepdim=True).expand_as(cells)
    return torch.stack((cells, row, column), dim=1)


class RefinerNetwork(nn.Module):
    """From the channels of matrices to the log-odds that a copy runs through each cell.

    Parameters
    ----------
    width : int
        Channels inside.
    dilations : sequence of int
        Of the residual convolutions; they see 1 + sum(dilations) cells to every side.
    """

    def __init__(self, width: int = 8, dilations: tuple[int, ...] = (1, 2, 4, 8)) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=d, dilation=d) for d in dilations
        )
        self.last = nn.Conv2d(width, 1, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.constant_(self.last.bias, -3)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Return log-odds, shape (batch, rows, columns)."""
        hidden = torch.relu(self.first(seen))
        for block in self.blocks:
            hidden = hidden + torch.relu(block(hidden))
        odds: torch.Tensor = self.last(hidden)[:, 0]
        return odds
