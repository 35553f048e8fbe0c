"""The material of a made haystack: clips, planned from videos, photographs and sound files.

A clip is a video of its own: a user's video (its beginning, where it is long), a film of
photographs under a moving camera with cuts, or, where the sources do not suffice, a wholly made
film. No part of a photograph and no sound file is used in two clips, so no copy goes unnoticed in
the truth.
Clips become references, or stay foreign: what surrounds copies, and what distractors are made of.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import islice
from math import ceil, floor
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from vcd.errors import ContractError, MediaError, VcdError
from vcd.media import SAMPLE_RATE, MediaInfo, Sampling, get_decoder
from vcd.media import Frame as SampledFrame
from vcd_eval.making.camera import Shot
from vcd_eval.making.films import make_film
from vcd_eval.making.picture_edits import Frame, fit
from vcd_eval.making.recipe import Recipe
from vcd_eval.making.scenes import SCENES
from vcd_eval.making.sounds import MUSIC, make_sound
from vcd_eval.making.sounds import SAMPLE_RATE as MADE_SAMPLE_RATE

__all__ = [
    "FOREIGN",
    "REFERENCES",
    "Clip",
    "Footage",
    "PhotoShot",
    "SoundSource",
    "clip_frames",
    "clip_sound",
    "digest_of",
    "plan_clips",
    "probe_sources",
    "read_sound",
]

Samples = npt.NDArray[np.float32]

REFERENCES, FOREIGN = "refs", "foreign"
"""The folders of clips."""

_FPS = (5.0, 30.0)  # of a user's video, frames a second; what lies outside is brought inside
_FEWEST_FOREIGN = 2  # clips; made films fill up
_WINDOW = (0.7, 1.0)  # widths of the camera's window, as shares of the widest
_STILL_SHARE = 0.85  # of a photograph's pixels a frame shows one to one
_SMALLEST_SIDE = 32  # px
_WHOLE, _LEFT, _RIGHT = (0.0, 1.0), (0.0, 0.5), (0.5, 1.0)  # parts of a photograph's width
_MADE = "made:"  # before the kind of a made sound


@dataclass(frozen=True, slots=True)
class PhotoShot:
    """A shot over a photograph: the camera's window at both ends as in `camera.Shot`."""

    photo: str
    frames: int
    start: tuple[float, float, float]
    end: tuple[float, float, float]
    still: tuple[int, int]  # width, height of the photograph as it is used, px


@dataclass(frozen=True, slots=True)
class SoundSource:
    """Sound from a file from `start` seconds on, or made: ``"made:organ"``."""

    name: str
    start: float = 0.0


@dataclass(frozen=True, slots=True)
class Clip:
    """The plan of a clip; one of `video`, `shots` and `scenes` says where the picture is from.

    Parameters
    ----------
    name : str
        File name without its ending.
    folder : {"refs", "foreign"}
    size : (int, int)
        Width and height in pixels, both even.
    fps : float
        Frames a second.
    frames : int
        How many at most; a user's video may hold fewer than it says.
    sound : SoundSource or None
        None: the clip has no sound.
    seed : int
        Of what is made.
    stamps : tuple of (str, int, int)
        Path, bytes and time of change (ns) of the files it is made of.
    """

    name: str
    folder: str
    size: tuple[int, int]
    fps: float
    frames: int
    video: str = ""
    shots: tuple[PhotoShot, ...] = ()
    scenes: tuple[str, ...] = ()
    sound: SoundSource | None = None
    seed: int = 0
    stamps: tuple[tuple[str, int, int], ...] = ()

    @property
    def path(self) -> str:
        """Place of its file in the haystack."""
        return f"{self.folder}/{self.name}.mp4"

    @property
    def seconds(self) -> float:
        """Length by plan."""
        return self.frames / self.fps

    @property
    def kind(self) -> Literal["video", "photographs", "made"]:
        """What the picture is made of."""
        return "video" if self.video else "photographs" if self.shots else "made"


