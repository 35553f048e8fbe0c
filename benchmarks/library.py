"""A large library: what a query costs, what the index misses, and how large it is.

    python benchmarks/library.py FOLDER --haystack HAYSTACK

Puts the references of a haystack and many made videos into FOLDER/scale.vcdlib (kept for the next
run), and prints ratios: bytes of the index to those of the int8 vectors, true pairs found through
the index to those found by comparing, and CPU seconds a query of 60 frames; first of all, the
library's own share of the CPU of adding some files, which are decoded and described. The made
videos are shots of mixed background descriptors of the models, with noise, 50 s each.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import numpy as np

from vcd.collection import add_files
from vcd.descriptors import load_background
from vcd.descriptors.faster import FASTER_VIEW, SPEED_UP
from vcd.engine import Engine
from vcd.errors import PathLike
from vcd.gallery import Gallery
from vcd.library import Library, LibrarySearch
from vcd.records import FULL_VIEW, FloatArray, Track, VideoDescriptor
from vcd.sources import Source, resolve

ADDED = 8  # files of which the share of the library is measured
FRAMES, WINDOWS = 100, 200  # of a made video: 50 s
SHOT = {"visual": (6, 0.4), "audio": (2, 1.2)}  # positions, and how far they wander


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--haystack", type=Path, required=True)
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--adding", action="store_true", help="only the share of adding")
    given = parser.parse_args()
    adding(given.haystack / "refs")
    if given.adding:
        return
    engine = Engine(cache=given.cache, threshold=0.5)
    with Library(given.folder / "scale.vcdlib") as library:
        fill(engine, library, given.haystack / "refs", given.videos)
        started = time.process_time()
        search = LibrarySearch(library)
        streams, _ = search.refresh()
        print(f"index opened in {time.process_time() - started:.2f} CPU s")
        sizes(library, search)
        for stream, part in streams.items():
            print(f"{stream}: {len(part):,} positions, {part.kept.name}, {len(part.fresh):,} fresh")
        queries = list(engine.prepare_all(resolve(given.haystack / "queries", print)))
        recall(engine, library, queries, given.haystack)
        cost(engine, library, queries)


class Described(Engine):
    """An engine that has described its files already."""

    videos: ClassVar[dict[Path, VideoDescriptor]] = {}

    def describe(
        self, path: PathLike, *, video_id: str | None = None, cached: bool = True
    ) -> VideoDescriptor:
        """Return what is there."""
        return self.videos[Path(os.fsdecode(path))]


def adding(references: Path) -> None:
    """Print the share of the library itself in adding files."""
    files = [source.path for source in resolve(references, print) if source.path][:ADDED]
    engine = Described()
    started = time.process_time()
    for path in files:
        engine.videos[path] = Engine.describe(engine, path)
    describing = time.process_time() - started
    with TemporaryDirectory() as folder, Library(Path(folder, "a.vcdlib")) as library:
        started = time.process_time()
        add_files(engine, library, files, on_error=print)
        own = time.process_time() - started
    print(
        f"adding {len(files)} files: the library's own share of {describing + own:.1f} CPU s is "
        f"{own / (describing + own):.1%}"
    )


def fill(engine: Engine, library: Library, references: Path, videos: int) -> None:
    """Bring the library to the wanted size, and its index up to date."""
    add_files(engine, library, references, on_error=print)
    there = set(library.video_ids())
    for number in range(videos):
        name = f"made-{number:06d}"
        if name not in there:
            library.add(make_video(name, engine, np.random.default_rng(number)))


def make_video(video_id: str, engine: Engine, chance: np.random.Generator) -> VideoDescriptor:
    """Return a video of shots, each near to some background descriptors."""
    tracks = []
    views = (("visual", FULL_VIEW), ("audio", FULL_VIEW), ("audio", FASTER_VIEW))
    for stream, view in views:
        count, step = (FRAMES, 0.5) if stream == "visual" else (WINDOWS, 0.25)
        info = engine.models[stream]  # type: ignore[index]
        starts = step * np.arange(count)
        if view == FASTER_VIEW:
            starts = starts[: round(count / SPEED_UP)]
        track = Track(
            stream=stream,  # type: ignore[arg-type]
            model=info.id,
            times=np.stack([starts, starts + step], axis=1),
            vectors=shots(load_background(info), len(starts), *SHOT[stream], chance),
            weight=np.ones(len(starts), np.float32),
            view=view,
        )
        tracks.append(track.quantised())
    return VideoDescriptor(video_id, FRAMES * 0.5, {track.key: track for track in tracks})


def shots(
    background: FloatArray | None,
    count: int,
    length: int,
    wander: float,
    chance: np.random.Generator,
) -> FloatArray:
    """Return unit vectors of shots of about `length` positions."""
    assert background is not None
    k, d = background.shape
    m = count // length
    mixed = chance.dirichlet([0.3] * 4, m).astype(np.float32)
    centres = unit(np.einsum("mk,mkd->md", mixed, background[chance.integers(0, k, (m, 4))]))
    centres = unit(centres + 0.5 / d**0.5 * chance.standard_normal((m, d), np.float32))
    shot = np.sort(chance.integers(0, m, count))
    return unit(centres[shot] + wander / d**0.5 * chance.standard_normal((count, d), np.float32))


def unit(rows: FloatArray) -> FloatArray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)  # type: ignore[no-any-return]


def sizes(library: Library, search: LibrarySearch) -> None:
    """Print what the index takes beside the int8 vectors in it."""
    streams, _ = search.refresh()
    vectors = sum(
        len(streams[stream].kept) * dimensions
        for stream, (_, dimensions) in library.models().items()
    )
    index = sum(p.stat().st_size for p in search.folder.iterdir()) if search.folder.exists() else 0
    print(
        f"int8 vectors {vectors / 1e6:.0f} MB, index {index / 1e6:.0f} MB: "
        f"{index / max(vectors, 1):.2f} times; store {library.path.stat().st_size / 1e6:.0f} MB"
    )


def recall(engine: Engine, library: Library, queries: list, haystack: Path) -> None:  # type: ignore[type-arg]
    """Print how many true pairs that comparing finds are found through the index, too."""
    with (haystack / "groundtruth.csv").open() as file:
        pairs = sorted({(row["query_id"], row["ref_id"]) for row in csv.DictReader(file)})
    by_id = {source.video_id: (source, query) for source, query in queries}
    gallery = Gallery([], [library])
    asked = [by_id[query_id][0] for query_id in sorted({query_id for query_id, _ in pairs})]
    through = {
        (finding.source.video_id, match.ref_id): match.score
        for finding in engine.search(asked, gallery)
        for match in finding.matches
    }
    exact = {}
    for query_id, ref_id in pairs:
        match = engine.compare(by_id[query_id][1], engine.prepare(library.get(ref_id)))
        exact[query_id, ref_id] = 0.0 if match is None else match.score
    for least in (0.9, 0.5):
        wanted = [pair for pair in pairs if exact[pair] >= least]
        found = [pair for pair in wanted if through.get(pair, 0) >= least]
        print(
            f"true pairs at {least}: {len(wanted)} by comparing, {len(found)} of them in the "
            f"library ({len(found) / max(len(wanted), 1):.1%})"
        )


def cost(engine: Engine, library: Library, queries: list) -> None:  # type: ignore[type-arg]
    """Print CPU seconds of queries of 60 frames, each joined of queries of the haystack."""
    gallery = Gallery([], [library])
    seconds, searching = [], []
    for first in range(0, 40, 4):
        joined = join([q.descriptor for _, q in queries[first : first + 4]], 30.0)
        source = Source("joined", "joined", descriptor=joined)
        started = time.process_time()
        prepared = engine.prepare(joined)
        gallery.candidates(source, prepared)
        searching.append(time.process_time() - started)
        started = time.process_time()
        list(engine.search([source], gallery))
        seconds.append(time.process_time() - started)
    print(
        f"query of 60 frames and 120 sounds: {np.median(seconds):.2f} CPU s in the median of "
        f"{len(seconds)} ({min(seconds):.2f} to {max(seconds):.2f}), of which search "
        f"{np.median(searching):.2f}"
    )


def join(videos: list[VideoDescriptor], duration: float) -> VideoDescriptor:
    """Return the beginning of several videos played one after the other."""
    tracks = {}
    for key in sorted({key for video in videos for key in video.tracks}):
        parts, begins = [], 0.0
        for video in videos:
            if key in video.tracks:
                track = video.tracks[key]
                parts.append(replace(track, times=track.times + begins))
            begins += video.duration
        times = np.concatenate([part.times for part in parts])
        kept = times[:, 0] < duration
        tracks[key] = replace(
            parts[0],
            times=times[kept],
            vectors=np.concatenate([part.vectors for part in parts])[kept],
            weight=np.concatenate([part.weight for part in parts])[kept],
        )
    return VideoDescriptor("joined", duration, tracks)


if __name__ == "__main__":
    main()
