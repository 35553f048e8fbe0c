"""A learned comparator: which cells of a matrix of evidence lie on the line of a copy."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vcd.descriptors.runtime import open_session
from vcd.errors import ModelError
from vcd.records import FloatArray

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["Refiner"]


class Refiner:
    """A network of the models folder, loaded at its first use; safe to call from several threads.

    It looks at a cell with some twenty positions around it, and at how its row and its column do
    elsewhere: what one line of cells alone does not show.

    Parameters
    ----------
    path : Path
        ONNX file; input `excess` (rows, columns), output `copied` of the same shape.

    References
    ----------
    Kordopatis-Zilos et al. 2019, "ViSiL", whose comparator pools; this one keeps every cell.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._session: InferenceSession | None = None
        self._lock = threading.Lock()

    def __call__(self, excess: FloatArray) -> FloatArray:
        """Return for each cell how probably a copy runs through it.

        Parameters
        ----------
        excess : ndarray of float32, shape (n, m)
            Of a normalised matrix, n and m at least 1.

        Returns
        -------
        ndarray of float32, shape (n, m)
            In [0, 1].

        Raises
        ------
        ModelError
            The file cannot be loaded, or gives something else than it promises.
        """
        session = self._loaded()
        try:
            [output] = session.run(None, {"excess": np.ascontiguousarray(excess)})
        except Exception as error:  # onnxruntime raises its own classes, all plain exceptions
            raise ModelError(f"the refiner failed ({error})", file=self.path) from error
        copied = np.asarray(output, np.float32)
        if copied.shape != excess.shape or not np.isfinite(copied).all():
            raise ModelError(
                f"the refiner gave {copied.shape} values, expected finite {excess.shape}",
                file=self.path,
                remedy="check it with: vcd models verify",
            )
        return copied

    def _loaded(self) -> InferenceSession:
        with self._lock:
            if self._session is None:
                self._session = open_session(self.path)
            return self._session
