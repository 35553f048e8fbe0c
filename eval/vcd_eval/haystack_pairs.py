"""All queries of a haystack, each beside all references, prepared for comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vcd.engine import Engine, PreparedVideo
from vcd.sources import resolve
from vcd_eval.haystack import Haystack, OnError

__all__ = ["Named", "each_query"]

Named = tuple[str, PreparedVideo]
"""A video and its id."""


def each_query(
    haystack: Haystack,
    engine: Engine,
    *,
    on_error: OnError,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[Named, list[Named]]]:
    """Yield each query with the list of all references, the same list every time.

    Parameters
    ----------
    haystack : Haystack
    engine : Engine
    on_error : callable
        Told of inputs that cannot be used; they are left out.
    on_progress : callable, optional
        Told how many of how many videos are done.
    """
    references = resolve(haystack.folder / "refs", on_error)
    queries = resolve(haystack.folder / "queries", on_error)
    total = len(references) + len(queries)

    def tell(done: int) -> None:
        if on_progress is not None:
            on_progress(done, total)

    described: list[Named] = []
    for source, video in engine.prepare_all(references, on_error=on_error):
        described.append((source.video_id, video))
        tell(len(described))
    for number, (source, query) in enumerate(engine.prepare_all(queries, on_error=on_error), 1):
        yield (source.video_id, query), described
        tell(len(described) + number)
