"""Localization: a matrix in, segments out."""

from vcd.localization.alignment import LineLocalizer, LineSettings
from vcd.localization.confidence import Confidence, default_confidence
from vcd.localization.localizer import Localizer
from vcd.localization.stills import StillLocalizer, is_still
from vcd.localization.windows import Window, find_windows

__all__ = [
    "Confidence",
    "LineLocalizer",
    "LineSettings",
    "Localizer",
    "StillLocalizer",
    "Window",
    "default_confidence",
    "find_windows",
    "is_still",
]
