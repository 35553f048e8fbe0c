"""Candidate pairs of the VSC 2023 descriptor track: exhaustive search under the global limits.

Conventions
-----------
All inner products of query rows with reference rows are ranked together, as they are: no cosine, no
quota a query. Equal scores stand in the order of query row, then reference row. With nq query
videos the best 1200 nq vector pairs count; a pair of videos has the score of its best vector pair,
and the best 25 nq pairs of videos are the candidates. `vcd_eval.vsc.pair_ap` scores them.

The published search [2]_ loses all vector pairs that tie with the last rank; here the stable order
decides and exactly the number allowed is kept. Without such a tie both agree.

References
----------
.. [1] E. Pizzi, G. Kordopatis-Zilos, H. Patel et al., "The 2023 Video Similarity Dataset and
   Challenge", Computer Vision and Image Understanding 243, 2024. Section on the descriptor track.
.. [2] https://github.com/facebookresearch/vsc2022, commit 644d521, `vsc/candidates.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd_eval.descriptors import DescriptorTable
from vcd_eval.formats import PairTable

__all__ = ["VectorPairs", "best_vector_pairs", "find_candidates"]

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

_VECTOR_PAIRS, _CANDIDATES = 1200, 25  # a query video, on average
_TILE = (1024, 8192)  # inner products at once; wide enough that the product, not packing, costs


@dataclass(frozen=True, slots=True, eq=False)
class VectorPairs:
    """Vector pairs, best first: `rows` of the queries, `columns` of the references, `scores`.

    All have shape (k,).
    """

    rows: Integers
    columns: Integers
    scores: Floats


def find_candidates(
    queries: DescriptorTable,
    references: DescriptorTable,
    *,
    vector_pairs: int = _VECTOR_PAIRS,
    candidates: int = _CANDIDATES,
) -> PairTable:
    """Return the candidate pairs of the descriptor track, best first.

    Parameters
    ----------
    queries, references : DescriptorTable
        Rows of a video should lie together: row order decides between equal scores.
    vector_pairs, candidates : int
        How many vector pairs, and pairs of videos, are kept per query video on average.

    Raises
    ------
    EvaluationError
        Dimensions differ, a limit is not positive, or inner products exceed float32.

    Examples
    --------
    >>> queries = DescriptorTable(["Q1", "Q2"], [0, 0], [[1, 0], [0, 1]])
    >>> references = DescriptorTable(["R1", "R1", "R2"], [0, 1, 0], [[0.5, 0], [1, 0], [0, 0.75]])
    >>> found = find_candidates(queries, references, candidates=1)
    >>> list(zip(found.query_ids, found.ref_ids, found.scores.tolist()))
    [('Q1', 'R1', 1.0), ('Q2', 'R2', 0.75)]
    """
    if vector_pairs < 1 or candidates < 1:
        raise EvaluationError(
            f"the limits must be positive, got {vector_pairs} and {candidates}",
            remedy="the challenge has 1200 and 25",
        )
    query_names, query_of_row = np.unique(queries.video_ids, return_inverse=True)
    ref_names, ref_of_row = np.unique(references.video_ids, return_inverse=True)
    best = best_vector_pairs(queries.features, references.features, vector_pairs * len(query_names))
    pair = query_of_row[best.rows] * len(ref_names) + ref_of_row[best.columns]
    _, first = np.unique(pair, return_index=True)  # the first of a pair is its best
    first = np.sort(first)[: candidates * len(query_names)]
    return PairTable(
        query_ids=query_names[query_of_row[best.rows[first]]].tolist(),
        ref_ids=ref_names[ref_of_row[best.columns[first]]].tolist(),
        scores=best.scores[first].astype(np.float64),
    )


def best_vector_pairs(queries: npt.ArrayLike, references: npt.ArrayLike, k: int) -> VectorPairs:
    """Return the k highest inner products of two sets of vectors, best first.

    Equal ones are ordered, and at the last rank chosen, by query row, then reference row. Memory
    grows with k and not with the product of the two numbers of rows.

    Parameters
    ----------
    queries, references : array_like, shape (n, d) and (m, d)
    k : int
        All are returned where there are fewer.

    Raises
    ------
    EvaluationError
        Dimensions differ, or an inner product may exceed float32.
    """
    q = np.ascontiguousarray(queries, dtype=np.float32)
    r = np.ascontiguousarray(references, dtype=np.float32)
    if q.ndim != 2 or r.ndim != 2 or (len(q) and len(r) and q.shape[1] != r.shape[1]):
        raise EvaluationError(
            f"queries have shape {q.shape}, references {r.shape}",
            remedy="descriptors of one model have one number of dimensions",
        )
    best = _Best(min(k, len(q) * len(r)))
    if best.size > 0:
        if _longest(q) * _longest(r) > float(np.finfo(np.float32).max):
            raise EvaluationError(
                "the vectors are so long that inner products exceed float32",
                remedy="scale the descriptors",
            )
        for top in range(0, len(q), _TILE[0]):
            for left in range(0, len(r), _TILE[1]):
                tile = q[top : top + _TILE[0]] @ r[left : left + _TILE[1]].T
                best.offer(tile, top, left, len(r))
    places, scores = best.ranked()
    rows, columns = np.divmod(places, max(len(r), 1))
    return VectorPairs(rows, columns, scores)


def _longest(vectors: Floats) -> float:
    """Return the greatest length of a row, without an overflow on the way."""
    return float(np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64).max()))


@dataclass(slots=True)
class _Best:
    """The best cells seen so far of a matrix that is never whole.

    A cell is known by its place in the order of rows, then columns. `bar` is the lowest score that
    can still count once enough are held, `last` the last place held at that score.
    """

    size: int
    bar: float = -np.inf
    last: int = -1
    held: int = 0
    places: list[Integers] = field(default_factory=list)
    scores: list[Floats] = field(default_factory=list)

    def offer(self, tile: Floats, top: int, left: int, width: int) -> None:
        flat = tile.ravel()
        bar = self.bar
        if flat.size > self.size and bar == -np.inf:  # nothing below the tile's own best can count
            bar = np.partition(flat, flat.size - self.size)[flat.size - self.size]
        chosen = np.flatnonzero(flat >= bar)
        if not len(chosen):
            return
        rows, columns = np.divmod(chosen, tile.shape[1])
        places = (rows + top) * width + (columns + left)
        scores = flat[chosen]
        if self.bar > -np.inf:
            useful = (scores > self.bar) | (places < self.last)
            places, scores = places[useful], scores[useful]
        self.places.append(places)
        self.scores.append(scores)
        self.held += len(places)
        if self.held > 2 * self.size:
            self._drop_the_rest()

    def ranked(self) -> tuple[Integers, Floats]:
        if self.held > self.size:
            self._drop_the_rest()
        places, scores = self._joined()
        order = np.lexsort((places, -scores))
        return places[order], scores[order]

    def _joined(self) -> tuple[Integers, Floats]:
        none = np.zeros(0, np.int64), np.zeros(0, np.float32)
        return np.concatenate([none[0], *self.places]), np.concatenate([none[1], *self.scores])

    def _drop_the_rest(self) -> None:
        places, scores = self._joined()
        bar = np.partition(scores, len(scores) - self.size)[len(scores) - self.size]
        above = scores > bar
        tied = places[scores == bar]
        spare = self.size - int(above.sum())
        last = int(np.partition(tied, spare - 1)[spare - 1])
        kept = above | ((scores == bar) & (places <= last))
        self.places, self.scores, self.held = [places[kept]], [scores[kept]], self.size
        self.bar, self.last = float(bar), last
