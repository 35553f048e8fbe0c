"""Edits of the picture, by name: what people do to a copied video, at a strength in [0, 1].

Conventions
-----------
Frames are uint8 RGB, shape (height, width, 3). An edit is prepared once for a stretch of video (its
random choices, masks and maps are made then) and draws frame after frame; it keeps shape and dtype
and never changes what it is given. `strength` runs from 0, just seen, to 1, what a person would
hardly still accept; flip, rot90 and grey know no degrees. Lengths in pixels are those of a frame
320 pixels wide and grow with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from vcd.errors import ContractError
from vcd.media.pixels import scale_pixels
from vcd_eval.making.canvas import (
    Image,
    Mask,
    box,
    capsule,
    ellipse,
    pick,
    polygon,
    random_colour,
)
from vcd_eval.making.lettering import WORDS, write_text

__all__ = ["PICTURE_EDITS", "Draw", "PictureEdit", "Size", "cover", "fit", "prepare_edit"]

Frame = npt.NDArray[np.uint8]
Size = tuple[int, int]  # height, width
Draw = Callable[[Frame, int, Frame], Frame]
"""Takes a frame, its number in the stretch, and the frame of another video (of any size)."""

_WIDTH = 320  # px, that lengths are given for


@dataclass(frozen=True, slots=True)
class PictureEdit:
    """A way to edit a picture.

    `prepare` makes the choices for a stretch of video of a size, at a strength; `needs_other` says
    whether the edit shows another video, too.
    """

    prepare: Callable[[Size, float, np.random.Generator], Draw]
    needs_other: bool = False


def prepare_edit(name: str, size: Size, strength: float, rng: np.random.Generator) -> Draw:
    """Return what draws an edit on frames of a size.

    Parameters
    ----------
    name : str
        A name of `PICTURE_EDITS`.
    size : (int, int)
        Height and width of the frames, in pixels.
    strength : float
        In [0, 1].
    rng : Generator
        Makes the choices that strength leaves open: places, colours, words.

    Raises
    ------
    ContractError
        There is no such edit, or the strength lies outside [0, 1].
    """
    if name not in PICTURE_EDITS:
        raise ContractError(
            f"there is no picture edit {name!r}", remedy=f"choose among {', '.join(PICTURE_EDITS)}"
        )
    if not 0 <= strength <= 1:
        raise ContractError(f"strength must lie in [0, 1], got {strength}")
    return PICTURE_EDITS[name].prepare(size, strength, rng)


def fit(frame: Frame, size: Size) -> Frame:
    """Return a whole frame inside another size, its aspect kept, on black."""
    if frame.shape[:2] == size:
        return frame
    scale = min(size[0] / frame.shape[0], size[1] / frame.shape[1])
    height, width = (max(1, round(side * scale)) for side in frame.shape[:2])
    result = np.zeros((*size, 3), np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    result[top : top + height, left : left + width] = scale_pixels(frame, width, height)
    return result


def cover(frame: Frame, size: Size) -> Frame:
    """Return the middle of a frame, its aspect kept, filling another size."""
    if frame.shape[:2] == size:
        return frame
    scale = max(size[0] / frame.shape[0], size[1] / frame.shape[1])
    height, width = (
        max(1, min(n, round(s / scale))) for n, s in zip(frame.shape, size, strict=False)
    )
    top, left = (frame.shape[0] - height) // 2, (frame.shape[1] - width) // 2
    return scale_pixels(frame[top : top + height, left : left + width], size[1], size[0])


def _between(strength: float, weak: float, strong: float) -> float:
    return weak + (strong - weak) * strength


def _sign(rng: np.random.Generator) -> int:
    return int(rng.choice((-1, 1)))


def _bytes(values: npt.NDArray[np.floating]) -> Frame:
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)


def _table(levels: npt.NDArray[np.floating]) -> Frame:
    """Return levels, shape (256,) or (256, 3), as what a frame's bytes are looked up in."""
    return _bytes(levels)


# -- where the picture lies -----------------------------------------------------------------


