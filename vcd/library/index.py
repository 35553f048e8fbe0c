"""What every index is: nearest positions of many videos by cosine; and the exhaustive one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from vcd.errors import ContractError
from vcd.records import FloatArray

__all__ = [
    "NOTHING",
    "Batch",
    "ExhaustiveIndex",
    "Ids",
    "Index",
    "IndexWriter",
    "keys_of",
    "pack",
    "seconds_of",
]

Ids = npt.NDArray[np.int64]
Batch = tuple[Ids, npt.NDArray[np.int8]]
"""Ids (n,) and int8 vectors (n, d), as the store holds them: unit rows but for one factor each."""

NOTHING = -1
"""The id of a place in an answer that nothing fills."""

_TIME_BITS = 32
_MILLISECONDS = 1000
_ROWS_AT_ONCE = 8192


@runtime_checkable
class Index(Protocol):
    """Finds the positions nearest to given ones; a user's own may stand wherever ours does.

    An id tells the video and the time of a position: see `pack`.
    """

    @property
    def name(self) -> str:
        """What it is, in a few words."""
        ...

    @property
    def exact(self) -> bool:
        """Whether nothing that is nearer can be missed."""
        ...

    def __len__(self) -> int:
        """Return the number of positions."""
        ...

    def search(self, vectors: FloatArray, count: int) -> tuple[FloatArray, Ids]:
        """Return the nearest positions of each vector, the nearest first.

        Parameters
        ----------
        vectors : ndarray of float32, shape (m, d)
            Unit rows.
        count : int

        Returns
        -------
        cosines : ndarray of float32, shape (m, count)
        ids : ndarray of int64, shape (m, count)
            `NOTHING` where there are fewer; the cosine is then -1.
        """
        ...


def pack(key: int, times: npt.NDArray[np.float64]) -> Ids:
    """Return the ids of positions of a video.

    Parameters
    ----------
    key : int
        Of the video, below 2 ** 31.
    times : ndarray of float64, shape (n,)
        Seconds, kept as whole milliseconds up to 49 days.
    """
    steps = np.clip(np.rint(times * _MILLISECONDS), 0, 2**_TIME_BITS - 1).astype(np.int64)
    return (np.int64(key) << _TIME_BITS) | steps


def keys_of(ids: Ids) -> Ids:
    """Return the keys of the videos of some ids."""
    return ids >> _TIME_BITS


def seconds_of(ids: Ids) -> npt.NDArray[np.float64]:
    """Return the times of some ids, in seconds."""
    steps = ids & (2**_TIME_BITS - 1)
    return steps.astype(np.float64) / _MILLISECONDS  # type: ignore[no-any-return]


class ExhaustiveIndex:
    """Compares with every position, on int8 vectors that may lie in a file: exact.

    Parameters
    ----------
    ids : ndarray of int64, shape (n,)
    codes : ndarray of int8, shape (n, d)
        Unit rows but for one factor each.
    """

    name = "exhaustive int8"
    exact = True

    def __init__(self, ids: Ids, codes: npt.NDArray[np.int8]) -> None:
        if codes.ndim != 2 or len(ids) != len(codes):
            raise ContractError(f"{len(ids)} ids do not fit vectors of shape {codes.shape}")
        self._ids, self._codes = ids, codes

    @classmethod
    def gather(cls, batches: Iterable[Batch], dimensions: int) -> ExhaustiveIndex:
        """Return an index in memory."""
        parts = list(batches)
        return cls(
            np.concatenate([np.zeros(0, np.int64), *(ids for ids, _ in parts)]),
            np.concatenate([np.zeros((0, dimensions), np.int8), *(codes for _, codes in parts)]),
        )

    @classmethod
    def open(cls, path: Path, count: int, dimensions: int) -> ExhaustiveIndex:
        """Map what an `IndexWriter` wrote into memory.

        Raises
        ------
        OSError, ValueError
            The files are not there or of another size.
        """
        if count == 0:
            return cls.gather([], dimensions)
        ids = np.memmap(_beside(path), "<i8", "r", shape=(count,))
        return cls(ids, np.memmap(path, np.int8, "r", shape=(count, dimensions)))

    def __len__(self) -> int:
        return len(self._ids)

    def vectors(self, places: npt.NDArray[np.int64]) -> FloatArray:
        """Return some positions as unit vectors, float32 of shape (n, d)."""
        rows = self._codes[places].astype(np.float32)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)  # type: ignore[no-any-return]

    def batches(self) -> Iterator[Batch]:
        """Yield all positions, some at a time."""
        for first in range(0, len(self), _ROWS_AT_ONCE):
            rows = slice(first, first + _ROWS_AT_ONCE)
            yield np.asarray(self._ids[rows]), np.asarray(self._codes[rows])

    def search(self, vectors: FloatArray, count: int) -> tuple[FloatArray, Ids]:
        """Return the nearest positions of each vector, as `Index` says."""
        m = len(vectors)
        cosines = np.full((m, count), -1, np.float32)
        places = np.full((m, count), NOTHING, np.int64)
        for first, found in self._blocks(vectors):
            rows, columns = np.nonzero(found > cosines[:, -1:])
            if len(rows) > 4 * m * count:  # the first blocks: sort out most of it at once
                keep = np.argpartition(-found, count - 1, axis=1)[:, :count]
                rows, columns = np.repeat(np.arange(m), count), keep.ravel()
            if len(rows):
                _merge(cosines, places, rows, found[rows, columns], columns + first)
        ids = np.where(places == NOTHING, NOTHING, self._ids[places] if len(self) else NOTHING)
        return cosines, ids

    def _blocks(self, vectors: FloatArray) -> Iterator[tuple[int, FloatArray]]:
        """Yield the cosines of all vectors with some positions, and the first of these."""
        for first in range(0, len(self), _ROWS_AT_ONCE):
            block = self._codes[first : first + _ROWS_AT_ONCE].astype(np.float32)
            length = np.sqrt(np.einsum("nd,nd->n", block, block))
            yield first, (vectors @ block.T) / np.maximum(length, 1e-9)


class IndexWriter:
    """Writes an exhaustive index piece by piece; the ids lie in a file beside, named ".ids"."""

    def __init__(self, path: Path, dimensions: int) -> None:
        self.path, self.dimensions, self.count = path, dimensions, 0
        self._codes, self._ids = path.open("wb"), _beside(path).open("wb")

    def append(self, batch: Batch) -> None:
        """Write some positions behind those that are there."""
        ids, codes = batch
        self._ids.write(ids.astype("<i8").tobytes())
        self._codes.write(np.ascontiguousarray(codes).tobytes())
        self.count += len(ids)

    def close(self) -> None:
        """Finish both files."""
        self._codes.close()
        self._ids.close()

    def open(self) -> ExhaustiveIndex:
        """Return what was written, after `close`."""
        return ExhaustiveIndex.open(self.path, self.count, self.dimensions)

    def remove(self) -> None:
        """Remove both files again."""
        self.path.unlink()
        _beside(self.path).unlink()


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".ids")


def _merge(
    cosines: FloatArray,
    places: Ids,
    rows: npt.NDArray[np.intp],
    values: FloatArray,
    columns: npt.NDArray[np.intp],
) -> None:
    """Put further candidates of some rows among the best of those rows, in place."""
    touched = np.unique(rows)
    count = cosines.shape[1]
    all_rows = np.concatenate((np.repeat(touched, count), rows))
    all_values = np.concatenate((cosines[touched].ravel(), values))
    all_places = np.concatenate((places[touched].ravel(), columns))
    order = np.lexsort((all_places, -all_values, all_rows))
    all_rows, all_values, all_places = all_rows[order], all_values[order], all_places[order]
    starts = np.searchsorted(all_rows, touched)
    best = starts[:, None] + np.arange(count)
    cosines[touched], places[touched] = all_values[best], all_places[best]
