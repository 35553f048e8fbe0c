"""Crops of real matrices with the lines of their copies, varied: what the refiner learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vcd.records import FloatArray, Segment, SimilarityMatrix

__all__ = ["Example", "example", "varied"]

_ON_LINE, _NEAR_LINE = 0.75, 1.5  # columns from the line that are full and half on it


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A matrix, and how far each of its cells lies on the line of a copy.

    Parameters
    ----------
    excess : ndarray of float16, shape (n, m)
    copied : ndarray of float16, shape (n, m)
        1 on a line, 0.5 beside it, else 0.
    """

    excess: npt.NDArray[np.float16]
    copied: npt.NDArray[np.float16]

    @property
    def has_copy(self) -> bool:
        """Whether any cell lies on a line."""
        return bool(self.copied.any())


def example(matrix: SimilarityMatrix, truth: list[Segment]) -> Example:
    """Return a normalised matrix with the lines of its true segments.

    Raises
    ------
    ValueError
        The matrix holds no evidence.
    """
    if matrix.excess is None:
        raise ValueError("only normalised matrices teach anything")
    query, ref = matrix.query_times.mean(axis=1), matrix.ref_times.mean(axis=1)
    copied = np.zeros(matrix.excess.shape, np.float16)
    spacing = float(np.median(np.diff(ref))) if len(ref) > 1 else 1.0
    for segment in truth:
        rows = np.flatnonzero((query >= segment.query_start) & (query <= segment.query_end))
        share = (query[rows] - segment.query_start) / max(segment.length, 1e-9)
        if segment.speed < 0:
            share = 1 - share
        at = segment.ref_start + share * (segment.ref_end - segment.ref_start)
        away = np.abs(ref[None, :] - at[:, None]) / spacing
        line = np.where(away <= _ON_LINE, 1, np.where(away <= _NEAR_LINE, 0.5, 0))
        copied[rows] = np.maximum(copied[rows], line)
    return Example(matrix.excess.astype(np.float16), copied)


def varied(
    given: Example, side: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, tuple[slice, slice]]:
    """Return a varied matrix, its lines, and the part of both to learn from.

    Copies are weakened, noise added, the strength changed, axes exchanged and turned round; the
    part has at most `side` rows and columns and mostly holds a line where there is one.

    Returns
    -------
    excess, copied : ndarray of float32, shape (n, m)
    part : tuple of slice
    """
    excess = given.excess.astype(np.float32)
    copied = given.copied.astype(np.float32)
    silent = excess == 0
    if given.has_copy and rng.random() < 0.5:
        fading = rng.uniform(0, 0.7) * rng.uniform(0.5, 1, (len(excess), 1))
        excess -= (copied * fading * np.maximum(excess + 0.3, 0)).astype(np.float32)
    if rng.random() < 0.3:
        excess += rng.normal(0, 0.15, excess.shape).astype(np.float32)
    if rng.random() < 0.3:
        excess *= np.float32(rng.uniform(0.8, 1.2))
    excess[silent] = 0
    if rng.random() < 0.5:
        excess, copied = excess.T, copied.T
    if rng.random() < 0.5:
        excess, copied = excess[:, ::-1], copied[:, ::-1]
    n, m = excess.shape
    top, left = rng.integers(max(1, n - side + 1)), rng.integers(max(1, m - side + 1))
    if given.has_copy and rng.random() < 0.8:
        cells = np.argwhere(copied > 0)
        row, column = cells[rng.integers(len(cells))]
        top = np.clip(row - rng.integers(side), 0, max(0, n - side))
        left = np.clip(column - rng.integers(side), 0, max(0, m - side))
    return excess, copied, (slice(top, top + side), slice(left, left + side))
