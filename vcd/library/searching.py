"""Search in a library: its index, derived from the store and kept beside it, always up to date."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vcd.descriptors import VIEWS
from vcd.encoding import write_whole
from vcd.errors import ContractError, DescriptorError, OutputError
from vcd.library.candidates import Candidate, Hits, evidence_of_hits, rank
from vcd.library.index import (
    NOTHING,
    Batch,
    ExhaustiveIndex,
    Ids,
    Index,
    IndexWriter,
    keys_of,
    pack,
)
from vcd.library.inverted import InvertedIndex, has_faiss
from vcd.library.milvus import MilvusIndex
from vcd.library.store import Library
from vcd.records import FULL_VIEW, FloatArray, Stream, VideoDescriptor
from vcd.similarity import OTHERWISE, PreparedTrack, View

__all__ = ["NEIGHBOURS", "LibrarySearch", "StreamIndex"]

logger = logging.getLogger("vcd")

NEIGHBOURS = 32
"""Positions asked for at each moment of a query."""

_FORMAT = 2
_STEP = 0.5  # seconds between the moments of a query that are asked for, at least
_SELDOM = 2.0  # the same, for the moments mirrored and turned: few copies are
_HALF = 0.5  # share of that time that such a moment votes with: one alone makes no candidate
_STATE = "state.json"
_FRESH = 50_000  # positions beyond the index from which it is built anew,
_FRESH_SHARE = 0.2  # or this share of it, whichever is more
_DEAD_SHARE = 0.3  # of its videos that are gone, from which the same is done
_ORPHAN_AGE = 24 * 3600.0  # seconds; files of a build that was killed are removed after that
_VIEWS = (FULL_VIEW, *VIEWS)


@dataclass(frozen=True, slots=True, eq=False)
class StreamIndex:
    """The positions of one stream: those indexed on disk, and those added since."""

    kept: Index
    fresh: Index

    def __len__(self) -> int:
        return len(self.kept) + len(self.fresh)

    def search(self, vectors: FloatArray, count: int, living: Ids) -> tuple[FloatArray, Ids]:
        """Return the nearest positions in both that belong to living keys (ascending)."""
        parts = [index.search(vectors, count) for index in (self.kept, self.fresh) if len(index)]
        if not parts:
            return np.zeros((len(vectors), 0), np.float32), np.zeros((len(vectors), 0), np.int64)
        cosines = np.concatenate([cosines for cosines, _ in parts], axis=1)
        ids = np.concatenate([ids for _, ids in parts], axis=1)
        place = np.searchsorted(living, keys_of(ids))
        lives = place < len(living)
        lives[lives] = living[place[lives]] == keys_of(ids[lives])
        return cosines, np.where(lives, ids, NOTHING)


class LibrarySearch:
    """Finds videos of a library that may share something with a query. Safe to share by threads.

    The index lies in a folder beside the library, memory-mapped. It is derived: what was added
    since it was built is searched exhaustively, what was removed is left out of its answers, and it
    is built anew where that becomes too much, or where it is damaged or missing.

    Parameters
    ----------
    library : Library
    exact_up_to : int
        Positions a stream up to which the search is exhaustive; above, faiss looks where near
        positions are likely to lie. Without faiss it is always exhaustive.
    milvus : str, optional
        Address of a Milvus server or cluster, or a file ``*.db``, that keeps the index once it is
        built anew (`rebuild`); from then on whoever opens the library searches there. "" takes it
        back to this machine. Where left out it stays where it is.
    """

    def __init__(
        self, library: Library, *, exact_up_to: int = 200_000, milvus: str | None = None
    ) -> None:
        self.library = library
        self.exact_up_to = exact_up_to
        self._milvus = milvus
        self.folder = library.path.with_name(library.path.name + "-index")
        self._lock = threading.Lock()
        self._state: tuple[int, int] | None = None
        self._through = self._indexed = 0
        self._fresh_through = 0
        self._living: Ids = np.zeros(0, np.int64)
        self._kept: dict[str, Index] = {}
        self._fresh: dict[str, list[Batch]] = {}
        self._streams: dict[str, StreamIndex] = {}

    def candidates(
        self, tracks: Mapping[Stream, PreparedTrack], count: int = 64
    ) -> list[Candidate]:
        """Return the videos that agree best with a query in time, the best first.

        Parameters
        ----------
        tracks : mapping of stream to PreparedTrack
            The query's.
        count : int
            At most so many.
        """
        streams, living = self.refresh()
        hits = [
            _hits(track, streams[stream], living)
            for stream, track in tracks.items()
            if stream in streams
        ]
        return rank(hits, count)

    def refresh(self) -> tuple[Mapping[str, StreamIndex], Ids]:
        """Take in what changed in the library; return the indexes by stream, and all living keys.

        Raises
        ------
        DescriptorError, OutputError
            The library cannot be read.
        """
        with self._lock:
            state = self.library.state()
            if state != self._state:
                if self._state is None:
                    self._load()
                self._follow()
                if self._is_stale():
                    self._build()
                self._state = state
            return self._streams, self._living

    def positions(self, stream: str) -> Iterator[Batch]:
        """Yield all positions of a stream as the store holds them, a video at a time."""
        for key, descriptor in self.library.after(0):
            for name, batch in _batches(key, descriptor):
                if name == stream:
                    yield batch

    def rebuild(self) -> None:
        """Build the index anew, whatever its state."""
        with self._lock:
            self._build()
            self._state = None

    # Inside; the lock is held -------------------------------------------------------------------

    def _follow(self) -> None:
        """Read what was added since the last look."""
        self._living = self.library.keys()
        models = self.library.models()
        added = False
        for key, descriptor in self.library.after(self._fresh_through):
            for stream, batch in _batches(key, descriptor):
                self._fresh.setdefault(stream, []).append(batch)
            self._fresh_through, added = key, True
        if added or set(self._streams) != set(models):
            self._streams = {
                stream: StreamIndex(
                    self._kept.get(stream) or ExhaustiveIndex.gather([], dimensions),
                    ExhaustiveIndex.gather(self._fresh.get(stream, []), dimensions),
                )
                for stream, (_, dimensions) in models.items()
            }

    def _is_stale(self) -> bool:
        kept = sum(len(index) for index in self._kept.values())
        fresh = sum(len(ids) for batches in self._fresh.values() for ids, _ in batches)
        alive = int(np.searchsorted(self._living, self._through, side="right"))
        gone = self._indexed - alive
        return fresh > max(_FRESH, _FRESH_SHARE * kept) or gone > _DEAD_SHARE * self._indexed

    def _load(self) -> None:
        """Map the index on disk, where there is one that belongs to the library as it is."""
        try:
            state = json.loads((self.folder / _STATE).read_bytes())
            if (state["format"], state["library"]) != (_FORMAT, self.library.token()):
                return
            models = {stream: list(model) for stream, model in self.library.models().items()}
            kept: dict[str, Index] = {}
            for stream, entry in state["streams"].items():
                if models.get(stream) == entry["model"]:
                    kept[stream] = self._open(entry)
            self._kept = kept
            self._through, self._indexed = int(state["through"]), int(state["videos"])
        except FileNotFoundError:
            return
        except ImportError as error:
            logger.warning(
                "%s: its index cannot be read, every position is compared (%s)",
                self.library.path,
                error,
            )
        except (OSError, ValueError, LookupError, TypeError, RuntimeError, ContractError) as error:
            logger.warning("%s: the index is not usable and built anew (%s)", self.folder, error)
        self._fresh_through = self._through

    def _open(self, entry: Mapping[str, Any]) -> Index:
        if entry["kind"] == "milvus":
            if self._milvus is None:
                self._milvus = entry["address"]  # where it is built anew, too
            try:
                index: Index = MilvusIndex(entry["address"], entry["collection"])
            except ConnectionError as error:
                raise DescriptorError(
                    f"its index lies in Milvus, which does not answer ({error})",
                    file=self.library.path,
                    remedy="start Milvus, or take the index back: "
                    'vcd library verify --rebuild --milvus ""',
                ) from error
        elif entry["kind"] == "inverted":
            index = InvertedIndex.open(self.folder / Path(entry["file"]).name)
        else:
            path = self.folder / Path(entry["file"]).name
            index = ExhaustiveIndex.open(path, int(entry["count"]), int(entry["model"][1]))
        if len(index) != entry["count"]:
            raise ValueError(f"the index of {entry} holds {len(index)} positions")
        return index

    def _build(self) -> None:
        """Write the index of all that is there, and use it; memory serves where nothing can be."""
        try:
            self.folder.mkdir(exist_ok=True)
            self._sweep()
            self._write()
        except (OSError, OutputError, RuntimeError) as error:  # faiss raises the last
            logger.warning("%s: the index cannot be kept (%s)", self.folder, error)
            return
        self._kept, self._fresh, self._streams = {}, {}, {}
        self._through = self._indexed = self._fresh_through = 0
        self._load()
        self._follow()

    def _write(self) -> None:
        token = uuid.uuid4().hex[:12]
        try:
            self._write_as(token)
        except BaseException:
            for path in self.folder.glob(f"*-{token}.*"):
                path.unlink(missing_ok=True)
            raise

    def _write_as(self, token: str) -> None:
        models = dict(self.library.models())
        writers = {
            stream: IndexWriter(self.folder / f"{stream}-{token}.int8", dimensions)
            for stream, (_, dimensions) in models.items()
        }
        through = videos = 0
        try:
            for key, descriptor in self.library.after(0):
                batches = list(_batches(key, descriptor))
                if not {stream for stream, _ in batches} <= writers.keys():
                    break  # of a stream that came in meanwhile: read as what is new
                through, videos = key, videos + 1
                for stream, batch in batches:
                    writers[stream].append(batch)
        finally:
            for writer in writers.values():
                writer.close()
        streams = {}
        for stream, model in models.items():
            writer = writers[stream]
            entry = {"kind": "exhaustive", "file": writer.path.name}
            if self._milvus and writer.count:
                name = f"vcd_{token}_{stream}"
                MilvusIndex.build(self._milvus, name, writer.open(), writer.dimensions)
                writer.remove()
                entry = {"kind": "milvus", "address": self._milvus, "collection": name}
            elif writer.count > self.exact_up_to and has_faiss():
                path = writer.path.with_suffix(".faiss")
                InvertedIndex.build(writer.open(), writer.dimensions).write(path)
                writer.remove()
                entry = {"kind": "inverted", "file": path.name}
            streams[stream] = {**entry, "count": writer.count, "model": list(model)}
        state = {
            "format": _FORMAT,
            "library": self.library.token(),
            "through": through,
            "videos": videos,
            "streams": streams,
        }
        old, collections = self._named(), self._collections()
        write_whole(self.folder / _STATE, json.dumps(state, indent=1).encode())
        for address, collection in collections:
            with suppress(OSError):
                MilvusIndex(address, collection).drop()
        for path in old:
            with suppress(OSError):
                path.unlink()

    def _named(self) -> list[Path]:
        """Return the files of the index on disk, if there is any."""
        files = [self.folder / Path(str(e["file"])).name for e in self._entries() if "file" in e]
        return [path for file in files for path in (file, file.with_name(file.name + ".ids"))]

    def _collections(self) -> list[tuple[str, str]]:
        """Return the collections of the index in Milvus, if there are any, with their addresses."""
        return [(e["address"], e["collection"]) for e in self._entries() if "collection" in e]

    def _entries(self) -> list[Mapping[str, Any]]:
        """Return what the index on disk says of each stream."""
        try:
            state = json.loads((self.folder / _STATE).read_bytes())
            return [entry for entry in state["streams"].values() if isinstance(entry, dict)]
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return []

    def _sweep(self) -> None:
        """Remove what builds left behind that were killed."""
        named = set(self._named()) | {self.folder / _STATE}
        for path in self.folder.iterdir():
            with suppress(OSError):
                if path not in named and time.time() - path.stat().st_mtime > _ORPHAN_AGE:
                    path.unlink()


def _batches(key: int, descriptor: VideoDescriptor) -> Iterator[tuple[str, Batch]]:
    """Yield the positions of a video that can testify, by stream."""
    for track in descriptor.tracks.values():
        if track.view in _VIEWS and track.weight.any():
            speaking = track.weight > 0
            ids = pack(key, track.times[speaking].mean(axis=1))
            codes = track.quantised().vectors.astype(np.int8, copy=False)
            yield track.stream, (ids, codes[speaking])


def _hits(track: PreparedTrack, index: StreamIndex, living: Ids) -> Hits:
    """Return what the moments of a query that can testify find, by all of its views."""
    starts = track.track.times[:, 0]
    step = float(np.median(np.diff(starts))) if len(starts) > 1 else _STEP
    often, seldom = (max(1, round(every / max(step, 1e-3))) for every in (_STEP, _SELDOM))
    rows, vectors = _joined(track.upright)
    kept = rows % often == 0
    rows, vectors = rows[kept], vectors[kept]
    upright = len(rows)
    if track.otherwise:
        others, turned = _joined(track.otherwise)
        kept = np.isin(others, np.flatnonzero(track.track.weight > 0)[::seldom])
        rows = np.append(rows, others[kept])
        vectors = np.concatenate([vectors, turned[kept]])
    cosines, ids = index.search(vectors, NEIGHBOURS, living)
    cosines[upright:] -= np.float32(OTHERWISE)
    seconds = np.full(len(rows), step * often)
    seconds[upright:] = step * seldom * _HALF
    return Hits(
        moments=rows,
        times=track.track.times[rows].mean(axis=1),
        seconds=seconds,
        ids=ids,
        evidence=evidence_of_hits(track, rows, cosines),
    )


def _joined(views: Sequence[View]) -> View:
    return (
        np.concatenate([rows for rows, _ in views]),
        np.concatenate([vectors for _, vectors in views]),
    )
