"""What every localizer is: a similarity matrix in, copied segments out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from vcd.records import Segment, SimilarityMatrix

__all__ = ["Localizer"]


@runtime_checkable
class Localizer(Protocol):
    """Finds copied segments in a matrix; a user's own may stand wherever ours does."""

    @property
    def name(self) -> str:
        """Short name in tables."""
        ...

    def localize(self, matrix: SimilarityMatrix) -> list[Segment]:
        """Return segments with the localizer's own confidence as score, the best first."""
        ...
