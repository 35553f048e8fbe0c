"""Edits of the sound, by name: what people do to the sound of a copy, at a strength in [0, 1].

Samples are mono float32 in [-1, 1], shape (n,); an edit keeps shape and dtype and never changes
what it is given. `strength` runs from 0, just heard, to 1, what a listener would hardly still
accept; mute and sound_replaced know no degrees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vcd.errors import ContractError
from vcd_eval.making.editing import change_tempo

__all__ = ["ENDS_THE_COPY", "SOUND_EDITS", "SoundEdit", "edit_sound"]

Samples = npt.NDArray[np.float32]
_Apply = Callable[[Samples, int, float, np.random.Generator, Samples], Samples]

_QUIET = 1e-4  # level of what counts as silence


@dataclass(frozen=True, slots=True)
class SoundEdit:
    """A way to edit sound; `needs_other` says whether other sound is heard in the result."""

    apply: _Apply
    needs_other: bool = False


ENDS_THE_COPY = frozenset({"mute", "sound_replaced"})
"""Edits after which nothing of the copied sound is left."""


def edit_sound(
    name: str,
    samples: Samples,
    sample_rate: int,
    *,
    strength: float,
    rng: np.random.Generator,
    other: Samples | None = None,
) -> Samples:
    """Return edited sound.

    Parameters
    ----------
    name : str
        A name of `SOUND_EDITS`.
    samples : ndarray of float32, shape (n,)
    sample_rate : int
        Hz.
    strength : float
        In [0, 1].
    rng : Generator
    other : ndarray of float32, shape (n,), optional
        Sound to lay over or put in place; silence where it is not given.

    Raises
    ------
    ContractError
        There is no such edit, or the strength lies outside [0, 1].
    """
    if name not in SOUND_EDITS:
        raise ContractError(
            f"there is no sound edit {name!r}", remedy=f"choose among {', '.join(SOUND_EDITS)}"
        )
    if not 0 <= strength <= 1:
        raise ContractError(f"strength must lie in [0, 1], got {strength}")
    if not len(samples):
        return samples.copy()
    laid = np.zeros_like(samples) if other is None else other
    edited = SOUND_EDITS[name].apply(samples, sample_rate, strength, rng, laid)
    return np.clip(edited, -1, 1).astype(np.float32)


def _between(strength: float, weak: float, strong: float) -> float:
    return weak + (strong - weak) * strength


def _level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _mute(samples: Samples, _: int, __: float, ___: np.random.Generator, ____: Samples) -> Samples:
    return np.zeros_like(samples)


def _replaced(
    _: Samples, __: int, ___: float, ____: np.random.Generator, other: Samples
) -> Samples:
    return other


def _voiceover(
    samples: Samples, _: int, strength: float, __: np.random.Generator, other: Samples
) -> Samples:
    own, added = _level(samples), _level(other)
    if added < _QUIET:
        return samples
    gain = max(own, 0.02) / added * 10 ** (_between(strength, -12, 3) / 20)
    return samples + np.float32(gain) * other


def _noise(
    samples: Samples, _: int, strength: float, rng: np.random.Generator, __: Samples
) -> Samples:
    level = max(_level(samples), 0.01) * 10 ** (-_between(strength, 25, 3) / 20)
    return samples + np.float32(level) * rng.standard_normal(len(samples), dtype=np.float32)


def _lowpass(
    samples: Samples, rate: int, strength: float, _: np.random.Generator, __: Samples
) -> Samples:
    cut = 3400 * (700 / 3400) ** strength  # Hz: from a telephone to next door
    spectrum = np.fft.rfft(samples)
    frequency = np.fft.rfftfreq(len(samples), 1 / rate)
    spectrum *= 1 / np.sqrt(1 + (frequency / cut) ** 12)  # Butterworth, sixth order
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def _pitch(
    samples: Samples, rate: int, strength: float, rng: np.random.Generator, _: Samples
) -> Samples:
    factor = 2 ** (rng.choice((-1, 1)) * _between(strength, 0.5, 4) / 12)
    longer = change_tempo(samples, 1 / factor, rate)  # same pitch, then played faster
    at = np.linspace(0, len(longer) - 1, len(samples))
    return np.interp(at, np.arange(len(longer)), longer).astype(np.float32)


def _echo(
    samples: Samples, rate: int, strength: float, rng: np.random.Generator, _: Samples
) -> Samples:
    delay = round(rng.uniform(0.08, 0.3) * rate)
    gain = np.float32(_between(strength, 0.25, 0.75))
    result = samples.copy()
    for k in (1, 2, 3):
        if k * delay < len(samples):
            result[k * delay :] += gain**k * samples[: -k * delay]
    return result


def _gain(
    samples: Samples, _: int, strength: float, rng: np.random.Generator, __: Samples
) -> Samples:
    softer, louder = _between(strength, 0.6, 0.1), _between(strength, 1.5, 6)
    return samples * np.float32(rng.choice((softer, louder)))


SOUND_EDITS: dict[str, SoundEdit] = {
    "mute": SoundEdit(_mute),
    "sound_replaced": SoundEdit(_replaced, needs_other=True),
    "voiceover": SoundEdit(_voiceover, needs_other=True),
    "anoise": SoundEdit(_noise),
    "lowpass": SoundEdit(_lowpass),
    "pitch": SoundEdit(_pitch),
    "echo": SoundEdit(_echo),
    "gain": SoundEdit(_gain),
}
