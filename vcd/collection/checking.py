"""How whole a library is, and what its index misses."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from vcd.engine import OnError
from vcd.errors import VcdError
from vcd.library import Library, LibrarySearch
from vcd.library.index import NOTHING, ExhaustiveIndex
from vcd.library.searching import NEIGHBOURS
from vcd.records import FloatArray

__all__ = ["check", "measure_recall"]

_COSINES = (0.9, 0.7, 0.5)
"""How alike the copies are to what they were made of, from hardly edited to edited heavily."""

_POSITIONS = 500


def check(library: Library, *, on_error: OnError, on_done: Callable[[], None] | None = None) -> int:
    """Read every descriptor; return how many are whole.

    Parameters
    ----------
    library : Library
    on_error : callable
        Told of each that is damaged, and where the file itself contradicts itself.
    on_done : callable, optional
        Called after each.
    """
    for problem in library.problems():
        on_error(problem)
    whole = 0
    for video_id in library.video_ids():
        try:
            library.get(video_id, whole=True)
        except VcdError as error:
            on_error(error)
        else:
            whole += 1
        if on_done is not None:
            on_done()
    return whole


def measure_recall(search: LibrarySearch) -> Iterator[str]:
    """Yield in words how many of the nearest positions the index finds, by stream.

    Some positions of the library are blurred with noise to a given cosine, as copies of them would
    be; the exact search over all positions says what should be found.

    Parameters
    ----------
    search : LibrarySearch
    """
    streams, living = search.refresh()
    for stream, index in streams.items():
        if index.kept.exact or not len(index):
            yield f"{stream}: the search is exact, nothing is missed"
            continue
        exact = ExhaustiveIndex.gather(search.positions(stream), search.library.models()[stream][1])
        chance = np.random.default_rng(0)
        sample = exact.vectors(
            chance.choice(len(exact), min(_POSITIONS, len(exact)), replace=False)
        )
        for cosine in _COSINES:
            asked = _blurred(sample, cosine, chance)
            _, wanted = exact.search(asked, 1)
            _, found = index.search(asked, NEIGHBOURS, living)
            hit = ((found == wanted) & (wanted != NOTHING)).any(axis=1)
            yield (
                f"{stream}: at cosine {cosine:g}, {hit.mean():.1%} of the nearest of "
                f"{len(exact):,} positions are found"
            )


def _blurred(vectors: FloatArray, cosine: float, chance: np.random.Generator) -> FloatArray:
    """Return unit vectors of a given cosine to given ones, each in a direction of its own."""
    noise = chance.standard_normal(vectors.shape).astype(np.float32)
    noise -= (noise * vectors).sum(axis=1, keepdims=True) * vectors
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    return cosine * vectors + np.float32((1 - cosine**2) ** 0.5) * noise
