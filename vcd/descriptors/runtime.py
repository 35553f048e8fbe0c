"""ONNX sessions: a model of the manifest as a function from arrays to unit vectors."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vcd.descriptors.manifest import ModelInfo
from vcd.errors import ModelError
from vcd.records import FloatArray

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["DescriptorModel", "open_session"]


def open_session(path: Path, *, threads: int = 1, keep_memory: bool = False) -> InferenceSession:
    """Load an ONNX file for the CPU.

    Parameters
    ----------
    path : Path
    threads : int
        Inside one run.
    keep_memory : bool
        Keep what the largest runs at once took for the next ones. Right for runs of bounded size:
        otherwise the memory of each run is left with whichever thread it ran in, and a process of
        many threads holds it many times over, though none of it is in use.

    Raises
    ------
    ModelError
        ONNX Runtime cannot load it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = keep_memory
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own classes, all plain exceptions
        raise ModelError(
            f"is not a model that ONNX Runtime can load ({error})",
            file=path,
            remedy="see whether it is whole (vcd models verify), or try a newer onnxruntime",
        ) from error


class DescriptorModel:
    """One model, loaded at its first use; safe to call from several threads.

    Parameters
    ----------
    info : ModelInfo
    threads : int
        Threads inside one call. The default of 1 suits many files side by side: on a CPU a batch
        costs the same per item as single calls.
    """

    def __init__(self, info: ModelInfo, *, threads: int = 1) -> None:
        self.info = info
        self._threads = threads
        self._session: InferenceSession | None = None
        self._lock = threading.Lock()

    def __call__(self, batch: npt.NDArray[Any]) -> FloatArray:
        """Describe a batch.

        Parameters
        ----------
        batch : ndarray
            visual: uint8 (b, height, width, 3), RGB. audio: float32 (b, n) samples at 16 kHz; a
            model that takes runs gives a row for the window that each begins with, and one for
            every further hop.

        Returns
        -------
        ndarray of float32, shape (b, dimensions), or (b * windows, dimensions) of runs
            Rows of unit length.

        Raises
        ------
        ModelError
            The file cannot be loaded, or the model gives something else than it promises.
        """
        session = self._loaded()
        name = session.get_inputs()[0].name
        try:
            output = session.run(None, {name: np.ascontiguousarray(batch)})[0]
        except Exception as error:  # onnxruntime raises its own classes, all plain exceptions
            raise ModelError(f"model {self.info.id} failed ({error})") from error
        rows = np.asarray(output, dtype=np.float32)
        expected = (len(batch) * self._windows(batch), self.info.dimensions)
        if rows.shape != expected or not np.isfinite(rows).all():
            raise ModelError(
                f"model {self.info.id} gave {rows.shape} values, expected finite {expected}",
                remedy="check the model with: vcd models verify",
            )
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.maximum(length, 1e-9)  # type: ignore[no-any-return]

    def _windows(self, batch: npt.NDArray[Any]) -> int:
        """Return how many windows each item of a batch holds: one, but in runs of sound."""
        given = self.info.input
        if not given.get("runs"):
            return 1
        seconds = int(batch.shape[1]) / given["sample_rate"]
        return round((seconds - given["window"]) / given["hop"]) + 1

    def _loaded(self) -> InferenceSession:
        with self._lock:
            if self._session is None:
                self._session = open_session(
                    self.info.verify(), threads=self._threads, keep_memory=True
                )
            return self._session
