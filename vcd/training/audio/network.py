"""Samples to unit vectors: log-mel spectrogram and convolutions that a long run of sound shares."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from vcd.errors import ModelError
from vcd.media import SAMPLE_RATE
from vcd.training.audio.settings import AudioTraining

__all__ = [
    "BANDS",
    "HOP",
    "SECONDS",
    "STEP",
    "AudioNetwork",
    "Spectrogram",
    "band_edges",
    "load_network",
    "mel",
]

SECONDS = 2.0
"""Of a window."""

HOP = 0.25
"""Seconds between two windows."""

STEP = 250
"""Samples; 16 steps make a hop, and the network's strides make 16 steps one position."""

BANDS = 64

_FRAME = 2 * STEP
_LOWEST, _HIGHEST = 100.0, 5500.0  # Hz
_LOUDNESS = 17  # steps, a quarter of a second, of which the mean energy is taken
_FLOOR = 0.03  # of that energy: what lies 15 dB below it is noise
_USUAL = -2.0  # level, about the mean of all
_FEATURES = 256


class Spectrogram(nn.Module):
    """Samples (b, n) to power in mel bands (b, bands, steps), a step for each `STEP` samples."""

    def __init__(self) -> None:
        super().__init__()
        bins = torch.fft.rfftfreq(_FRAME, 1 / SAMPLE_RATE)
        bins = bins[bins <= _HIGHEST * 1.05]
        # A frame is two steps, and its window is symmetric. Folded around its middle, cosines see
        # the sum of both halves and sines the difference, at half the products.
        at = torch.arange(STEP)
        angle = 2 * torch.pi * bins[None, :] / SAMPLE_RATE * at[:, None]
        window = 0.5 + 0.5 * torch.cos(torch.pi * at / STEP)[:, None]
        self.register_buffer("cosines", torch.cos(angle) * window, persistent=False)
        self.register_buffer("sines", torch.sin(angle) * window, persistent=False)
        self.register_buffer("mirrored", (STEP - at) % STEP, persistent=False)
        # The middle itself has no partner.
        self.register_buffer("partner", (at > 0).float(), persistent=False)
        self.register_buffer("filters", _filters(bins).T.contiguous(), persistent=False)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the power."""
        blocks = samples.reshape(samples.shape[0], -1, STEP)
        right = blocks[:, 1:]
        left = blocks[:, :-1].index_select(2, self.mirrored) * self.partner
        real, imaginary = (right + left) @ self.cosines, (right - left) @ self.sines
        return ((real * real + imaginary * imaginary) @ self.filters).transpose(1, 2)


def levels(power: torch.Tensor) -> torch.Tensor:
    """Return power (b, bands, steps) as levels (b, 1, bands, fewer steps).

    Free of gain: every level is a difference in the logarithm to the energy around it. Everything
    depends on what is near alone, so a long run gives what its windows give.
    """
    loudness = F.avg_pool1d(power.mean(dim=1, keepdim=True), _LOUDNESS, 1)
    middle = power[:, :, _LOUDNESS // 2 : -(_LOUDNESS // 2)]
    return (torch.log(middle / (loudness + 1e-9) + _FLOOR) - _USUAL)[:, None]


class AudioNetwork(nn.Module):
    """Samples (b, n) in [-1, 1] at 16 kHz to unit vectors.

    n is a window and any number of hops; each row gives one vector for the window at its start and
    one for each hop, one below the other: (b * (1 + hops), dimensions). Nothing is padded in time,
    so those of a long run are those of its windows, in a sixth of the time. Nothing depends on
    the batch either: the momentum encoder and the network see a window alike.
    """

    def __init__(self, dimensions: int, width: int) -> None:
        super().__init__()
        self.spectrogram = Spectrogram()
        layers: list[nn.Module] = []
        before = 1
        for scale, size in ((1, 5), (2, 3), (4, 3), (6, 3)):
            layers += [_strided(before, scale * width, size), _Bands(scale * width)]
            before = scale * width
        self.trunk = nn.Sequential(*layers)
        self.whole = nn.Conv2d(before, _FEATURES, (BANDS // 16, 5))
        self.head = nn.Linear(_FEATURES, dimensions)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, _Bands):
                module.seen.weight.data.mul_(0.3)  # nearly as it was, to begin with

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Describe runs of sound."""
        return self.of_power(self.spectrogram(samples))

    def of_power(self, power: torch.Tensor) -> torch.Tensor:
        """Describe spectrograms (b, bands, steps)."""
        return F.normalize(self.before_length(power), dim=1, eps=1e-9)

    def before_length(self, power: torch.Tensor) -> torch.Tensor:
        """Return what becomes the vectors of spectrograms, of any length."""
        seen = self.trunk(levels(power))
        features = F.relu(self.whole(seen))[:, :, 0]  # (b, features, windows)
        return self.head(features.transpose(1, 2).flatten(0, 1))


class _Bands(nn.Module):
    """Neighbouring bands seen together, beside what was there."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.seen = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.seen(x))


def _strided(before: int, after: int, size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride=2, padding=(size // 2, 0)), nn.ReLU()
    )


def mel(hertz: torch.Tensor) -> torch.Tensor:
    """Return frequencies on the mel scale (O'Shaughnessy 1987)."""
    return 2595 * torch.log10(1 + hertz / 700)


def band_edges() -> torch.Tensor:
    """Return the bounds of the bands in mel, equally spaced; band k spans k to k + 2."""
    lowest, highest = mel(torch.tensor([_LOWEST, _HIGHEST])).tolist()
    return torch.linspace(lowest, highest, BANDS + 2)


def _filters(frequencies: torch.Tensor) -> torch.Tensor:
    """Return triangular filters (bands, bins)."""
    edges, position = band_edges(), mel(frequencies)[None, :]
    rising = (position - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - position) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)


def load_network(weights: Path) -> tuple[AudioNetwork, AudioTraining]:
    """Return the momentum encoder of a run, in evaluation mode, and how it was trained.

    Raises
    ------
    ModelError
        The file is not there, or holds something else.
    """
    try:
        state: dict[str, Any] = torch.load(weights, map_location="cpu", weights_only=True)
        settings = AudioTraining(**state["settings"])
        network = AudioNetwork(settings.dimensions, settings.width)
        network.load_state_dict({name: value.float() for name, value in state["weights"].items()})
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"holds no weights of such a network ({type(error).__name__})",
            file=weights,
            remedy="name a folder that vcd train audio of this version has written to",
        ) from error
    return network.eval(), settings
