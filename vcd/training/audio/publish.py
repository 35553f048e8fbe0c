"""A training run becomes a model of the models folder, with its background."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from vcd.descriptors import DescriptorModel
from vcd.media import SAMPLE_RATE
from vcd.records import FloatArray
from vcd.training.audio.material import WINDOW
from vcd.training.audio.network import HOP, SECONDS, AudioNetwork, load_network
from vcd.training.audio.pattern import with_pattern
from vcd.training.audio.sounds import STEPS, Sounds, power
from vcd.training.export import export_model

__all__ = ["publish", "steady_sounds"]

_BACKGROUND = 900  # windows, beside the steady ones
_STEADY = 100
_SPREAD_ON = 4000  # windows
_SHRINKAGE = 0.5
_BATCH = 50
_SEED = 7


def publish(run: Path, sounds: Sounds, folder: Path, *, version: int) -> str:
    """Enter the model of a run, and its background, in a models folder; return its id.

    Parameters
    ----------
    run : Path
        Folder of an `AudioRun`.
    sounds : ndarray of `RECORD`
        What it was trained on.
    folder : Path
        The models folder.
    version : int

    Raises
    ------
    ModelError
        There are no weights.
    """
    network, settings = load_network(run / "weights.pt")
    rng = np.random.default_rng(_SEED)
    learnt = np.flatnonzero(sounds["file"] % settings.held_out != 0)
    spread(network, _windows(sounds, learnt, _SPREAD_ON, rng))
    model = with_pattern(network, sounds, learnt)

    def background(_: DescriptorModel) -> FloatArray:
        with torch.inference_mode():
            drawn = model.describe(_windows(sounds, learnt, _BACKGROUND, rng))
            steady = model(steady_sounds(_STEADY, rng))
        rows: FloatArray = torch.cat([drawn, steady]).numpy()
        return rows

    return export_model(
        model,
        torch.zeros(2, round((SECONDS + 2 * HOP) * SAMPLE_RATE)),
        folder,
        name="audio",
        version=version,
        stream="audio",
        inputs={"sample_rate": SAMPLE_RATE, "window": SECONDS, "hop": HOP, "runs": 1},
        licence="Apache-2.0",
        background=background,
    )


def spread(network: AudioNetwork, windows: torch.Tensor) -> None:
    """Let unrelated sounds point in all directions: centre and whiten the head, in place.

    Parameters
    ----------
    network : AudioNetwork
    windows : Tensor, shape (n, bands, WINDOW)
        Power in mel bands.
    """
    with torch.inference_mode():
        vectors = torch.cat([network.before_length(p) for p in windows.split(_BATCH)]).double()
    mean = vectors.mean(dim=0)
    covariance = (vectors - mean).T @ (vectors - mean) / len(vectors)
    variances, directions = torch.linalg.eigh(covariance)
    shrunk = ((1 - _SHRINKAGE) * variances + _SHRINKAGE * variances.mean()).clamp(min=1e-12)
    whitening = directions @ torch.diag(shrunk.rsqrt()) @ directions.T
    with torch.no_grad():
        weight, bias = network.head.weight.double(), network.head.bias.double()
        network.head.weight.copy_(whitening @ weight)
        network.head.bias.copy_(whitening @ (bias - mean))


def steady_sounds(count: int, rng: np.random.Generator) -> torch.Tensor:
    """Return windows that say nothing, (count, samples): tones, hum, noise and near silence."""
    samples = round(SECONDS * SAMPLE_RATE)
    time = np.arange(samples) / SAMPLE_RATE
    made = np.empty((count, samples))
    for row in range(count):
        kind = row % 4
        noise = rng.standard_normal(samples)
        if kind == 0:
            made[row] = np.sin(2 * np.pi * np.exp(rng.uniform(4.5, 8.4)) * time)
        elif kind == 1:
            harmonics = np.arange(1, 12) * rng.choice([50, 60])
            made[row] = (np.sin(2 * np.pi * harmonics[:, None] * time) / harmonics[:, None]).sum(0)
        else:
            spectrum = np.fft.rfft(noise)
            spectrum /= np.arange(1, len(spectrum) + 1) ** (rng.uniform(0, 1) * (kind == 2))
            made[row] = np.fft.irfft(spectrum, samples)
        made[row] = made[row] / np.abs(made[row]).max() + 1e-4 * noise
        made[row] *= 10 ** rng.uniform(-3, -0.3)
    return torch.from_numpy(made.astype(np.float32))


def _windows(
    sounds: Sounds, pieces: npt.NDArray[np.intp], count: int, rng: np.random.Generator
) -> torch.Tensor:
    firsts = rng.integers(0, STEPS - WINDOW, count)
    chosen = rng.choice(pieces, count)
    drawn = [sounds["plain"][p, :, k : k + WINDOW] for p, k in zip(chosen, firsts, strict=True)]
    return power(np.stack(drawn))
