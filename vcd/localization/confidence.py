"""The probability that a measured segment is a copy: a logistic model, its numbers kept as data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from vcd.errors import ContractError
from vcd.localization.features import FEATURES, Features

__all__ = ["Confidence", "default_confidence"]

_LIMIT = 30.0  # log-odds beyond which a probability is 0 or 1 in all but name


@dataclass(frozen=True, slots=True, eq=False)
class Confidence:
    """A logistic model of the features of a segment: ``sigmoid(weights @ features + intercept)``.

    Parameters
    ----------
    weights : ndarray of float64, shape (k,)
        In the order of `FEATURES`.
    intercept : float

    Raises
    ------
    ContractError
        A number is missing or not finite.
    """

    weights: npt.NDArray[np.float64]
    intercept: float

    def __post_init__(self) -> None:
        numbers = np.append(self.weights, self.intercept)
        if self.weights.shape != (len(FEATURES),) or not np.isfinite(numbers).all():
            raise ContractError(f"a confidence needs {len(FEATURES)} finite weights, got {self}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Confidence:
        """Read ``{"weights": {feature: weight}, "intercept": ...}``.

        Raises
        ------
        ContractError
            A weight or the intercept is missing, unknown, or no number.
        """
        again = "fit it again: vcd train calibration"
        try:
            weights = {name: float(weight) for name, weight in values["weights"].items()}
            intercept = float(values["intercept"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ContractError(
                f"a confidence has weights by feature and an intercept ({error})", remedy=again
            ) from error
        if set(weights) != set(FEATURES):
            raise ContractError(
                f"a confidence weighs {', '.join(FEATURES)}; got {', '.join(weights) or 'none'}",
                remedy=again,
            )
        return cls(np.array([weights[name] for name in FEATURES], np.float64), intercept)

    def as_mapping(self) -> dict[str, Any]:
        """Return what `from_mapping` reads, rounded to four places."""
        weights = zip(FEATURES, self.weights.tolist(), strict=True)
        return {
            "weights": {name: round(weight, 4) for name, weight in weights},
            "intercept": round(self.intercept, 4),
        }

    def __call__(self, features: Features) -> float:
        """Return the probability, in (0, 1)."""
        odds = float(self.weights @ features.array()) + self.intercept
        return 1 / (1 + math.exp(-min(max(odds, -_LIMIT), _LIMIT)))


@cache
def default_confidence() -> Confidence:
    """Return the model fitted on simulated matrices, for descriptors that bring none of their own.

    35 percent of the pairs it was fitted on hold no copy (``benchmarks/simbench.py --fit``); its
    file names how.
    """
    text = resources.files("vcd.localization").joinpath("weights.json").read_text("utf-8")
    return Confidence.from_mapping(json.loads(text))
