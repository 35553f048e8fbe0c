"""Whether a model does what its manifest entry promises."""

from __future__ import annotations

import numpy as np

from vcd.descriptors.canonical import canonical_inputs, check_canonical
from vcd.descriptors.manifest import ModelInfo
from vcd.descriptors.runtime import DescriptorModel

__all__ = ["check_model"]


def check_model(info: ModelInfo) -> int:
    """Load a model, describe made input with it, and compare its canonical rows where it has some.

    Returns
    -------
    int
        How many canonical rows it gave.

    Raises
    ------
    ModelError
        The file is missing or not the right one, does not load, or gives something else than unit
        vectors of the promised length, or other rows than its canonical ones.
    """
    model = DescriptorModel(info)
    model(np.concatenate(canonical_inputs(info)[:2]))  # of its own size, which any model takes
    return check_canonical(model)
