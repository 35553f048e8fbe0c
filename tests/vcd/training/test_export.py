"""The exported models are their torch modules; the pieces of training do what they say."""

import copy

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the extra train")
torch = pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra train")

from vcd.descriptors import DescriptorModel, load_background, load_manifest
from vcd.descriptors.check import check_model
from vcd.descriptors.inspection import inspect_model
from vcd.training.evidence import Linear
from vcd.training.export import export_model
from vcd.training.int8 import with_int8
from vcd.training.visual.background import made_frames, scaled
from vcd.training.visual.layout import Layout, with_layout
from vcd.training.visual.network import VisualNetwork
from vcd.training.visual.publish import spread


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return VisualNetwork(32).eval()


@pytest.fixture(scope="module")
def frames():
    return np.stack(list(made_frames(64))[8:20])


def described_by(network, frames):
    with torch.inference_mode():
        return network(torch.from_numpy(frames).permute(0, 3, 1, 2).float()).numpy()


def test_exported_model_is_its_module(network, frames, tmp_path):
    model_id = export_model(
        network,
        torch.zeros(2, 3, 64, 64),
        tmp_path,
        name="small",
        version=3,
        stream="visual",
        inputs={"height": 64, "width": 64},
        licence="Apache-2.0",
        background=lambda model: model(frames[::-1]),
    )
    described = DescriptorModel(load_manifest(tmp_path).get(model_id))(frames)
    expected = described_by(network, frames)
    assert np.abs(described - expected).max() < 5e-3  # the file keeps its weights as float16
    assert (described * expected).sum(axis=1).min() > 0.9999
    info = load_manifest(tmp_path).get(model_id)
    assert info.canonical == "small/3/canonical.json"
    assert check_model(info) == 5
    kept = load_background(info)
    assert (kept * described[::-1]).sum(axis=1).min() > 0.999


def test_a_model_of_two_sizes_takes_small_pictures_at_the_smaller_one(network, frames, tmp_path):
    linear = Linear(torch.zeros(135), torch.eye(135)[:, :16])
    both = with_layout(network, torch.nn.Sequential(Layout(), linear)).eval()
    model_id = export_model(
        both,
        torch.zeros(2, 3, 64, 64),
        tmp_path,
        name="both",
        version=1,
        stream="visual",
        inputs={"height": 64, "width": 64, "small": 48},
        licence="Apache-2.0",
        background=lambda model: model(frames),
    )
    model = DescriptorModel(load_manifest(tmp_path).get(model_id))
    assert check_model(model.info) == 5
    for side in (64, 48):
        shown = np.stack([scaled(frame, side) for frame in frames])
        assert (model(shown) * described_by(both, shown)).sum(axis=1).min() > 0.9999
    assert model.info.input["small"] == inspect_model(model.info.path, "visual")["input"]["small"]
    alike = model(np.stack([scaled(frame, 48) for frame in frames]))
    others = [model(np.stack([scaled(frame, side) for frame in frames])) for side in (40, 52)]
    near, far = ((alike * other).sum(axis=1).mean() for other in others)
    assert near > far  # 52 is brought to 64


def test_what_is_not_whole_is_not_entered(network, tmp_path):
    def stopped(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_model(
            network,
            torch.zeros(2, 3, 64, 64),
            tmp_path,
            name="small",
            version=3,
            stream="visual",
            inputs={"height": 64, "width": 64},
            licence="Apache-2.0",
            background=stopped,
        )
    assert not (tmp_path / "models.json").exists()


def test_a_model_of_8_bits_is_smaller_and_gives_nearly_the_same(frames, tmp_path):
    torch.manual_seed(0)
    network = VisualNetwork(32).eval()
    planes = frames.transpose(0, 3, 1, 2).astype(np.float32)
    ways = {"plain": None, "short": lambda model: with_int8(model, [planes], spared=3)}
    models = {}
    for name, int8 in ways.items():
        example, inputs = torch.zeros(2, 3, 64, 64), {"height": 64, "width": 64}
        model_id = export_model(
            network,
            example,
            tmp_path,
            name=name,
            version=1,
            stream="visual",
            inputs=inputs,
            licence="Apache-2.0",
            background=lambda model: model(frames),
            int8=int8,
        )
        models[name] = DescriptorModel(load_manifest(tmp_path).get(model_id))
    plain, short = (models[name].info for name in ways)
    assert short.bytes < 0.8 * plain.bytes
    assert plain.canonical and not short.canonical
    check_model(short)
    cosines = (models["plain"](frames) * models["short"](frames)).sum(axis=1)
    assert 0.98 < cosines.mean() < 0.99999
    graph = onnx.load(short.path).graph
    makers = {name: node for node in graph.node for name in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    rounded = [makers[node.input[0]].op_type == "DequantizeLinear" for node in convolutions]
    assert rounded == [False] * 3 + [True] * (len(rounded) - 3)
    weights = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8
    ]
    assert weights and max(int(np.abs(w.astype(int)).max()) for w in weights) <= 64


def test_unrelated_pictures_are_spread(network, frames):
    rng = np.random.default_rng(0)
    frames = np.concatenate([frames, rng.integers(0, 256, (40, 64, 64, 3), dtype=np.uint8)])
    centred, whitened = copy.deepcopy(network), copy.deepcopy(network)
    spread(centred, [frames[:20], frames[20:]], shrinkage=1)
    spread(whitened, [frames], shrinkage=0.1)

    def raw(network):
        with torch.inference_mode():
            planes = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
            return network.head(network.pooled(planes)).double().numpy()

    for vectors in (raw(centred), raw(whitened)):
        assert np.abs(vectors.mean(axis=0)).max() < 1e-3 * vectors.std()
    before, after = (np.linalg.eigvalsh(np.cov(raw(n).T)) for n in (centred, whitened))
    assert after[-1] / after.mean() < 0.5 * before[-1] / before.mean()
