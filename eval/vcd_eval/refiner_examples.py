"""Matrices of a haystack with the lines of their copies, for the training of the refiner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from vcd.engine import Engine
from vcd.localization import LineLocalizer
from vcd.records import STREAMS, Segment
from vcd.training.refiner.examples import Example, example
from vcd_eval.haystack import Haystack, OnError
from vcd_eval.haystack_pairs import Named, each_query

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
    found: list[Example] = []
    with ThreadPoolExecutor(engine.jobs) as pool:
        for query, references in each_query(
            haystack, engine, on_error=on_error, on_progress=on_progress
        ):
            for examples in pool.map(partial(_examples, haystack, engine, query), references):
                found += examples
    return found


def _examples(haystack: Haystack, engine: Engine, query: Named, reference: Named) -> list[Example]:
    found = []
    for name, matrix in engine.matrices(query[1], reference[1], whole=True).items():
        if name not in STREAMS or 1 in matrix.values.shape:
            continue  # what is fused is learned from the streams
        truth = list(_truth(haystack, query[0], reference[0], name))
        if truth or LineLocalizer().proposals(matrix):
            found.append(example(matrix, truth))
    return found


def _truth(haystack: Haystack, query_id: str, ref_id: str, name: str) -> Iterator[Segment]:
    segments = haystack.labels.segments
    for row in haystack.rows_of(query_id, ref_id, name):
        (start, end), (first, last) = segments.query_times[row], segments.ref_times[row]
        speed = float(haystack.labels.speed[row])
        yield Segment(start, end, first, last, 1.0, speed=speed)
