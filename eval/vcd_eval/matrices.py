"""Similarity matrices in a file: many pairs of videos, with what a background says of each frame.

Conventions
-----------
A `.npz` without pickled objects. Of the pair ``<query_id>_<ref_id>`` it holds

* ``..._sim`` (n, m): cosines as floating-point numbers, or as uint8 u for ``-0.5 + u * 1.5 / 255``;
  where there is none, ``..._qd`` (n, d) and ``..._rd`` (m, d), descriptors of any length;
* ``..._fps`` (2,): frames a second of query and reference; frame i stands for
  ``[i / fps, (i + 1) / fps)``;
* optionally ``..._qb`` (n, 4) and ``..._rb`` (m, 4): mean, standard deviation, mean of the 10
  largest, and largest cosine of each frame with videos that share nothing with the pair.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vcd.errors import ContractError, EvaluationError
from vcd.records import SimilarityMatrix
from vcd.similarity import BackgroundStatistics
from vcd_eval.archives import Archive, open_archive

__all__ = ["MatrixPair", "list_pairs", "read_matrices"]

StrPath = str | os.PathLike[str]
Pair = tuple[str, str]

_STEP, _LEAST = 1.5 / 255, -0.5  # of cosines stored as uint8


@dataclass(frozen=True, slots=True, eq=False)
class MatrixPair:
    """The cosines of a pair of videos; `backgrounds` of query and reference, where given."""

    query_id: str
    ref_id: str
    matrix: SimilarityMatrix
    backgrounds: tuple[BackgroundStatistics, BackgroundStatistics] | None = None


def list_pairs(path: StrPath) -> list[Pair]:
    """Return the pairs (query, reference) that a file holds, sorted.

    Raises
    ------
    EvaluationError
        Not such a file, it holds no pair, or a name cannot be split at its only ``_``: then the
        list of pairs must be given to `read_matrices`.
    """
    with open_archive(path) as archive:
        names = archive.names
    keys = {n.rpartition("_")[0] for n in names if n.endswith(("_sim", "_qd"))}
    pairs = []
    for key in sorted(keys):
        query, _, ref = key.partition("_")
        if not query or not ref or "_" in ref:
            raise EvaluationError(
                f"{key!r} cannot be split into a query and a reference",
                file=path,
                remedy="give the list of pairs, which tells where ids that contain '_' end",
            )
        pairs.append((query, ref))
    if not pairs:
        raise EvaluationError(
            "the file holds no pair",
            file=path,
            remedy="name the matrices <query_id>_<ref_id>_sim",
        )
    return pairs


def read_matrices(path: StrPath, pairs: Sequence[Pair]) -> Iterator[MatrixPair]:
    """Read pairs one after the other, so that one matrix is in memory at a time.

    Raises
    ------
    EvaluationError
        Not such a file, a pair is not in it, or an array is missing or has another shape.
    """
    with open_archive(path) as archive:
        for query, ref in pairs:
            yield _read_pair(archive, query, ref, path)


def _read_pair(archive: Archive, query: str, ref: str, path: StrPath) -> MatrixPair:
    key = f"{query}_{ref}"

    def array(suffix: str) -> npt.NDArray[Any]:
        return archive.read(
            f"{key}_{suffix}", needed="a pair needs _fps, and _sim or both of _qd and _rd"
        )

    try:
        if f"{key}_sim" in archive.names:
            cosines = _cosines(array("sim"))
        else:
            cosines = _unit(array("qd")) @ _unit(array("rd")).T
        rates = array("fps").astype(np.float64)
        if rates.shape != (2,) or not (np.isfinite(rates) & (rates > 0)).all():
            raise ValueError(f"fps must be two positive numbers, got {rates}")
        n, m = cosines.shape
        matrix = SimilarityMatrix(cosines, _times(n, rates[0]), _times(m, rates[1]), "visual")
        backgrounds = None
        if f"{key}_qb" in archive.names and f"{key}_rb" in archive.names:
            backgrounds = _background(array("qb"), n), _background(array("rb"), m)
    except (ValueError, TypeError, ContractError) as error:
        raise EvaluationError(f"{key}: {error}", file=path) from error
    return MatrixPair(query, ref, matrix, backgrounds)


def _cosines(stored: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    if stored.ndim != 2 or not (stored.dtype == np.uint8 or stored.dtype.kind == "f"):
        raise ValueError(f"sim must be a matrix of uint8 or float, got {stored.dtype}")
    if stored.dtype == np.uint8:
        return stored.astype(np.float32) * np.float32(_STEP) + np.float32(_LEAST)
    return stored.astype(np.float32)


def _unit(rows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    if rows.ndim != 2:
        raise ValueError(f"descriptors must be (n, d), got {rows.shape}")
    real = rows.astype(np.float32)
    lengths = np.linalg.norm(real, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = real / np.maximum(lengths, np.float32(1e-9))
    return unit


def _times(n: int, rate: float) -> npt.NDArray[np.float64]:
    edges = np.arange(n + 1) / rate
    return np.stack((edges[:-1], edges[1:]), axis=1)


def _background(numbers: npt.NDArray[Any], n: int) -> BackgroundStatistics:
    if numbers.shape != (n, 4):
        raise ValueError(f"a background must be ({n}, 4), got {numbers.shape}")
    mean, _, top_mean, largest = np.ascontiguousarray(numbers.T, np.float32)
    return BackgroundStatistics(mean, top_mean, largest)
