"""Two tracks in, the matrix of their cosines out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcd.errors import DescriptorError
from vcd.records import FloatArray, SimilarityMatrix, Track
from vcd.similarity.background import BackgroundStatistics, background_statistics
from vcd.similarity.evidence import normalise

__all__ = ["PreparedTrack", "cosine_matrix", "evidence_matrix", "prepare"]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedTrack:
    """A track with what every comparison of it needs, worked out once.

    `vectors` is float32 (n, d) of unit rows; `background` is None where the model brings none.
    """

    track: Track
    vectors: FloatArray
    background: BackgroundStatistics | None


def prepare(track: Track, background: FloatArray | None = None) -> PreparedTrack:
    """Return a track ready for comparison.

    Parameters
    ----------
    track : Track
    background : ndarray of float32, shape (k, d), optional
        Descriptors of unrelated material by the same model, unit rows.
    """
    vectors = track.unit_vectors()
    statistics = None
    if background is not None and len(background):
        statistics = background_statistics(vectors, background)
    return PreparedTrack(track, vectors, statistics)


def cosine_matrix(query: PreparedTrack, reference: PreparedTrack) -> SimilarityMatrix:
    """Return the cosine of every query position with every reference position.

    Raises
    ------
    DescriptorError
        The tracks come from different streams or models, which can not be compared.
    """
    q, r = query.track, reference.track
    if (
        q.stream != r.stream
        or q.model != r.model
        or query.vectors.shape[1] != reference.vectors.shape[1]
    ):
        raise DescriptorError(
            f"descriptors of {q.stream} model {q.model} and {r.stream} model {r.model} "
            "cannot be compared",
            remedy="describe both videos with the same model",
        )
    values = np.clip(query.vectors @ reference.vectors.T, -1, 1)
    return SimilarityMatrix(values, q.times, r.times, q.stream)


def evidence_matrix(query: PreparedTrack, reference: PreparedTrack) -> SimilarityMatrix:
    """Return the normalised matrix of two tracks: centred cosines, and evidence for a copy."""
    return normalise(
        cosine_matrix(query, reference),
        query_background=query.background,
        ref_background=reference.background,
        query_weight=query.track.weight,
        ref_weight=reference.track.weight,
    )
