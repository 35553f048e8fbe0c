"""A coarse first cut: how many true pairs one vector a video keeps, and what that saves.

    python benchmarks/coarse.py HAYSTACK [--run RUN] [--beside FOLDER] [--made 1000]

HAYSTACK is a folder with queries/, refs/ and groundtruth.csv (better labels.csv: pictures are then
asked for what was copied in the picture), RUN what `vcd eval haystack --output` wrote for it.
Vectors that are stored anyhow are pooled over the whole video, over pieces of some seconds, or over
shots, with the weights of the frames; further views of frames are pooled by themselves. The
likeness of two videos is the highest cosine of any two pieces. Beside it stand the votes of single
frames, by which a library chooses what it compares.

Printed is the share of true pairs among the first k references of a query, the cosines that takes
and the bytes it keeps; with a run, then, what is left of its micro-AP where only the first k are
compared (matches of other pairs are taken out: nothing else would change), and where only the best
share of the pairs of all queries is. For picture and sound together a pair is compared that is
among the first k of either. `--beside` puts the videos of other folders among the references, which
must not share anything with the queries; `--made` videos of mixed background descriptors (see
library.py), which are easier to tell apart than real ones.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from library import make_video

from vcd.descriptors import further_tracks, load_background
from vcd.engine import Engine, PreparedVideo
from vcd.library import Candidate, Library, LibrarySearch, is_promising
from vcd.records import FloatArray, Stream, VideoDescriptor
from vcd.similarity import PreparedTrack, prepare
from vcd.sources import resolve
from vcd_eval.formats import SegmentTable, read_predictions
from vcd_eval.haystack import read_haystack
from vcd_eval.measures import segment_uap
from vcd_eval.vsc import pair_ap

FIRST = (1, 2, 4, 8, 16, 32, 64)
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
POWER = 3.0
COMPARED = (
    "votes of frames",
    "best frame",
    *(f"centred mean, {cut}" for cut in ("video", "10 s", "shots")),
)
ALIKE = 0.5  # cosine of neighbouring frames, below which a shot ends
STEP = 0.5  # seconds between the moments of a query that vote

Scores = npt.NDArray[np.float64]
Pool = Callable[[FloatArray, FloatArray], FloatArray]
Cut = Callable[[PreparedTrack], npt.NDArray[np.intp]]


@dataclass(frozen=True)
class Choice:
    """A way to choose what is compared: scores (queries, references), and what they cost."""

    name: str
    scores: Scores
    cosines: float  # of a query
    vectors: float  # of a reference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("haystack", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--made", type=int, default=0)
    parser.add_argument("--beside", type=Path, action="append", default=[])
    given = parser.parse_args()
    haystack = read_haystack(given.haystack)
    engine = Engine(cache=given.cache, threshold=0.0)
    folders = [given.haystack / "refs", *given.beside]
    found = [
        replace(video, video_id=video.video_id if number == 0 else f"{number}/{video.video_id}")
        for number, folder in enumerate(folders)
        for _, video in engine.describe_all(resolve(folder, print), on_error=print)
    ]
    drawn = range(given.made)
    found += [make_video(f"made-{n:06d}", engine, np.random.default_rng(n)) for n in drawn]
    references = bare(engine, found)
    asked = engine.prepare_all(resolve(given.haystack / "queries", print), on_error=print)
    queries = {source.video_id: video for source, video in asked}
    print(f"{len(queries)} queries, {len(references)} references")
    streams: dict[str, dict[str, Choice]] = {}
    for stream, info in engine.models.items():
        print(f"\n{stream}: share of true pairs among the first k references")
        choices = [by_votes(queries, references, stream)]
        if stream == "visual":
            choices.append(
                coarse("best frame", queries, references, stream, cut=frames, pool=first)
            )
        for pool_name, pool in pools(load_background(info)).items():
            for cut_name, cut in CUTS.items():
                name = f"{pool_name}, {cut_name}"
                choices.append(coarse(name, queries, references, stream, cut=cut, pool=pool))
        streams[stream] = {choice.name: choice for choice in choices}
        truth = places(haystack.truth(stream), queries, references)
        print_recall(choices, truth, info.dimensions)
    if given.run is None:
        return
    for name in ("visual", "any"):
        file = given.run / ("matches.csv" if name == "any" else f"matches_{name}.csv")
        told = ["visual"] if name == "visual" else list(streams)
        print(f"\n{file.name}: pair and segment micro-AP of what is left")
        print_left(
            haystack.truth(name),
            read_predictions(file),
            [streams[stream] for stream in told],
            list(queries),
            list(references),
        )
        if name == "any":
            print_library(engine, haystack.truth(name), read_predictions(file), queries, references)


def bare(engine: Engine, videos: Iterable[VideoDescriptor]) -> dict[str, PreparedVideo]:
    """Return references without what only comparing needs: how near the background is."""
    return {
        video.video_id: PreparedVideo(
            video,
            {
                stream: prepare(video.tracks[stream], views=further_tracks(video, stream))
                for stream in engine.streams
                if stream in video.tracks and len(video.tracks[stream])
            },
        )
        for video in videos
    }


# How a video is cut, and how what lies between two cuts becomes one vector ------------------------


def every(seconds: float) -> Cut:
    def cut(track: PreparedTrack) -> npt.NDArray[np.intp]:
        return (track.track.times[:, 0] // seconds).astype(np.intp)

    return cut


def shots(track: PreparedTrack) -> npt.NDArray[np.intp]:
    ends = (track.vectors[1:] * track.vectors[:-1]).sum(axis=1) < ALIKE
    return np.append(0, np.cumsum(ends))[: len(track.vectors)]


def frames(track: PreparedTrack) -> npt.NDArray[np.intp]:
    return np.arange(len(track.vectors))


def first(vectors: FloatArray, weights: FloatArray) -> FloatArray:
    return vectors[0]  # type: ignore[no-any-return]


CUTS: dict[str, Cut] = {
    "video": every(1e9),
    "10 s": every(10),
    "shots": shots,
    "5 s": every(5),
}


def pools(background: FloatArray | None) -> dict[str, Pool]:
    """Return ways to pool the vectors (n, d) of a piece by their weights (n,)."""
    assert background is not None
    middle = background.mean(axis=0)
    values, directions = np.linalg.eigh(np.cov(background.T))
    # As much is added to each variance as it is in the mean, so that faint ones stay faint.
    white = (directions / np.sqrt(values + values.mean())).astype(np.float32)

    def mean(vectors: FloatArray, weights: FloatArray) -> FloatArray:
        return weights @ vectors

    def power(vectors: FloatArray, weights: FloatArray) -> FloatArray:
        raised = weights @ (np.sign(vectors) * np.abs(vectors) ** POWER)
        return np.asarray(np.sign(raised) * np.abs(raised) ** (1 / POWER), np.float32)

    return {
        "mean": mean,
        "power mean": power,
        "centred mean": lambda v, w: mean(v - middle, w),
        "centred power": lambda v, w: power(v - middle, w),
        "whitened mean": lambda v, w: mean((v - middle) @ white, w),
    }


def pieces(track: PreparedTrack, cut: Cut, pool: Pool) -> FloatArray:
    """Return a vector of each piece that has something to tell, and of each view in it."""
    numbers, weight = cut(track), track.track.weight
    speaking = np.flatnonzero(weight > 0)
    found = []
    for rows, vectors in ((speaking, track.vectors[speaking]), *track.views):
        for number in np.unique(numbers[rows]):
            inside = numbers[rows] == number
            found.append(pool(vectors[inside], weight[rows[inside]]))
    pooled = np.array(found, np.float32).reshape(len(found), -1)
    return pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-9)  # type: ignore[no-any-return]


def tracks_of(
    videos: Mapping[str, PreparedVideo], stream: Stream
) -> Iterator[tuple[int, PreparedTrack]]:
    for place, video in enumerate(videos.values()):
        track = video.tracks.get(stream)
        if track is not None and (track.track.weight > 0).any():
            yield place, track


def coarse(
    name: str,
    queries: Mapping[str, PreparedVideo],
    references: Mapping[str, PreparedVideo],
    stream: Stream,
    *,
    cut: Cut,
    pool: Pool,
) -> Choice:
    known = {place: pieces(track, cut, pool) for place, track in tracks_of(references, stream)}
    everything = np.concatenate(list(known.values()))
    begins = np.cumsum([0, *(len(rows) for rows in known.values())])[:-1]
    scores = np.full((len(queries), len(references)), -1.0)
    asked = 0
    for place, track in tracks_of(queries, stream):
        own = pieces(track, cut, pool)
        asked += len(own)
        best = (own @ everything.T).max(axis=0)
        scores[place, list(known)] = np.maximum.reduceat(best, begins)
    return Choice(
        name,
        scores,
        asked / len(queries) * len(everything),
        len(everything) / len(references),
    )


# What there is already ----------------------------------------------------------------------------


def by_votes(
    queries: Mapping[str, PreparedVideo],
    references: Mapping[str, PreparedVideo],
    *streams: Stream,
) -> Choice:
    """Choose by the votes of hits that agree in time, as a library does."""
    scores = np.zeros((len(queries), len(references)))
    asked = 0.0
    numbers = {name: place for place, name in enumerate(references)}
    with tempfile.TemporaryDirectory() as folder, Library(Path(folder, "a.vcdlib")) as library:
        for name, video in references.items():
            library.add(replace(video.descriptor, video_id=name))
        search = LibrarySearch(library, exact_up_to=10**9)
        positions = {stream: len(index) for stream, index in search.refresh()[0].items()}
        for place, video in enumerate(queries.values()):
            tracks = {stream: video.tracks[stream] for stream in streams if stream in video.tracks}
            for candidate in search.candidates(tracks, len(references)):
                entry = library.entry_of(candidate.key)
                assert entry is not None
                scores[place, numbers[entry.video_id]] = candidate.votes
            for stream, track in tracks.items():
                spacing = float(np.median(np.diff(track.track.times[:, 0], append=np.inf)))
                thinning = max(1, round(STEP / spacing)) if np.isfinite(spacing) else 1
                vectors = int((track.track.weight > 0).sum()) + sum(len(r) for r, _ in track.views)
                asked += vectors / thinning * positions[stream]
    kept = sum(positions[stream] for stream in streams) / len(references)
    return Choice("votes of frames", scores, asked / len(queries), kept)


# What comes of it ---------------------------------------------------------------------------------


def places(
    truth: SegmentTable,
    queries: Mapping[str, PreparedVideo],
    references: Mapping[str, PreparedVideo],
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the true pairs as places in both."""
    rows, columns = list(queries), list(references)
    pairs = sorted(set(zip(truth.query_ids, truth.ref_ids, strict=True)))
    return (
        np.array([rows.index(query) for query, _ in pairs]),
        np.array([columns.index(ref) for _, ref in pairs]),
    )


