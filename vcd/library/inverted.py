"""The approximate index for large collections: inverted lists of 8-bit vectors, by faiss."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from vcd.errors import MissingExtraError
from vcd.library.index import ExhaustiveIndex, Ids
from vcd.records import FloatArray

__all__ = ["InvertedIndex", "has_faiss"]

_LISTS_PER_ROOT = 1  # lists per square root of the number of positions
_TRAINED_ON = 40  # positions a list
_ROUNDS = 10  # of training
_PROBED = 16  # lists that a search looks into


def has_faiss() -> bool:
    """Whether faiss is installed."""
    return find_spec("faiss") is not None


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError(
            "large libraries are searched with faiss, which is not installed",
            remedy='pip install "vcd-engine[library]"',
        ) from error
    return faiss


class InvertedIndex:
    """Looks only where near positions are likely to lie: fast, and may miss some.

    Positions are sorted into lists around centres; a search looks into the lists of the nearest
    centres. Vectors take one byte a dimension.

    Parameters
    ----------
    index : faiss.IndexIVFScalarQuantizer
    """

    name = "faiss IVF-SQ8"
    exact = False

    def __init__(self, index: Any) -> None:
        self._index = index
        self._index.nprobe = min(_PROBED, index.nlist)

    @classmethod
    def build(cls, positions: ExhaustiveIndex, dimensions: int) -> InvertedIndex:
        """Return an index of the positions of an exhaustive one.

        They are read twice, so that memory holds no more than the index and what it is trained on.

        Raises
        ------
        MissingExtraError
            faiss is not installed.
        """
        faiss = _faiss()
        lists = max(1, round(_LISTS_PER_ROOT * len(positions) ** 0.5))
        index = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(dimensions),
            dimensions,
            lists,
            faiss.ScalarQuantizer.QT_8bit,
            faiss.METRIC_INNER_PRODUCT,
        )
        index.cp.niter = _ROUNDS
        index.cp.min_points_per_centroid = 1  # a small collection is no reason to warn
        index.train(_sample(positions, lists * _TRAINED_ON))
        for ids, codes in positions.batches():
            index.add_with_ids(_unit(codes), ids)
        return cls(index)

    @classmethod
    def open(cls, path: Path) -> InvertedIndex:
        """Map an index that `write` wrote into memory.

        Raises
        ------
        MissingExtraError
            faiss is not installed.
        RuntimeError
            The file is not there or damaged.
        """
        faiss = _faiss()
        return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY))

    def write(self, path: Path) -> None:
        """Write the index into a file."""
        _faiss().write_index(self._index, str(path))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, vectors: FloatArray, count: int) -> tuple[FloatArray, Ids]:
        """Return the nearest positions of each vector, as `vcd.library.index.Index` says."""
        cosines, ids = self._index.search(np.ascontiguousarray(vectors), count)
        return np.where(ids < 0, np.float32(-1), cosines), ids


def _unit(codes: np.ndarray[Any, np.dtype[np.int8]]) -> FloatArray:
    rows = codes.astype(np.float32)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(length, 1e-9)  # type: ignore[no-any-return]


def _sample(positions: ExhaustiveIndex, wanted: int) -> FloatArray:
    """Return about so many positions, from all over the collection, the same each time."""
    share = min(1.0, wanted / max(len(positions), 1))
    chance = np.random.default_rng(0)
    return np.concatenate(
        [_unit(codes[chance.random(len(codes)) < share]) for _, codes in positions.batches()]
    )
