"""Where a frame shows two pictures: side by side, one above the other, or one inset in another.

Pictures that were put together meet in straight lines along which grey levels or colours jump, row
after row, while beside the line they do not. Scenes have such lines, too; what is wrongly taken for
two pictures costs a description, no more.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vcd.descriptors.boxes import Box, Pixels

__all__ = ["FIRST", "INSET", "SECOND", "parts"]

FIRST, SECOND, INSET = "first", "second", "inset"
"""The views of both halves of a frame, and of a picture inside of it."""

Jumps = npt.NDArray[np.bool_]
Sums = npt.NDArray[np.int16]  # of fewer lines than a model's side may have
Places = npt.NDArray[np.intp]

_SMALLEST = 32  # pixels a side of a frame

_JUMP = 30  # sum of three levels (0-255) across two pixels, that must be more than
_LARGE = 120  # a quarter above what lies three pixels on; and just more if it is as large as this

_BEFORE, _BEHIND = 1, 3
"""From the first column that jumps to the end of the picture before, and to the one behind."""

_ACROSS = 0.75  # share of a line from edge to edge that must jump
_MIDDLE = 0.25, 0.75  # of the frame, where it may run
_BESIDE = 4  # pixels of a line itself
_OTHER_LINES = 0.97  # quantile of all other lines that it must exceed
_BY = 0.1

_SIDE = 0.25, 0.85  # least and most of the frame's side that an inset takes
_CORNER, _AROUND = 0.5, 0.7  # share that must jump of every side of it, and of all four
_APART = 5  # pixels, at which lines beside a side must
_CLEARLY = 0.25  # less often jump
_LINES = 10  # in each direction, from which sides are chosen


def parts(pixels: Pixels) -> dict[str, Box]:
    """Return where the pictures lie that a frame is put together of, by view: none, two, one.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)

    Returns
    -------
    dict of Box
        `FIRST` and `SECOND` (left and right, or upper and lower), `INSET`.
    """
    if min(pixels.shape[:2]) < _SMALLEST:
        return {}
    red, green, blue = pixels.astype(np.int16).transpose(2, 0, 1)
    grey = red + green + blue
    down, across = _jumps(grey), _jumps(grey.T)
    lines = _summed(down), _summed(across)
    found = dict(zip((FIRST, SECOND), _halves(pixels, *lines), strict=False))
    small = _inset(pixels, *lines)
    return found if small is None else found | {INSET: small}


def _halves(pixels: Pixels, down: Sums, across: Sums) -> tuple[Box, ...]:
    (x, how_clearly), (y, how_clearly_too) = _seam(down), _seam(across)
    if max(how_clearly, how_clearly_too) <= _ACROSS:
        return ()
    whole = Box.around(pixels)
    if how_clearly >= how_clearly_too:
        return whole._replace(right=x + _BEFORE), whole._replace(left=x + _BEHIND)
    return whole._replace(bottom=y + _BEFORE), whole._replace(top=y + _BEHIND)


def _seam(sums: Sums) -> tuple[int, float]:
    """Return the column that jumps most often near the middle, and how often.

    0 where this is too seldom, or others do as often.
    """
    share = sums[-1] / (len(sums) - 1)
    low, high = (round(place * len(share)) for place in _MIDDLE)
    at = low + int(share[low:high].argmax())
    if share[at] <= _ACROSS:
        return at, 0.0
    others = np.sort(np.concatenate([share[: max(0, at - _BESIDE)], share[at + _BESIDE + 1 :]]))
    most = np.interp(_OTHER_LINES * (len(others) - 1), np.arange(len(others)), others)
    alone = share[at] > most + _BY
    return at, float(share[at]) if alone else 0.0


def _inset(pixels: Pixels, sums: Sums, sums_across: Sums) -> Box | None:
    x = _pairs(sums, pixels.shape[0])
    if not x.size:
        return None
    y = _pairs(sums_across, pixels.shape[1])
    if not y.size:
        return None
    # Rows of boxes have the same first and last row of pixels, columns the same columns.
    upright, lying = _sides(sums, x, y), _sides(sums_across, y, x)
    each = [side.T for side in upright] + list(lying)
    total = np.where(np.all(each, axis=0), np.sum(each, axis=0), 0)
    row, column = np.unravel_index(total.argmax(), total.shape)
    if total[row, column] < 4 * _AROUND:
        return None
    (left, right), (top, bottom) = x[:, column].tolist(), y[:, row].tolist()
    return Box(top + _BEHIND, bottom + _BEFORE, left + _BEHIND, right + _BEFORE)


def _jumps(grey: npt.NDArray[np.int16]) -> Jumps:
    """Return where levels jump from one column to the next but one, within a pixel."""
    across = np.zeros(grey.shape, np.int16)
    np.abs(grey[:, 2:] - grey[:, :-2], out=across[:, 1:-1])
    beside = np.zeros_like(across)
    beside[:, 3:] = across[:, :-3]
    np.maximum(beside[:, :-3], across[:, 3:], out=beside[:, :-3])
    more = across - beside
    jumps = (across > _JUMP) & (more > beside >> 2) | (across > _LARGE) & (more > 0)
    wide: Jumps = jumps.copy()
    wide[:, 1:] |= jumps[:, :-1]
    wide[:, :-1] |= jumps[:, 1:]
    return wide


def _summed(jumps: Jumps) -> Sums:
    """Return sums of every column from its top on, shape (height + 1, width)."""
    sums = np.zeros((jumps.shape[0] + 1, jumps.shape[1]), np.int16)
    np.cumsum(jumps.astype(np.int16), axis=0, out=sums[1:])
    return sums


def _pairs(sums: Sums, length: int) -> Places:
    """Return pairs of columns that may be two sides of an inset, shape (2, n), left ones first."""
    least = max(1, round(_SIDE[0] * length))
    longest = (sums[least:] - sums[:-least]).max(axis=0).astype(np.float64)
    chosen: list[int] = []
    while len(chosen) < _LINES and longest.max() >= _CORNER * least:
        at = int(longest.argmax())
        chosen.append(at)
        longest[max(0, at - _BESIDE) : at + _BESIDE + 1] = 0
    lines = np.sort(np.array(chosen, np.intp))
    width = sums.shape[1]
    left, right = (a.ravel() for a in np.meshgrid(lines, lines))
    fitting = (right - left >= _SIDE[0] * width) & (right - left <= _SIDE[1] * width)
    return np.stack([left[fitting], right[fitting]])


def _sides(sums: Sums, at: Places, between: Places) -> npt.NDArray[np.float64]:
    """Return the shares of columns that jump between rows; 0 for what is no side of an inset.

    Parameters
    ----------
    sums : ndarray, shape (height + 1, width)
    at : ndarray, shape (2, n)
        Columns.
    between : ndarray, shape (2, k)
        Pairs of rows.

    Returns
    -------
    ndarray of float64, shape (2, n, k)
    """
    lines, number = np.unique(at, return_inverse=True)
    places = np.stack([lines, lines - _APART, lines + _APART])
    width = sums.shape[1]
    inside = (places >= 0) & (places < width)
    columns = sums.T[np.minimum(np.maximum(places, 0), width - 1)]  # a third of np.clip's time
    start, end = between
    share = (columns[..., end] - columns[..., start]) / (end - start) * inside[..., None]
    own, beside = share[0], share[1:].max(axis=0)
    share = np.where((own >= _CORNER) & (own - beside >= _CLEARLY), own, 0)
    sides: npt.NDArray[np.float64] = share[number.reshape(at.shape)]
    return sides
