"""The layout of light and dark in a picture: what blur, small marks and bad coding leave alone.

A perceptual hash without its rounding: low frequencies of the grey picture (Zauner 2010), mapped by
discriminant analysis to where copies agree and strangers do not. It knows nothing of crops and
turns, which the network is there for; beside its vector it settles what the network is weak on.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from vcd.training.evidence import Both, Linear
from vcd.training.visual.copies import edited_copies
from vcd.training.visual.pictures import Pictures

__all__ = ["Layout", "find_layout", "with_layout"]

_SHARE = 0.25  # of a cosine
_ORDERS = 16  # sums of the two frequencies stay below
_FAINT = 8.0  # grey levels that are added to the deviation: noise is not to be amplified


class Layout(nn.Module):
    """RGB (b, 3, h, h) in grey levels from 0 to 255 to low frequencies (b, 135)."""

    def __init__(self) -> None:
        super().__init__()
        frequencies = torch.arange(_ORDERS)
        order = (frequencies[:, None] + frequencies).flatten()
        self.register_buffer("luma", torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1))
        self.register_buffer("used", ((order > 0) & (order < _ORDERS)).nonzero()[:, 0])

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the frequencies of a batch of pictures, relative to how much it varies."""
        grey = (pictures * self.luma).sum(dim=1)
        waves = _waves(grey)
        low = (waves @ grey @ waves.T).flatten(1).index_select(1, self.used)
        deviation = low.square().sum(dim=1, keepdim=True).sqrt()
        return low / (deviation + _FAINT)


def _waves(grey: torch.Tensor) -> torch.Tensor:
    """Return the cosines (orders, h) of which pictures of this size are made up."""
    # Not a plain number: the size must stay open where the graph is traced.
    at = torch.ones_like(grey[0, 0]).cumsum(dim=0) - 0.5
    size = at[-1] + 0.5
    orders = torch.arange(_ORDERS, device=grey.device)
    return torch.cos(torch.pi * orders[:, None] * at / size) * math.sqrt(2) / size


def find_layout(pictures: Pictures, size: int, dimensions: int) -> nn.Sequential:
    """Return a layout mapped to where copies agree and strangers do not.

    Parameters
    ----------
    pictures : ndarray of uint8, shape (n, side, side, 3)
        Directions are chosen on edited copies of them.
    size : int
        Pixels a side of what the network beside it takes.
    dimensions : int
    """
    layout = Layout()
    with torch.inference_mode():
        copies = [
            (layout(views.plain), layout(views.edited)) for views in edited_copies(pictures, size)
        ]
    return nn.Sequential(layout, Linear.fitted(copies, dimensions))


def with_layout(network: nn.Module, layout: nn.Module) -> Both:
    """Return a descriptor of both, in which the layout has a quarter of every cosine."""
    return Both(network, layout, _SHARE)