def _crop(size: Size, strength: float, rng: np.random.Generator) -> Draw:
    share = _between(strength, 0.92, 0.42)
    height, width = (max(2, round(side * share)) for side in size)
    top, left = (
        int(rng.integers(0, n - m + 1)) for n, m in zip(size, (height, width), strict=True)
    )

    def draw(frame: Frame, _: int, __: Frame) -> Frame:
        return scale_pixels(frame[top : top + height, left : left + width], size[1], size[0])

    return draw


def _placed(size: Size, inner: Size, at: tuple[int, int], ground: Frame | None) -> Draw:
    """Return what shows a frame scaled into a rectangle, on a ground or on itself, blurred."""
    (top, left), (height, width) = at, inner

    def draw(frame: Frame, _: int, __: Frame) -> Frame:
        if ground is None:
            coarse = scale_pixels(frame, max(2, size[1] // 24), max(2, size[0] // 24))
            result = scale_pixels(coarse, size[1], size[0]) // 2
        else:
            result = ground.copy()
        result[top : top + height, left : left + width] = scale_pixels(frame, width, height)
        return result

    return draw


def _colour_ground(size: Size, rng: np.random.Generator) -> Frame:
    return np.full((*size, 3), rng.integers(0, 200, 3), np.uint8)


def _pad(size: Size, strength: float, rng: np.random.Generator) -> Draw:
    share = _between(strength, 0.9, 0.5)
    inner = max(2, round(size[0] * share)), max(2, round(size[1] * share))
    at = int(rng.integers(0, size[0] - inner[0] + 1)), int(rng.integers(0, size[1] - inner[1] + 1))
    return _placed(size, inner, at, None if rng.random() < 0.4 else _colour_ground(size, rng))


def _letterbox(size: Size, strength: float, _: np.random.Generator) -> Draw:
    bar = max(1, round(size[0] * _between(strength, 0.06, 0.22)))

    def draw(frame: Frame, _: int, __: Frame) -> Frame:
        result = frame.copy()
        result[:bar] = result[-bar:] = 0
        return result

    return draw


def _aspect(size: Size, strength: float, rng: np.random.Generator) -> Draw:
    share = _between(strength, 0.88, 0.5)
    shares = (1.0, share) if rng.random() < 0.5 else (share, 1.0)
    height, width = (max(2, round(s * n)) for s, n in zip(shares, size, strict=True))
    if rng.random() < 0.5:  # squeezed, with bars
        at = (size[0] - height) // 2, (size[1] - width) // 2
        return _placed(size, (height, width), at, np.zeros((*size, 3), np.uint8))
    top, left = (size[0] - height) // 2, (size[1] - width) // 2

    def draw(frame: Frame, _: int, __: Frame) -> Frame:  # stretched, the rim lost
        return scale_pixels(frame[top : top + height, left : left + width], size[1], size[0])

    return draw


def _flip(_: Size, __: float, ___: np.random.Generator) -> Draw:
    return lambda frame, _, __: np.ascontiguousarray(frame[:, ::-1])


def _rot90(size: Size, _: float, rng: np.random.Generator) -> Draw:
    turns = int(rng.choice((1, 1, 2, 3, 3)))
    return lambda frame, _, __: fit(np.ascontiguousarray(np.rot90(frame, turns)), size)


def _rot_small(size: Size, strength: float, rng: np.random.Generator) -> Draw:
    angle = math.radians(_sign(rng) * _between(strength, 3, 25))
    height, width = size
    y, x = np.indices(size, np.float32) - np.array([height - 1, width - 1])[:, None, None] / 2
    columns = np.rint(x * math.cos(angle) + y * math.sin(angle) + (width - 1) / 2).astype(np.intp)
    rows = np.rint(y * math.cos(angle) - x * math.sin(angle) + (height - 1) / 2).astype(np.intp)
    outside = (columns < 0) | (columns >= width) | (rows < 0) | (rows >= height)
    source = np.where(outside, 0, rows * width + columns)

    def draw(frame: Frame, _: int, __: Frame) -> Frame:
        result: Frame = frame.reshape(-1, 3).take(source, axis=0)
        result[outside] = 0
        return result

    return draw


# -- colour and sharpness -------------------------------------------------------------------


def _blur(size: Size, strength: float, _: np.random.Generator) -> Draw:
    sigma = _between(strength, 0.8, 4.5) * size[1] / _WIDTH
    half = sigma > 2 and min(size) > 8  # a strong blur looks the same, and is made faster, at half
    sigma = sigma / 2 if half else sigma
    reach = max(1, math.ceil(2.5 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    weights /= weights.sum()

    def draw(frame: Frame, _: int, __: Frame) -> Frame:
        source = scale_pixels(frame, size[1] // 2, size[0] // 2) if half else frame
        picture = source.astype(np.float32)
        for axis in (0, 1):
            length = picture.shape[axis]
            rim = [(reach, reach) if i == axis else (0, 0) for i in range(3)]
            wide = np.pad(picture, rim, mode="edge")
            picture = np.zeros_like(picture)
            for i, weight in enumerate(weights):
                picture += weight * (wide[i : i + length] if axis == 0 else wide[:, i : i + length])
        return scale_pixels(_bytes(picture), size[1], size[0])

    return draw


def _looked_up(table: Frame) -> Draw:
    if table.ndim == 1:
        return lambda frame, _, __: table[frame]
    return lambda frame, _, __: np.stack([table[:, c][frame[:, :, c]] for c in range(3)], axis=2)


def _bright(_: Size, strength: float, rng: np.random.Generator) -> Draw:
    return _looked_up(_table(np.arange(256) + _sign(rng) * _between(strength, 20, 100)))


def _contrast(_: Size, strength: float, rng: np.random.Generator) -> Draw:
    factor = pick(rng, _between(strength, 0.75, 0.3), _between(strength, 1.3, 2.6))
    return _looked_up(_table((np.arange(256) - 128) * factor + 128))


def _color(_: Size, strength: float, rng: np.random.Generator) -> Draw:
    change = rng.permutation([-1.0, rng.uniform(-0.3, 0.3), 1.0]) * _between(strength, 0.15, 0.6)
    return _looked_up(_table(np.arange(256)[:, None] * (1 + change)))


def _grey(_: Size, __: float, ___: np.random.Generator) -> Draw:
    weights = np.array([77, 150, 29], np.uint32)  # of 256, Rec. 601

    def draw(frame: Frame, _: int, __: Frame) -> Frame:
        luma = ((frame @ weights) >> 8).astype(np.uint8)
        return np.repeat(luma[:, :, None], 3, axis=2)

    return draw


def _noise(size: Size, strength: float, rng: np.random.Generator) -> Draw:
    height, width = size
    # One plane, shown at another offset in each frame: drawing it anew would take longer than all.
    plane = rng.normal(0, _between(strength, 6, 42), (2 * height, 2 * width, 3)).astype(np.int16)
    offsets = rng.integers(0, (height, width), (997, 2))

    def draw(frame: Frame, number: int, __: Frame) -> Frame:
        top, left = offsets[number % len(offsets)]
        noisy = frame + plane[top : top + height, left : left + width]
        return np.asarray(np.clip(noisy, 0, 255), np.uint8)

    return draw


def _pixelate(size: Size, strength: float, _: np.random.Generator) -> Draw:
    block = max(2, round(_between(strength, 3, 14) * size[1] / _WIDTH))
    rows, columns = (np.arange(side) // block for side in size)
    high, wide = int(rows[-1]) + 1, int(columns[-1]) + 1
    source = rows[:, None] * wide + columns

    def draw(frame: Frame, _: int, __: Frame) -> Frame:
        return scale_pixels(frame, wide, high).reshape(-1, 3).take(source, axis=0)

    return draw


# -- things laid over it --------------------------------------------------------------------


def _laid_over(size: Size, paint: Callable[[Image], None]) -> Draw:
    """Return what lays a drawing over frames; its coverage is found on black and on white."""
    black, white = np.zeros((*size, 3), np.float32), np.ones((*size, 3), np.float32)
    paint(black)
    paint(white)
    through = np.clip((white - black).mean(axis=2), 0, 1)
    covered = through < 1
    if not covered.any():
        return lambda frame, _, __: frame
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    colour, share = black[part] * 255, through[part][:, :, None]

    def draw(frame: Frame, _: int, __: Frame) -> Frame:
        result = frame.copy()
        result[part] = _bytes(frame[part] * share + colour)
        return result

    return draw


def _text(size: Size, strength: float, rng: np.random.Generator) -> Draw:
    high, wide = size
    lines = 1 + round(_between(strength, 0, 3))
    height = _between(strength, 0.09, 0.17) * min(high, wide)
    places = rng.permutation(np.linspace(0.1, 0.9, 6))[:lines] * high
    words = [" ".join(rng.choice(WORDS, 2)) for _ in range(lines)]
    colour = random_colour(rng, 0.5, 1.0)

    def paint(image: Image) -> None:
        for y, line in zip(places, words, strict=True):
            write_text(image, line, wide / 2, y, height=height, colour=colour, shadow=0.8)

    return _laid_over(size, paint)


def _shapes(size: Size, strength: float, rng: np.random.Generator) -> Draw:
    high, wide = size
    unit = min(size)
    drawn = [
        (
            pick(rng, "disc", "box", "triangle", "line"),
            rng.uniform(0.05, 0.95) * wide,
            rng.uniform(0.05, 0.95) * high,
            rng.uniform(0.07, 0.09 + 0.12 * strength) * unit,
            random_colour(rng),
        )
        for _ in range(2 + round(_between(strength, 0, 4)))
    ]

    def paint(image: Image) -> None:
        for kind, x, y, radius, colour in drawn:
            if kind == "disc":
                ellipse(image, x, y, radius, colour)
            elif kind == "box":
                box(image, x - radius, y - radius, x + radius, y + radius, colour, corner=2)
            elif kind == "line":
                capsule(
                    image, (x - 3 * radius, y - radius), (x + 3 * radius, y + radius), 5, colour
                )
            else:
                points = [(x, y - radius), (x + radius, y + radius), (x - radius, y + radius)]
                polygon(image, points, colour)

    return _laid_over(size, paint)


def _emoji(size: Size, strength: float, rng: np.random.Generator) -> Draw:
    high, wide = size
    faces = [
        (
            rng.uniform(0.1, 0.9) * wide,
            rng.uniform(0.1, 0.9) * high,
            _between(strength, 0.1, 0.2) * min(size),
            bool(rng.random() < 0.6),
        )
        for _ in range(1 + round(_between(strength, 0, 3)))
    ]

    def paint(image: Image) -> None:
        for x, y, radius, smiles in faces:
            ellipse(image, x, y, radius, (1.0, 0.8, 0.15))
            for side in (-1, 1):
                ellipse(
                    image, x + side * radius * 0.35, y - radius * 0.25, radius * 0.14, (0.2, 0.1, 0)
                )
            mouth = [(-0.5, 0.25), (0.0, 0.5 if smiles else 0.2), (0.5, 0.25)]
            if not smiles:
                mouth = [(-0.5, 0.5), (0.0, 0.3), (0.5, 0.5)]
            ends = [(x + dx * radius, y + dy * radius) for dx, dy in mouth]
            for a, b in pairwise(ends):
                capsule(image, a, b, max(2.0, radius * 0.14), (0.2, 0.1, 0))

    return _laid_over(size, paint)


# -- another video in the same picture ------------------------------------------------------


def _blend(size: Size, strength: float, _: np.random.Generator) -> Draw:
    share = round(_between(strength, 0.15, 0.5) * 256)

    def draw(frame: Frame, _: int, other: Frame) -> Frame:
        over = cover(other, size).astype(np.uint16)
        return ((frame.astype(np.uint16) * (256 - share) + over * share) >> 8).astype(np.uint8)

    return draw


def _inner(size: Size, share: float, rng: np.random.Generator) -> tuple[Size, tuple[int, int]]:
    """Return size and place of a small picture that keeps off the rim."""
    inner = max(2, round(size[0] * share)), max(2, round(size[1] * share))
    y, x = (int(rng.uniform(0.05, 0.95) * (n - m)) for n, m in zip(size, inner, strict=True))
    return inner, (y, x)


def _pip_over(size: Size, strength: float, rng: np.random.Generator) -> Draw:
    inner, (y, x) = _inner(size, _between(strength, 0.22, 0.5), rng)

    def draw(frame: Frame, _: int, other: Frame) -> Frame:
        result = frame.copy()
        result[y : y + inner[0], x : x + inner[1]] = cover(other, inner)
        return result

    return draw


def _pip_in(size: Size, strength: float, rng: np.random.Generator) -> Draw:
    inner, (y, x) = _inner(size, _between(strength, 0.8, 0.35), rng)

    def draw(frame: Frame, _: int, other: Frame) -> Frame:
        result = cover(other, size).copy()
        result[y : y + inner[0], x : x + inner[1]] = scale_pixels(frame, inner[1], inner[0])
        return result

    return draw


def _split(size: Size, strength: float, rng: np.random.Generator) -> Draw:
    axis, first = int(rng.integers(0, 2)), bool(rng.random() < 0.5)
    length = size[axis]
    own = round(length * _between(strength, 0.65, 0.4))
    whole = bool(rng.random() < 0.5)  # the copy is seen whole, on black, or its middle fills

    def draw(frame: Frame, _: int, other: Frame) -> Frame:
        sizes: list[Size] = [
            (n, size[1]) if axis == 0 else (size[0], n) for n in (own, length - own)
        ]
        parts = [(fit if whole else cover)(frame, sizes[0]), cover(other, sizes[1])]
        return np.concatenate(parts if first else parts[::-1], axis=axis)

    return draw


def _screencap(size: Size, strength: float, rng: np.random.Generator) -> Draw:
    high, wide = size
    share = _between(strength, 0.92, 0.6)
    inner = max(2, round(high * share)), max(2, round(wide * share))
    top, left = (high - inner[0]) // 2, (wide - inner[1]) // 2
    bar = max(3, round(0.05 * high))
    ground: Image = np.empty((high, wide, 3), np.float32)
    ground[:] = random_colour(rng, 0.1, 0.7)
    box(ground, left - 2, top - bar, left + inner[1] + 2, top + inner[0] + bar, (0.9, 0.9, 0.92))
    for i, tone in enumerate(((0.95, 0.35, 0.3), (0.95, 0.75, 0.2), (0.3, 0.8, 0.35))):
        ellipse(ground, left + bar * (i + 0.7), top - bar / 2, bar * 0.3, tone)
    desktop = _bytes(ground * np.float32(255))
    pointer = int(rng.uniform(0.1, 0.9) * high), int(rng.uniform(0.1, 0.9) * wide)
    scan: Mask = np.ones((high, 1, 1), np.float32)
    scan[::3] = _between(strength, 0.97, 0.85)

    def draw(frame: Frame, number: int, __: Frame) -> Frame:
        result = desktop.copy()
        result[top : top + inner[0], left : left + inner[1]] = scale_pixels(
            frame, inner[1], inner[0]
        )
        y = min(top + inner[0] + bar // 3, high - 1)
        played = left + 2 + number % max(1, inner[1] - 4)
        result[y : y + max(1, bar // 3), left + 2 : played] = (220, 30, 30)
        for i in range(max(4, bar)):  # the mouse pointer
            result[pointer[0] + i : pointer[0] + i + 1, pointer[1] : pointer[1] + i // 2 + 1] = 250
        return _bytes(result * scan)

    return draw


PICTURE_EDITS: dict[str, PictureEdit] = {
    "crop": PictureEdit(_crop),
    "flip": PictureEdit(_flip),
    "rot_small": PictureEdit(_rot_small),
    "rot90": PictureEdit(_rot90),
    "pad": PictureEdit(_pad),
    "letterbox": PictureEdit(_letterbox),
    "aspect": PictureEdit(_aspect),
    "blur": PictureEdit(_blur),
    "bright": PictureEdit(_bright),
    "contrast": PictureEdit(_contrast),
    "color": PictureEdit(_color),
    "grey": PictureEdit(_grey),
    "noise": PictureEdit(_noise),
    "pixelate": PictureEdit(_pixelate),
    "text": PictureEdit(_text),
    "shapes": PictureEdit(_shapes),
    "emoji": PictureEdit(_emoji),
    "blend": PictureEdit(_blend, needs_other=True),
    "pip_over": PictureEdit(_pip_over, needs_other=True),
    "pip_in": PictureEdit(_pip_in, needs_other=True),
    "split": PictureEdit(_split, needs_other=True),
    "screencap": PictureEdit(_screencap),
}
