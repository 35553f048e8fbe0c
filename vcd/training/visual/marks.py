"""Writing, signs and simple faces to be laid over pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

__all__ = ["make_marks"]

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!?#@&"


def make_marks(count: int, side: int, seed: int) -> npt.NDArray[np.uint8]:
    """Return pictures of marks with their opacity, shape (count, 4, side, side)."""
    rng = np.random.default_rng(seed)
    return np.stack([_one(rng, side) for _ in range(count)])


def _one(rng: np.random.Generator, side: int) -> npt.NDArray[np.uint8]:
    layer = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    for _ in range(int(rng.integers(1, 4))):
        kind = rng.integers(4)
        if kind <= 1:
            _write(rng, pen, side)
        elif kind == 2:
            _shape(rng, pen, side)
        else:
            _face(rng, pen, side)
    return np.ascontiguousarray(np.asarray(layer).transpose(2, 0, 1))


def _colour(rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Return white or black as often as any other colour, mostly opaque."""
    plain = ((255, 255, 255), (0, 0, 0), (255, 255, 0), (255, 0, 0))
    if rng.random() < 0.6:
        r, g, b = plain[int(rng.integers(len(plain)))]
    else:
        r, g, b = (int(v) for v in rng.integers(0, 256, 3))
    return r, g, b, 255 if rng.random() < 0.7 else int(rng.integers(120, 255))


def _write(rng: np.random.Generator, pen: ImageDraw.ImageDraw, side: int) -> None:
    font = ImageFont.load_default(size=float(rng.uniform(side / 16, side / 5)))
    lines = [
        "".join(rng.choice(list(_LETTERS + "     "), size=int(rng.integers(4, 24))).tolist())
        for _ in range(int(rng.integers(1, 4)))
    ]
    place = rng.uniform(0, side * 0.3), rng.uniform(0, side * 0.85)
    outline = int(rng.integers(0, 3)) if rng.random() < 0.5 else 0
    if rng.random() < 0.3:  # a caption on a bar
        top, height = place[1], side * rng.uniform(0.08, 0.25)
        pen.rectangle((0, top, side, top + height), fill=_colour(rng))
    pen.multiline_text(
        place,
        "\n".join(lines),
        fill=_colour(rng),
        font=font,
        stroke_width=outline,
        stroke_fill=_colour(rng),
    )


def _shape(rng: np.random.Generator, pen: ImageDraw.ImageDraw, side: int) -> None:
    x, y = rng.uniform(-0.1, 0.9, 2) * side
    w, h = rng.uniform(0.08, 0.4, 2) * side
    box = (x, y, x + w, y + h)
    width = int(rng.integers(1, 8))
    kind = rng.integers(5)
    if kind == 0:
        pen.ellipse(box, fill=_colour(rng))
    elif kind == 1:
        pen.rectangle(box, outline=_colour(rng), width=width)
    elif kind == 2:
        pen.rounded_rectangle(box, radius=min(w, h) / 4, fill=_colour(rng))
    elif kind == 3:
        pen.line((x, y, x + w, y + h), fill=_colour(rng), width=width)
    else:
        points = [tuple(p) for p in (rng.uniform(0, 1, (4, 2)) * (w, h) + (x, y)).tolist()]
        pen.polygon(points, fill=_colour(rng))


def _face(rng: np.random.Generator, pen: ImageDraw.ImageDraw, side: int) -> None:
    """Draw a round face, as emoji are."""
    r = rng.uniform(0.06, 0.18) * side
    x, y = rng.uniform(r, side - r, 2)
    pen.ellipse((x - r, y - r, x + r, y + r), fill=(255, int(rng.integers(180, 230)), 40, 255))
    for eye in (-0.35, 0.35):
        e = r * rng.uniform(0.1, 0.2)
        cx, cy = x + eye * r, y - 0.2 * r
        pen.ellipse((cx - e, cy - e, cx + e, cy + e), fill=(60, 40, 20, 255))
    start, end = (20, 160) if rng.random() < 0.7 else (200, 340)
    pen.arc(
        (x - r / 2, y - r / 4, x + r / 2, y + r * 0.6),
        start,
        end,
        fill=(60, 40, 20, 255),
        width=max(1, int(r / 10)),
    )
