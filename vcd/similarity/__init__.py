"""Similarity: two tracks in, one matrix out; cosine, background statistics, evidence, fusion."""

from vcd.similarity.background import BackgroundStatistics, background_statistics
from vcd.similarity.cosine import PreparedTrack, cosine_matrix, evidence_matrix, prepare
from vcd.similarity.evidence import UNKNOWN_LEVEL, normalise
from vcd.similarity.fusion import fuse

__all__ = [
    "UNKNOWN_LEVEL",
    "BackgroundStatistics",
    "PreparedTrack",
    "background_statistics",
    "cosine_matrix",
    "evidence_matrix",
    "fuse",
    "normalise",
    "prepare",
]
