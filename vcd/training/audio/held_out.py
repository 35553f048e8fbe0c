"""How well a network under training finds edited copies of sound that it never learns from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from vcd.training.audio.edits import edited, plain
from vcd.training.audio.material import draw
from vcd.training.audio.network import AudioNetwork
from vcd.training.audio.sounds import Sounds

__all__ = ["HeldOut"]

_PLACES, _WINDOWS = 30, 8
_VERSIONS = 2  # edited versions of each window
_SEED = 99


class HeldOut:
    """Micro-AP of edited copies among plain windows; a third of the windows is not listed.

    Parameters
    ----------
    sounds : ndarray of `RECORD`
    kept : ndarray of int
        Pieces that are never trained on.
    others : ndarray of int
        Pieces to lay over them.
    """

    def __init__(
        self, sounds: Sounds, kept: npt.NDArray[np.intp], others: npt.NDArray[np.intp]
    ) -> None:
        rng = np.random.default_rng(_SEED)
        material = draw(sounds, kept, _PLACES, _WINDOWS, rng, others=others)
        self.files = material.files.numpy()
        self.listed = len(self.files) * 2 // 3
        self.plain = plain(material, rng)[: self.listed]
        self.edited = torch.cat(
            [edited(material, strength=0.8, shift=0.13, rng=rng) for _ in range(_VERSIONS)]
        )

    def average_precision(self, network: AudioNetwork) -> float:
        """Return the micro-AP over all pairs of an edited window and a plain one.

        Other windows of the same file are no wrong answers: music repeats itself.
        """
        device = next(network.parameters()).device
        with torch.inference_mode():
            queries, plain_ones = (
                torch.cat([network.of_power(part.to(device)) for part in windows.split(64)])
                for windows in (self.edited, self.plain)
            )
        scores = (queries @ plain_ones.T).cpu().numpy()
        own = np.arange(len(scores)) % len(self.files)
        right = own[:, None] == np.arange(self.listed)
        counted = right | (self.files[own][:, None] != self.files[: self.listed])
        hits = right[counted][np.argsort(-scores[counted], kind="stable")]
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        return float(precision[hits].sum() / hits.sum())
