"""Detection: segments in; matches with calibrated probabilities out."""

from vcd.detection.calibration import Calibration
from vcd.detection.detector import STILL, Detector
from vcd.detection.merging import merge_segments

__all__ = ["STILL", "Calibration", "Detector", "merge_segments"]
