"""The folder of models is a model repository as NVIDIA Triton reads it."""

import importlib.util
from pathlib import Path

import pytest
from onnx import TensorProto, load

from vcd.descriptors import load_manifest

pytest.importorskip("tritonclient")

from google.protobuf import text_format

ROOT = Path(__file__).resolve().parents[3]
MANIFEST = load_manifest(ROOT / "onnx")
MODELS = {model.id: model for model in MANIFEST.models if not model.package}
REFINER = MANIFEST.refiner
TYPES = {"TYPE_UINT8": TensorProto.UINT8, "TYPE_FP32": TensorProto.FLOAT}


@pytest.fixture(scope="module")
def schema():
    """Return the protobuf messages alone: the client around them would need gRPC."""
    folder = importlib.util.find_spec("tritonclient").submodule_search_locations[0]
    path = Path(folder) / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_model_of_ours_is_configured():
    assert {path.parent.name for path in ROOT.glob("onnx/*/config.pbtxt")} == {
        name.rpartition("-")[0] for name in (*MODELS, REFINER.id)
    }


@pytest.mark.parametrize("name", sorted([*MODELS, REFINER.id]))
def test_configuration_is_that_of_the_model(name, schema):
    model = MODELS.get(name, REFINER)
    folder = ROOT / "onnx" / name.rpartition("-")[0]
    text = (folder / "config.pbtxt").read_text()
    config = text_format.Parse(text, schema.ModelConfig())
    assert config.name == folder.name
    assert config.platform == "onnxruntime_onnx"
    assert (config.max_batch_size > 0) == (model is not REFINER)  # which takes one matrix
    version = name.rpartition("-")[2]
    assert model.file == f"{folder.name}/{version}/model.onnx"
    graph = load(folder / version / "model.onnx").graph
    for stated, held in ((config.input, graph.input), (config.output, graph.output)):
        assert [port.name for port in stated] == [port.name for port in held]
        for port, tensor in zip(stated, held, strict=True):
            kind = tensor.type.tensor_type
            assert TYPES[schema.DataType.Name(port.data_type)] == kind.elem_type
            sizes = [size.dim_value or -1 for size in kind.shape.dim]
            dims = [*([-1] if config.max_batch_size else []), *port.dims]
            assert len(dims) == len(sizes)
            assert all(-1 in pair or pair[0] == pair[1] for pair in zip(dims, sizes, strict=True))
    if name in MODELS:
        assert list(config.output[0].dims) == [MODELS[name].dimensions]


def test_a_wrong_field_is_refused(schema):
    with pytest.raises(text_format.ParseError, match="no field named"):
        text_format.Parse('nome: "visual"', schema.ModelConfig())
