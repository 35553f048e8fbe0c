"""Sound samples in, the audio tracks out: of the sound as it is, and played faster."""

from __future__ import annotations

import numpy as np

from vcd.descriptors.faster import FASTER_VIEW, SPEED_UP, Faster
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
    """Describes sound as it comes: as it is, and played faster.

    Window k covers ``[start + k * hop, start + k * hop + window)`` seconds, so the intervals of
    neighbouring rows overlap. Sound shorter than a window is padded with silence; a rest at the
    end that is shorter than a hop is left out. A row of the faster sound lies at the window whose
    middle is nearest its own.
    """

    def __init__(self, model: DescriptorModel) -> None:
        self._info = model.info
        self._heard, self._heard_faster = _Windows(model), _Windows(model)
        self._faster = Faster()
        self._start: float | None = None

    def add(self, run: Samples) -> None:
        """Take the next run of samples."""
        if self._start is None:
            self._start = run.start
        self._heard.add(run.samples)
        self._heard_faster.add(self._faster.play(run.samples))

    def finish(self) -> list[Track]:
        """Return the track of all sound taken, and that of the faster sound."""
        vectors, weight = self._heard.finish()
        # As they are cut: in whole samples.
        window, hop = (
            round(self._info.input[name] * SAMPLE_RATE) / SAMPLE_RATE for name in ("window", "hop")
        )
        start = (self._start or 0.0) + np.arange(len(vectors)) * hop
        times = np.stack([start, start + window], axis=1)
        track = Track("audio", self._info.id, times, vectors, weight)
        faster, faster_weight = self._heard_faster.finish()
        middles = (np.arange(len(faster)) * hop + window / 2) * SPEED_UP
        at = np.rint((middles - window / 2) / hop).astype(np.intp)
        there = at < len(track)
        if not there.any():
            return [track]
        return [
            track,
            Track(
                "audio",
                self._info.id,
                times[at[there]],
                faster[there],
                faster_weight[there],
                view=FASTER_VIEW,
            ),
        ]


class _Windows:
    """Cuts samples into overlapping windows and describes them in batches."""

    def __init__(self, model: DescriptorModel) -> None:
        self._model = model
        self._window = round(model.info.input["window"] * SAMPLE_RATE)
        self._hop = round(model.info.input["hop"] * SAMPLE_RATE)
        self._runs = bool(model.info.input.get("runs"))  # else every window is given by itself
        self._kept = np.zeros(0, np.float32)
        self._any = False
        self._weights: list[FloatArray] = []
        self._vectors: list[FloatArray] = []

    def add(self, samples: FloatArray) -> None:
        """Take the next samples."""
        self._kept = np.concatenate([self._kept, samples])
        span = self._window + (_BATCH - 1) * self._hop
        while len(self._kept) >= span:
            self._describe(_BATCH)

    def finish(self) -> tuple[FloatArray, FloatArray]:
        """Return the vectors of all windows, and how much each can testify."""
        if not self._any and self._hop <= len(self._kept) < self._window:
            self._kept = np.pad(self._kept, (0, self._window - len(self._kept)))
        if len(self._kept) >= self._window:
            self._describe((len(self._kept) - self._window) // self._hop + 1)
        nothing = np.zeros((0, self._model.info.dimensions), np.float32)
        no_weight = np.zeros(0, np.float32)
        return np.concatenate([nothing, *self._vectors]), np.concatenate(
            [no_weight, *self._weights]
        )

    def _describe(self, count: int) -> None:
        all_windows = np.lib.stride_tricks.sliding_window_view(self._kept, self._window)
        windows = all_windows[:: self._hop][:count]
        run = self._kept[None, : self._window + (count - 1) * self._hop]
        vectors, weight = self._model(run if self._runs else windows), window_weight(windows)
        weight[~vectors.any(axis=1)] = 0
        self._vectors.append(vectors)
        self._weights.append(weight)
        self._any = True
        self._kept = self._kept[count * self._hop :].copy()