def ranks(scores: Scores) -> npt.NDArray[np.intp]:
    """Return the rank of each reference, from 1; of equal ones all have the last."""
    ordered = np.sort(scores, axis=1)
    return np.stack(
        [
            scores.shape[1] - np.searchsorted(row, own, "left")
            for row, own in zip(ordered, scores, strict=True)
        ]
    )


def print_recall(
    choices: Sequence[Choice],
    truth: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
    dimensions: int,
) -> None:
    print(" " * 22 + "".join(f"{k:>6}" for k in FIRST) + "   cosines a query  bytes a video")
    of_query = np.bincount(truth[0])[truth[0]]
    best = [np.minimum(k / of_query, 1).mean() for k in FIRST]
    print(f"{'at best':22}" + "".join(f"{share:6.2f}" for share in best))
    for choice in choices:
        rank = ranks(choice.scores)[truth]
        shares = "".join(f"{(rank <= k).mean():6.2f}" for k in FIRST)
        cost = f"{choice.cosines:16,.0f}{dimensions * choice.vectors:15,.0f}"
        print(f"{choice.name:22}{shares}{cost}", flush=True)


def print_left(
    truth: SegmentTable,
    matches: SegmentTable,
    streams: Sequence[Mapping[str, Choice]],
    queries: Sequence[str],
    references: Sequence[str],
) -> None:
    print(f"everything compared: {left(truth, matches)}")
    columns = "".join(f"{f'first {k}':>18}" for k in FIRST)
    print(" " * 22 + columns + "".join(f"{f'best {share:.0%}':>12}" for share in SHARES))
    row = {name: place for place, name in enumerate(queries)}
    column = {name: place for place, name in enumerate(references)}
    at = (
        np.array([row[name] for name in matches.query_ids]),
        np.array([column[name] for name in matches.ref_ids]),
    )
    for name in COMPARED:
        choices = [choices[name] for choices in streams if name in choices]
        if len(choices) < len(streams):
            continue  # single frames of sound are not tried
        rank = np.min([ranks(choice.scores) for choice in choices], axis=0)
        line = ""
        for k in FIRST:
            kept = rank <= k
            line += f"{left(truth, matches.take(kept[at])):>12} {kept.mean():5.0%}"
        # The best of either stream: each in the order of its own scores.
        order = np.min([by_order(choice.scores) for choice in choices], axis=0)
        for share in SHARES:
            kept = order < np.quantile(order, share)
            line += f"{left(truth, matches.take(kept[at])):>12}"
        print(f"{name:22}{line}", flush=True)


