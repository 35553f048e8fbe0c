"""The probability that a measured segment is a copy."""

from __future__ import annotations

import json
import math
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from vcd.localization.features import FEATURES, Features

__all__ = ["confidence"]


def confidence(features: Features) -> float:
    """Return the probability in (0, 1) that a logistic model gives a segment.

    The model is fitted on a set in which 35 percent of the pairs hold no copy
    (``benchmarks/simbench.py --fit``); its file names how.
    """
    weights, intercept = _weights()
    odds = float(weights @ features.array()) + intercept
    return 1 / (1 + math.exp(-min(max(odds, -30.0), 30.0)))


@cache
def _weights() -> tuple[npt.NDArray[np.float64], float]:
    text = resources.files("vcd.localization").joinpath("weights.json").read_text("utf-8")
    model = json.loads(text)
    weights = np.array([float(model["weights"][name]) for name in FEATURES])
    return weights, float(model["intercept"])
