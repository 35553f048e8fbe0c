"""Which streams bear a segment out: evidence of picture and sound along its line."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vcd.records import STREAMS, FloatArray, Segment, SimilarityMatrix, Stream
from vcd.similarity.positions import nearest_positions

__all__ = ["mean_evidence", "speaking_streams"]

_SHIFTS = (0.0, -0.25, 0.25, -0.5, 0.5)
"""Seconds: a line found on a coarse grid may lie beside the narrow ridge of a finer one."""


def speaking_streams(
    segment: Segment, matrices: Mapping[str, SimilarityMatrix]
) -> frozenset[Stream]:
    """Return the streams whose own evidence speaks for a segment, whichever pass found it.

    Unrelated content has negative evidence, silent and black content none at all (0).

    Parameters
    ----------
    segment : Segment
    matrices : mapping of str to SimilarityMatrix
        Normalised matrices of the pair by stream.

    Returns
    -------
    frozenset of {"visual", "audio"}
        Where no stream speaks for it clearly, those of the pass that found the segment.
    """
    own = frozenset(
        stream
        for stream in STREAMS
        if stream in matrices
        and max(mean_evidence(segment, matrices[stream], shift=s) for s in _SHIFTS) > 0
    )
    return own or segment.streams


def mean_evidence(segment: Segment, matrix: SimilarityMatrix, *, shift: float = 0.0) -> float:
    """Return the mean evidence of a matrix along the line of a segment, in [-1, 1].

    `shift` moves the line along the reference, in seconds.

    Each position of the query inside the segment takes the reference position nearest the line;
    0 where the matrix has no position inside the segment.
    """
    query, reference = matrix.query_times.mean(axis=1), matrix.ref_times.mean(axis=1)
    rows = np.flatnonzero((query >= segment.query_start) & (query < segment.query_end))
    if len(rows) == 0 or len(reference) == 0:
        return 0.0
    share = (query[rows] - segment.query_start) / max(segment.length, 1e-9)
    if segment.speed < 0:
        share = 1 - share
    target = segment.ref_start + shift + share * (segment.ref_end - segment.ref_start)
    columns = nearest_positions(reference, target)
    line: FloatArray = matrix.evidence[rows, columns]
    return float(line.mean())
