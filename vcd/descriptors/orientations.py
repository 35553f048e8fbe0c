"""What a model would say of a picture that is mirrored or turned, from what it says of it upright.

A linear map of the vector comes close to describing the other picture, and costs next to nothing:
no file is read again, and descriptors made long ago have it, too.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from vcd.descriptors.beside import AGAIN, read_array
from vcd.descriptors.manifest import ModelInfo
from vcd.errors import ModelError
from vcd.records import FloatArray

__all__ = ["load_orientations"]


def load_orientations(info: ModelInfo) -> FloatArray | None:
    """Return a model's maps to other orientations of a picture, or None where it brings none.

    Returns
    -------
    ndarray of float32, shape (k, dimensions + 1, dimensions), or None
        The last row of each is added to what the others make of a unit vector. The result is not of
        unit length.

    Raises
    ------
    ModelError
        The file is missing, damaged or of another shape.
    """
    if not info.orientations:
        return None
    return _load(str(info.folder / info.orientations), info.id, info.dimensions)


@lru_cache(maxsize=8)
def _load(path: str, model: str, dimensions: int) -> FloatArray:
    maps = read_array(path, f"the orientations of model {model}")
    if maps.ndim != 3 or not len(maps) or maps.shape[1:] != (dimensions + 1, dimensions):
        raise ModelError(
            f"the orientations of model {model} have shape {maps.shape}, "
            f"expected (k, {dimensions + 1}, {dimensions})",
            file=path,
            remedy=AGAIN,
        )
    if not np.isfinite(maps).all():
        raise ModelError(
            f"the orientations of model {model} are not finite",
            file=path,
            remedy=AGAIN,
        )
    return maps
