"""What queries are looked for in: prepared videos, and libraries searched through their index."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vcd.descriptors import DescriptorCache
from vcd.errors import MediaError, VcdError
from vcd.library import SUFFIX, Candidate, Library, LibrarySearch, is_promising
from vcd.media import Limits
from vcd.records import VideoDescriptor
from vcd.sources import Given, Source, resolve, source_of

if TYPE_CHECKING:
    from vcd.engine import PreparedVideo

__all__ = ["CANDIDATES", "COMPARED_WHOLE", "ROUND", "Gallery", "Shown", "split"]

CANDIDATES = 32
"""Videos of a large library that are compared with a query, at most."""

ROUND = 6
"""Candidates compared before it is asked whether to go on."""

COMPARED_WHOLE = 4 * CANDIDATES
"""Videos up to which a library is compared whole."""

Shown = tuple[Source, "PreparedVideo | None"]
"""A video to compare; None in the place of one that a library holds."""


class Gallery:
    """Everything that queries are looked for in. Safe to share by threads.

    Parameters
    ----------
    prepared : sequence of (Source, PreparedVideo)
        Compared with every query.
    libraries : sequence of Library
        Of each, the most promising videos are compared.
    candidates : int
        How many.
    """

    def __init__(
        self,
        prepared: Sequence[tuple[Source, PreparedVideo]],
        libraries: Sequence[Library] = (),
        *,
        candidates: int = CANDIDATES,
    ) -> None:
        self.prepared = list(prepared)
        self._searches = [LibrarySearch(library) for library in libraries]
        self._candidates = candidates
        self._ids = {source.video_id for source, _ in self.prepared}
        held = {id(s.library): s.library for s, _ in self.prepared if s.library is not None}
        self._apart = frozenset[tuple[str, str]]().union(
            *(library.separated() for library in (*held.values(), *libraries))
        )

    def __len__(self) -> int:
        return len(self.prepared) + sum(len(search.library) for search in self._searches)

    def near(
        self, source: Source, query: PreparedVideo, *, min_length: float = math.inf
    ) -> list[list[list[Shown]]]:
        """Return the videos to compare with a query, but for those decided to be no copies of it.

        Candidates whose votes are too few for a copy are left out; `min_length` is the length of
        the shortest one wanted, in seconds.

        Returns
        -------
        list of list of rounds
            What is compared in any case as one round; then the rounds of each library, the most
            promising first, of which there is no need to go on after one that finds nothing.

        Raises
        ------
        VcdError
            A library cannot be read.
        """
        shown: list[list[list[Shown]]] = [[[*self.prepared]]]
        for number in range(len(self._searches)):
            found: list[Shown] = [
                (other, None)
                for candidate, other in self._candidates_of(number, source, query)
                if other.entry is None
                or is_promising(
                    candidate, min(query.descriptor.duration, other.entry.duration), min_length
                )
            ]
            shown.append([found[i : i + ROUND] for i in range(0, len(found), ROUND)])
        if not self._apart:
            return shown
        own = _identity(source)
        return [[[s for s in part if self._may_meet(own, s[0])] for part in r] for r in shown]

    def _may_meet(self, own: str, other: Source) -> bool:
        if other.entry is None:
            return True
        identity = other.entry.identity
        return (min(own, identity), max(own, identity)) not in self._apart

    def candidates(self, source: Source, query: PreparedVideo) -> list[tuple[Candidate, Source]]:
        """Return the most promising videos of the libraries, the best of each first.

        Raises
        ------
        VcdError
            A library cannot be read.
        """
        return [
            candidate
            for number in range(len(self._searches))
            for candidate in self._candidates_of(number, source, query)
        ]

    def _candidates_of(
        self, number: int, source: Source, query: PreparedVideo
    ) -> list[tuple[Candidate, Source]]:
        search, earlier = self._searches[number], self._searches[:number]
        chosen: list[tuple[Candidate, Source]] = []
        # One more: the query itself may be a video of the library.
        for candidate in search.candidates(query.tracks, self._candidates + 1):
            entry = search.library.entry_of(candidate.key)
            if entry is None or entry == source.entry:
                continue
            found = source_of(search.library, entry)
            if entry.video_id in self._ids or any(
                entry.video_id in other.library for other in earlier
            ):
                name = f"{search.library.path.stem}/{entry.video_id}"
                found = replace(found, video_id=name)
            chosen.append((candidate, found))
        return chosen[: self._candidates]


def split(
    given: Given | Iterable[Given],
    on_error: Callable[[VcdError], None],
    limits: Limits | None = None,
) -> tuple[list[Source], list[Library]]:
    """Return the videos to compare with every query, and the libraries that are too large for that.

    Parameters
    ----------
    given : path, folder, descriptor, library, or iterable of these
    on_error : callable
        Told of everything that cannot be used; the rest goes on.
    limits : Limits, optional
        On descriptor files.
    """
    if isinstance(given, (str, bytes, os.PathLike, VideoDescriptor, Library)):
        given = [given]
    rest: list[Given] = []
    large: list[Library] = []
    for item in given:
        try:
            library = _library(item)
            if library is not None and len(library) > COMPARED_WHOLE:
                large.append(library)
            else:
                rest.append(item if library is None else library)
        except VcdError as error:
            on_error(error)
    return resolve(rest, on_error, limits) if rest else [], large


def _library(item: Given) -> Library | None:
    if isinstance(item, (Library, VideoDescriptor)):
        return item if isinstance(item, Library) else None
    path = Path(os.fsdecode(item))
    return Library(path, create=False) if path.suffix.lower() == SUFFIX else None


def _identity(source: Source) -> str:
    """Return what decisions about a query go by, "" where nothing is known of it."""
    if source.entry is not None:
        return source.entry.identity
    try:
        return "" if source.path is None else DescriptorCache.content(source.path)
    except MediaError:
        return ""