@dataclass(frozen=True, slots=True)
class Footage:
    """A clip as it was made: what queries are planned with.

    `seen` and `heard` say of each second, the last perhaps not whole, whether there is something to
    see or hear in it.
    """

    name: str
    folder: str
    size: tuple[int, int]
    fps: float
    frames: int
    seen: tuple[bool, ...]
    heard: tuple[bool, ...]
    digest: str

    @property
    def seconds(self) -> float:
        """Length."""
        return self.frames / self.fps

    @property
    def path(self) -> str:
        """Path below the haystack's folder."""
        return f"{self.folder}/{self.name}.mp4"


@dataclass(frozen=True, slots=True)
class _Found:
    path: str
    info: MediaInfo
    stamp: tuple[str, int, int]


def digest_of(plan: object, *further: str) -> str:
    """Return what tells a plan (a dataclass) from any other."""
    text = json.dumps([asdict(plan), *further], sort_keys=True)  # type: ignore[call-overload]
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def probe_sources(paths: Sequence[Path], on_error: Callable[[VcdError], None]) -> list[_Found]:
    """Look at source files; those that cannot be read are told and left out."""
    decoder = get_decoder()
    found = []
    for path in paths:
        try:
            info = decoder.probe(path)
            status = path.stat()
        except MediaError as error:
            on_error(error)
        except OSError as error:
            on_error(MediaError(f"cannot be read: {error.strerror}", file=path))
        else:
            stamp = (str(path), status.st_size, status.st_mtime_ns)
            found.append(_Found(str(path), info, stamp))
    return found


def plan_clips(
    sources: Sequence[_Found],
    recipe: Recipe,
    *,
    seed: int,
    size: tuple[int, int],
    fps: float | None,
    on_error: Callable[[VcdError], None],
) -> list[Clip]:
    """Plan the clips that sources give; the same sources, recipe and seed give the same plan.

    Parameters
    ----------
    sources : sequence
        As `probe_sources` returns them.
    recipe : Recipe
    seed : int
    size : (int, int)
        Width and height of films of photographs; a user's video keeps its aspect within the longer
        side.
    fps : float or None
        Frames a second of all clips; None: the videos' own, 24 for films.
    on_error : callable
        Told of videos that are too short.

    Raises
    ------
    ContractError
        No clip can be made, or no reference is left.
    """
    rng = np.random.default_rng((seed, 0))
    clips = _video_clips(sources, recipe, size, fps, on_error)
    photos = [s for s in sources if s.info.kind == "picture"]
    sounds = [s for s in sources if s.info.kind == "sound"]
    clips += _films(photos, recipe, rng, size, fps or 24.0)
    if not clips and sounds:  # pictures are made for them
        clips = [
            _made_clip(f"film{i + 1:04d}", rng, float(rng.uniform(*recipe.film_seconds)))
            for i in range(len(sounds))
        ]
    if not clips:
        raise ContractError(
            "the sources give no clip",
            remedy="name videos, or photographs (several for one film), and sound files",
        )
    order = [clips[int(i)] for i in rng.permutation(len(clips))]
    aside = round(recipe.foreign * len(order))
    aside = min(max(aside, 1 if len(order) > 2 else 0), len(order) - 1)
    references = sorted(order[aside:], key=lambda clip: clip.name)
    if recipe.references:
        references = references[: recipe.references]
    foreign = order[:aside]
    for i in range(_FEWEST_FOREIGN - len(foreign)):
        foreign.append(_made_clip(f"made{i + 1:04d}", rng, recipe.film_seconds[1]))
    sounds = [sounds[int(i)] for i in rng.permutation(len(sounds))]
    return [
        _with_sound(clip, folder, sounds, rng)
        for folder, group in ((REFERENCES, references), (FOREIGN, foreign))
        for clip in group
    ]


def _video_clips(
    sources: Sequence[_Found],
    recipe: Recipe,
    size: tuple[int, int],
    fps: float | None,
    on_error: Callable[[VcdError], None],
) -> list[Clip]:
    clips = []
    names: set[str] = set()
    shortest = recipe.segment_seconds[0]
    for source in sources:
        info = source.info
        if info.kind != "video":
            continue
        rate = fps or _frame_rate(info.frame_rate)
        frames = floor(min(info.duration, recipe.longest_reference) * rate + 1e-6)
        if frames / rate < shortest:
            on_error(
                MediaError(
                    f"lasts {info.duration:.1f} s, less than a segment",
                    file=source.path,
                    remedy=f"lower segment_seconds of the recipe, which is {shortest:g} s",
                )
            )
            continue
        clips.append(
            Clip(
                name=_file_name(Path(source.path).stem, names),
                folder=REFERENCES,
                size=_even_size(info.width, info.height, max(size)),
                fps=rate,
                frames=frames,
                video=source.path,
                sound=SoundSource(source.path) if info.has_sound else None,
                stamps=(source.stamp,),
            )
        )
    return clips


