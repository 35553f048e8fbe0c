"""Localization: a matrix in, segments out."""

from vcd.localization.alignment import LineLocalizer, LineSettings
from vcd.localization.confidence import confidence
from vcd.localization.localizer import Localizer
from vcd.localization.stills import StillLocalizer, is_still

__all__ = [
    "LineLocalizer",
    "LineSettings",
    "Localizer",
    "StillLocalizer",
    "confidence",
    "is_still",
]
