"""Made sound: music of chords, melody and percussion, and babble with the shape of speech.

Everything is mono float32 in [-1, 1] at `SAMPLE_RATE` and depends on the random generator alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["MUSIC", "SAMPLE_RATE", "Style", "babble", "make_sound", "music"]

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 24_000  # Hz
_PEAK = 0.8

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
PENTATONIC = (0, 2, 4, 7, 9)


@dataclass(frozen=True, slots=True)
class Style:
    """A way of making music.

    Parameters
    ----------
    tempo : float
        Beats a minute; a bar has four.
    root : int
        MIDI number of the keynote.
    scale : tuple of int
        Semitones above the keynote.
    partials : tuple of float
        Strength of each harmonic of the melody.
    decay : float
        Seconds in which a note falls to a third; long notes sound like pads.
    notes_a_beat : int
        Density of the melody.
    drums : str
        Sixteen steps a bar: ``k`` kick, ``s`` snare, ``h`` hat, ``.`` rest.
    wobble : float
        Vibrato in semitones.
    """

    tempo: float
    root: int
    scale: tuple[int, ...]
    partials: tuple[float, ...]
    decay: float
    notes_a_beat: int
    drums: str = "................"
    wobble: float = 0.0


MUSIC = {
    "plucked": Style(116, 60, MAJOR, (1, 0.5, 0.35, 0.2, 0.12, 0.06), 0.25, 2, "h...h.h.h...h.hh"),
    "groove": Style(98, 45, MINOR, (1, 0.8, 0.1, 0.6, 0.05, 0.4), 0.35, 4, "k.hhs.h.kkh.s.hh"),
    "pads": Style(66, 57, PENTATONIC, (1, 0.15, 0.6, 0.05, 0.25), 1.6, 1, wobble=0.2),
    "bells": Style(84, 76, PENTATONIC, (1, 0.05, 0.1, 0.5, 0.02, 0.02, 0.3), 0.7, 2),
    "march": Style(126, 53, MAJOR, (0.6, 1, 0.7, 0.5, 0.4, 0.3, 0.2), 0.3, 1, "k.h.s.h.k.k.s.ss"),
    "organ": Style(76, 50, MINOR, (1, 0.9, 0.2, 0.7, 0.1, 0.3, 0.1, 0.4), 1.2, 1, wobble=0.1),
}


def make_sound(kind: str, rng: np.random.Generator, seconds: float) -> Samples:
    """Return sound of a kind: a name of `MUSIC`, or ``"speech"``."""
    return babble(rng, seconds) if kind == "speech" else music(rng, seconds, MUSIC[kind])


def music(rng: np.random.Generator, seconds: float, style: Style) -> Samples:
    """Return music that never repeats a bar exactly: chords, melody, bass and percussion."""
    mixed = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    beat = 60 / style.tempo
    for bar in range(int(np.ceil(seconds / (4 * beat)))):
        start = bar * 4 * beat
        degree = int(rng.integers(0, len(style.scale)))
        _add_chord(mixed, style, degree, start, beat)
        _add_melody(mixed, style, degree, start, rng)
        for step, drum in enumerate(style.drums):
            if drum != "." and rng.random() < 0.9:
                _add(mixed, start + step * beat / 4, _drum(drum, rng))
    return _levelled(mixed)


def babble(rng: np.random.Generator, seconds: float) -> Samples:
    """Return speech-like sound: syllables of hiss and gliding vowels, in phrases with pauses.

    A vowel is a sum of harmonics weighted by the resonances of the mouth; formants after
    Peterson and Barney, "Control Methods Used in a Study of the Vowels", JASA 24, 1952.
    """
    mixed = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    pitch = rng.uniform(105, 210)
    at, height = 0.1, 1.2
    while at < seconds:
        length = rng.uniform(0.12, 0.26)
        _add(mixed, at, _hiss(rng) * np.float32(rng.uniform(0.1, 0.35)))
        _add(mixed, at + 0.04, _vowel(rng, pitch * height * rng.uniform(0.94, 1.06), length))
        at += length + rng.uniform(0.03, 0.07)
        height -= 0.05
        if height < 0.85:
            height, at = rng.uniform(1.1, 1.3), at + rng.uniform(0.15, 0.4)
    return _levelled(mixed)


_FORMANTS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480),
             (570, 840, 2410), (490, 1350, 1690), (390, 1990, 2550), (640, 1190, 2390))  # fmt: skip


def _vowel(rng: np.random.Generator, pitch: float, seconds: float) -> Samples:
    n = round(seconds * SAMPLE_RATE)
    share = np.linspace(0, 1, n, dtype=np.float32)
    first, last = (np.array(_FORMANTS[i]) for i in rng.integers(0, len(_FORMANTS), 2))
    frequency = pitch * (1 + 0.06 * np.sin(np.pi * share) - 0.05 * share)
    phase = 2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE
    sound = np.zeros(n, np.float32)
    for harmonic in range(1, int(3600 / pitch)):
        strength = np.zeros(n, np.float32)
        for formant, width, level in zip((0, 1, 2), (90, 110, 170), (1, 0.6, 0.3), strict=True):
            centre = first[formant] + (last - first)[formant] * share
            strength += level / (1 + ((harmonic * frequency - centre) / width) ** 2)
        sound += strength * np.sin(harmonic * phase).astype(np.float32)
    return np.asarray(sound * np.sqrt(np.hanning(n)), np.float32)


def _hiss(rng: np.random.Generator) -> Samples:
    n = int(rng.uniform(0.04, 0.09) * SAMPLE_RATE)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.fft.rfftfreq(n, 1 / SAMPLE_RATE)
    centre = rng.uniform(1800, 7000)
    spectrum *= np.exp(-(((frequency - centre) / 1200) ** 2))
    sound = np.fft.irfft(spectrum, n) * np.hanning(n)
    return np.asarray(sound / max(np.abs(sound).max(), 1e-9), np.float32)


def _add_chord(mixed: Samples, style: Style, degree: int, start: float, beat: float) -> None:
    for third in (0, 2, 4):
        pitch = _pitch(style, degree + third)
        _add(mixed, start, 0.22 * _note(style, pitch, 4 * beat, decay=max(style.decay, 0.8)))
    _add(mixed, start, 0.5 * _note(style, _pitch(style, degree) / 2, 2 * beat, decay=0.5))


def _add_melody(
    mixed: Samples, style: Style, degree: int, start: float, rng: np.random.Generator
) -> None:
    beat = 60 / style.tempo
    step = degree + 4
    for i in range(4 * style.notes_a_beat):
        step = int(np.clip(step + rng.integers(-2, 3), 0, 2 * len(style.scale)))
        if rng.random() < 0.8:
            note = _note(style, 2 * _pitch(style, step), max(beat, style.decay), decay=style.decay)
            _add(mixed, start + i * beat / style.notes_a_beat, np.float32(0.4) * note)


def _pitch(style: Style, degree: int) -> float:
    octave, step = divmod(degree, len(style.scale))
    return float(440 * 2 ** ((style.root + style.scale[step] + 12 * octave - 69) / 12))


def _note(style: Style, frequency: float, seconds: float, *, decay: float) -> Samples:
    time = np.arange(round(seconds * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE
    bend = style.wobble * 0.06 * np.sin(2 * np.pi * 5 * time) / (2 * np.pi * 5)
    sound = np.zeros(len(time), np.float32)
    for harmonic, strength in enumerate(style.partials, start=1):
        if frequency * harmonic < SAMPLE_RATE / 2.2:
            fall = np.exp(-time / decay * (1 + 0.3 * (harmonic - 1)))
            turn = 2 * np.pi * frequency * harmonic * (time + bend)
            sound += (strength * fall * np.sin(turn)).astype(np.float32)
    attack = np.minimum(1, time / (0.005 + 0.05 * (decay > 1)))
    release = np.clip((seconds - time) / 0.03, 0, 1)
    return np.asarray(sound * attack * release / sum(style.partials), np.float32)


def _drum(kind: str, rng: np.random.Generator) -> Samples:
    time = np.arange(round(0.16 * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE
    rattle = rng.standard_normal(len(time)).astype(np.float32)
    if kind == "k":
        sweep = 50 * time + 6 * (1 - np.exp(-time / 0.03))
        sound = 0.9 * np.exp(-time / 0.06) * np.sin(2 * np.pi * sweep)
    elif kind == "s":
        body = 0.5 * np.sin(2 * np.pi * 190 * time)
        sound = 0.4 * np.exp(-time / 0.05) * (0.5 * rattle + body)
    else:
        sound = 0.15 * np.exp(-time / 0.02) * np.diff(rattle, prepend=0)
    return np.asarray(sound, np.float32)


def _add(mixed: Samples, seconds: float, sound: Samples) -> None:
    start = round(seconds * SAMPLE_RATE)
    part = mixed[start : start + len(sound)]
    part += sound[: len(part)]


def _levelled(samples: Samples) -> Samples:
    return samples * np.float32(_PEAK / max(float(np.abs(samples).max(initial=0)), 1e-6))
