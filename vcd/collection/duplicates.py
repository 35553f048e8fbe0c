"""Everything that occurs twice in a library: candidates by the index, compared exactly, grouped."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Lock

from vcd.collection.grouping import Duplicates, Found, Policy, group
from vcd.engine import Engine, OnError, PreparedVideo
from vcd.errors import VcdError
from vcd.library import Entry, Library, LibrarySearch, is_promising
from vcd.records import Segment, Track

__all__ = ["CANDIDATES", "find_duplicates"]

CANDIDATES = 16
"""Videos that each one is compared with, the most promising."""

_LEAST = 0.5  # probability from which a match tells what many share
_SPEAKING = 0.25  # mean weight of a part from which a picture says something
_KEPT = 512  # prepared videos in memory


def find_duplicates(
    engine: Engine,
    library: Library,
    policy: Policy,
    *,
    candidates: int = CANDIDATES,
    on_error: OnError,
    on_start: Callable[[int], None] | None = None,
    on_done: Callable[[int], None] | None = None,
) -> Duplicates:
    """Find everything that occurs twice in a library.

    Each video is compared with the most promising others only, so that the work grows with their
    number and not with its square.

    Parameters
    ----------
    engine : Engine
        Its own threshold is not used.
    library : Library
        Its decisions are respected.
    policy : Policy
    candidates : int
        Videos that each one is compared with, at most.
    on_error : callable
        Told of every video that cannot be used; the rest goes on.
    on_start, on_done : callable, optional
        Told of the steps there are to do, and of every number of them that is done. The number
        is told again when the pairs are known.
    """
    entries = {entry.key: entry for entry in library.entries()}
    videos = _Prepared(engine, library, on_error)
    search = LibrarySearch(library)
    start, done = on_start or (lambda _: None), on_done or (lambda _: None)
    start(len(entries))

    def near(entry: Entry) -> list[tuple[int, int]]:
        query = videos.get(entry)
        found = [] if query is None else search.candidates(query.tracks, candidates + 1)
        done(1)
        others = [
            entries[c.key]
            for c in found
            if c.key in entries
            and c.key != entry.key
            and is_promising(c, min(entry.duration, entries[c.key].duration))
        ]
        return [_ordered(entry, other) for other in others[:candidates]]

    def compare(pair: tuple[int, int]) -> Found | None:
        first, second = entries[pair[0]], entries[pair[1]]
        one, other = videos.get(first), videos.get(second)
        done(1)
        if one is None or other is None:
            return None
        try:
            match = engine.compare(one, other, threshold=min(_LEAST, policy.threshold))
        except VcdError as error:
            on_error(error)
            return None
        if match is None:
            return None
        match = replace(match, query_id=first.video_id, ref_id=second.video_id)
        pictures = tuple(_other_pictures(s, one, other) for s in match.segments)
        return Found(first, second, match, pictures)

    with ThreadPoolExecutor(engine.jobs) as pool:
        try:
            pairs = {pair for found in pool.map(near, entries.values()) for pair in found}
            pairs |= set(_same_bytes(entries.values()))
            start(len(entries) + len(pairs))
            found = [one for one in pool.map(compare, sorted(pairs)) if one is not None]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    duplicates = group(found, policy, library.separated())
    return replace(duplicates, videos=len(entries), compared=len(pairs))


class _Prepared:
    """Videos of a library, prepared for comparison; the last ones used are kept."""

    def __init__(self, engine: Engine, library: Library, on_error: OnError) -> None:
        self._engine, self._library, self._on_error = engine, library, on_error
        self._kept: OrderedDict[int, PreparedVideo | None] = OrderedDict()
        self._broken: set[int] = set()
        self._lock = Lock()

    def get(self, entry: Entry) -> PreparedVideo | None:
        """Return a video, or None where it cannot be used, which is told once."""
        with self._lock:
            if entry.key in self._broken:
                return None
            if entry.key in self._kept:
                self._kept.move_to_end(entry.key)
                return self._kept[entry.key]
        try:
            video = self._engine.prepare(self._engine.usable(self._library.get(entry.video_id)))
        except VcdError as error:
            with self._lock:
                told = entry.key in self._broken
                self._broken.add(entry.key)
            if not told:
                self._on_error(error)
            return None
        with self._lock:
            self._kept[entry.key] = video
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return video


def _ordered(one: Entry, other: Entry) -> tuple[int, int]:
    """Return the keys of two videos, the shorter first: it is looked for in the longer."""
    first, second = sorted((one, other), key=lambda entry: (entry.duration, entry.key))
    return first.key, second.key


def _same_bytes(entries: Iterable[Entry]) -> Iterator[tuple[int, int]]:
    """Yield each file of the same bytes as another with one of these."""
    by_content: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.origin is not None:
            by_content.setdefault(entry.origin.content, []).append(entry)
    for same in by_content.values():
        yield from (_ordered(same[0], other) for other in same[1:])


def _other_pictures(segment: Segment, first: PreparedVideo, second: PreparedVideo) -> bool:
    """Whether both show something where only their sound is the same."""
    if "visual" in segment.streams:
        return False
    seen = [video.descriptor.tracks.get("visual") for video in (first, second)]
    parts = ((segment.query_start, segment.query_end), (segment.ref_start, segment.ref_end))
    return all(
        track is not None and _speaks(track, start, end)
        for track, (start, end) in zip(seen, parts, strict=True)
    )


def _speaks(track: Track, start: float, end: float) -> bool:
    inside = (track.times[:, 0] < end) & (track.times[:, 1] > start)
    return bool(inside.any()) and float(track.weight[inside].mean()) >= _SPEAKING