def _frame_rate(own: float) -> float:
    """Return a rate near a video's own that a container can state exactly."""
    rate = own or 24.0
    while rate > _FPS[1] + 0.01:
        rate /= 2
    return float(Fraction(max(rate, _FPS[0])).limit_denominator(1001))


def _file_name(stem: str, taken: set[str]) -> str:
    """Return a name that any file system and table can hold, unlike those taken; and take it."""
    plain = re.sub(r"[^\w.-]+", "_", stem).strip("._-") or "video"
    name, number = plain, 2
    while name.casefold() in taken:
        name, number = f"{plain}-{number}", number + 1
    taken.add(name.casefold())
    return name


def _even_size(width: int, height: int, longer: int) -> tuple[int, int]:
    scale = min(1.0, longer / max(width, height, 1))
    wide, high = (max(_SMALLEST_SIDE, 2 * round(side * scale / 2)) for side in (width, height))
    return wide, high


def _films(
    photos: Sequence[_Found],
    recipe: Recipe,
    rng: np.random.Generator,
    size: tuple[int, int],
    fps: float,
) -> list[Clip]:
    """Deal photographs out to films; those too few for another film stay unused."""
    count = round(recipe.lookalikes * len(photos))
    halved = {int(i) for i in rng.permutation(len(photos))[:count]} if count else set()
    parts = [
        (photo, part)
        for i, photo in enumerate(photos)
        for part in ((_LEFT, _RIGHT) if i in halved else (_WHOLE,))
    ]
    order = [parts[int(i)] for i in rng.permutation(len(parts))]
    clips: list[Clip] = []
    while order:
        wanted = ceil(float(rng.uniform(*recipe.film_seconds)) * fps)
        shots: list[PhotoShot] = []
        used: list[_Found] = []
        while order and wanted > 0:
            photo, part = order.pop()
            frames = max(1, round(float(rng.uniform(*recipe.shot_seconds)) * fps))
            shots.append(_photo_shot(photo, part, frames, rng, size))
            used.append(photo)
            wanted -= frames
        total = sum(shot.frames for shot in shots)
        if total / fps < min(recipe.film_seconds[0], recipe.segment_seconds[0] + 1) and clips:
            break
        clips.append(
            Clip(
                name=f"film{len(clips) + 1:04d}",
                folder=REFERENCES,
                size=size,
                fps=fps,
                frames=total,
                shots=tuple(shots),
                stamps=tuple(photo.stamp for photo in used),
            )
        )
    return clips


def _photo_shot(
    photo: _Found,
    part: tuple[float, float],
    frames: int,
    rng: np.random.Generator,
    size: tuple[int, int],
) -> PhotoShot:
    """Plan a pan and a zoom that stay inside a part of the photograph, from left to right."""
    width, height = photo.info.width or 1, photo.info.height or 1
    shape = size[0] / size[1]
    room = part[1] - part[0]
    widest = min(room, height / width * shape)  # of the window, so that it is not too high
    wide = ceil(size[0] / (_STILL_SHARE * widest))
    still = wide, max(1, round(wide * height / width))

    def window() -> tuple[float, float, float]:
        share = widest * float(rng.uniform(*_WINDOW))
        tall = min(1.0, share * width / height / shape)
        x = part[0] + share / 2 + float(rng.random()) * (room - share)
        y = tall / 2 + float(rng.random()) * (1 - tall)
        return round(x, 5), round(y, 5), round(share, 5)

    return PhotoShot(photo.path, frames, window(), window(), still)


def _made_clip(name: str, rng: np.random.Generator, seconds: float) -> Clip:
    scenes = tuple(str(s) for s in rng.choice(sorted(SCENES), max(1, round(seconds / 8))))
    return Clip(
        name=name,
        folder=FOREIGN,
        size=(320, 180),  # what scenes are drawn for
        fps=24.0,
        frames=round(seconds * 24),
        scenes=scenes,
        seed=int(rng.integers(2**31)),
    )


