"""Drawing with numpy alone: noise, gradients, smooth shapes and resizing, for made pictures.

Conventions
-----------
An `Image` is float32 RGB in [0, 1], shape (height, width, 3); a `Mask` is coverage in [0, 1], shape
(height, width). Drawing functions change the image they are given. Coordinates are pixels, x to the
right and y down; what lies outside the image is cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, cos, hypot, sin
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = [
    "Colour",
    "Image",
    "Mask",
    "box",
    "capsule",
    "dots",
    "ellipse",
    "fade",
    "glow",
    "gradient",
    "mix",
    "noise",
    "paint",
    "pick",
    "polygon",
    "ramp",
    "random_colour",
    "resize",
    "shade",
]

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.float32]
Colour = tuple[float, float, float]
Fill = Colour | Image
T = TypeVar("T")


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour `share` of the way from a to b."""
    return tuple(p + (q - p) * share for p, q in zip(a, b, strict=True))  # type: ignore[return-value]


def shade(colour: Colour, factor: float) -> Colour:
    """Return a colour made lighter or darker."""
    return tuple(min(1.0, max(0.0, c * factor)) for c in colour)  # type: ignore[return-value]


def pick(rng: np.random.Generator, *choices: T) -> T:
    """Return one of the choices."""
    return choices[int(rng.integers(0, len(choices)))]


def random_colour(rng: np.random.Generator, low: float = 0.0, high: float = 1.0) -> Colour:
    """Return a colour whose channels lie between two levels."""
    red, green, blue = rng.uniform(low, high, 3)
    return float(red), float(green), float(blue)


def gradient(size: tuple[int, int], colours: Sequence[Colour]) -> Image:
    """Return a picture that runs through the colours from top to bottom."""
    height, width = size
    column = ramp(np.linspace(0, 1, height, dtype=np.float32), colours)
    return np.repeat(column[:, None], width, axis=1)


