"""A training run becomes a model of the models folder, with its background."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from onnx import ModelProto

from vcd.descriptors import DescriptorModel
from vcd.errors import ModelError
from vcd.records import FloatArray
from vcd.training.export import export_model
from vcd.training.int8 import with_int8
from vcd.training.visual.background import background_frames, scaled
from vcd.training.visual.network import VisualNetwork, load_network, mean_network
from vcd.training.visual.orientations import find_orientations
from vcd.training.visual.pictures import Pictures

__all__ = ["publish", "spread", "training_pictures"]

_SHRINKAGE = 0.5
_WHITENED_ON = 2000  # pictures
_BATCH = 16
_CALIBRATED_ON = 16  # batches
_SPARED = 3  # convolutions: the stem and the first block


def spread(
    network: VisualNetwork,
    batches: Iterable[npt.NDArray[np.uint8]],
    *,
    shrinkage: float = _SHRINKAGE,
) -> None:
    """Let unrelated pictures point in all directions: centre and whiten the head, in place.

    Parameters
    ----------
    network : VisualNetwork
    batches : iterable of ndarray of uint8, shape (b, side, side, 3)
        Unrelated pictures.
    shrinkage : float
        Share, in (0, 1], of the mean variance in the variance of every direction: 1 only centres.
    """
    with torch.inference_mode():
        rows = [
            network.head(network.pooled(torch.from_numpy(batch).permute(0, 3, 1, 2).float()))
            for batch in batches
        ]
    vectors = torch.cat(rows).double()
    mean = vectors.mean(dim=0)
    covariance = (vectors - mean).T @ (vectors - mean) / len(vectors)
    variances, directions = torch.linalg.eigh(covariance)
    shrunk = ((1 - shrinkage) * variances + shrinkage * variances.mean()).clamp(min=1e-12)
    whitening = directions @ torch.diag(shrunk.rsqrt()) @ directions.T
    with torch.no_grad():
        weight, bias = network.head.weight.double(), network.head.bias.double()
        network.head.weight.copy_(whitening @ weight)
        network.head.bias.copy_(whitening @ (bias - mean))


def training_pictures(
    pictures: Pictures, size: int, *, most: int = _WHITENED_ON
) -> Iterator[Pictures]:
    """Yield batches of plain views.

    Parameters
    ----------
    pictures : ndarray of uint8, shape (n, SIDE, SIDE, 3)
        Those that were trained on.
    size : int
        Pixels a side of the views.
    most : int
        So many of the pictures, evenly chosen.
    """
    number = min(most, len(pictures))
    chosen = np.linspace(0, len(pictures) - 1, number).astype(np.int64)
    for i in range(0, number, _BATCH):
        yield np.stack([scaled(np.array(pictures[k]), size) for k in chosen[i : i + _BATCH]])


def publish(
    run: Path,
    pictures: Pictures,
    folder: Path,
    *,
    version: int,
    mean_with: Sequence[Path] = (),
) -> str:
    """Enter the model of a run, and its background, in a models folder; return its id.

    It is entered twice: as ``visual``, and as ``visual_int8``, which computes most in whole numbers
    of 8 bits.

    Parameters
    ----------
    run : Path
        Folder of a `TrainingRun`.
    pictures : ndarray of uint8, shape (n, SIDE, SIDE, 3)
        What it was trained on.
    folder : Path
        The models folder.
    version : int
    mean_with : sequence of Path, optional
        The model that the run began with, or weights of runs that began with it, too: the mean of
        the weights of all is published.

    Raises
    ------
    ModelError
        There are no weights, or those to take the mean with are of another length or network.
    """
    network, settings = load_network(run / "weights.pt")
    others = []
    for path in mean_with:
        other, _ = load_network(path, dimensions=settings.dimensions)
        if not other.first.has_head:
            raise ModelError(
                "has no head for this network, so there is no mean of the weights of both",
                file=path,
                remedy="leave --mean-with out, or name a model from visual-5 on",
            )
        others.append(other.first)
    if others:
        network.first = mean_network([network.first, *others])
    size = settings.size
    with torch.no_grad():  # they stay near 3, and hosts take a third of the time for whole ones
        network.first.powers.round_()
    # On what was trained on, not on the background: its blurred and made frames bend the axes.
    learnt = pictures[settings.held_out :]
    spread(network.first, training_pictures(learnt, size))
    shown = list(islice(training_pictures(learnt, size), _CALIBRATED_ON))

    def int8(model: ModelProto) -> ModelProto:
        planes = (batch.transpose(0, 3, 1, 2).astype(np.float32) for batch in shown)
        return with_int8(model, planes, spared=_SPARED)

    def background(model: DescriptorModel) -> FloatArray:
        return np.concatenate([model(frames) for frames in background_frames(learnt, size)])

    def orientations(model: DescriptorModel) -> FloatArray:
        return find_orientations(model, training_pictures(learnt, size, most=len(learnt)))

    for name, rounded in (("visual_int8", int8), ("visual", None)):
        model_id = export_model(
            network,
            torch.zeros(2, 3, size, size),
            folder,
            name=name,
            version=version,
            stream="visual",
            inputs={"height": size, "width": size, "small": size * 3 // 4},
            licence="Apache-2.0",
            background=background,
            orientations=orientations,
            int8=rounded,
        )
    return model_id
