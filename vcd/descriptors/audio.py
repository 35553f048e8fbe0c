"""Sound samples in, the audio track out."""

from __future__ import annotations

import numpy as np

from vcd.descriptors.runtime import DescriptorModel
from vcd.media.decoder import SAMPLE_RATE, Samples
from vcd.records import FloatArray, Track

__all__ = ["AudioTrackBuilder", "window_weight"]

_BATCH = 32
_SILENCE_DB = -60.0
"""Level relative to full scale below which a window says nothing."""


def window_weight(windows: FloatArray) -> FloatArray:
    """Return how much each window of sound can testify: 0 for silence, else 1.

    Parameters
    ----------
    windows : ndarray of float32, shape (b, n)
        Samples in [-1, 1].

    Returns
    -------
    ndarray of float32, shape (b,)
    """
    power = np.einsum("bn,bn->b", windows, windows, dtype=np.float64) / windows.shape[1]
    level = 10 * np.log10(power + 1e-20)
    return np.asarray(level >= _SILENCE_DB, np.float32)


class AudioTrackBuilder:
    """Cuts the waveform into overlapping windows and describes them as they come.

    Window k covers ``[start + k * hop, start + k * hop + window)`` seconds, so the intervals of
    neighbouring rows overlap. Sound shorter than a window is padded with silence; a rest at the
    end that is shorter than a hop is left out.
    """

    def __init__(self, model: DescriptorModel) -> None:
        self._model = model
        self._window = round(model.info.input["window"] * SAMPLE_RATE)
        self._hop = round(model.info.input["hop"] * SAMPLE_RATE)
        self._runs = bool(model.info.input.get("runs"))  # else every window is given by itself
        self._start: float | None = None
        self._kept = np.zeros(0, np.float32)
        self._count = 0
        self._weights: list[FloatArray] = []
        self._vectors: list[FloatArray] = []

    def add(self, run: Samples) -> None:
        """Take the next run of samples."""
        if self._start is None:
            self._start = run.start
        self._kept = np.concatenate([self._kept, run.samples])
        span = self._window + (_BATCH - 1) * self._hop
        while len(self._kept) >= span:
            self._describe(_BATCH)

    def finish(self) -> Track:
        """Return the track of all sound taken."""
        if self._count == 0 and self._hop <= len(self._kept) < self._window:
            self._kept = np.pad(self._kept, (0, self._window - len(self._kept)))
        if len(self._kept) >= self._window:
            self._describe((len(self._kept) - self._window) // self._hop + 1)
        info = self._model.info
        start = (self._start or 0.0) + np.arange(self._count) * self._hop / SAMPLE_RATE
        empty = np.zeros((0, info.dimensions), np.float32)
        return Track(
            stream="audio",
            model=info.id,
            times=np.stack([start, start + self._window / SAMPLE_RATE], axis=1),
            vectors=np.concatenate([empty, *self._vectors]),
            weight=np.concatenate([np.zeros(0, np.float32), *self._weights]),
        )

    def _describe(self, count: int) -> None:
        all_windows = np.lib.stride_tricks.sliding_window_view(self._kept, self._window)
        windows = all_windows[:: self._hop][:count]
        run = self._kept[None, : self._window + (count - 1) * self._hop]
        vectors, weight = self._model(run if self._runs else windows), window_weight(windows)
        weight[~vectors.any(axis=1)] = 0
        self._vectors.append(vectors)
        self._weights.append(weight)
        self._count += count
        self._kept = self._kept[count * self._hop :].copy()
