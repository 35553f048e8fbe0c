"""Where a part of a frame lies, in whole pixels."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Box", "Pixels"]

Pixels = npt.NDArray[np.uint8]

Level = TypeVar("Level", bound=np.generic)


class Box(NamedTuple):
    """Rows from `top` to before `bottom`, columns from `left` to before `right`."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def around(cls, pixels: Pixels) -> Box:
        """Return the box of a whole frame."""
        return cls(0, pixels.shape[0], 0, pixels.shape[1])

    def cut(self, pixels: npt.NDArray[Level]) -> npt.NDArray[Level]:
        """Return the part of a frame, as a view of the same pixels."""
        return pixels[self.top : self.bottom, self.left : self.right]

    def within(self, outer: Box) -> Box:
        """Return the box of a part of a part, in the frame that `outer` is a box of."""
        return Box(
            outer.top + self.top,
            outer.top + self.bottom,
            outer.left + self.left,
            outer.left + self.right,
        )
