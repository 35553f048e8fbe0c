"""One training run of the refiner, with checkpoints and a log, and its ONNX file."""

from __future__ import annotations

import hashlib
import io
import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx import checker, load_model_from_string
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from vcd.descriptors.manifest import FILE_NAME
from vcd.encoding import write_whole
from vcd.errors import ContractError
from vcd.training.checkpoint import SAVE_EVERY, cosine_rate, log_row, resume, save
from vcd.training.export import IR_VERSION, OPSET
from vcd.training.refiner.examples import Example, varied
from vcd.training.refiner.network import RefinerNetwork, channels

__all__ = ["RefinerRun", "RefinerTraining", "export_refiner"]

_LOG_EVERY = 50
_OUTSIDE = -0.5  # beyond the border of a matrix smaller than a part


@dataclass(frozen=True, slots=True)
class RefinerTraining:
    """How long and how hard the refiner is trained.

    Parameters
    ----------
    steps : int
    batch : int
        Parts of matrices a step.
    side : int
        Cells a side of a part.
    width : int
        Channels of the network; its cost grows with the square.
    with_copy : float
        Share of parts from matrices that hold a copy.
    weight : float
        How much more a cell on a line counts.
    rate : float
        Peak learning rate of AdamW; a cosine to 0 follows.
    seed : int
    """

    steps: int = 8000
    batch: int = 12
    side: int = 80
    width: int = 8
    with_copy: float = 0.6
    weight: float = 5.0
    rate: float = 3e-3
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.side, self.width) < 1:
            raise ContractError(f"sizes and counts must be positive: {self}")


class RefinerRun:
    """A run that can be stopped at any step and resumed; everything it knows lies in one folder.

    Parameters
    ----------
    examples : sequence of Example
    folder : Path
        `resume.pt` (all state) and `log.csv`.
    settings : RefinerTraining

    Raises
    ------
    ContractError
        No example holds a copy, or none is without.
    ModelError
        The folder holds a run of other settings.
    """

    def __init__(
        self, examples: Sequence[Example], folder: Path, settings: RefinerTraining
    ) -> None:
        self.settings, self.folder = settings, folder
        self.copies = [example for example in examples if example.has_copy]
        self.others = [example for example in examples if not example.has_copy]
        if not self.copies or not self.others:
            raise ContractError(
                f"{len(self.copies)} matrices with and {len(self.others)} without a copy: both "
                "kinds are needed",
                remedy="give a haystack with more queries: vcd eval make",
            )
        torch.manual_seed(settings.seed)
        # Twice as fast on a CPU as the usual order of memory.
        self.network = RefinerNetwork(settings.width).to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.rate, weight_decay=1e-3
        )
        self.step, self.seconds = 0, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()

    def run(
        self, until: int | None = None, *, on_step: Callable[[int], None] | None = None
    ) -> None:
        """Take all steps that are left, or those until one; save every minute and at the end."""
        torch.set_flush_denormal(True)  # they slow a CPU down many times
        try:
            self._run(self.settings.steps if until is None else until, on_step)
        finally:
            torch.set_flush_denormal(False)

    def _run(self, until: int, on_step: Callable[[int], None] | None) -> None:
        end = min(until, self.settings.steps)
        began = saved = time.monotonic()
        losses = []
        while self.step < end:
            losses.append(self._learn())
            self.step += 1
            if on_step is not None:
                on_step(self.step)
            now = time.monotonic()
            self.seconds, began = self.seconds + now - began, now
            if self.step % _LOG_EVERY == 0 or self.step == end:
                row = {"step": self.step, "loss": f"{np.mean(losses):.5f}"}
                log_row(self.folder, row | {"seconds": f"{self.seconds:.1f}"})
                losses = []
            if now - saved > SAVE_EVERY or self.step == end:
                self._save()
                saved = now

    def _learn(self) -> float:
        settings = self.settings
        rng = np.random.default_rng((settings.seed, self.step))
        seen, copied, there = self._batch(rng)
        for group in self.optimiser.param_groups:
            group["lr"] = cosine_rate(settings.rate, self.step, settings.steps)
        weight = there * (1 + (settings.weight - 1) * copied)
        odds = self.network(seen.contiguous(memory_format=torch.channels_last))
        loss = (
            binary_cross_entropy_with_logits(odds, copied, weight=weight, reduction="sum")
            / there.sum()
        )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def _batch(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return what the network sees, the lines, and where there is a matrix at all."""
        batch, side = self.settings.batch, self.settings.side
        seen = torch.full((batch, 3, side, side), _OUTSIDE)
        copied, there = torch.zeros(batch, side, side), torch.zeros(batch, side, side)
        for k in range(batch):
            pool = self.copies if rng.random() < self.settings.with_copy else self.others
            excess, lines, part = varied(pool[rng.integers(len(pool))], side, rng)
            cells = channels(torch.from_numpy(np.ascontiguousarray(excess))[None])[0][:, *part]
            n, m = cells.shape[1:]
            seen[k, :, :n, :m] = cells
            copied[k, :n, :m] = torch.from_numpy(np.ascontiguousarray(lines[part]))
            there[k, :n, :m] = 1
        return seen, copied, there

    def _save(self) -> None:
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        save(self.folder / "resume.pt", self.settings, state)

    def _resume(self) -> None:
        state = resume(self.folder / "resume.pt", self.settings)
        if state is None:
            return
        self.step, self.seconds = state["step"], state["seconds"]
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])


class _WholeMatrix(nn.Module):
    """The network with all that stands before and behind it, for one matrix."""

    def __init__(self, network: RefinerNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, excess: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.network(channels(excess[None])))[0]


def export_refiner(network: RefinerNetwork, folder: Path, *, version: int, licence: str) -> str:
    """Write ``<folder>/refiner/<version>/model.onnx`` and enter it in ``models.json``.

    Input `excess` float32 (rows, columns) of any size, output `copied` of the same shape.

    Returns
    -------
    str
        The id of the refiner.
    """
    buffer = io.BytesIO()
    axes = {0: "rows", 1: "columns"}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _WholeMatrix(network).eval(),
            (torch.zeros(40, 50),),
            buffer,
            input_names=["excess"],
            output_names=["copied"],
            dynamic_axes={"excess": axes, "copied": axes},
            opset_version=OPSET,
            dynamo=False,
        )
    model = load_model_from_string(buffer.getvalue())
    model.ir_version = IR_VERSION
    name = f"refiner-{version}"
    for key, value in {"schema": "vcd-refiner-1", "name": name, "licence": licence}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    checker.check_model(model)
    path = folder / "refiner" / str(version) / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    data = model.SerializeToString()
    write_whole(path, data)
    write_whole(folder / "refiner" / "config.pbtxt", _CONFIG.encode())
    manifest: dict[str, Any] = json.loads((folder / FILE_NAME).read_text("utf-8"))
    manifest["refiner"] = {
        "id": name,
        "file": path.relative_to(folder).as_posix(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "opset": OPSET,
        "licence": licence,
    }
    write_whole(folder / FILE_NAME, (json.dumps(manifest, indent=2) + "\n").encode())
    return name


_CONFIG = """name: "refiner"
platform: "onnxruntime_onnx"
max_batch_size: 0
input [
  { name: "excess" data_type: TYPE_FP32 dims: [ -1, -1 ] }
]
output [
  { name: "copied" data_type: TYPE_FP32 dims: [ -1, -1 ] }
]
"""
