"""The media of `vcd demo`: four made references, seven queries, and the exact truth about them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vcd.errors import OutputError
from vcd_eval.formats import Labels, SegmentTable, write_labels, write_segments
from vcd_eval.making.camera import Frame
from vcd_eval.making.editing import caption, change_tempo, crop, inset
from vcd_eval.making.films import FPS, Film, make_film
from vcd_eval.making.recording import write_video
from vcd_eval.making.sounds import SAMPLE_RATE

__all__ = ["DemoSet", "make_demo"]

Progress = Callable[[int, int, str], None]
Films = dict[str, Film]

_ENDING = ".mp4"

# name: scenes, sound, seconds
_REFERENCES = {
    "mountains": (("ridges", "terrain", "forest", "ridges", "forest"), "plucked", 15.0),
    "city": (("skyline", "neon", "crossing", "facade", "skyline"), "groove", 16.0),
    "reef": (("reef", "deep", "pebbles", "reef"), "pads", 13.6),
    "newsroom": (("presenter", "chart", "weather", "card", "presenter"), "speech", 16.4),
}
_OTHERS = {
    "space": (("planet", "craters", "galaxy", "planet", "craters", "galaxy"), "organ", 18.0),
    "toys": (("blocks", "spheres", "quilt", "spheres"), "march", 12.0),
    "garden": (("flowers", "orchard", "flowers", "orchard"), "bells", 12.0),
}


@dataclass(frozen=True, slots=True)
class DemoSet:
    """Where the files of a demo lie."""

    folder: Path
    references: tuple[Path, ...]
    queries: tuple[Path, ...]
    groundtruth: Path
    labels: Path


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of a query: a picture from one film and a sound from a film, perhaps another.

    `start` and `sound_start` are seconds in the films, `seconds` is the length in the query, and
    `look` edits a frame, given its time in the part and all films.
    """

    picture: str
    start: float
    seconds: float
    sound: str = ""
    sound_start: float = 0.0
    speed: float = 1.0
    edits: tuple[str, ...] = ()
    look: Callable[[Frame, float, Films], Frame] | None = None

    def heard(self) -> tuple[str, float]:
        """Return the film that sounds and where it starts; the one seen, if none is named."""
        return (self.sound, self.sound_start) if self.sound else (self.picture, self.start)


