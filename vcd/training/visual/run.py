"""One training run: views, network beside the layout, momentum encoder, bank; checkpoints, log."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from vcd.errors import ContractError, ModelError
from vcd.training.checkpoint import SAVE_EVERY, cosine_rate, log_row, resume, save
from vcd.training.contrast import Bank, contrastive_loss, differential_entropy
from vcd.training.visual.copies import edited_copies
from vcd.training.visual.edits import Views, make_views
from vcd.training.visual.held_out import HeldOut
from vcd.training.visual.layout import Layout, find_layout, with_layout
from vcd.training.visual.marks import make_marks
from vcd.training.visual.network import VisualNetwork, load_network
from vcd.training.visual.pictures import SIDE, Pictures
from vcd.training.visual.settings import VisualTraining

__all__ = ["TrainingRun"]

_LOG_EVERY, _JUDGE_EVERY = 25, 250  # steps


class TrainingRun:
    """A run that can be stopped at any step and resumed; everything it knows lies in one folder.

    Parameters
    ----------
    pictures : ndarray of uint8, shape (n, SIDE, SIDE, 3)
    folder : Path
        `resume.pt` (all state), `weights.pt` (the momentum encoder as float16), `log.csv`.
    settings : VisualTraining
    device : str, optional
        The GPU where there is one, if left out.
    start : Path, optional
        `weights.pt` of an earlier run, or the ONNX file of a model, to begin with instead of the
        weights of ImageNet.

    Raises
    ------
    ModelError
        The folder holds a run of other settings, or the run to begin with has vectors of another
        length.
    ContractError
        There are fewer pictures than are held out and in one batch.
    """

    def __init__(
        self,
        pictures: Pictures,
        folder: Path,
        settings: VisualTraining,
        device: str | None = None,
        start: Path | None = None,
    ) -> None:
        self.settings, self.folder = settings, folder
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        needed = settings.held_out + settings.batch
        if len(pictures) < needed:
            raise ContractError(
                f"{len(pictures)} pictures are too few to hold out {settings.held_out} and to draw "
                f"{settings.batch} a step",
                remedy=f"gather at least {needed}, or set held_out and batch lower",
            )
        self.pictures = pictures[settings.held_out :]
        torch.manual_seed(settings.seed)
        network = VisualNetwork(settings.of_network, frozen_blocks=settings.frozen_blocks)
        if start is None:
            layout = find_layout(self.pictures, settings.size, settings.of_layout)
        else:
            begun, _ = load_network(start, dimensions=settings.dimensions)
            network.load_state_dict(begun.first.state_dict())
            network.has_head = begun.first.has_head
            layout = nn.Sequential(Layout(), begun.second[1])
        if not network.has_head:
            network.eval()
            with torch.inference_mode():
                copies = [
                    (network.pooled(views.plain), network.pooled(views.edited))
                    for views in edited_copies(self.pictures, settings.size)
                ]
            network.find_head(copies)
        # What the layout settles already, the network need not learn.
        self.network = with_layout(network, layout).to(self.device).train()
        self.network.to(memory_format=torch.channels_last)
        self.keys = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.bank = Bank(settings.bank, settings.dimensions, self.device)
        learnt = [p for p in self.network.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(learnt, lr=settings.rate, weight_decay=1e-4)
        self.marks = torch.from_numpy(make_marks(settings.marks, SIDE, settings.seed)).to(
            self.device
        )
        self.held_out = HeldOut(pictures[: settings.held_out], self.marks, settings.size)
        self.step, self.seconds = 0, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()

    def run(
        self, until: int | None = None, *, on_step: Callable[[int], None] | None = None
    ) -> None:
        """Take all steps that are left, or those until one; save every minute and at the end.

        `on_step` is told how many steps are taken.
        """
        torch.set_flush_denormal(True)  # they slow a CPU down many times
        try:
            self._run(self.settings.steps if until is None else until, on_step)
        finally:
            torch.set_flush_denormal(False)

    def _run(self, until: int, on_step: Callable[[int], None] | None) -> None:
        end = min(until, self.settings.steps)
        began = saved = time.monotonic()
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._views, self.step)
            while self.step < end:
                numbers, views = coming.result()
                coming = ahead.submit(self._views, self.step + 1)
                row = self._learn(numbers, views)
                self.step += 1
                if on_step is not None:
                    on_step(self.step)
                now = time.monotonic()
                self.seconds, began = self.seconds + now - began, now
                judged = self.step % _JUDGE_EVERY == 0 or self.step == end
                if judged:
                    row["held_out_ap"] = round(self.held_out.average_precision(self.keys), 4)
                if judged or self.step % _LOG_EVERY == 0:
                    log_row(self.folder, row)
                if now - saved > SAVE_EVERY or self.step == end:
                    self._save()
                    saved = now

    def _views(self, step: int) -> tuple[torch.Tensor, Views]:
        """Return the numbers of the pictures of a step, and their views."""
        settings = self.settings
        seeds = np.random.default_rng((settings.seed, step))
        chosen = np.sort(seeds.choice(len(self.pictures), settings.batch, replace=False))
        batch = torch.from_numpy(np.array(self.pictures[chosen])).to(self.device)
        generator = torch.Generator().manual_seed(int(seeds.integers(2**62)))
        risen = min(1.0, step / (settings.ramp * settings.steps)) if settings.ramp else 1.0
        size = settings.small if step < settings.small_steps else settings.size
        views = make_views(
            batch,
            self.marks,
            size=size,
            strength=settings.strength * risen,
            shared=settings.shared,
            generator=generator,
        )
        return torch.from_numpy(chosen), views

    def _learn(self, numbers: torch.Tensor, views: Views) -> dict[str, Any]:
        settings = self.settings
        rate = cosine_rate(settings.rate, self.step, settings.steps, warm_up=settings.warm_up)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.no_grad():
            with torch.autocast(self.device.type, torch.bfloat16, enabled=settings.bfloat16):
                keys = self.keys(views.plain.contiguous(memory_format=torch.channels_last))
            keys = keys.float()
        queries = self.network(views.edited.contiguous(memory_format=torch.channels_last))
        with_keys, with_bank = queries @ keys.T, self.bank.similarities(queries, numbers)
        loss = contrastive_loss(
            with_keys,
            with_bank,
            other=views.other,
            share=views.share,
            temperature=settings.temperature,
        )
        entropy = differential_entropy(with_keys, with_bank)
        nearest = with_bank.max(dim=1).values.mean().item() if self.bank.filled else 0.0
        self.optimiser.zero_grad(set_to_none=True)
        (loss + settings.entropy * entropy).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            keep = min(settings.momentum, 1 - 1 / (self.step + 2))
            for own, new in zip(self.keys.parameters(), self.network.parameters(), strict=True):
                own.lerp_(new, 1 - keep)
        self.bank.add(keys, numbers)
        return {
            "step": self.step + 1,
            "loss": round(loss.item(), 4),
            "entropy": round(entropy.item(), 4),
            "positive": round(with_keys.diagonal().mean().item(), 4),
            "nearest": round(nearest, 4),
            "rate": f"{rate:.3g}",
            "seconds": round(self.seconds, 1),
            "held_out_ap": "",
        }

    def _save(self) -> None:
        halves = {name: value.half() for name, value in self.keys.first.state_dict().items()}
        layout = self.keys.second[1].state_dict()
        save(self.folder / "weights.pt", self.settings, {"weights": halves, "layout": layout})
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "keys": self.keys.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "bank": self.bank.state(),
        }
        save(self.folder / "resume.pt", self.settings, state)

    def _resume(self) -> None:
        state = resume(self.folder / "resume.pt", self.settings, self.device)
        if state is None:
            return
        try:
            self.network.load_state_dict(state["network"])
            self.keys.load_state_dict(state["keys"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.bank.restore(state["bank"])
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                "is a run of another version of vcd",
                file=self.folder / "resume.pt",
                remedy="name another folder",
            ) from error
        self.step, self.seconds = state["step"], state["seconds"]
