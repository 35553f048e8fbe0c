"""A localizer's confidence becomes a probability."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from vcd.errors import ContractError

__all__ = ["Calibration"]

_EDGE = 1e-9


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling of a confidence: ``sigmoid(slope * logit(confidence) + intercept)``.

    The default leaves confidences as they are.

    References
    ----------
    Platt 1999, "Probabilistic outputs for support vector machines".
    """

    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and math.isfinite(self.intercept) and self.slope > 0):
            raise ContractError(
                f"a calibration needs a positive slope and a finite intercept, got {self}"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, float]) -> Calibration:
        """Read `slope` and `intercept`; what is missing is as in the default."""
        return cls(float(values.get("slope", 1.0)), float(values.get("intercept", 0.0)))

    def __call__(self, confidence: float) -> float:
        """Return the probability of a confidence in [0, 1]."""
        inside = min(max(confidence, _EDGE), 1 - _EDGE)
        logit = math.log(inside / (1 - inside))
        return 1 / (1 + math.exp(-(self.slope * logit + self.intercept)))
