"""What a training step edits: spectrograms around windows of sound, and others to lay over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from vcd.media import SAMPLE_RATE
from vcd.training.audio.network import SECONDS, STEP
from vcd.training.audio.sounds import STEPS, Sounds, power

__all__ = ["FASTEST", "LENGTH", "WINDOW", "Material", "draw"]

WINDOW = round(SECONDS * SAMPLE_RATE / STEP) - 1
"""Steps of a window: a frame is two of them."""

FASTEST = 2.0
"""The speed up to which sound is played."""

LENGTH = round(FASTEST * WINDOW) + 1
"""Steps of a stretch, its window in the middle: what is played faster needs more."""

_QUIET = -13.0  # mean `log_power` of what is too quiet to be learnt from
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Material:
    """Power in mel bands, shape (b, bands, LENGTH): plain, after a codec, and of other sound.

    `files`, int64 of shape (b,), numbers the file that each is of.
    """

    plain: torch.Tensor
    coded: torch.Tensor
    others: torch.Tensor
    files: torch.Tensor


def draw(
    sounds: Sounds,
    pieces: npt.NDArray[np.intp],
    places: int,
    windows: int,
    rng: np.random.Generator,
    *,
    others: npt.NDArray[np.intp] | None = None,
) -> Material:
    """Draw stretches that are not silent, several of each piece drawn.

    Parameters
    ----------
    sounds : ndarray of `RECORD`
    pieces : ndarray of int
        Those to draw from.
    places, windows : int
        How many pieces, and how many stretches of each.
    rng : Generator
    others : ndarray of int, optional
        Pieces to lay over them, where they are not those to draw from.
    """
    chosen = [
        (piece, _place(sounds["plain"][piece], k / windows, (k + 1) / windows, rng))
        for piece in rng.choice(pieces, places, replace=len(pieces) < places)
        for k in range(windows)
    ]
    laid = [
        (piece, int(rng.integers(STEPS - LENGTH)))
        for piece in rng.choice(pieces if others is None else others, len(chosen))
    ]
    return Material(
        _stretches(sounds["plain"], chosen),
        _stretches(sounds["coded"], chosen),
        _stretches(sounds["plain"], laid),
        torch.tensor([int(sounds["file"][piece]) for piece, _ in chosen]),
    )


def _place(
    piece: npt.NDArray[np.float16], earliest: float, latest: float, rng: np.random.Generator
) -> int:
    """Return where a stretch begins, the window in whose middle is not silent, if one is found."""
    for _ in range(_TRIES):
        first = int(rng.uniform(earliest, latest) * (STEPS - LENGTH))
        middle = first + (LENGTH - WINDOW) // 2
        if piece[:, middle : middle + WINDOW].mean(dtype=np.float32) > _QUIET:
            break
    return first


def _stretches(levels: npt.NDArray[np.float16], at: list[tuple[int, int]]) -> torch.Tensor:
    return power(np.stack([levels[piece, :, first : first + LENGTH] for piece, first in at]))
