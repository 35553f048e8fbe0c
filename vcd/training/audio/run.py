"""One training run: windows of sound, network, momentum encoder and bank, checkpoints and a log."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vcd.errors import ContractError
from vcd.training.audio.edits import edited, plain
from vcd.training.audio.held_out import HeldOut
from vcd.training.audio.material import draw
from vcd.training.audio.network import AudioNetwork
from vcd.training.audio.settings import AudioTraining
from vcd.training.audio.sounds import Sounds
from vcd.training.checkpoint import SAVE_EVERY, cosine_rate, log_row, resume, save
from vcd.training.contrast import Bank, contrastive_loss, differential_entropy

__all__ = ["AudioRun"]

_LOG_EVERY, _JUDGE_EVERY = 25, 200  # steps


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Edited windows, the plain ones, and the file of each."""

    edited: torch.Tensor
    plain: torch.Tensor
    files: torch.Tensor


class AudioRun:
    """A run that can be stopped at any step and resumed; everything it knows lies in one folder.

    Parameters
    ----------
    sounds : ndarray of `RECORD`
    folder : Path
        `resume.pt` (all state), `weights.pt` (the momentum encoder as float16), `log.csv`.
    settings : AudioTraining
    device : str, optional
        The GPU where there is one, if left out.

    Raises
    ------
    ModelError
        The folder holds a run of other settings.
    ContractError
        There are too few files to hold some out.
    """

    def __init__(
        self, sounds: Sounds, folder: Path, settings: AudioTraining, device: str | None = None
    ) -> None:
        self.sounds, self.settings, self.folder = sounds, settings, folder
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        files = np.asarray(sounds["file"])
        kept = files % settings.held_out == 0
        if kept.all() or not kept.any():
            raise ContractError(
                f"{len(set(files.tolist()))} files are too few to hold out one in "
                f"{settings.held_out}",
                remedy="gather more files, or set held_out lower",
            )
        self.learnt = np.flatnonzero(~kept)
        torch.manual_seed(settings.seed)
        network = AudioNetwork(settings.dimensions, settings.width)
        self.network = network.to(self.device, memory_format=torch.channels_last).train()
        self.keys = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.bank = Bank(settings.bank, settings.dimensions, self.device)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.rate, weight_decay=1e-3
        )
        self.kept = np.flatnonzero(kept)
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

    @cached_property
    def held_out(self) -> HeldOut:
        """What tells how far the run has come; made when it is first asked."""
        return HeldOut(self.sounds, self.kept, self.learnt)

    def _run(self, until: int, on_step: Callable[[int], None] | None) -> None:
        end = min(until, self.settings.steps)
        began = saved = time.monotonic()
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._pairs, self.step)
            while self.step < end:
                pairs = coming.result()
                coming = ahead.submit(self._pairs, self.step + 1)
                row = self._learn(pairs)
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

    def _pairs(self, step: int) -> _Pairs:
        settings = self.settings
        rng = np.random.default_rng((settings.seed, step))
        strength = min(1.0, 0.3 + step / (settings.ramp * settings.steps)) if settings.ramp else 1.0
        material = draw(self.sounds, self.learnt, settings.places, settings.windows, rng)
        made = edited(material, strength=strength, shift=settings.shift, rng=rng)
        return _Pairs(made.to(self.device), plain(material, rng).to(self.device), material.files)

    def _learn(self, pairs: _Pairs) -> dict[str, Any]:
        settings = self.settings
        rate = cosine_rate(settings.rate, self.step, settings.steps, warm_up=settings.warm_up)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.no_grad():
            keys = self.keys.of_power(pairs.plain)
            own = torch.eye(len(keys), dtype=torch.bool, device=keys.device)
            same_file = (pairs.files[:, None] == pairs.files).to(keys.device)
            repeats = same_file & ~own & (keys @ keys.T > settings.repeat)
        queries = self.network.of_power(pairs.edited)
        with_keys = (queries @ keys.T).masked_fill(repeats, -torch.inf)
        with_bank = self.bank.similarities(queries, pairs.files)
        loss = contrastive_loss(
            with_keys,
            with_bank,
            other=torch.arange(len(keys), device=keys.device),
            share=torch.zeros(len(keys), device=keys.device),
            temperature=settings.temperature,
        )
        entropy = differential_entropy(with_keys, with_bank)
        self.optimiser.zero_grad(set_to_none=True)
        (loss + settings.entropy * entropy).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self._follow()
        self.bank.add(keys, pairs.files)
        return {
            "step": self.step + 1,
            "loss": round(loss.item(), 4),
            "entropy": round(entropy.item(), 4),
            "positive": round((queries * keys).sum(dim=1).mean().item(), 4),
            "repeats": int(repeats.sum()),
            "rate": f"{rate:.3g}",
            "seconds": round(self.seconds, 1),
            "held_out_ap": "",
        }

    def _follow(self) -> None:
        keep = min(self.settings.momentum, 1 - 1 / (self.step + 2))
        with torch.no_grad():
            for own, new in zip(self.keys.parameters(), self.network.parameters(), strict=True):
                own.lerp_(new, 1 - keep)

    def _save(self) -> None:
        halves = {name: value.half() for name, value in self.keys.state_dict().items()}
        save(self.folder / "weights.pt", self.settings, {"weights": halves})
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
        self.step, self.seconds = state["step"], state["seconds"]
        self.network.load_state_dict(state["network"])
        self.keys.load_state_dict(state["keys"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.bank.restore(state["bank"])
