"""One run over a haystack: every query against every reference, resumed where it was stopped."""

from __future__ import annotations

import itertools
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vcd.engine import Engine, PreparedVideo
from vcd.errors import EvaluationError, PathLike, VcdError
from vcd.records import Match
from vcd.sources import Source, resolve
from vcd_eval.formats import Labels, SegmentTable, read_groundtruth, read_labels

__all__ = ["RUNS", "Haystack", "HaystackRun", "read_haystack", "run_haystack"]

RUNS = ("any", "visual", "audio")
"""Both streams together against all true rows, and each alone against the rows it can find."""

_SAMPLED = 3  # files that are described anew to learn what describing costs
_PROGRESS = "progress.jsonl"

OnError = Callable[[VcdError], None]


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


@dataclass(frozen=True, slots=True, eq=False)
class HaystackRun:
    """What a run gave: predictions by run, the files of each side, and what it cost.

    A stream that was not asked for has no predictions.

    `cost` has ``describe_cpu_s_per_video_minute`` (of a few files described without a cache),
    ``match_cpu_ms_per_pair`` (NaN where everything was there already) and ``peak_rss_mb``.
    """

    predictions: dict[str, SegmentTable]
    queries: dict[str, Source]
    references: dict[str, Source]
    cost: dict[str, float]


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
    """
    references = resolve(haystack.folder / "refs", on_error)
    queries = resolve(haystack.folder / "queries", on_error)
    count = itertools.count(1)

    def done(_: Source) -> None:
        if on_progress is not None:
            on_progress(next(count), len(references) + len(queries))

    described = list(engine.prepare_all(references, on_error=on_error, on_done=done))
    names = [source.video_id for source, _ in described]
    progress = _Progress(output / _PROGRESS, _settings(engine, names))
    waiting = []
    for query in queries:
        if query.video_id in progress.done:
            done(query)
        else:
            waiting.append(query)
    cpu: list[float] = []

    def compare(query: PreparedVideo, reference: PreparedVideo) -> dict[str, Match]:
        started = time.thread_time()
        found = engine.compare_streams(query, reference)
        cpu.append(time.thread_time() - started)
        return found

    with ThreadPoolExecutor(engine.jobs) as pool:
        for source, prepared in engine.prepare_all(waiting, on_error=on_error, on_done=done):
            look = partial(compare, prepared)
            progress.add(source.video_id, list(pool.map(look, (video for _, video in described))))
    return HaystackRun(
        predictions={
            name: progress.table(name) for name in RUNS if name == "any" or name in engine.streams
        },
        queries={source.video_id: source for source in queries},
        references={source.video_id: source for source in references},
        cost={
            "describe_cpu_s_per_video_minute": _describing_cost(engine, queries),
            "match_cpu_ms_per_pair": 1000 * sum(cpu) / len(cpu) if cpu else float("nan"),
            "peak_rss_mb": _peak_megabytes(),
        },
    )


def _settings(engine: Engine, references: Sequence[str]) -> dict[str, Any]:
    detector = engine.detector
    return {
        "models": {stream: info.sha256 for stream, info in engine.models.items()},
        "rate": engine.rate,
        "threshold": detector.threshold,
        "min_length": detector.min_length,
        "localizer": engine.localizer.name,
        "calibrations": {
            name: [c.slope, c.intercept] for name, c in sorted(detector.calibrations.items())
        },
        "references": list(references),
    }


def _describing_cost(engine: Engine, queries: Sequence[Source]) -> float:
    """Return CPU seconds a minute of video, over a few files spread evenly, without the cache."""
    step = max(1, len(queries) // _SAMPLED)
    seconds = minutes = 0.0
    for source in queries[::step][:_SAMPLED]:
        if source.path is None:
            continue
        started = time.process_time()
        try:
            video = engine.describe(source.path, cached=False)
        except VcdError:
            continue  # told already, by the run itself
        seconds += time.process_time() - started
        minutes += video.duration / 60
    return seconds / minutes if minutes else float("nan")


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


class _Progress:
    """The queries that are done, one JSON line each behind a line of settings."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self._path = path
        self.done: dict[str, dict[str, list[list[Any]]]] = {}
        lines = list(self._lines())
        if lines and lines[0] == settings:
            self.done = {line["query"]: line["found"] for line in lines[1:] if "query" in line}
        # Written anew: a last line may have been cut off.
        rows = [settings, *({"query": q, "found": f} for q, f in self.done.items())]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def add(self, query: str, matches: Sequence[dict[str, Match]]) -> None:
        """Keep what was found of one query."""
        found: dict[str, list[list[Any]]] = {run: [] for run in RUNS}
        for pair in matches:
            for run, match in pair.items():
                found[run] += [
                    [match.ref_id, s.query_start, s.query_end, s.ref_start, s.ref_end, s.score]
                    for s in match.segments
                ]
        self.done[query] = found
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"query": query, "found": found}) + "\n")

    def table(self, run: str) -> SegmentTable:
        """Return the predictions of a run, the most certain first."""
        rows = [(query, *row) for query, found in self.done.items() for row in found[run]]
        rows.sort(key=lambda row: (-row[6], row[:6]))
        numbers = np.array([row[2:] for row in rows], np.float64).reshape(-1, 5)
        return SegmentTable(
            query_ids=[row[0] for row in rows],
            ref_ids=[row[1] for row in rows],
            query_times=numbers[:, :2],
            ref_times=numbers[:, 2:4],
            scores=numbers[:, 4],
        )

    def _lines(self) -> Iterator[Any]:
        if not self._path.is_file():
            return
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                return  # cut off
