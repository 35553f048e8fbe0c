"""Everything that decides how a visual descriptor is trained, in one record."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from vcd.errors import ContractError, ModelError

__all__ = ["VisualTraining", "read_settings", "settings_text"]


@dataclass(frozen=True, slots=True)
class VisualTraining:
    """How long, on what and how hard a visual descriptor is trained.

    The schedule is fixed in steps, so a run that is interrupted and resumed gives what it would
    have given in one go.

    Parameters
    ----------
    steps : int
        Optimiser steps of the whole run.
    small_steps : int
        The first of them, taken with small pictures.
    batch : int
        Pairs of views a step.
    size, small : int
        Pixels a side of a view, finally and at first.
    dimensions : int
    ramp : float
        Share of the run over which edits rise to their full strength; 0 begins with it, as a run
        should that goes on from trained weights.
    frozen_blocks : int
        Blocks behind the stem that keep their weights, as the stem does; -1 trains everything.
    bank : int
        Past vectors of the momentum encoder that serve as negatives.
    momentum : float
        Share of itself that the momentum encoder keeps a step.
    rate, warm_up : float, int
        Peak learning rate of AdamW, and steps until it; a cosine to 0 follows.
    temperature : float
        Of InfoNCE.
    entropy : float
        Weight of the differential entropy (the logarithm of the distance to the nearest vector).
    shared : float
        Share of the target that goes to the second picture of a composition.
    marks : int
        Writing and signs made by program, to be laid over pictures.
    held_out : int
        The first pictures of the set are never trained on: they tell how far training has come.
    seed : int

    Raises
    ------
    ContractError
        A number is out of its range.
    """

    steps: int = 4000
    small_steps: int = 2000
    batch: int = 32
    size: int = 160
    small: int = 128
    dimensions: int = 256
    ramp: float = 0.4
    frozen_blocks: int = 1
    bank: int = 16384
    momentum: float = 0.995
    rate: float = 3e-4
    warm_up: int = 100
    temperature: float = 0.05
    entropy: float = 3.0
    shared: float = 0.3
    marks: int = 400
    held_out: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.small_steps <= self.steps or self.batch < 2 or self.bank < self.batch:
            raise ContractError(
                f"steps, batch and bank do not fit each other: {self}",
                remedy="0 <= small_steps <= steps, 2 <= batch <= bank",
            )
        if min(self.size, self.small, self.dimensions, self.marks, self.held_out) < 1:
            raise ContractError(f"sizes and counts must be positive: {self}")
        if not 0 <= self.ramp <= 1:
            raise ContractError(f"ramp must lie in [0, 1], not {self.ramp}")
        if not (0 <= self.momentum < 1 and 0 <= self.shared < 1 and self.temperature > 0):
            raise ContractError(f"momentum and shared lie in [0, 1), temperature above 0: {self}")


def settings_text() -> str:
    """Return the settings used where nothing else is said, as TOML."""
    return "".join(f"{f.name} = {f.default}\n" for f in fields(VisualTraining))


def read_settings(path: str | os.PathLike[str]) -> VisualTraining:
    """Read settings from TOML; what the file leaves out stays as in `VisualTraining`.

    Raises
    ------
    ModelError
        The file cannot be read, is not TOML, or names or values are not as in `VisualTraining`.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"cannot be read ({error.strerror or error})", file=path, remedy="check the path"
        ) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or nested without end
        raise ModelError(
            f"is not TOML: {error}", file=path, remedy="mend it at the place named"
        ) from error
    kinds: dict[str, Any] = {f.name: type(f.default) for f in fields(VisualTraining)}
    for name, value in content.items():
        if name not in kinds:
            raise ModelError(
                f"{name!r} is no setting", file=path, remedy=f"the settings are {', '.join(kinds)}"
            )
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole or (kinds[name] is float and isinstance(value, float))):
            kind = "a number" if kinds[name] is float else "a whole number"
            raise ModelError(f"{name} is {value!r}, not {kind}", file=path, remedy="mend it")
    try:
        return VisualTraining(**{name: kinds[name](value) for name, value in content.items()})
    except ContractError as error:
        raise ModelError(error.problem, file=path, remedy=error.remedy) from None
