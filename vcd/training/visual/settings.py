"""Everything that decides how a visual descriptor is trained, in one record."""

from __future__ import annotations

from dataclasses import dataclass

from vcd.errors import ContractError

__all__ = ["VisualTraining"]


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
        Of a vector; a quarter of them are the layout's.
    ramp : float
        Share of the run over which edits rise to their full strength; 0 begins with it, as a run
        should that goes on from trained weights.
    strength : float
        How many edits, and how hard, in [0, 1]: up to 1 + 3.5 times this, and beside them mirrors,
        quarter turns and compositions of their own.
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
    bfloat16 : bool
        Compute the momentum encoder's vectors with 16 bits, which is two to four times faster where
        processor or GPU has arithmetic of this kind, and slower where it has none.
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
    strength: float = 0.6
    frozen_blocks: int = 3
    bank: int = 16384
    momentum: float = 0.995
    rate: float = 3e-4
    warm_up: int = 100
    temperature: float = 0.05
    entropy: float = 3.0
    shared: float = 0.3
    marks: int = 400
    bfloat16: bool = False
    held_out: int = 200
    seed: int = 0

    @property
    def of_layout(self) -> int:
        """Dimensions that are the layout's."""
        return round(self.dimensions / 4)

    @property
    def of_network(self) -> int:
        """Dimensions that are the network's."""
        return self.dimensions - self.of_layout

    def __post_init__(self) -> None:
        if not 0 <= self.small_steps <= self.steps or self.batch < 2 or self.bank < self.batch:
            raise ContractError(
                f"steps, batch and bank do not fit each other: {self}",
                remedy="0 <= small_steps <= steps, 2 <= batch <= bank",
            )
        if min(self.size, self.small, self.of_layout, self.marks, self.held_out) < 1:
            raise ContractError(f"sizes and counts must be positive: {self}")
        if not (0 <= self.ramp <= 1 and 0 <= self.strength <= 1):
            raise ContractError(f"ramp and strength must lie in [0, 1]: {self}")
        if not (0 <= self.momentum < 1 and 0 <= self.shared < 1 and self.temperature > 0):
            raise ContractError(f"momentum and shared lie in [0, 1), temperature above 0: {self}")
