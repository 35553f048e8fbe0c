"""Whether a model does what its manifest entry promises."""

from __future__ import annotations

import numpy as np

from vcd.descriptors.background import load_background
from vcd.descriptors.canonical import canonical_inputs, check_canonical
from vcd.descriptors.manifest import ModelInfo
from vcd.descriptors.orientations import load_orientations
from vcd.descriptors.runtime import DescriptorModel

__all__ = ["check_model"]


def check_model(info: ModelInfo) -> int:
    """Load a model and what lies beside it, describe made input, compare canonical rows if any.

    Returns
    -------
    int
        How many canonical rows it gave.

    Raises
    ------
    ModelError
        A file is missing or not the right one, does not load, or the model gives something else
        than unit vectors of the promised length, or other rows than its canonical ones.
    """
    load_background(info)
    load_orientations(info)
    model = DescriptorModel(info)
    model(np.concatenate(canonical_inputs(info)[:2]))  # of its own size, which any model takes
    return check_canonical(model)
