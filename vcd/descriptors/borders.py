"""Where the picture lies inside the flat borders that editing put around it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vcd.descriptors.boxes import Box, Pixels

__all__ = ["inside_borders"]

_NEAR = 24  # grey levels (0-255) by which a border's pixels may differ from its colour
_ALIKE = 0.97  # share of a line's pixels that must have the colour: coding leaves specks
_BEHIND = 0.6  # share below which the lines behind a border must fall: a sky ends gradually
_SOFT = 3  # lines over which scaling may blur the end of a border
_DEEPEST = 0.45  # share of the side that one border may take
_LEAST = 0.04  # share of a side below which borders are not worth a second look


def inside_borders(pixels: Pixels) -> Box | None:
    """Return where the picture without flat borders lies, or None where it has none to speak of.

    A border is a run of lines from an edge inwards that have the median colour of the outermost
    line, and then stop at once; each of the four sides has its own.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
    """
    height, width = pixels.shape[:2]
    top, bottom = _depth(pixels), _depth(pixels[::-1])
    across = pixels[top : height - bottom].transpose(1, 0, 2)
    left, right = _depth(across), _depth(across[::-1])
    down = pixels[:, left : width - right]
    top, bottom = _sharp(down, top), _sharp(down[::-1], bottom)
    left, right = _sharp(across, left), _sharp(across[::-1], right)
    if top + bottom <= _LEAST * height and left + right <= _LEAST * width:
        return None
    return Box(top, height - bottom, left, width - right)


def _depth(lines: Pixels) -> int:
    """Return how many lines, from the first on, have the colour of the first."""
    deepest = int(len(lines) * _DEEPEST)
    if deepest == 0:
        return 0
    colour = _colour(lines)
    if _share(lines[0], colour) <= _ALIKE:
        return 0
    has_colour = _share(lines[:deepest], colour) > _ALIKE
    return deepest if has_colour.all() else int(np.argmin(has_colour))


def _sharp(lines: Pixels, depth: int) -> int:
    """Return the depth of a border that ends at once, 0 for one that fades."""
    behind = lines[depth : depth + _SOFT]
    if depth == 0 or behind.size == 0 or _share(behind, _colour(lines)).min() >= _BEHIND:
        return 0
    return depth


def _colour(lines: Pixels) -> npt.NDArray[np.int16]:
    """Return the median of the first line; np.median does more than is needed, and takes longer."""
    levels, middle = np.sort(lines[0], axis=0).astype(np.int16), len(lines[0])
    colour: npt.NDArray[np.int16] = (levels[(middle - 1) // 2] + levels[middle // 2]) // 2
    return colour


def _share(lines: Pixels, colour: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """Return the share of each line's pixels that have a colour."""
    near = np.abs(lines.astype(np.int16) - colour) < _NEAR
    has_colour = near[..., 0] & near[..., 1] & near[..., 2]
    share: npt.NDArray[np.float64] = np.count_nonzero(has_colour, axis=-1) / lines.shape[-2]
    return share
