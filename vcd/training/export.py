"""A torch module becomes a file of the models folder: ONNX, metadata, Triton layout, manifest."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx import ModelProto, TensorProto, checker, helper, load_model_from_string, numpy_helper
from torch import nn

from vcd.descriptors.entries import (
    enter,
    model_folder,
    write_background,
    write_canonical,
    write_orientations,
)
from vcd.descriptors.manifest import ModelInfo
from vcd.descriptors.runtime import DescriptorModel
from vcd.encoding import write_whole
from vcd.records import FloatArray, Stream

__all__ = ["export_model"]

OPSET = 18
IR_VERSION = 8
SCHEMA = "vcd-descriptor-1"
_HALF_FROM = 4096
"""Weights of at least this many numbers are stored as float16 and widened when loaded."""


def export_model(
    module: nn.Module,
    example: torch.Tensor,
    folder: Path,
    *,
    name: str,
    version: int,
    stream: Stream,
    inputs: Mapping[str, float],
    licence: str,
    background: Callable[[DescriptorModel], FloatArray],
    orientations: Callable[[DescriptorModel], FloatArray] | None = None,
    int8: Callable[[ModelProto], ModelProto] | None = None,
) -> str:
    """Write ``<folder>/<name>/<version>/model.onnx``, and enter it in ``models.json`` as default.

    Beside it go its background and ``canonical.json``: the rows by which a host of the model is
    checked. A model of 8 bits has none, for hosts round it each in their own way. It is entered
    last, when all of it is there.

    Parameters
    ----------
    module : torch.nn.Module
        From a batch to unit vectors. Pictures arrive as float32 (b, 3, height, width), grey
        levels 0 to 255, at the model's size: the way there from uint8 (b, h, w, 3) of any size is
        put before it in the graph.
    example : torch.Tensor
        One batch, for tracing.
    inputs : mapping
        The manifest's `input`.
    background : callable
        Takes the model, and returns what it makes of unrelated material, shape (k, dimensions).
    orientations : callable, optional
        Takes the model, and returns its maps to other orientations of a picture.
    int8 : callable, optional
        Makes whole numbers of 8 bits of parts of the graph, as `vcd.training.int8.with_int8` does.

    Returns
    -------
    str
        The id of the model.
    """
    input_name, axes = (
        ("pictures", {0: "batch", **({2: "rows", 3: "columns"} if "small" in inputs else {})})
        if stream == "visual"
        else ("samples", {0: "batch", 1: "time"})
    )
    rows = "batch" if stream == "visual" else "windows"  # of which a run of sound has several
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        dimensions = int(module(example).shape[1])
        torch.onnx.export(
            module,
            (example,),
            buffer,
            input_names=[input_name],
            output_names=["descriptor"],
            dynamic_axes={input_name: axes, "descriptor": {0: rows}},
            opset_version=OPSET,
            dynamo=False,
        )
    model_id = f"{name}-{version}"
    model = load_model_from_string(buffer.getvalue())
    # The tracer names this axis after a node, and does not say how long it is.
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = dimensions
    if int8 is not None:
        model = int8(model)
    model.ir_version = IR_VERSION
    _store_half(model)
    if stream == "visual":
        _prepend_scaling(model, **{side: int(pixels) for side, pixels in inputs.items()})
    for key, value in {
        "schema": SCHEMA,
        "name": model_id,
        "dimensions": str(dimensions),
        "licence": licence,
        **{key: f"{value:g}" for key, value in inputs.items()},
    }.items():
        prop = model.metadata_props.add()
        prop.key, prop.value = key, value
    checker.check_model(model)

    path = model_folder(folder, model_id) / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    data = model.SerializeToString()
    write_whole(path, data)
    entry: dict[str, Any] = {
        "id": model_id,
        "file": path.relative_to(folder).as_posix(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "stream": stream,
        "dimensions": dimensions,
        "opset": OPSET,
        "licence": licence,
        "input": dict(inputs),
    }
    written = DescriptorModel(ModelInfo(**entry, folder=folder), threads=2)
    entry["background"] = write_background(folder, model_id, background(written))
    if orientations is not None:
        entry["orientations"] = write_orientations(folder, model_id, orientations(written))
    if int8 is None:
        entry["canonical"] = write_canonical(folder, written)
    write_whole(folder / name / "config.pbtxt", _triton_config(name, stream, dimensions).encode())
    enter(folder, entry)
    return model_id


def _store_half(model: ModelProto) -> None:
    """Keep large weights as float16 with a Cast behind each: half the bytes, float32 arithmetic."""
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _HALF_FROM:
            continue
        original = tensor.name
        half = numpy_helper.from_array(values.astype(np.float16), original + "_half")
        tensor.CopyFrom(half)
        casts.append(
            helper.make_node("Cast", [original + "_half"], [original], to=TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _prepend_scaling(model: ModelProto, height: int, width: int, small: int | None = None) -> None:
    """Let the graph take uint8 (batch, height, width, 3) of any size; antialiased bilinear.

    Pictures with no side above `small` are scaled to that size instead.
    """
    graph = model.graph
    size = np.array([height, width])
    graph.initializer.append(numpy_helper.from_array(size, "model_size"))
    chosen, choice = "model_size", []
    if small is not None:
        chosen = "picture_size"
        for value, name in ((np.array([small, small]), "small_size"), (np.array(small), "small")):
            graph.initializer.append(numpy_helper.from_array(value, name))
        choice = [
            helper.make_node("Shape", ["frames"], ["frame_size"], start=1, end=3),
            helper.make_node("ReduceMax", ["frame_size"], ["longer_side"], keepdims=0),
            helper.make_node("Greater", ["longer_side", "small"], ["is_large"]),
            helper.make_node("Where", ["is_large", "model_size", "small_size"], [chosen]),
        ]
    before = [
        *choice,
        helper.make_node("Cast", ["frames"], ["frames_float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["frames_float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node(
            "Resize",
            ["planes", "", "", chosen],
            ["pictures"],
            mode="linear",
            antialias=1,
            axes=[2, 3],
        ),
    ]
    nodes = [*before, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.input[:]
    graph.input.append(
        helper.make_tensor_value_info("frames", TensorProto.UINT8, ["batch", "height", "width", 3])
    )


def _triton_config(name: str, stream: Stream, dimensions: int) -> str:
    data = (
        ("frames", "TYPE_UINT8", "-1, -1, 3")
        if stream == "visual"
        else ("samples", "TYPE_FP32", "-1")
    )
    return f"""name: "{name}"
platform: "onnxruntime_onnx"
max_batch_size: 64
input [
  {{ name: "{data[0]}" data_type: {data[1]} dims: [ {data[2]} ] }}
]
output [
  {{ name: "descriptor" data_type: TYPE_FP32 dims: [ {dimensions} ] }}
]
"""
