"""Makes `audio-1`: log-mel patches, projected by linear discriminant analysis on edited sound.

Run as ``python -m vcd.training.first_audio SOUNDS MODELS_FOLDER``; SOUNDS is a folder of sound
files. There is no network: the one learnt part is a linear map, found in closed form, that keeps
the directions in which different sounds differ and edits of the same sound do not (Fisher 1936;
Rao 1948).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from vcd.media import SAMPLE_RATE, Samples, Sampling, get_decoder
from vcd.training.export import describe_background, export_model

Sound = npt.NDArray[np.float32]

WINDOW = 2.0  # seconds
HOP = 0.25  # seconds
DIMENSIONS = 128
BANDS = 40
LOWEST, HIGHEST = 120.0, 5500.0  # Hz
FRAME = 512  # samples, 32 ms
STEP = 320  # samples, 20 ms
POOLED = 5  # steps a cell of the patch: 100 ms
FLOOR = 0.01  # of the mean energy: what lies 20 dB below it is noise
BACKGROUND = 1000
EXAMPLES = 3000
EDITS = 2  # edited versions of each example
FROM_EACH = 40.0  # seconds taken from each sound file


class LogMel(nn.Module):
    """Samples (b, n) to log-mel patches (b, cells): gain-free, every band's mean taken out."""

    def __init__(self) -> None:
        super().__init__()
        bins = torch.fft.rfftfreq(FRAME, 1 / SAMPLE_RATE)
        used = torch.nonzero(bins <= HIGHEST * 1.05)[:, 0]
        n = torch.arange(FRAME)
        angle = 2 * torch.pi * used[:, None] * n / FRAME
        window = torch.hann_window(FRAME, periodic=True)
        basis = torch.cat([torch.cos(angle), torch.sin(angle)]) * window
        self.register_buffer("basis", basis[:, None, :])
        self.register_buffer("filters", _mel_filters(bins[used]))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the patches."""
        real, imaginary = F.conv1d(samples[:, None], self.basis, stride=STEP).chunk(2, dim=1)
        mel = torch.matmul(self.filters, real * real + imaginary * imaginary)
        mean = mel.mean(dim=(1, 2), keepdim=True)
        level = torch.log(mel / (mean + 1e-12) + FLOOR)
        pooled = F.avg_pool1d(level, POOLED)
        return (pooled - pooled.mean(dim=2, keepdim=True)).flatten(1)


class FirstAudio(nn.Module):
    """Samples (b, n) in [-1, 1] at 16 kHz to unit vectors (b, 128)."""

    def __init__(self, mean: npt.NDArray[Any], projection: npt.NDArray[Any]) -> None:
        super().__init__()
        self.front = LogMel()
        self.register_buffer("mean", torch.from_numpy(mean).float())
        self.register_buffer("projection", torch.from_numpy(projection).float())

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Describe a batch of windows."""
        patch = self.front(samples) - self.mean
        return F.normalize(torch.matmul(patch, self.projection), dim=1, eps=1e-9)


def _mel_filters(frequencies: torch.Tensor) -> torch.Tensor:
    """Return triangular filters (bands, bins), equally spaced on the mel scale (O'Shaughnessy)."""

    def mel(hertz: torch.Tensor) -> torch.Tensor:
        return 2595 * torch.log10(1 + hertz / 700)

    edges = torch.linspace(
        float(mel(torch.tensor(LOWEST))), float(mel(torch.tensor(HIGHEST))), BANDS + 2
    )
    position = mel(frequencies)[None, :]
    rising = (position - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - position) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)


def read_sounds(folder: Path) -> list[Sound]:
    """Return `FROM_EACH` seconds of every sound file below a folder, mono at 16 kHz."""
    decoder = get_decoder()
    sounds = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        parts: list[Sound] = []
        for run in decoder.read(path, Sampling(picture=False)):
            if isinstance(run, Samples):
                parts.append(run.samples)
                if run.start > FROM_EACH:
                    break
        if parts:
            sounds.append(np.concatenate(parts))
    return sounds


def draw(sounds: Sequence[Sound], count: int, length: int, rng: np.random.Generator) -> Sound:
    """Return `count` stretches of sound that is not silent, shape (count, length)."""
    usable = [s for s in sounds if len(s) > length]
    chosen: list[Sound] = []
    while len(chosen) < count:
        sound = usable[rng.integers(len(usable))]
        start = rng.integers(len(sound) - length)
        stretch = sound[start : start + length]
        if np.sqrt(np.mean(stretch**2)) > 1e-3:
            chosen.append(stretch)
    return np.stack(chosen)


