"""Edits of sound for training: what people do to the sound of a copy, on spectrograms.

Power in mel bands is what adds up, nearly, where sounds are mixed; a filter multiplies it, a room
smears it, speed stretches it and pitch shifts it. What a codec does is in the material already.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from vcd.media import SAMPLE_RATE
from vcd.training.audio.material import FASTEST, LENGTH, WINDOW, Material
from vcd.training.audio.network import BANDS, STEP, band_edges, mel

__all__ = ["edited", "plain"]

_STEPS_A_SECOND = SAMPLE_RATE / STEP
_ROOM = 41  # steps of a room's answer
_TINY = 1e-10


def plain(material: Material, rng: np.random.Generator) -> torch.Tensor:
    """Return the windows as a reference holds them, shape (b, bands, WINDOW): some coded."""
    return _centre(_some(rng, len(material.plain), 0.3, material.coded, material.plain))


def edited(
    material: Material, *, strength: float, shift: float, rng: np.random.Generator
) -> torch.Tensor:
    """Return the windows as queries hold them, shape (b, bands, WINDOW).

    Parameters
    ----------
    material : Material
    strength : float
        In [0, 1]; at 0 only what a codec does.
    shift : float
        Seconds by which a window may lie off its place, either way.
    rng : Generator
    """
    count = len(material.plain)
    out = _some(rng, count, 0.5, material.coded, material.plain)
    out = _timed(out, strength, shift, rng)
    out = _some(rng, count, 0.3 * strength, _in_rooms(out, strength, rng), out)
    out = _some(rng, count, 0.35 * strength, out * _filters(count, strength, rng), out)
    out = _some(rng, count, 0.65 * strength, _mixed(out, material.others, strength, rng), out)
    out = _some(rng, count, 0.15 * strength, _masked(out, rng), out)
    # Once more at the end, as a telephone or a loudspeaker would filter the mixture.
    out = _some(rng, count, 0.2 * strength, out * _filters(count, strength, rng), out)
    return out * _fluctuations(out.shape, 0.2 * strength, rng)


def _some(
    rng: np.random.Generator, count: int, share: float, chosen: torch.Tensor, else_: torch.Tensor
) -> torch.Tensor:
    return torch.where(torch.from_numpy(rng.random(count) < share)[:, None, None], chosen, else_)


def _centre(stretches: torch.Tensor) -> torch.Tensor:
    first = (stretches.shape[2] - WINDOW) // 2
    return stretches[:, :, first : first + WINDOW]


def _column(values: npt.NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(values).float()[:, None, None]


def _timed(
    stretches: torch.Tensor, strength: float, shift: float, rng: np.random.Generator
) -> torch.Tensor:
    """Play some faster or slower, change the tempo or the pitch of others; cut the windows."""
    count = len(stretches)
    kind = rng.choice(4, count, p=[1 - 0.5 * strength, *(np.array([0.24, 0.13, 0.13]) * strength)])
    widest = np.where(rng.random(count) < 0.15, math.log(FASTEST), 0.3) * strength
    factor = np.exp(rng.uniform(-1, 1, count) * widest)
    tempo = np.where((kind == 1) | (kind == 2), factor, 1.0)
    pitch = np.where((kind == 1) | (kind == 3), factor, 1.0)
    offset = rng.uniform(-1, 1, count) * shift * _STEPS_A_SECOND
    steps = torch.arange(WINDOW) - (WINDOW - 1) / 2
    time = _column(tempo)[:, 0] * steps + _column(offset)[:, 0]
    edges = band_edges()
    hertz = 700 * (10 ** (edges[1:-1] / 2595) - 1)
    bands = (mel(hertz / _column(pitch)[:, 0]) - edges[1]) / (edges[2] - edges[1])
    grid = torch.stack(
        [
            (time / ((LENGTH - 1) / 2))[:, None, :].expand(count, BANDS, WINDOW),
            (bands / ((BANDS - 1) / 2) - 1)[:, :, None].expand(count, BANDS, WINDOW),
        ],
        dim=3,
    )
    return F.grid_sample(stretches[:, None], grid, align_corners=True)[:, 0] + _TINY


def _in_rooms(power: torch.Tensor, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """Let every window be heard with what a room, or an echo, adds to it."""
    count = len(power)
    answers = np.zeros((count, _ROOM))
    answers[:, -1] = 1
    for row in range(count):
        if rng.random() < 0.3:
            delay = rng.uniform(0.05, 0.3) * _STEPS_A_SECOND
            loss = rng.uniform(0.05, 0.1 + 0.4 * strength)
            for k in range(1, int((_ROOM - 1) / delay) + 1):
                answers[row, _ROOM - 1 - round(k * delay)] += loss**k
        else:
            decay = rng.uniform(0.01, 0.02 + 0.1 * strength) * _STEPS_A_SECOND
            late = np.exp(-np.arange(_ROOM - 1, -1, -1) / decay)
            answers[row] += rng.uniform(0.1, 0.2 + 2 * strength) * late / late.sum()
    kernels = torch.from_numpy(answers).float()[:, None, None, :]
    padded = F.pad(power, (_ROOM - 1, 0))[None]
    return F.conv2d(padded, kernels, groups=count)[0]


def _filters(count: int, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """Return how strongly bands pass, (count, bands, 1): low-, high-, band-pass or equaliser."""
    edges = band_edges()[1:-1].numpy()
    hertz = 700 * (10 ** (edges / 2595) - 1)
    curves = np.ones((count, BANDS))
    for row, kind in enumerate(rng.integers(4, size=count)):
        if kind == 0:
            points = rng.uniform(-15, 15, 8) * strength
            decibels = np.interp(np.linspace(0, 7, BANDS), np.arange(8), points)
            curves[row] *= 10 ** (decibels / 10)
        if kind in (1, 3):
            cut = 4000 * (rng.uniform(600, 2500) / 4000) ** strength
            curves[row] /= 1 + (hertz / cut) ** rng.integers(4, 16)
        if kind in (2, 3):
            cut = 100 * (rng.uniform(250, 1200) / 100) ** strength
            curves[row] /= 1 + (cut / hertz) ** rng.integers(4, 16)
    return torch.from_numpy(curves + 1e-7).float()[:, :, None]


def _mixed(
    power: torch.Tensor, others: torch.Tensor, strength: float, rng: np.random.Generator
) -> torch.Tensor:
    """Lay other sound, or coloured noise, over every window."""
    count = len(power)
    slopes = rng.uniform(0, 1, count)[:, None] * np.linspace(0, -6, BANDS)  # white to brown
    noise = torch.from_numpy(np.exp(slopes)).float()[:, :, None].expand_as(power)
    noise = noise * _fluctuations(power.shape, 0.5, rng)
    added = _some(rng, count, 0.4, noise, _centre(others))
    ratio = rng.uniform(-6, 12, count) * strength + 20 * (1 - strength)
    gain = _loudness(power) / _loudness(added) * _column(10 ** (-ratio / 10))
    return power + gain * added


def _masked(power: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Silence a part of every window."""
    first = rng.integers(0, WINDOW - 8, len(power))
    end = first + rng.integers(6, 32, len(power))
    steps = np.arange(WINDOW)
    silent = (steps >= first[:, None]) & (steps < end[:, None])
    return power * torch.from_numpy(~silent).float()[:, None, :] + _TINY


def _fluctuations(shape: torch.Size, size: float, rng: np.random.Generator) -> torch.Tensor:
    """Return factors around 1: what phases do to power where sounds meet, and noise to itself."""
    return torch.from_numpy(np.exp(size * rng.standard_normal(shape, dtype=np.float32)))


def _loudness(power: torch.Tensor) -> torch.Tensor:
    return power.mean(dim=(1, 2), keepdim=True).clamp(min=_TINY)