def make_demo(
    folder: str | os.PathLike[str], *, seed: int = 0, progress: Progress | None = None
) -> DemoSet:
    """Write references, queries and truth into a folder.

    Parameters
    ----------
    folder : path-like
        Is made where it is missing; files of the same names are replaced.
    seed : int
        Other seeds give other pictures and sounds; times stay the same.
    progress : callable, optional
        Called as ``progress(done, total, name)`` before each step and at the end.

    Returns
    -------
    DemoSet

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    root = Path(folder)
    try:
        for name in ("refs", "queries"):
            (root / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot be made: {error.strerror}", file=root, remedy="choose another folder"
        ) from error
    queries = {f"queries/{name}{_ENDING}": parts for name, parts in _QUERIES.items()}
    references = {
        f"refs/{name}{_ENDING}": (_Part(name, 0.0, seconds),)
        for name, (_, _, seconds) in _REFERENCES.items()
    }
    files = references | queries
    recipes = _REFERENCES | _OTHERS
    steps = iter(range(len(recipes) + len(files) + 1))

    def tell(name: str) -> None:
        if progress is not None:
            progress(next(steps), len(recipes) + len(files), name)

    films: Films = {}
    for number, (name, (scenes, sound, seconds)) in enumerate(recipes.items()):
        tell(name)
        rng = np.random.default_rng((seed, number))
        films[name] = make_film(name, scenes, sound, seconds, rng)
    for name, parts in files.items():
        tell(name)
        _write_parts(root / name, parts, films)
    labels = _truth()
    write_segments(root / "groundtruth.csv", labels.segments)
    write_labels(root / "labels.csv", labels)
    tell("done")
    return DemoSet(
        folder=root,
        references=tuple(root / name for name in references),
        queries=tuple(root / name for name in queries),
        groundtruth=root / "groundtruth.csv",
        labels=root / "labels.csv",
    )


def _cropped_and_covered(frame: Frame, time: float, films: Films) -> Frame:
    frame = crop(frame, 0.12, 0.08, 0.78)
    frame = inset(frame, films["garden"].frame(time), 0.7, 0.06, 0.26)
    return caption(frame, "WATCH UNTIL THE END!", height=17, y=0.88)


# Times in seconds. One clip goes through each kind of change; "no_copy" holds none.
_QUERIES: dict[str, tuple[_Part, ...]] = {
    "cropped_with_overlay_and_text": (
        _Part("city", 3.0, 9.6, edits=("crop", "pip_over", "text"), look=_cropped_and_covered),
    ),
    "faster": (
        _Part("toys", 0.0, 2.0),
        _Part("mountains", 2.0, 8.0, speed=1.25, edits=("speed",)),
        _Part("toys", 7.0, 2.0),
    ),
    "other_sound": (
        _Part("reef", 1.2, 10.0, sound="garden", sound_start=1.0, edits=("sound_replaced",)),
    ),
    "other_picture": (
        _Part("toys", 1.0, 10.0, sound="newsroom", sound_start=4.0, edits=("picture_replaced",)),
    ),
    "inside_a_longer_video": (
        _Part("space", 0.0, 8.0),
        _Part("newsroom", 4.4, 7.0, edits=("inside",)),
        _Part("space", 9.0, 8.0),
    ),
    "from_two_references": (
        _Part("city", 8.0, 5.6, edits=("joined",)),
        _Part("garden", 3.0, 1.6),
        _Part("mountains", 7.0, 6.0, edits=("joined",)),
    ),
    "no_copy": (_Part("garden", 0.0, 6.0), _Part("space", 3.0, 6.0)),
}


def _write_parts(path: Path, parts: Sequence[_Part], films: Films) -> None:
    sound = np.concatenate([_part_sound(part, films) for part in parts])
    frames = (frame for part in parts for frame in _part_frames(part, films))
    write_video(path, frames, FPS, sound, SAMPLE_RATE)


def _part_frames(part: _Part, films: Films) -> Iterator[Frame]:
    film = films[part.picture]
    for k in range(round(part.seconds * FPS)):
        time = k / FPS
        shown = np.floor((part.start + time * part.speed) * FPS + 1e-6) / FPS  # a frame of the film
        frame = film.frame(float(shown))
        yield frame if part.look is None else part.look(frame, time, films)


def _part_sound(part: _Part, films: Films) -> npt.NDArray[np.float32]:
    name, start = part.heard()
    samples = films[name].sound(start, part.seconds * part.speed)
    return samples if part.speed == 1 else change_tempo(samples, part.speed, SAMPLE_RATE)


def _truth() -> Labels:
    """Return one row for each part that shows or plays a reference."""
    rows = []
    for query, parts in _QUERIES.items():
        at = 0.0
        for part in parts:
            heard, heard_start = part.heard()
            visual, audio = part.picture in _REFERENCES, heard in _REFERENCES
            if visual or audio:
                ref, start = (part.picture, part.start) if visual else (heard, heard_start)
                rows.append((query, ref, at, start, visual, audio, part))
            at += part.seconds
    query_starts, ref_starts = (np.array([row[i] for row in rows]) for i in (2, 3))
    seconds = np.array([row[6].seconds for row in rows])
    speed = np.array([row[6].speed for row in rows])
    return Labels(
        segments=SegmentTable(
            query_ids=[row[0] for row in rows],
            ref_ids=[row[1] for row in rows],
            query_times=np.stack([query_starts, query_starts + seconds], axis=1).round(6),
            ref_times=np.stack([ref_starts, ref_starts + seconds * speed], axis=1).round(6),
        ),
        visual=np.array([row[4] for row in rows]),
        audio=np.array([row[5] for row in rows]),
        edits=[row[6].edits for row in rows],
        speed=speed,
    )