def edit(sound: Sound, other: Sound, rng: np.random.Generator) -> Sound:
    """Return stretches of sound after one to three edits each, shape as given."""
    n = sound.shape[1]
    out = sound.copy()
    for row in range(len(out)):
        for kind in rng.choice(6, size=rng.integers(1, 4), replace=False):
            x = out[row]
            power = float(np.mean(x**2)) + 1e-9
            if kind in (0, 1):  # noise, or another sound over it
                added = rng.standard_normal(n) if kind == 0 else other[row]
                ratio = rng.uniform(0, 20) if kind == 0 else rng.uniform(-3, 12)
                gain = np.sqrt(power / (np.mean(added**2) + 1e-9)) * 10 ** (-ratio / 20)
                x = x + gain * added
            elif kind in (2, 3):  # band limits, or an equaliser
                frequency = np.fft.rfftfreq(n, 1 / SAMPLE_RATE)
                if kind == 2:
                    low, high = rng.choice([0, 300, 800]), rng.choice([1800, 3400, 8000])
                    curve = (
                        1
                        / (1 + (frequency / high) ** 8)
                        * (1 - np.exp(-((frequency / (low + 1)) ** 4)))
                    )
                else:
                    curve = 10 ** (
                        np.interp(frequency, np.linspace(0, 8000, 8), rng.uniform(-12, 12, 8)) / 20
                    )
                x = np.fft.irfft(np.fft.rfft(x) * curve, n)
            elif kind == 4:  # a room
                decay = np.exp(-np.arange(4000) / rng.uniform(200, 1600)) * rng.standard_normal(
                    4000
                )
                decay[0] = 3.0
                x = np.fft.irfft(np.fft.rfft(x, 2 * n) * np.fft.rfft(decay, 2 * n))[:n]
            else:  # clipping
                limit = np.quantile(np.abs(x), rng.uniform(0.6, 0.95)) + 1e-6
                x = np.clip(x, -limit, limit)
            out[row] = x
    return out


def discriminants(
    clean: npt.NDArray[Any], edited: npt.NDArray[Any], count: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the mean and the linear map (cells, count) of the discriminant analysis.

    Parameters
    ----------
    clean : ndarray, shape (n, cells)
    edited : ndarray, shape (edits, n, cells)
    """
    mean = clean.mean(axis=0)
    difference = (edited - clean).reshape(-1, clean.shape[1]).astype(np.float64)
    within = difference.T @ difference / len(difference)
    within += 0.02 * np.trace(within) / len(within) * np.eye(len(within))
    values, vectors = np.linalg.eigh(within)
    whiten = vectors / np.sqrt(values)
    spread = np.cov((clean - mean) @ whiten, rowvar=False)
    _, directions = np.linalg.eigh(spread)
    return mean, whiten @ directions[:, ::-1][:, :count]


def main(arguments: Sequence[str] | None = None) -> None:
    """Find the map, build the model and its background, enter both in the models folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sounds", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(0)
    sounds = read_sounds(options.sounds)
    front = LogMel()
    window, slack = round(WINDOW * SAMPLE_RATE), round(HOP / 2 * SAMPLE_RATE)

    def features(samples: Sound) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            parts = [
                front(torch.from_numpy(samples[i : i + 256])) for i in range(0, len(samples), 256)
            ]
        return torch.cat(parts).numpy()  # type: ignore[no-any-return]

    long = draw(sounds, EXAMPLES, window + 2 * slack, rng)
    clean = features(np.ascontiguousarray(long[:, slack:-slack]))
    edited = []
    for _ in range(EDITS):
        other = draw(sounds, EXAMPLES, window, rng)
        shift = rng.integers(0, 2 * slack, EXAMPLES)
        moved = np.stack([row[s : s + window] for row, s in zip(long, shift, strict=True)])
        edited.append(features(edit(moved, other, rng).astype(np.float32)))
    model = FirstAudio(*discriminants(clean, np.stack(edited), DIMENSIONS))
    model_id = export_model(
        model,
        torch.zeros(2, window),
        options.folder,
        name="audio",
        version=1,
        stream="audio",
        inputs={"sample_rate": SAMPLE_RATE, "window": WINDOW, "hop": HOP},
        licence="Apache-2.0",
    )
    unrelated = draw(sounds, BACKGROUND, window, rng)
    describe_background(options.folder, model_id, np.array_split(unrelated, 20))
    report(model, features, long, edited, slack)


def report(
    model: FirstAudio,
    features: Any,
    long: Sound,
    edited: Sequence[npt.NDArray[np.float32]],
    slack: int,
) -> None:
    """Print how far copies stand above strangers, on the examples the map was found with."""
    with torch.inference_mode():

        def project(patch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            moved = (torch.from_numpy(patch) - model.mean) @ model.projection
            return F.normalize(moved, dim=1).numpy()  # type: ignore[no-any-return]

        clean = project(features(np.ascontiguousarray(long[:2000, slack:-slack])))
        copies = (clean * project(edited[0][:2000])).sum(axis=1)
        strangers = (clean[:1000] @ clean[1000:].T).ravel()
    print(  # noqa: T201
        f"copies: median {np.median(copies):.3f}, 10 % {np.quantile(copies, 0.1):.3f}; "
        f"strangers: 99.9 % {np.quantile(strangers, 0.999):.3f}"
    )


if __name__ == "__main__":
    main()
