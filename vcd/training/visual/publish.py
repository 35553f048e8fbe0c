"""A training run becomes a model of the models folder, with its background.

Run as ``python -m vcd.training.visual.publish RUN PHOTOS... MODELS_FOLDER --version N``; RUN is the
folder of `vcd.training.visual.run`, PHOTOS the archives it was trained on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from vcd.training.export import describe_background, export_model
from vcd.training.visual.background import background_frames
from vcd.training.visual.network import VisualNetwork

__all__ = ["load_network", "spread"]

_SHRINKAGE = 0.3


def load_network(weights: Path) -> tuple[VisualNetwork, int]:
    """Return the momentum encoder of a run, in evaluation mode, and its pixels a side."""
    state: dict[str, Any] = torch.load(weights, weights_only=True)
    network = VisualNetwork(state["settings"]["dimensions"], pretrained=False)
    network.load_state_dict({name: value.float() for name, value in state["weights"].items()})
    return network.eval(), int(state["settings"]["size"])


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the model and its background, and enter both in the models folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--version", type=int, required=True)
    options = parser.parse_args(arguments)
    network, size = load_network(options.run / "weights.pt")
    spread(network, background_frames(options.photos, size))
    model_id = export_model(
        network,
        torch.zeros(2, 3, size, size),
        options.folder,
        name="visual",
        version=options.version,
        stream="visual",
        inputs={"height": size, "width": size},
        licence="Apache-2.0",
    )
    describe_background(options.folder, model_id, background_frames(options.photos, size))


if __name__ == "__main__":
    main()
