"""The pattern of loud and soft in a window of sound: a spectrogram in few cells, seen as it is.

Ke et al. (2005) and Haitsma and Kalker (2002) made fingerprints of such patterns; discriminant
analysis finds the linear map of one that edits change least. It hears no change of speed, which the
network is there for; beside its vector it tells places of the same piece apart.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from vcd.media import SAMPLE_RATE
from vcd.training.audio.edits import edited, plain
from vcd.training.audio.material import WINDOW, draw
from vcd.training.audio.network import BANDS, HOP, STEP, AudioNetwork
from vcd.training.audio.sounds import Sounds
from vcd.training.evidence import Both, Linear, narrow

__all__ = ["Pattern", "WithPattern", "with_pattern"]

_CELL = (2, 8)  # bands and steps
_SHAPE = (BANDS // _CELL[0], WINDOW // _CELL[1])
_HOP = round(HOP * SAMPLE_RATE / STEP) // _CELL[1]  # cells from a window to the next
_FLOOR = 0.03  # of a window's energy: what lies 15 dB below it is noise
_DIMENSIONS = 0.5  # share of a vector's that the pattern takes
_SHARE = 0.3  # of a cosine
_STRENGTHS = (0.3, 0.6)  # of the edits that copies are made with
_BATCHES, _PLACES, _WINDOWS = 60, 16, 8
_SEED = 5


class Pattern(nn.Module):
    """Power (b, bands, steps) to levels of the cells of every window (b * windows, cells).

    Free of gain, and of any steady filter: every band's mean is taken out.
    """

    def forward(self, power: torch.Tensor) -> torch.Tensor:
        """Return the levels."""
        cells = F.avg_pool2d(power[:, None], _CELL)
        windows = F.unfold(cells, _SHAPE, stride=(1, _HOP))
        windows = windows.transpose(1, 2).reshape(-1, *_SHAPE)
        levels = torch.log(windows / (windows.mean(dim=(1, 2), keepdim=True) + 1e-12) + _FLOOR)
        return (levels - levels.mean(dim=2, keepdim=True)).flatten(1)


class WithPattern(nn.Module):
    """Samples (b, n) in [-1, 1] at 16 kHz to unit vectors, as `AudioNetwork` does it."""

    def __init__(self, network: AudioNetwork, pattern: nn.Module) -> None:
        super().__init__()
        self.spectrogram = network.spectrogram
        self.describe = Both(_OfPower(network), pattern, _SHARE)
        """From power in mel bands."""

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Describe runs of sound."""
        vectors: torch.Tensor = self.describe(self.spectrogram(samples))
        return vectors


class _OfPower(nn.Module):
    """The network without its spectrogram."""

    def __init__(self, network: AudioNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, power: torch.Tensor) -> torch.Tensor:
        """Describe spectrograms."""
        return self.network.of_power(power)


def with_pattern(
    network: AudioNetwork, sounds: Sounds, learnt: npt.NDArray[np.intp]
) -> WithPattern:
    """Return a network that gives up its least telling dimensions for the pattern.

    Parameters
    ----------
    network : AudioNetwork
        Gets a narrower head, in place. The mean of its vectors must be near 0.
    sounds : ndarray of `RECORD`
    learnt : ndarray of int
        Pieces on edited copies of which directions are chosen.
    """
    pattern = Pattern()
    of_pattern = round(_DIMENSIONS * network.head.out_features)
    rng = np.random.default_rng(_SEED)
    heard: list[tuple[torch.Tensor, torch.Tensor]] = []
    cells: list[tuple[torch.Tensor, torch.Tensor]] = []
    with torch.inference_mode():
        for _ in range(_BATCHES):
            material = draw(sounds, learnt, _PLACES, _WINDOWS, rng)
            for strength in _STRENGTHS:
                original = plain(material, rng)
                copy = edited(material, strength=strength, shift=HOP / 2, rng=rng)
                heard.append((network.of_power(original), network.of_power(copy)))
                cells.append((pattern(original), pattern(copy)))
    network.head = narrow(network.head, heard, network.head.out_features - of_pattern)
    linear = Linear.fitted(cells, of_pattern)
    return WithPattern(network, nn.Sequential(pattern, linear))
