"""Fits the calibration of each pass on made copies: confidence of a segment to its probability.

Videos are made from photographs under a moving camera and from stretches of sound; queries hold
edited pieces of some of them between foreign material. Segments found between all queries and all
references are labelled by overlap with the truth, and Platt's two numbers are fitted for picture,
sound, both fused, and single frames taken as still pictures. Most pairs share nothing, as in use:
the assumed odds of a pair are those of the set. The photographs are those kept from training; the
stretches of sound lie behind those that `first_audio` learnt from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vcd.descriptors import DescriptorModel, load_manifest
from vcd.descriptors.audio import AudioTrackBuilder
from vcd.descriptors.manifest import FILE_NAME
from vcd.descriptors.visual import VisualTrackBuilder
from vcd.detection import STILL
from vcd.encoding import write_whole
from vcd.engine import Engine
from vcd.errors import MediaError, ModelError
from vcd.media import SAMPLE_RATE, Frame, Samples
from vcd.records import Segment, VideoDescriptor
from vcd.training.first_audio import FROM_EACH, Sound, edit, read_sounds
from vcd.training.visual.pictures import load_photographs

SIZE = 160  # pixels a side, of frames
Picture = npt.NDArray[np.uint8]

RATE = 2.0  # frames a second
REFERENCES = 40
QUERIES = 120
SECONDS = 24  # of a reference
LONGEST = 28 * SAMPLE_RATE  # samples, of a query
OWN = 0.65  # of all material, for references; queries are filled up from the rest
SAME = 0.4
"""A found segment is right when sqrt(overlap / enclosing box) with a true one exceeds this."""


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """A made video: frames at `RATE`, and sound at 16 kHz of the same length."""

    frames: list[Picture]
    sound: Sound


def make_film(photos: Iterator[Picture], sound: Sound, rng: np.random.Generator) -> Film:
    """Return shots of 3 to 8 seconds, each a window that moves over one photograph."""
    frames: list[Picture] = []
    total = int(len(sound) / SAMPLE_RATE * RATE)
    while len(frames) < total:
        photo = next(photos)
        length = int(rng.uniform(3, 8) * RATE)
        ends = rng.uniform(0, 1, (2, 2))
        sides = rng.uniform(0.5, 0.8, 2)
        for k in range(length):
            share = k / max(length - 1, 1)
            side = int(SIZE * (sides[0] * (1 - share) + sides[1] * share))
            y, x = ((SIZE - side) * (ends[0] * (1 - share) + ends[1] * share)).astype(int)
            frames.append(scaled(photo[y : y + side, x : x + side]))
    return Film(frames[:total], sound)


def scaled(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a picture at the model's size, by the nearest pixel."""
    rows = np.arange(SIZE) * len(picture) // SIZE
    columns = np.arange(SIZE) * picture.shape[1] // SIZE
    return np.ascontiguousarray(picture[rows][:, columns])


