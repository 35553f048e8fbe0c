"""Reads an array that lies beside a model."""

from __future__ import annotations

import numpy as np

from vcd.errors import ModelError
from vcd.records import FloatArray

__all__ = ["AGAIN", "read_array"]

AGAIN = "install vcd-engine again"


def read_array(path: str, what: str) -> FloatArray:
    """Return the numbers of a file as float32; `what` they are is told where it cannot be read.

    Raises
    ------
    ModelError
        The file is missing or damaged.
    """
    try:
        numbers: FloatArray = np.load(path, allow_pickle=False).astype(np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"{what} cannot be read ({error})", file=path, remedy=AGAIN) from error
    return numbers
