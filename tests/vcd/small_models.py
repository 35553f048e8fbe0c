"""Small ONNX models as somebody else might bring them: right ones, and wrong in one way each."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

WINDOW = 16_000  # samples


def _saved(path, nodes, weights, given, dimensions, metadata, batch, **options):
    ports = [
        helper.make_tensor_value_info(name, kind, [batch, *shape]) for name, kind, shape in given
    ]
    output = helper.make_tensor_value_info("rows", TensorProto.FLOAT, [batch, dimensions])
    graph = helper.make_graph(
        nodes, "small", ports, [output], [numpy_helper.from_array(v, k) for k, v in weights.items()]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    for key, value in metadata.items():
        prop = model.metadata_props.add()
        prop.key, prop.value = key, value
    save(model, path, **options)
    return path


def visual_model(
    path,
    *,
    dimensions=16,
    seed=0,
    batch="batch",
    side="any",
    kind=TensorProto.UINT8,
    planes=False,
    unit=True,
    scale=1.0,
    second=False,
    metadata=None,
    **options,
):
    """Write a model of what a picture looks like at 8 x 8; `side` is that of what it takes.

    Wrong ones: `planes` before rows, another `kind`, a fixed `batch`, not `unit`, a `scale` of 0,
    a `second` input.
    """
    rng = np.random.default_rng(seed)
    weights = {
        "size": np.array([8, 8]),
        "level": np.array(128, np.float32),
        "map": rng.standard_normal((192, dimensions)).astype(np.float32) * np.float32(scale),
        "bias": np.ones(dimensions, np.float32),
    }
    order = [0, 1, 2, 3] if planes else [0, 3, 1, 2]
    scaling = {"mode": "linear", "antialias": 1, "axes": [2, 3]}
    nodes = [
        helper.make_node("Cast", ["frames"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=order),
        helper.make_node("Resize", ["planes", "", "", "size"], ["small"], **scaling),
        helper.make_node("Sub", ["small", "level"], ["centred"]),
        helper.make_node("Flatten", ["centred"], ["flat"]),
        helper.make_node("MatMul", ["flat", "map"], ["mapped"]),
        helper.make_node("Add", ["mapped", "bias"], ["raw" if unit else "rows"]),
    ]
    if unit:
        nodes.append(helper.make_node("LpNormalization", ["raw"], ["rows"], axis=1, p=2))
    sides = ["height", "width"] if side == "any" else [side, side]
    given = [("frames", kind, [3, *sides] if planes else [*sides, 3])]
    if second:
        given.append(("other", TensorProto.FLOAT, [3]))
    return _saved(path, nodes, weights, given, dimensions, metadata or {}, batch, **options)


def audio_model(path, *, dimensions=16, seed=0, window=WINDOW, metadata=None):
    """Write a model of how loud each hundredth of a window is; `window` is that of what it takes.

    A name instead of a number lets it take any hundred-fold.
    """
    rng = np.random.default_rng(seed)
    weights = {
        "parts": np.array([0, 100, -1]),
        "axes": np.array([2]),
        "map": rng.standard_normal((100, dimensions)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Reshape", ["samples", "parts"], ["cut"]),
        helper.make_node("ReduceL2", ["cut", "axes"], ["levels"], keepdims=0),
        helper.make_node("MatMul", ["levels", "map"], ["raw"]),
        helper.make_node("LpNormalization", ["raw"], ["rows"], axis=1, p=2),
    ]
    given = [("samples", TensorProto.FLOAT, [window])]
    return _saved(path, nodes, weights, given, dimensions, metadata or {}, "batch")
