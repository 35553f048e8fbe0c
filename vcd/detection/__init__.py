"""Detection: segments in; matches with calibrated probabilities out."""

from vcd.detection.calibration import Calibration
from vcd.detection.detector import STILL, Detector
from vcd.detection.merging import join_pieces, merge_segments
from vcd.detection.testimony import speaking_streams

__all__ = [
    "STILL",
    "Calibration",
    "Detector",
    "join_pieces",
    "merge_segments",
    "speaking_streams",
]