def by_order(scores: Scores) -> Scores:
    """Return the place of each pair among all, the best first."""
    order = np.empty(scores.size)
    order[np.argsort(-scores, axis=None, kind="stable")] = np.arange(scores.size)
    return order.reshape(scores.shape)


def print_library(
    engine: Engine,
    truth: SegmentTable,
    matches: SegmentTable,
    queries: Mapping[str, PreparedVideo],
    references: Mapping[str, PreparedVideo],
) -> None:
    """Print what the bar of a library leaves: votes of both streams, enough for a copy."""
    votes = by_votes(queries, references, *engine.streams).scores
    kept = set()
    for row, (query, video) in enumerate(queries.items()):
        for column, (ref, other) in enumerate(references.items()):
            candidate = Candidate(column, float(votes[row, column]), 0.0, 1.0)
            shorter = min(video.descriptor.duration, other.descriptor.duration)
            if is_promising(candidate, shorter, engine.detector.min_length):
                kept.add((query, ref))
    inside = [pair in kept for pair in zip(matches.query_ids, matches.ref_ids, strict=True)]
    found, share = left(truth, matches.take(inside)), len(kept) / votes.size
    print(f"votes of both streams that are enough for a copy: {found}, {share:.1%} of the pairs")


def left(truth: SegmentTable, matches: SegmentTable) -> str:
    if not len(matches):
        return "- -"
    return f"{pair_ap(truth, matches).ap:.3f} {segment_uap(truth, matches):.3f}"


if __name__ == "__main__":
    main()
