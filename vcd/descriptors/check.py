"""Whether a model does what its manifest entry promises."""

from __future__ import annotations

import numpy as np

from vcd.descriptors.manifest import ModelInfo
from vcd.descriptors.runtime import DescriptorModel
from vcd.media.decoder import SAMPLE_RATE

__all__ = ["check_model"]


def check_model(info: ModelInfo) -> None:
    """Load a model and describe made input with it.

    Raises
    ------
    ModelError
        The file is missing or not the right one, does not load, or gives something else than unit
        vectors of the promised length.
    """
    model = DescriptorModel(info)
    rng = np.random.default_rng(0)
    if info.stream == "visual":
        shape = (2, int(info.input["height"]), int(info.input["width"]), 3)
        model(rng.integers(0, 256, shape, dtype=np.uint8))
    else:
        samples = round(info.input["window"] * SAMPLE_RATE)
        model(rng.uniform(-0.5, 0.5, (2, samples)).astype(np.float32))
