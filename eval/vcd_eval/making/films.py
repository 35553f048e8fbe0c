"""Whole made videos: shots in a row with sound, and how to write one to a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vcd.errors import ContractError
from vcd_eval.making.camera import Frame, Shot
from vcd_eval.making.recording import write_video
from vcd_eval.making.scenes import SCENES, make_shot
from vcd_eval.making.sounds import MUSIC, SAMPLE_RATE, make_sound

__all__ = ["FPS", "Film", "make_film", "render_video"]

FPS = 15.0
_SPEECH = "speech"


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """Shots one after another, and sound of the same length (mono at 24 kHz)."""

    name: str
    shots: Sequence[Shot]
    samples: npt.NDArray[np.float32]

    @property
    def seconds(self) -> float:
        """Length."""
        return sum(shot.seconds for shot in self.shots)

    def frame(self, time: float) -> Frame:
        """Return the picture at a time; before and after the film its first and last."""
        for shot in self.shots[:-1]:
            if time < shot.seconds - 1e-6:
                return shot.frame(time)
            time -= shot.seconds
        return self.shots[-1].frame(time)

    def sound(self, start: float, seconds: float) -> npt.NDArray[np.float32]:
        """Return the samples of a part."""
        first = round(start * SAMPLE_RATE)
        return self.samples[first : first + round(seconds * SAMPLE_RATE)]


def make_film(
    name: str, scenes: Sequence[str], sound: str, seconds: float, rng: np.random.Generator
) -> Film:
    """Return a film of `seconds`, cut evenly between scenes, with one kind of sound throughout.

    Parameters
    ----------
    name : str
    scenes : sequence of str
        Names of `vcd_eval.making.scenes.SCENES`; repeated ones look different.
    sound : str
        A name of `vcd_eval.making.sounds.MUSIC`, or ``"speech"``.
    seconds : float
    rng : Generator

    Raises
    ------
    ContractError
        A scene or sound is unknown, or there is none.
    """
    unknown = [scene for scene in scenes if scene not in SCENES]
    if unknown or not scenes:
        raise ContractError(
            f"no scenes named {unknown}" if unknown else "a film needs a scene",
            remedy=f"choose among {', '.join(SCENES)}",
        )
    if sound not in (*MUSIC, _SPEECH):
        raise ContractError(
            f"no sound named {sound!r}", remedy=f"choose among {', '.join(MUSIC)}, {_SPEECH}"
        )
    cuts = np.rint(np.linspace(0, seconds * FPS, len(scenes) + 1)) / FPS
    cuts[-1] = seconds
    shots = [
        make_shot(scene, rng, float(length))
        for scene, length in zip(scenes, np.diff(cuts), strict=True)
    ]
    return Film(name, shots, make_sound(sound, rng, seconds))


def render_video(
    path: str | os.PathLike[str],
    *,
    scenes: Sequence[str] = ("ridges", "skyline"),
    sound: str = "plucked",
    seconds: float = 8.0,
    seed: int = 0,
) -> Film:
    """Write a made video of 320x180 at 15 frames a second, and return the film in it."""
    film = make_film("", scenes, sound, seconds, np.random.default_rng(seed))
    frames = (film.frame(k / FPS) for k in range(round(seconds * FPS)))
    write_video(path, frames, FPS, film.samples, SAMPLE_RATE)
    return film
