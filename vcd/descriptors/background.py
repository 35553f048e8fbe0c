"""Background descriptors of a model: what it says about unrelated material."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from vcd.descriptors.beside import AGAIN, read_array
from vcd.descriptors.manifest import ModelInfo
from vcd.errors import ModelError
from vcd.records import FloatArray

__all__ = ["load_background"]


def load_background(info: ModelInfo) -> FloatArray | None:
    """Return a model's background descriptors as unit rows, or None where it brings none.

    Returns
    -------
    ndarray of float32, shape (k, dimensions), or None

    Raises
    ------
    ModelError
        The file is missing, damaged or of another width.
    """
    if not info.background:
        return None
    return _load(str(info.folder / info.background), info.id, info.dimensions)


@lru_cache(maxsize=8)
def _load(path: str, model: str, dimensions: int) -> FloatArray:
    rows = read_array(path, f"the background descriptors of model {model}")
    if rows.ndim != 2 or rows.shape[1] != dimensions:
        raise ModelError(
            f"the background of model {model} has shape {rows.shape}, expected (k, {dimensions})",
            file=path,
            remedy=AGAIN,
        )
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)  # type: ignore[no-any-return]
