"""How often edited stretches of sound are found again, by edit, beside chromaprint and log-mel.

    python benchmarks/sound_edits.py SOUNDS... [--queries 24]

Every sound file gives a reference of up to a minute; of some, a stretch of eight seconds is edited
in each way and asked for among all references. `vcd` is the share found at the right place with a
probability of at least `balanced`, by the engine itself; the other columns are the share whose best
reference is the right one, by the best mean along a diagonal: of vcd's descriptors, of log-mel
spectra, and of chromaprint's (`fpcalc`, where it is installed). Sound that no model was trained on
gives figures that mean something.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np

from vcd import Engine
from vcd.media import SAMPLE_RATE, Samples, Sampling, find_media, get_decoder
from vcd_eval.making.editing import change_tempo
from vcd_eval.making.sound_edits import SOUND_EDITS, edit_sound

STRETCH, REFERENCE = 8.0, 60.0  # seconds
STRENGTH = 0.5
SPEEDS = (0.8, 0.9, 1.1, 1.25)
SEMITONES = (-2, -1, 1, 2)
LEFT_OUT = ("mute", "sound_replaced")  # nothing of the sound is left
BANDS, FRAME, STEP = 24, 1024, 2000  # of the log-mel spectra: 8 a second


def played(samples, factor):
    """Return samples at another speed, pitch and all."""
    at = np.arange(0, len(samples) - 1, factor)
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32)


def versions(stretch, other, rng):
    """Yield every way to edit a stretch, by name."""
    yield "unchanged", stretch
    for name in SOUND_EDITS:
        if name not in LEFT_OUT:
            yield (
                name,
                edit_sound(name, stretch, SAMPLE_RATE, strength=STRENGTH, rng=rng, other=other),
            )
    for factor in SPEEDS:
        yield f"speed {factor:g}", played(stretch, factor)
    for factor in SPEEDS:
        yield f"tempo {factor:g}", change_tempo(stretch, factor, SAMPLE_RATE)
    for tones in SEMITONES:
        factor = 2 ** (tones / 12)
        yield f"pitch {tones:+d}", played(change_tempo(stretch, 1 / factor, SAMPLE_RATE), factor)


def write(path, samples):
    """Write samples as 16-bit WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def log_mel(samples):
    """Return unit rows of logarithmic power in bands, the mean of each taken out."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::STEP] * np.hanning(FRAME)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = np.geomspace(8, power.shape[1] - 1, BANDS + 1).astype(int)
    levels = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-6)
    levels -= levels.mean(axis=0)
    return levels / np.maximum(np.linalg.norm(levels, axis=1, keepdims=True), 1e-9)


def chromaprint(path):
    """Return chromaprint's 32 bits as rows of -1 and 1."""
    told = subprocess.run(
        ["fpcalc", "-raw", "-length", "0", str(path)], capture_output=True, text=True, check=False
    ).stdout
    numbers = told.partition("FINGERPRINT=")[2].split(",")
    codes = np.array([int(n) for n in numbers if n.strip()], np.int64).astype(np.uint32)
    bits = (codes[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    return (2.0 * bits - 1) / np.sqrt(32)


def along_diagonals(query, reference):
    """Return the best mean along a diagonal that half of the query lies on."""
    values = query @ reference.T
    rows, columns = values.shape
    sums, counts = np.zeros(rows + columns), np.zeros(rows + columns)
    for row in range(rows):
        sums[rows - row :][:columns] += values[row]
        counts[rows - row :][:columns] += 1
    return float((sums / np.maximum(counts, 1))[counts >= max(1, rows // 2)].max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sounds", nargs="+", type=Path)
    parser.add_argument("--queries", type=int, default=24)
    parser.add_argument("--references", type=int, default=48, help="at most")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    sounds = []
    for path in find_media(options.sounds):
        runs = get_decoder().read(path, Sampling(picture=False))
        samples = np.concatenate([run.samples for run in runs if isinstance(run, Samples)])
        if len(samples) > 2 * STRETCH * SAMPLE_RATE:
            sounds.append(samples[: round(REFERENCE * SAMPLE_RATE)])
    sounds = [sounds[k] for k in rng.permutation(len(sounds))[: options.references]]
    engine = Engine(streams=["audio"], threshold="balanced", cache=None, isolation="none")
    kinds = {"vcd's rows": lambda path, _: described(path).tracks["audio"].unit_vectors()}
    kinds["log-mel"] = lambda _, samples: log_mel(samples)
    if shutil.which("fpcalc"):
        kinds["chromaprint"] = lambda path, _: chromaprint(path)
    with tempfile.TemporaryDirectory() as folder:
        number = 0

        def described(path):
            return engine.describe(path)

        def rows_of(samples):
            nonlocal number
            number += 1
            path = Path(folder) / f"{number}.wav"
            write(path, samples)
            rows = {kind: make(path, samples) for kind, make in kinds.items()}
            return engine.prepare(described(path)), rows

        listed = [rows_of(samples) for samples in sounds]
        found: dict[str, list[list[bool]]] = {}
        for own in rng.choice(len(sounds), min(options.queries, len(sounds)), replace=False):
            first = int(rng.integers(len(sounds[own]) - round(STRETCH * SAMPLE_RATE)))
            stretch = sounds[own][first : first + round(STRETCH * SAMPLE_RATE)]
            other = sounds[own - 1][: len(stretch)]
            for name, samples in versions(stretch, other, rng):
                query, rows = rows_of(samples)
                match = engine.compare(query, listed[own][0])
                start = first / SAMPLE_RATE
                at = [
                    segment.ref_start < start + STRETCH and segment.ref_end > start
                    for segment in (match.segments if match else ())
                ]
                best = [
                    int(np.argmax([along_diagonals(rows[kind], r[kind]) for _, r in listed])) == own
                    for kind in kinds
                ]
                found.setdefault(name, []).append([any(at), *best])
    print(f"{len(sounds)} references, {len(found['unchanged'])} stretches of {STRETCH:g} s")
    print(f"{'':12}" + "".join(f"{name:>14}" for name in ("vcd", *kinds)))
    for name, rows in found.items():
        print(f"{name:12}" + "".join(f"{share:14.2f}" for share in np.mean(rows, axis=0)))


if __name__ == "__main__":
    main()
