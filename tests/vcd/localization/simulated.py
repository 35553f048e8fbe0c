"""Seeded matrices with planted copies, for the tests of the localizer."""

import numpy as np
from making import grid, unit_rows

from vcd.records import SimilarityMatrix
from vcd.similarity import background_statistics, normalise

DIMENSIONS = 64


def content(rng, n):
    """Return n descriptors of a video that moves within scenes of a few positions."""
    scenes = np.cumsum(rng.random(n) < 0.2)
    base = unit_rows(rng, int(scenes[-1]) + 1 if n else 1, DIMENSIONS)
    rows = base[scenes] + 1.2 * unit_rows(rng, n, DIMENSIONS)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def copied(rng, rows, noise=0.5):
    rows = rows + noise * unit_rows(rng, len(rows), DIMENSIONS)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def evidence_of(
    query, ref, *, query_rate=1.0, ref_rate=1.0, query_weight=None, ref_weight=None, stream="visual"
):
    background = unit_rows(np.random.default_rng(999), 300, DIMENSIONS)
    cosines = np.clip(query @ ref.T, -1, 1).astype(np.float32)
    matrix = SimilarityMatrix(
        cosines, grid(len(query), 1 / query_rate), grid(len(ref), 1 / ref_rate), stream
    )
    return normalise(
        matrix,
        query_background=background_statistics(query.astype(np.float32), background),
        ref_background=background_statistics(ref.astype(np.float32), background),
        query_weight=query_weight,
        ref_weight=ref_weight,
    )


def planted(pieces, n=60, m=80, seed=0, noise=0.5, **options):
    """Return a matrix whose query rows [a, b) show the reference positions given with them."""
    rng = np.random.default_rng(seed)
    query, ref = content(rng, n).astype(np.float32), content(rng, m).astype(np.float32)
    for first, positions in pieces:
        query[first : first + len(positions)] = copied(rng, ref[np.asarray(positions)], noise)
    return evidence_of(query, ref, **options)


def bounds(segment):
    return (segment.query_start, segment.query_end, segment.ref_start, segment.ref_end)