def edit_frames(frames: Sequence[Picture], rng: np.random.Generator) -> list[Picture]:
    """Return frames after the same one to three edits each."""
    kinds = rng.choice(8, size=rng.integers(1, 4), replace=False)
    cut = int(SIZE * rng.uniform(0.05, 0.2))
    gain, lift = rng.uniform(0.6, 1.4), rng.uniform(-40, 40)
    block = int(rng.integers(2, 5))
    corner = rng.integers(0, SIZE // 2, 2)
    patch = rng.integers(0, 256, (SIZE // 3, SIZE // 2, 3))
    out = []
    for picture in frames:
        x: npt.NDArray[Any] = picture.astype(np.float32)
        for kind in kinds:
            if kind == 0:
                x = scaled(x[cut:-cut, cut:-cut])
            elif kind == 1:
                x = x * gain + lift
            elif kind == 2:
                x = np.repeat(x.mean(axis=2, keepdims=True), 3, axis=2)
            elif kind == 3:
                x = x[::block, ::block].repeat(block, axis=0).repeat(block, axis=1)[:SIZE, :SIZE]
            elif kind == 4:
                x = x + rng.normal(0, 20, x.shape)
            elif kind == 5:
                x = x[:, ::-1]
            elif kind == 6:
                y0, x0 = corner
                x[y0 : y0 + patch.shape[0], x0 : x0 + patch.shape[1]] = patch[
                    : SIZE - y0, : SIZE - x0
                ]
            else:
                x = x[..., [2, 0, 1]]
        out.append(np.clip(x, 0, 255).astype(np.uint8))
    return out


class Maker:
    """Draws films and queries, and describes them with the default models."""

    def __init__(self, photos: Sequence[Picture], sounds: Sequence[Sound], folder: Path) -> None:
        self.rng = np.random.default_rng(1)
        photos = [scaled(photos[k]) for k in self.rng.permutation(len(photos))]
        sounds = [sounds[k] for k in self.rng.permutation(len(sounds))]
        cut = [int(len(pieces) * OWN) for pieces in (photos, sounds)]
        if not photos[cut[0] :] or not any(len(s) > LONGEST for s in sounds[cut[1] :]):
            raise _too_little()
        # Two references that shared a piece would make true copies look like false alarms.
        self.own = iter(photos[: cut[0]]), iter(sounds[: cut[1]])
        self.foreign = cycle(photos[cut[0] :]), cycle(sounds[cut[1] :])
        manifest = load_manifest(folder)
        self.visual = DescriptorModel(manifest.default("visual"), threads=2)
        self.audio = DescriptorModel(manifest.default("audio"), threads=2)

    def film(self, seconds: float, *, foreign: bool) -> Film:
        """Return a film from material of references, each piece used once, or from the rest."""
        photos, sounds = self.foreign if foreign else self.own
        length = int(seconds * SAMPLE_RATE)
        try:
            sound = next(s for s in sounds if len(s) > length)
            start = self.rng.integers(len(sound) - length)
            return make_film(photos, sound[start : start + length], self.rng)
        except StopIteration:
            raise _too_little() from None

    def query(self, references: Sequence[Film]) -> tuple[Film, list[tuple[int, Segment]]]:
        """Return a query and its truth: the number of a reference and the segment, or nothing."""
        rng = self.rng
        host = self.film(float(rng.integers(12, 28)), foreign=True)
        if rng.random() < 0.5:
            return host, []
        number = int(rng.integers(len(references)))
        length = int(rng.integers(4, 11))
        room = len(host.frames) / RATE - length
        start = int(rng.integers(0, int(room) + 1))
        ref_start = int(rng.integers(0, SECONDS - length))
        seen, heard = ((True, True), (True, False), (False, True))[
            rng.choice(3, p=[0.5, 0.25, 0.25])
        ]
        frames, sound = list(host.frames), host.sound.copy()
        if seen:
            piece = references[number].frames[
                int(ref_start * RATE) : int((ref_start + length) * RATE)
            ]
            frames[int(start * RATE) : int((start + length) * RATE)] = edit_frames(piece, rng)
        if heard:
            samples = slice(start * SAMPLE_RATE, (start + length) * SAMPLE_RATE)
            own = slice(ref_start * SAMPLE_RATE, (ref_start + length) * SAMPLE_RATE)
            other = sound[None, samples].copy()
            sound[samples] = edit(references[number].sound[None, own], other, rng)[0]
        streams = frozenset(s for s, is_in in (("visual", seen), ("audio", heard)) if is_in)
        truth = Segment(start, start + length, ref_start, ref_start + length, 1.0, streams)  # type: ignore[arg-type]
        return Film(frames, np.clip(sound, -1, 1)), [(number, truth)]

    def describe(self, name: str, film: Film) -> VideoDescriptor:
        """Return the descriptor of a film."""
        seen, heard = VisualTrackBuilder(self.visual), AudioTrackBuilder(self.audio)
        for k, picture in enumerate(film.frames):
            seen.add(Frame(k / RATE, (k + 1) / RATE, (k + 0.5) / RATE, picture))
        heard.add(Samples(0.0, film.sound.astype(np.float32)))
        tracks = {t.key: t.quantised() for t in (seen.finish(), heard.finish())}
        return VideoDescriptor(name, len(film.sound) / SAMPLE_RATE, tracks)


def _too_little() -> MediaError:
    return MediaError(
        f"too little material for {REFERENCES} references and {QUERIES} queries",
        remedy="give some hundred photographs, and some hundred sounds of over half a minute",
    )


def is_right(found: Segment, truth: Segment) -> bool:
    """Whether a found segment is a true one, by overlap of the boxes."""
    shared = enclosing = 1.0
    for a, b in (("query_start", "query_end"), ("ref_start", "ref_end")):
        low, high = (getattr(found, a), getattr(truth, a)), (getattr(found, b), getattr(truth, b))
        shared *= max(0.0, min(high) - max(low))
        enclosing *= max(high) - min(low)
    return bool(np.sqrt(shared / enclosing) > SAME)


def fit(confidence: npt.ArrayLike, right: npt.ArrayLike) -> dict[str, float]:
    """Return Platt's slope and intercept, drawn mildly towards no change (slope 1, intercept 0).

    Newton's method with halved steps; targets smoothed as Platt does. The pull (a normal prior of
    deviation 1) matters only where confidence separates right from wrong almost wholly.
    """
    p = np.clip(np.asarray(confidence, np.float64), 1e-9, 1 - 1e-9)
    y = np.asarray(right, np.float64)
    x = np.stack([np.log(p / (1 - p)), np.ones(len(p))], axis=1)
    target = np.where(y > 0, (y.sum() + 1) / (y.sum() + 2), 1 / ((1 - y).sum() + 2))
    start = np.array([1.0, 0.0])

    def loss(theta: npt.NDArray[np.float64]) -> float:
        z = x @ theta
        pull = ((theta - start) ** 2).sum() / 2
        return float((np.logaddexp(0, z) - target * z).sum() + pull)

    theta = start
    for _ in range(100):
        q = 1 / (1 + np.exp(-np.clip(x @ theta, -500, 500)))
        gradient = x.T @ (q - target) + theta - start
        step = np.linalg.solve((x * (q * (1 - q))[:, None]).T @ x + np.eye(2), gradient)
        while loss(theta - step) > loss(theta) and np.abs(step).max() > 1e-9:
            step = step / 2
        theta = theta - step
        if np.abs(step).max() <= 1e-9:
            break
    return {"slope": round(float(theta[0]), 4), "intercept": round(float(theta[1]), 4)}


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was found in the made set: confidence and rightness of every segment, by pass."""

    segments: dict[str, list[tuple[float, bool]]]
    true_pairs: int
    pairs: int


def calibrate(photographs: Sequence[Path], sounds: Path, folder: Path) -> Found:
    """Make the set, find segments, fit, and enter the numbers in the manifest of a models folder.

    Parameters
    ----------
    photographs : sequence of Path
        Archives and folders; those that are kept from training are used.
    sounds : Path
        Folder of sound files.
    folder : Path
        Models folder, whose default models are calibrated.

    Raises
    ------
    MediaError
        There is too little material, or a file cannot be read.
    ModelError
        There are no such models, or they find nothing.
    """
    photos = list(load_photographs(photographs, reserve=True))
    maker = Maker(photos, read_sounds(sounds, start=FROM_EACH + 5), folder)
    films = [maker.film(SECONDS, foreign=False) for _ in range(REFERENCES)]
    engine = Engine(models=folder)
    references = [engine.prepare(maker.describe(f"R{i}", f)) for i, f in enumerate(films)]
    found: dict[str, list[tuple[float, bool]]] = {}
    true_pairs = 0
    for number in range(QUERIES):
        film, truth = maker.query(films)
        true_pairs += len(truth)
        query = maker.describe(f"Q{number}", film)
        for asked in (query, still_of(query, maker.rng)):
            prepared = engine.prepare(asked)
            for index, reference in enumerate(references):
                right = [segment for i, segment in truth if i == index]
                passes = engine.passes(engine.matrices(prepared, reference))
                for name, segments in passes.items():
                    found.setdefault(name, []).extend(judged(name, segments, asked, right))
    if {"visual", "audio", "fused", STILL} - found.keys():
        raise ModelError(
            "the default models find no copy in the made set, so there is nothing to fit",
            file=folder,
            remedy="vcd models verify tells whether they are whole",
        )
    write(
        folder / FILE_NAME,
        {name: fit(*zip(*pairs, strict=True)) for name, pairs in found.items()},
    )
    return Found(found, true_pairs, QUERIES * REFERENCES)


def still_of(video: VideoDescriptor, rng: np.random.Generator) -> VideoDescriptor:
    """Return one moment of a video's picture as if it were a still picture, its times kept."""
    track = video.tracks["visual"]
    k = int(rng.integers(len(track)))
    one = slice(k, k + 1)
    moment = replace(
        track, times=track.times[one], vectors=track.vectors[one], weight=track.weight[one]
    )
    return VideoDescriptor(f"{video.video_id}-still", video.duration, {track.key: moment})


def judged(
    name: str, found: Sequence[Segment], query: VideoDescriptor, truth: Sequence[Segment]
) -> list[tuple[float, bool]]:
    """Return the confidence of every segment found in a pass, and whether it is right."""
    if name == STILL:
        [moment] = query.tracks["visual"].times.mean(axis=1)
        shown = [_shown_at(t, moment) for t in truth if "visual" in t.streams]
        return [
            (
                s.score,
                any(at is not None and s.ref_start - 1 <= at <= s.ref_end + 1 for at in shown),
            )
            for s in found
        ]
    true = [t for t in truth if name == "fused" or name in t.streams]
    return [(s.score, any(is_right(s, t) for t in true)) for s in found]


def _shown_at(truth: Segment, moment: float) -> float | None:
    if not truth.query_start <= moment < truth.query_end:
        return None
    return truth.ref_start + moment - truth.query_start


def write(path: Path, fitted: dict[str, dict[str, float]]) -> None:
    """Enter the numbers in the manifest."""
    manifest = json.loads(path.read_text("utf-8"))
    defaults = manifest["defaults"]
    for entry in manifest["models"]:
        if entry["id"] in defaults.values():
            entry["calibration"] = dict(fitted[entry["stream"]])
            if entry["stream"] == "visual":
                entry["calibration"][STILL] = fitted[STILL]
    pair = f"{defaults['visual']}+{defaults['audio']}"
    manifest["fusion"] = manifest.get("fusion", {}) | {pair: fitted["fused"]}
    write_whole(path, (json.dumps(manifest, indent=2) + "\n").encode())
