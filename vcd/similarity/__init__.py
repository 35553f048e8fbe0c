"""Similarity: two tracks in, one matrix out; cosine, background statistics, evidence, fusion."""

from vcd.similarity.background import BackgroundStatistics, background_statistics
from vcd.similarity.cosine import (
    OTHERWISE,
    PreparedTrack,
    View,
    check_cells,
    cosine_matrix,
    evidence_matrix,
    prepare,
)
from vcd.similarity.evidence import UNKNOWN_LEVEL, normalise
from vcd.similarity.fusion import fuse
from vcd.similarity.pooling import is_long, overview, pooled_matrix
from vcd.similarity.refiner import Refiner

__all__ = [
    "OTHERWISE",
    "UNKNOWN_LEVEL",
    "BackgroundStatistics",
    "PreparedTrack",
    "Refiner",
    "View",
    "background_statistics",
    "check_cells",
    "cosine_matrix",
    "evidence_matrix",
    "fuse",
    "is_long",
    "normalise",
    "overview",
    "pooled_matrix",
    "prepare",
]