def _with_sound(clip: Clip, folder: str, sounds: list[_Found], rng: np.random.Generator) -> Clip:
    """Put a clip into a folder; a film gets the next sound file, or made sound for want of one."""
    sound, stamps, seed = clip.sound, clip.stamps, clip.seed
    if clip.kind != "video":
        if sounds:
            source = sounds.pop()
            room = max(0.0, source.info.duration - clip.seconds)
            sound = SoundSource(source.path, round(float(rng.uniform(0, min(room, 60.0))), 2))
            stamps = (*stamps, source.stamp)
        else:
            sound = SoundSource(_MADE + str(rng.choice([*MUSIC, "speech"])))
            seed = seed or int(rng.integers(2**31))
    values = {name: getattr(clip, name) for name in Clip.__slots__}
    return Clip(**values | {"folder": folder, "sound": sound, "stamps": stamps, "seed": seed})


# -- pictures and sound of a clip, as it is made --------------------------------------------


def clip_frames(clip: Clip) -> Iterator[Frame]:
    """Yield the frames of a clip, shape (height, width, 3), one every ``1 / fps`` seconds."""
    if clip.video:
        yield from islice(_video_frames(clip), clip.frames)
    elif clip.shots:
        for shot in clip.shots:
            yield from _shot_frames(shot, clip)
    else:
        rng = np.random.default_rng(clip.seed)
        film = make_film(clip.name, clip.scenes, "organ", clip.seconds, rng)
        size = clip.size[1], clip.size[0]
        for k in range(clip.frames):
            yield fit(film.frame(k / clip.fps), size)


def _video_frames(clip: Clip) -> Iterator[Frame]:
    sampling = Sampling(clip.fps, clip.size, sound=False, exact=True)
    written = 0
    for part in get_decoder().read(clip.video, sampling):
        if isinstance(part, SampledFrame):
            # A picture that begins late, or pauses, stands still meanwhile.
            place = round(part.start * clip.fps)
            while written <= place:
                yield part.pixels
                written += 1


def _shot_frames(shot: PhotoShot, clip: Clip) -> Iterator[Frame]:
    photo = next(
        part.pixels
        for part in get_decoder().read(shot.photo, Sampling(1.0, shot.still, sound=False))
        if isinstance(part, SampledFrame)
    )
    packed = np.zeros((*photo.shape[:2], 4), np.uint8)
    packed[:, :, :3] = photo
    still = packed.view(np.uint32)[:, :, 0]
    seconds = shot.frames / clip.fps
    moving = Shot(still, shot.start, shot.end, seconds, size=(clip.size[1], clip.size[0]))
    for k in range(shot.frames):
        yield moving.frame(k / clip.fps)


def clip_sound(clip: Clip) -> Samples | None:
    """Return the sound of a clip, mono at `SAMPLE_RATE`, or None where it has none."""
    if clip.sound is None:
        return None
    if clip.sound.name.startswith(_MADE):
        rng = np.random.default_rng((clip.seed, 1))
        made = make_sound(clip.sound.name.removeprefix(_MADE), rng, clip.seconds)
        at = np.arange(round(clip.seconds * SAMPLE_RATE)) * (MADE_SAMPLE_RATE / SAMPLE_RATE)
        return np.asarray(np.interp(at, np.arange(len(made)), made), np.float32)
    return read_sound(clip.sound.name, clip.sound.start, clip.seconds)


def read_sound(path: str | Path, start: float, seconds: float) -> Samples:
    """Return a stretch of a file's sound, mono at `SAMPLE_RATE`; silence where it has none.

    Raises
    ------
    MediaError
        The file cannot be read.
    """
    first = round(start * SAMPLE_RATE)
    result = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    for run in get_decoder().read(path, Sampling(picture=False)):
        if isinstance(run, SampledFrame):
            continue
        at = round(run.start * SAMPLE_RATE) - first
        if at >= len(result):
            break
        begin, end = max(at, 0), min(at + len(run.samples), len(result))
        if end > begin:
            result[begin:end] = run.samples[begin - at : end - at]
    return result
