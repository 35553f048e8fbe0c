"""One training run: views, network, momentum encoder and bank, with checkpoints and a log."""

from __future__ import annotations

import copy
import csv
import io
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vcd.encoding import write_whole
from vcd.errors import ContractError, ModelError
from vcd.training.visual.contrast import Bank, contrastive_loss, differential_entropy
from vcd.training.visual.edits import Views, make_views
from vcd.training.visual.held_out import HeldOut
from vcd.training.visual.marks import make_marks
from vcd.training.visual.network import VisualNetwork, load_network
from vcd.training.visual.pictures import SIDE, Pictures
from vcd.training.visual.settings import VisualTraining

__all__ = ["TrainingRun"]

_SAVE_EVERY = 60.0  # seconds
_JUDGE_EVERY = 250  # steps


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
        `weights.pt` of an earlier run to begin with, instead of the weights of ImageNet.

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
        self.network = VisualNetwork(settings.dimensions, frozen_blocks=settings.frozen_blocks)
        if start is not None:
            begun, earlier = load_network(start)
            if earlier.dimensions != settings.dimensions:
                raise ModelError(
                    f"is a run of {earlier.dimensions} dimensions, not {settings.dimensions}",
                    file=start,
                    remedy="set dimensions alike",
                )
            self.network.load_state_dict(begun.state_dict())
        self.network = self.network.to(self.device, memory_format=torch.channels_last).train()
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
                if self.step % _JUDGE_EVERY == 0 or self.step == end:
                    row["held_out_ap"] = round(self.held_out.average_precision(self.keys), 4)
                if self.step % 25 == 0 or "held_out_ap" in row:
                    self._log(row)
                if now - saved > _SAVE_EVERY or self.step == end:
                    self._save()
                    saved = now

    def _views(self, step: int) -> tuple[torch.Tensor, Views]:
        """Return the numbers of the pictures of a step, and their views."""
        settings = self.settings
        seeds = np.random.default_rng((settings.seed, step))
        chosen = np.sort(seeds.choice(len(self.pictures), settings.batch, replace=False))
        batch = torch.from_numpy(np.array(self.pictures[chosen])).to(self.device)
        generator = torch.Generator().manual_seed(int(seeds.integers(2**62)))
        strength = min(1.0, step / (settings.ramp * settings.steps)) if settings.ramp else 1.0
        size = settings.small if step < settings.small_steps else settings.size
        views = make_views(
            batch,
            self.marks,
            size=size,
            strength=strength,
            shared=settings.shared,
            generator=generator,
        )
        return torch.from_numpy(chosen), views

    def _learn(self, numbers: torch.Tensor, views: Views) -> dict[str, Any]:
        settings = self.settings
        rate = self._rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.no_grad():
            keys = self.keys(views.plain.contiguous(memory_format=torch.channels_last))
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
        }

    def _rate(self) -> float:
        settings = self.settings
        if self.step < settings.warm_up:
            return settings.rate * (self.step + 1) / settings.warm_up
        share = (self.step - settings.warm_up) / max(1, settings.steps - settings.warm_up)
        return settings.rate * 0.5 * (1 + math.cos(math.pi * share))

    def _log(self, row: dict[str, Any]) -> None:
        names = ["step", "loss", "entropy", "positive", "nearest", "rate", "seconds", "held_out_ap"]
        path = self.folder / "log.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            if new:
                writer.writeheader()
            writer.writerow(row)

    def _save(self) -> None:
        halves = {name: value.half() for name, value in self.keys.state_dict().items()}
        _write(self.folder / "weights.pt", {"settings": asdict(self.settings), "weights": halves})
        _write(
            self.folder / "resume.pt",
            {
                "settings": asdict(self.settings),
                "step": self.step,
                "seconds": self.seconds,
                "network": self.network.state_dict(),
                "keys": self.keys.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "bank": self.bank.vectors,
                "numbers": self.bank.numbers,
                "filled": self.bank.filled,
                "next": self.bank.next,
            },
        )

    def _resume(self) -> None:
        path = self.folder / "resume.pt"
        if not path.is_file():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["settings"] != asdict(self.settings):
            raise ModelError(
                "is a run of other settings",
                file=path,
                remedy="name another folder, or the settings that it was begun with",
            )
        self.step, self.seconds = state["step"], state["seconds"]
        self.network.load_state_dict(state["network"])
        self.keys.load_state_dict(state["keys"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.bank.vectors.copy_(state["bank"])
        self.bank.numbers.copy_(state["numbers"])
        self.bank.filled, self.bank.next = state["filled"], state["next"]


def _write(path: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_whole(path, buffer.getvalue())