def ramp(values: npt.NDArray[np.float32], colours: Sequence[Colour]) -> Image:
    """Return values in [0, 1] as colours along evenly spaced stops, shape (..., 3)."""
    stops = np.linspace(0, 1, len(colours))
    channels = [np.interp(values, stops, [c[i] for c in colours]) for i in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def noise(
    rng: np.random.Generator,
    size: tuple[int, int],
    cells: float = 3.0,
    *,
    octaves: int = 5,
    gain: float = 0.5,
) -> Mask:
    """Return fractal value noise stretched to [0, 1].

    Random grids, each twice as fine and `gain` times as strong as the one before, are enlarged and
    summed; the coarsest has `cells` cells along the shorter side.
    """
    total = np.zeros(size, np.float32)
    strength = 1.0
    for _ in range(octaves):
        grid = [max(2, round(cells * side / min(size)) + 1) for side in size]
        values = rng.random((grid[0], grid[1], 1), dtype=np.float32)
        total += strength * resize(values, size, smooth=True)[:, :, 0]
        cells, strength = cells * 2, strength * gain
        if cells > min(size) / 2:
            break
    total -= total.min()
    return total / max(float(total.max()), 1e-6)


def resize(image: Image, size: tuple[int, int], *, smooth: bool = False) -> Image:
    """Return an image of shape (h, w, channels) at another size, bilinear, corners kept.

    With `smooth` the weights are eased, which hides the grid of enlarged noise.
    """
    for axis, length in enumerate(size):
        last = image.shape[axis] - 1
        position = np.linspace(0, last, length, dtype=np.float32)
        low = np.minimum(position.astype(np.int64), max(last - 1, 0))
        weight = (position - low).astype(np.float32)
        if smooth:
            weight = weight * weight * (3 - 2 * weight)
        weight = weight.reshape([-1 if i == axis else 1 for i in range(image.ndim)])
        below, above = image.take(low, axis), image.take(np.minimum(low + 1, last), axis)
        image = below + (above - below) * weight
    return image


def paint(image: Image, mask: Mask, left: int, top: int, fill: Fill) -> None:
    """Lay a colour, or a picture of the mask's size, over an image where the mask covers it."""
    height, width = mask.shape
    y0, y1 = max(top, 0), min(top + height, image.shape[0])
    x0, x1 = max(left, 0), min(left + width, image.shape[1])
    if y0 >= y1 or x0 >= x1:
        return
    part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    cover = mask[part][:, :, None]
    source = fill[part] if isinstance(fill, np.ndarray) else np.asarray(fill, np.float32)
    target = image[y0:y1, x0:x1]
    target += cover * (source - target)


def ellipse(
    image: Image,
    x: float,
    y: float,
    radius: float,
    fill: Fill,
    *,
    stretch: float = 1.0,
    angle: float = 0.0,
    alpha: float = 1.0,
) -> None:
    """Draw a disc, its second axis `stretch` times the first, turned by `angle` radians."""
    reach = radius * max(1.0, stretch) + 1
    dx, dy, at = _grid(image, (x - reach, y - reach, x + reach, y + reach), (x, y))
    along = dx * cos(angle) + dy * sin(angle)
    across = dy * (cos(angle) / stretch) - dx * (sin(angle) / stretch)
    distance = (radius - np.sqrt(along * along + across * across)) * min(1.0, stretch)
    _draw(image, distance, at, fill, alpha)


def box(  # noqa: PLR0917 - four numbers are one rectangle
    image: Image,
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    fill: Fill,
    *,
    corner: float = 0.0,
    alpha: float = 1.0,
) -> None:
    """Draw an upright rectangle with rounded corners."""
    centre = (x0 + x1) / 2, (y0 + y1) / 2
    dx, dy, at = _grid(image, (x0 - 1, y0 - 1, x1 + 1, y1 + 1), centre)
    ox = np.abs(dx) - (x1 - x0) / 2 + corner
    oy = np.abs(dy) - (y1 - y0) / 2 + corner
    outside = np.hypot(np.maximum(ox, 0), np.maximum(oy, 0))
    distance = corner - outside - np.minimum(np.maximum(ox, oy), 0)
    _draw(image, distance, at, fill, alpha)


def capsule(
    image: Image,
    start: tuple[float, float],
    end: tuple[float, float],
    width: float,
    fill: Fill,
    *,
    alpha: float = 1.0,
) -> None:
    """Draw a thick line with round ends."""
    (xa, ya), (xb, yb), half = start, end, width / 2
    pad = half + 1
    reach = min(xa, xb) - pad, min(ya, yb) - pad, max(xa, xb) + pad, max(ya, yb) + pad
    dx, dy, at = _grid(image, reach, start)
    vx, vy = xb - xa, yb - ya
    share = np.clip((dx * vx + dy * vy) / max(vx * vx + vy * vy, 1e-6), 0, 1)
    _draw(image, half - np.hypot(dx - share * vx, dy - share * vy), at, fill, alpha)


def polygon(
    image: Image, points: Sequence[tuple[float, float]], fill: Fill, *, alpha: float = 1.0
) -> None:
    """Draw a convex polygon."""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    reach = min(xs) - 1, min(ys) - 1, max(xs) + 1, max(ys) + 1
    dx, dy, at = _grid(image, reach, (0.0, 0.0))
    turned = sum(xs[i - 1] * ys[i] - xs[i] * ys[i - 1] for i in range(len(points)))
    inside = np.full((dy.size, dx.size), np.inf, np.float32)
    for i in range(len(points)):
        ex, ey = xs[i] - xs[i - 1], ys[i] - ys[i - 1]
        length = max(hypot(ex, ey), 1e-6)
        edge = (ex * (dy - ys[i]) - ey * (dx - xs[i])) / length
        inside = np.minimum(inside, edge if turned > 0 else -edge)
    _draw(image, inside, at, fill, alpha)


def glow(
    image: Image, x: float, y: float, radius: float, colour: Colour, *, strength: float
) -> None:
    """Add light around a point, falling off as a bell curve of the given radius."""
    reach = radius * 2.5
    dx, dy, at = _grid(image, (x - reach, y - reach, x + reach, y + reach), (x, y))
    light = strength * np.exp(-(dx * dx + dy * dy) / (radius * radius))
    left, top = at
    part = image[top : top + light.shape[0], left : left + light.shape[1]]
    part += light[:, :, None] * np.asarray(colour, np.float32)


def dots(image: Image, points: npt.NDArray[np.float64], colours: Image) -> None:
    """Set the pixels at points of shape (n, 2), x and y, to colours of shape (n, 3)."""
    at = points.astype(np.intp)
    inside = ((at >= 0) & (at < (image.shape[1], image.shape[0]))).all(axis=1)
    image[at[inside, 1], at[inside, 0]] = colours[inside]


def fade(image: Image, mask: Mask, fill: Fill) -> None:
    """Lay a fill over the whole image by a mask of its size."""
    paint(image, mask, 0, 0, fill)


def _grid(
    image: Image, reach: tuple[float, float, float, float], origin: tuple[float, float]
) -> tuple[Mask, Mask, tuple[int, int]]:
    """Return a row of x and a column of y, pixel centres relative to an origin.

    They span the part of a box that lies inside the image; its left and top come with them.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = reach
    left, right = min(max(int(x0), 0), width), min(max(ceil(x1), 0), width)
    top, bottom = min(max(int(y0), 0), height), min(max(ceil(y1), 0), height)
    dx = np.arange(left, right, dtype=np.float32) + np.float32(0.5 - origin[0])
    dy = np.arange(top, bottom, dtype=np.float32) + np.float32(0.5 - origin[1])
    return dx[None, :], dy[:, None], (left, top)


def _draw(
    image: Image,
    inside: npt.NDArray[np.floating[Any]],
    at: tuple[int, int],
    fill: Fill,
    alpha: float,
) -> None:
    """Paint where the distance inside a contour is positive, over one pixel of transition."""
    left, top = at
    mask: Mask = np.minimum(np.maximum(inside + np.float32(0.5), 0), 1) * np.float32(alpha)
    if isinstance(fill, np.ndarray):
        fill = fill[top : top + mask.shape[0], left : left + mask.shape[1]]
    paint(image, mask, left, top, fill)
