"""Localization: a matrix in, segments out."""

from vcd.localization.alignment import LineLocalizer, LineSettings
from vcd.localization.confidence import confidence
from vcd.localization.localizer import Localizer

__all__ = ["LineLocalizer", "LineSettings", "Localizer", "confidence"]
