"""What every training run keeps in its folder: a log that plots, and the state to resume from."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vcd.encoding import write_whole
from vcd.errors import ModelError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["SAVE_EVERY", "cosine_rate", "log_row", "resume", "save"]

SAVE_EVERY = 60.0
"""Seconds between two states kept."""


def log_row(folder: Path, row: Mapping[str, Any]) -> None:
    """Append a row to ``log.csv``, with a header where it is the first."""
    path = folder / "log.csv"
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(row)
        writer.writerow(row.values())


def save(path: Path, settings: DataclassInstance, state: Mapping[str, Any]) -> None:
    """Write a state with the settings of its run, whole or not at all."""
    buffer = io.BytesIO()
    torch.save({"settings": asdict(settings), **state}, buffer)
    write_whole(path, buffer.getvalue())


def resume(
    path: Path, settings: DataclassInstance, device: torch.device | str = "cpu"
) -> dict[str, Any] | None:
    """Return the state that a run of these settings has kept; None where there is none yet.

    Raises
    ------
    ModelError
        It is the state of a run of other settings.
    """
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    if state["settings"] != asdict(settings):
        raise ModelError(
            "is a run of other settings",
            file=path,
            remedy="name another folder, or the settings that it was begun with",
        )
    return state


def cosine_rate(peak: float, step: int, steps: int, *, warm_up: int = 0) -> float:
    """Return the learning rate of a step: a line up to the peak, then a cosine to 0."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))
