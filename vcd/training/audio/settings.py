"""Everything that decides how an audio descriptor is trained, in one record."""

from __future__ import annotations

from dataclasses import dataclass

from vcd.errors import ContractError

__all__ = ["AudioTraining"]


@dataclass(frozen=True, slots=True)
class AudioTraining:
    """How long and how hard an audio descriptor is trained.

    The schedule is fixed in steps, so a run that is interrupted and resumed gives what it would
    have given in one go.

    Parameters
    ----------
    steps : int
        Optimiser steps of the whole run.
    places, windows : int
        Pieces of sound drawn a step, and windows of each: a batch has places x windows pairs.
    width : int
        Channels of the first layer; the cost grows with its square.
    dimensions : int
    ramp : float
        Share of the run over which edits rise to their full strength.
    shift : float
        Seconds by which an edited window may lie off its place: half a hop is what hops leave.
    repeat : float
        Cosine from which two windows of one file are taken for the same sound played again,
        which is neither right nor wrong.
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
    held_out : int
        Every such file is never trained on: they tell how far training has come.
    seed : int

    Raises
    ------
    ContractError
        A number is out of its range.
    """

    steps: int = 2000
    places: int = 16
    windows: int = 8
    width: int = 24
    dimensions: int = 128
    ramp: float = 0.3
    shift: float = 0.13
    repeat: float = 0.6
    bank: int = 8192
    momentum: float = 0.99
    rate: float = 1e-3
    warm_up: int = 100
    temperature: float = 0.06
    entropy: float = 1.0
    held_out: int = 12
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.places, self.windows, self.width, self.dimensions) < 1:
            raise ContractError(f"sizes and counts must be positive: {self}")
        if self.bank < self.places * self.windows or self.held_out < 2:
            raise ContractError(
                f"bank and held_out do not fit: {self}",
                remedy="bank of at least a batch (places x windows), held_out of at least 2",
            )
        if not (0 <= self.ramp <= 1 and 0 <= self.shift <= 1 and self.temperature > 0):
            raise ContractError(f"ramp and shift lie in [0, 1], temperature above 0: {self}")
        if not (0 <= self.momentum < 1 and -1 <= self.repeat <= 1):
            raise ContractError(f"momentum lies in [0, 1), repeat in [-1, 1]: {self}")
