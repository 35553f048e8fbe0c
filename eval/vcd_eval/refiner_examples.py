"""Matrices of a haystack with the lines of their copies, for the training of the refiner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from vcd.engine import Engine, PreparedVideo
from vcd.localization import LineLocalizer
from vcd.records import STREAMS, Segment
from vcd.sources import resolve
from vcd.training.refiner.examples import Example, example
from vcd_eval.haystack import Haystack, OnError

__all__ = ["gather_examples"]


def gather_examples(
    haystack: Haystack,
    engine: Engine,
    *,
    on_error: OnError,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Example]:
    """Return the matrices that hold a copy, and of the others those in which one seems to be.

    Parameters
    ----------
    haystack : Haystack
    engine : Engine
        Its models and rate.
    on_error : callable
        Told of inputs that cannot be used.
    on_progress : callable, optional
        Told how many of how many videos are done.
    """
    references = resolve(haystack.folder / "refs", on_error)
    queries = resolve(haystack.folder / "queries", on_error)
    total, done = len(references) + len(queries), 0
    described = []
    for source, video in engine.prepare_all(references, on_error=on_error):
        described.append((source.video_id, video))
        done += 1
        if on_progress is not None:
            on_progress(done, total)
    found: list[Example] = []
    with ThreadPoolExecutor(engine.jobs) as pool:
        for source, query in engine.prepare_all(queries, on_error=on_error):
            look = partial(_examples, haystack, engine, source.video_id, query)
            for examples in pool.map(look, described):
                found += examples
            done += 1
            if on_progress is not None:
                on_progress(done, total)
    return found


def _examples(
    haystack: Haystack,
    engine: Engine,
    query_id: str,
    query: PreparedVideo,
    reference: tuple[str, PreparedVideo],
) -> list[Example]:
    ref_id, video = reference
    found = []
    for name, matrix in engine.matrices(query, video).items():
        if name not in STREAMS or 1 in matrix.values.shape:
            continue  # what is fused is learned from the streams
        truth = list(_truth(haystack, query_id, ref_id, name))
        if truth or LineLocalizer().proposals(matrix):
            found.append(example(matrix, truth))
    return found


def _truth(haystack: Haystack, query_id: str, ref_id: str, name: str) -> Iterator[Segment]:
    segments = haystack.labels.segments
    for row in haystack.rows_of(query_id, ref_id, name):
        (start, end), (first, last) = segments.query_times[row], segments.ref_times[row]
        speed = float(haystack.labels.speed[row])
        yield Segment(start, end, first, last, 1.0, speed=speed)
