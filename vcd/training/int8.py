"""Convolutions in whole numbers of 8 bits, calibrated on real input.

The graph gets pairs of QuantizeLinear and DequantizeLinear, which hosts turn into arithmetic of
whole numbers where they can. Weights have 7 bits: products of 8 by 8 bits overflow on processors
without instructions of their own for them (ONNX Runtime, "Quantize ONNX models").
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx import ModelProto, load
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

__all__ = ["with_int8"]


class _Batches(CalibrationDataReader):
    def __init__(self, name: str, batches: Iterable[npt.NDArray[np.float32]]) -> None:
        self._name = name
        self._batches: Iterator[npt.NDArray[np.float32]] = iter(batches)

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


def with_int8(
    model: ModelProto,
    batches: Iterable[npt.NDArray[np.float32]],
    *,
    spared: int,
) -> ModelProto:
    """Return a model whose convolutions, and what is added to or clipped of them, are of 8 bits.

    Parameters
    ----------
    model : ModelProto
        With weights of float32.
    batches : iterable of ndarray of float32
        What the model takes, and is calibrated on.
    spared : int
        Convolutions, the first ones, that stay in floating point: what they lose is lost to all.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain, rounded = (str(Path(folder) / name) for name in ("plain.onnx", "int8.onnx"))
        options = onnxruntime.SessionOptions()
        # Padding, which the tracer computes step by step, goes into the convolutions.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = plain
        onnxruntime.InferenceSession(model.SerializeToString(), options)
        folded = load(plain)
        rounding = [node for node in folded.graph.node if node.op_type == "Conv"][spared:]
        made = {node.output[0] for node in rounding}
        rounding += [
            node
            for node in folded.graph.node
            if node.op_type in ("Add", "Clip") and made.intersection(node.input)
        ]
        log = logging.getLogger()
        told = log.level
        log.setLevel(logging.ERROR)  # it advises what was done above
        try:
            quantize_static(
                plain,
                rounded,
                _Batches(folded.graph.input[0].name, batches),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "Add", "Clip"],
                nodes_to_quantize=[node.name for node in rounding],
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        finally:
            log.setLevel(told)
        result: ModelProto = load(rounded)
    del result.opset_import[:]
    result.opset_import.extend(op for op in model.opset_import if op.domain in ("", "ai.onnx"))
    return result
