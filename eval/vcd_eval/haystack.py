"""One run over a haystack: every query against every reference, resumed where it was stopped."""

from __future__ import annotations

import hashlib
import itertools
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vcd import __version__
from vcd.descriptors import DESCRIPTION, load_background, load_orientations
from vcd.engine import Engine, PreparedVideo
from vcd.errors import DescriptorError, EvaluationError, PathLike, VcdError
from vcd.localization import LineLocalizer, Localizer
from vcd.media import reading_cost
from vcd.records import FloatArray, Match
from vcd.similarity import Refiner
from vcd.sources import Source, resolve
from vcd_eval.formats import Labels, PairTable, SegmentTable, read_groundtruth, read_labels
from vcd_eval.haystack_progress import Progress
from vcd_eval.vsc import check_same_videos

__all__ = ["RUNS", "Haystack", "HaystackRun", "Thumbnails", "read_haystack", "run_haystack"]

RUNS = ("any", "visual", "audio")
"""Both streams together against all true rows, and each alone against the rows it can find."""

_PROGRESS = "progress.jsonl"
_CLOSEST = 250  # references kept of each query: ten times what the descriptor track counts
_CANDIDATES = 25  # a query, on average, as in the descriptor track of VSC 2023

OnError = Callable[[VcdError], None]
Thumbnails = Callable[[Path, Sequence[float], int], list[npt.NDArray[np.uint8] | None]]
"""A file, seconds and the longer side in pixels; the pictures, None where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Haystack:
    """A folder with `queries/`, `refs/`, `groundtruth.csv` and, where it was made, `labels.csv`.

    Without labels every row is taken to be copied in picture and sound, with no edits named.
    """

    folder: Path
    labels: Labels
    labelled: bool

    def truth(self, run: str) -> SegmentTable:
        """Return the true rows of a run, one of `RUNS`."""
        if run == "any" or not self.labelled:
            return self.labels.segments
        return self.labels.segments.take(
            self.labels.visual if run == "visual" else self.labels.audio
        )

    def rows_of(self, query_id: str, ref_id: str, stream: str) -> npt.NDArray[np.intp]:
        """Return the true rows of a pair that "visual", "audio" or "fused" evidence can tell."""
        labels = self.labels
        pairs = zip(labels.segments.query_ids, labels.segments.ref_ids, strict=True)
        of_pair = np.array([pair == (query_id, ref_id) for pair in pairs], np.bool_)
        if stream != "fused":
            of_pair &= labels.audio if stream == "audio" else labels.visual
        return np.flatnonzero(of_pair)


@dataclass(frozen=True, slots=True, eq=False)
class HaystackRun:
    """What a run gave: predictions by run, the videos of each side, and what it cost.

    A stream that was not asked for has no predictions. Videos that could not be described are left
    out. `candidates` are, by stream, the pairs with the highest cosine of any two descriptors, 25 a
    query on average; positions of weight 0 do not count.

    `cost` has ``describe_cpu_s_per_video_minute`` (of a few files described without a cache),
    ``match_cpu_ms_per_pair`` (NaN where everything was there already) and ``peak_rss_mb``, the
    processes that read media included. `thumbnails` gives pictures of a file at given times.
    """

    predictions: dict[str, SegmentTable]
    candidates: dict[str, PairTable]
    queries: dict[str, Source]
    references: dict[str, Source]
    cost: dict[str, float]
    thumbnails: Thumbnails | None = None


def read_haystack(folder: PathLike) -> Haystack:
    """Read the truth of a haystack.

    Raises
    ------
    EvaluationError
        The folder lacks queries, references or ground truth, or the truth is malformed.
    """
    root = Path(os.fsdecode(folder))
    for part in ("queries", "refs"):
        if not (root / part).is_dir():
            raise EvaluationError(
                f"has no folder {part}/",
                file=root,
                remedy="a haystack has queries/, refs/ and groundtruth.csv",
            )
    if (root / "labels.csv").is_file():
        return Haystack(root, read_labels(root / "labels.csv"), labelled=True)
    truth = read_groundtruth(root / "groundtruth.csv")
    everything = np.ones(len(truth), np.bool_)
    labels = Labels(truth, everything, everything, [()] * len(truth), np.ones(len(truth)))
    return Haystack(root, labels, labelled=False)


def run_haystack(
    haystack: Haystack,
    engine: Engine,
    output: Path,
    *,
    on_error: OnError,
    on_progress: Callable[[int, int], None] | None = None,
    timed: int = 3,
) -> HaystackRun:
    """Describe, search and localize; every query that is done is kept in the output folder.

    Parameters
    ----------
    haystack : Haystack
    engine : Engine
        With a threshold of 0 for whole precision-recall curves.
    output : Path
        An existing folder. `progress.jsonl` in it holds what an earlier, interrupted run of the
        same models and settings has found already; one of other settings is begun anew.
    on_error : callable
        Told of inputs that cannot be used.
    on_progress : callable, optional
        Told how many of how many videos are done: references described, queries compared.
    timed : int
        Queries that are described once more, without the cache, to learn what describing costs.

    Raises
    ------
    EvaluationError
        No query, or no reference, of the truth is there.
    OutputError
        The output folder cannot be written.
    """
    references = resolve(haystack.folder / "refs", on_error)
    queries = resolve(haystack.folder / "queries", on_error)
    _check_names(haystack, queries, references, on_error)
    count = itertools.count(1)

    def done(_: Source) -> None:
        if on_progress is not None:
            on_progress(next(count), len(references) + len(queries))

    described = list(engine.prepare_all(references, on_error=on_error, on_done=done))
    progress = Progress(
        output / _PROGRESS,
        _settings(engine, [source for source, _ in described]),
        {query.video_id: _stamp(query) for query in queries},
    )
    waiting = []
    for query in queries:
        if query.video_id in progress:
            done(query)
        else:
            waiting.append(query)
    cpu: list[float] = []

    def compare(query: PreparedVideo, reference: PreparedVideo) -> dict[str, Match]:
        started = time.thread_time()
        try:
            found = engine.compare_streams(query, reference)
        except DescriptorError as error:  # a pair too large to be compared
            on_error(error)
            return {}
        cpu.append(time.thread_time() - started)
        return found

    with ThreadPoolExecutor(engine.jobs) as pool:
        for source, prepared in engine.prepare_all(waiting, on_error=on_error, on_done=done):
            look = partial(compare, prepared)
            matches = list(pool.map(look, (video for _, video in described)))
            progress.add(source.video_id, matches, _closest(prepared, described))
    most = _CANDIDATES * len(progress.queries)
    return HaystackRun(
        predictions={
            name: progress.segments(name)
            for name in RUNS
            if name == "any" or name in engine.streams
        },
        candidates={stream: progress.closest(stream, most) for stream in engine.streams},
        queries={query.video_id: query for query in queries if query.video_id in progress},
        references={source.video_id: source for source, _ in described},
        cost={
            "describe_cpu_s_per_video_minute": _describing_cost(engine, queries, timed),
            "match_cpu_ms_per_pair": 1000 * sum(cpu) / len(cpu) if cpu else float("nan"),
            "peak_rss_mb": _peak_megabytes(),
        },
        thumbnails=engine.thumbnails,
    )


def _check_names(
    haystack: Haystack,
    queries: Sequence[Source],
    references: Sequence[Source],
    on_error: OnError,
) -> None:
    """Refuse a truth of other videos, and tell of those in it that are not there."""
    truth = haystack.truth("any")
    check_same_videos(
        truth,
        query_ids=[source.video_id for source in queries],
        ref_ids=[source.video_id for source in references],
    )
    for part, named, sources in (
        ("queries", truth.query_ids, queries),
        ("refs", truth.ref_ids, references),
    ):
        gone = sorted(set(named) - {source.video_id for source in sources})
        if gone:
            on_error(
                EvaluationError(
                    f"{len(gone)} videos of the ground truth are not there, such as {gone[0]!r}; "
                    "their segments count as missed",
                    file=haystack.folder / part,
                    remedy="name files as the ground truth does, and no two of one folder alike",
                )
            )


def _settings(engine: Engine, references: Sequence[Source]) -> dict[str, Any]:
    """Return what findings depend on, but for the queries."""
    detector = engine.detector
    return {
        "version": __version__,
        "description": DESCRIPTION,
        "models": {
            stream: [
                info.sha256,
                _digest(load_background(info)),
                _digest(load_orientations(info)),
            ]
            for stream, info in engine.models.items()
        },
        "decoder": engine.decoder,
        "rate": engine.rate,
        "exact": engine.exact,
        "threshold": detector.threshold,
        "min_length": detector.min_length,
        "localizer": engine.localizer.name,
        "refiner": _refiner(engine.localizer),
        "calibrations": {
            name: [c.slope, c.intercept] for name, c in sorted(detector.calibrations.items())
        },
        "confidences": _confidences(engine.localizer),
        "references": [[source.video_id, _stamp(source)] for source in references],
    }


def _confidences(localizer: Localizer) -> dict[str, Any]:
    if not isinstance(localizer, LineLocalizer):
        return {}
    return {name: c.as_mapping() for name, c in sorted(localizer.confidences.items())}


def _refiner(localizer: Localizer) -> str:
    if not isinstance(localizer, LineLocalizer) or not isinstance(localizer.refiner, Refiner):
        return ""
    return hashlib.sha256(localizer.refiner.path.read_bytes()).hexdigest()


def _digest(vectors: FloatArray | None) -> str:
    return "" if vectors is None else hashlib.blake2b(vectors.tobytes(), digest_size=16).hexdigest()


def _stamp(source: Source) -> list[object]:
    """Return what tells this content from another one of the same name."""
    if source.path is None:
        data = source.descriptor.to_bytes() if source.descriptor is not None else b""
        return [hashlib.blake2b(data, digest_size=16).hexdigest()]
    try:
        status = source.path.stat()
    except OSError:
        return []  # told when it is described
    return [status.st_size, status.st_mtime_ns]


def _closest(
    query: PreparedVideo, references: Sequence[tuple[Source, PreparedVideo]]
) -> dict[str, dict[str, float]]:
    """Return by stream the highest cosine with each reference, for the closest of them."""
    closest: dict[str, dict[str, float]] = {}
    for stream, track in query.tracks.items():
        own = track.vectors[track.track.weight > 0]
        cosines: dict[str, float] = {}
        for source, reference in references:
            other = reference.tracks.get(stream)
            if other is not None and len(own) and (other.track.weight > 0).any():
                vectors = other.vectors[other.track.weight > 0]
                cosines[source.video_id] = round(float((own @ vectors.T).max()), 6)
        best = sorted(cosines, key=lambda ref: (-cosines[ref], ref))[:_CLOSEST]
        closest[stream] = {ref: cosines[ref] for ref in best}
    return closest


def _describing_cost(engine: Engine, queries: Sequence[Source], timed: int) -> float:
    """Return CPU seconds a minute of video, over a few files spread evenly, without the cache."""
    step = max(1, len(queries) // max(1, timed))
    seconds = minutes = 0.0
    for source in queries[::step][:timed]:
        if source.path is None:
            continue
        started = time.process_time() + reading_cost()[0]
        try:
            video = engine.describe(source.path, cached=False)
        except VcdError:
            continue  # told already, by the run itself
        seconds += time.process_time() + reading_cost()[0] - started
        minutes += video.duration / 60
    return seconds / minutes if minutes else float("nan")


def _peak_megabytes() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    own = peak / (1024**2 if sys.platform == "darwin" else 1024)
    return own + reading_cost()[1] / 1024**2
