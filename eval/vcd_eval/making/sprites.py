"""Things that move through made pictures: birds, cars, fish, and where they go."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vcd_eval.making.camera import HEIGHT, WIDTH, Path, Point, Sprite
from vcd_eval.making.canvas import (
    Colour,
    Image,
    box,
    capsule,
    ellipse,
    mix,
    pick,
    polygon,
    random_colour,
    shade,
)
from vcd_eval.making.lettering import WORDS, write_text

__all__ = [
    "badge",
    "ball",
    "bird",
    "butterfly",
    "car",
    "comet",
    "crab",
    "fish",
    "lamp",
    "leaf",
    "shadow_cloud",
]


def _sprite(size: tuple[int, int], draw: Callable[[Image], None], path: Path) -> Sprite:
    """Return a sprite; what is drawn is found by drawing on black and on white."""
    black, white = np.zeros((*size, 3), np.float32), np.ones((*size, 3), np.float32)
    draw(black)
    draw(white)
    cover = np.clip(1 - (white - black).mean(axis=2), 0, 1)
    return Sprite(black / np.maximum(cover, 1e-3)[:, :, None], cover, path)


def _across(rng: np.random.Generator, y: float, speed: float, swing: float = 0) -> Path:
    """Return a way across the frame, again and again, at `speed` pixels a second."""
    start, phase, room = rng.uniform(0, WIDTH), rng.uniform(0, 6), WIDTH + 120
    return lambda t: ((start + speed * t) % room - 60, y + swing * np.sin(2 * t + phase))


def bird(rng: np.random.Generator) -> Sprite:
    """Return two wings."""
    size = rng.uniform(6, 11)

    def draw(image: Image) -> None:
        for side in (-1, 1):
            capsule(image, (14, 12), (14 + side * size, 6), 2.2, (0.05, 0.05, 0.07))

    return _sprite((20, 28), draw, _across(rng, rng.uniform(20, 70), rng.uniform(25, 50), 6))


def leaf(rng: np.random.Generator, hue: Colour) -> Sprite:
    """Return a leaf that falls and sways."""
    angle, tone = rng.uniform(0, 3), shade(hue, rng.uniform(1, 1.6))
    x, drop, phase = rng.uniform(0, WIDTH), rng.uniform(25, 50), rng.uniform(0, HEIGHT)

    def draw(image: Image) -> None:
        ellipse(image, 10, 10, 7, tone, stretch=0.5, angle=angle)

    def path(t: float) -> Point:
        return x + 18 * np.sin(1.5 * t + phase), (phase + drop * t) % (HEIGHT + 30) - 15

    return _sprite((20, 20), draw, path)


def lamp(rng: np.random.Generator, colour: Colour) -> Sprite:
    """Return a small light that drifts by."""

    def draw(image: Image) -> None:
        ellipse(image, 9, 9, 7, colour, alpha=0.35)
        ellipse(image, 9, 9, 3, mix(colour, (1, 1, 1), 0.5))

    return _sprite((18, 18), draw, _across(rng, rng.uniform(15, 60), rng.uniform(20, 45), 3))


def car(rng: np.random.Generator, y: float) -> Sprite:
    """Return a car from above, on a street at height y."""
    tone = pick(rng, (0.85, 0.15, 0.15), (0.95, 0.8, 0.2), (0.9, 0.9, 0.92), (0.15, 0.35, 0.8))
    speed = rng.uniform(45, 95) * rng.choice([-1, 1])

    def draw(image: Image) -> None:
        box(image, 1, 2, 31, 16, tone, corner=5)
        box(image, 8, 4, 13, 14, (0.1, 0.15, 0.2), corner=1)
        box(image, 22, 4, 26, 14, (0.1, 0.15, 0.2), corner=1)

    return _sprite((18, 32), draw, _across(rng, y, speed))


def fish(rng: np.random.Generator) -> Sprite:
    """Return a striped fish."""
    tone = pick(rng, (1.0, 0.55, 0.1), (0.95, 0.9, 0.2), (0.3, 0.5, 1.0), (0.95, 0.3, 0.5))
    size, speed = rng.uniform(8, 15), rng.uniform(25, 60)

    def draw(image: Image) -> None:
        polygon(
            image, [(22 - size, 18), (14 - size, 18 - size / 2), (14 - size, 18 + size / 2)], tone
        )
        ellipse(image, 24, 18, size, tone, stretch=0.6)
        box(image, 24 - size / 3, 18 - size / 2, 24, 18 + size / 2, (1, 1, 1), corner=2)
        ellipse(image, 24 + size * 0.6, 16, 2, (0.02, 0.02, 0.05))

    return _sprite((36, 42), draw, _across(rng, rng.uniform(25, 140), speed, rng.uniform(3, 12)))


def crab(rng: np.random.Generator) -> Sprite:
    """Return a crab."""

    def draw(image: Image) -> None:
        for side in (-1, 1):
            for k in (0, 1, 2):
                capsule(image, (24, 20), (24 + side * 20, 14 + 8 * k), 3, (0.7, 0.15, 0.1))
            ellipse(image, 24 + side * 17, 8, 6, (0.9, 0.25, 0.15))
        ellipse(image, 24, 20, 13, (0.9, 0.25, 0.15), stretch=0.7)
        for side in (-1, 1):
            ellipse(image, 24 + side * 5, 12, 3, (1, 1, 1))
            ellipse(image, 24 + side * 5, 12, 1.4, (0, 0, 0))

    return _sprite((36, 48), draw, _across(rng, rng.uniform(70, 130), 32, 4))


def badge(rng: np.random.Generator) -> Sprite:
    """Return a moving label."""
    word = str(rng.choice(WORDS))
    tone = pick(rng, (0.85, 0.1, 0.15), (0.1, 0.45, 0.75), (0.1, 0.55, 0.35))
    width = 6 * len(word) * 2 + 20

    def draw(image: Image) -> None:
        box(image, 1, 1, width - 1, 23, tone, corner=8)
        write_text(image, word, width / 2, 12, height=12, colour=(1, 1, 1))

    return _sprite((24, width), draw, _across(rng, 22, 28))


def shadow_cloud(rng: np.random.Generator) -> Sprite:
    """Return a soft white cloud."""
    cover = np.zeros((90, 150, 3), np.float32)
    for _ in range(14):
        ellipse(
            cover,
            rng.uniform(35, 115),
            rng.uniform(30, 60),
            rng.uniform(12, 26),
            (1, 1, 1),
            alpha=0.3,
        )
    soft = (0.75 * cover[:, :, 0]).astype(np.float32)
    path = _across(rng, rng.uniform(40, 140), rng.uniform(20, 40))
    return Sprite(np.full_like(cover, 0.96), soft, path)


def comet(rng: np.random.Generator) -> Sprite:
    """Return a light with a tail."""

    def draw(image: Image) -> None:
        for k in range(10):
            capsule(image, (52 - 5 * k, 10), (58, 10), 2 + k / 3, (0.7, 0.85, 1.0), alpha=0.12)
        ellipse(image, 58, 10, 3.5, (1, 1, 1))

    return _sprite((20, 66), draw, _across(rng, rng.uniform(20, 150), rng.uniform(50, 100), 8))


def ball(rng: np.random.Generator) -> Sprite:
    """Return a bouncing ball."""
    tone: Colour = random_colour(rng, 0.2, 1)
    radius, speed, rate = rng.uniform(8, 15), rng.uniform(30, 70), rng.uniform(1.5, 3)
    start = rng.uniform(0, WIDTH)

    def draw(image: Image) -> None:
        ellipse(image, 17, 17, radius, shade(tone, 0.6))
        ellipse(image, 16, 16, radius * 0.85, tone)
        ellipse(image, 17 - radius / 3, 17 - radius / 3, radius / 4, (1, 1, 1))

    def path(t: float) -> Point:
        return (start + speed * t) % (WIDTH + 40) - 20, 158 - 95 * abs(np.sin(rate * t))

    return _sprite((34, 34), draw, path)


def butterfly(rng: np.random.Generator) -> Sprite:
    """Return a butterfly."""
    tone = pick(rng, (1.0, 0.6, 0.1), (0.4, 0.6, 1.0), (1.0, 0.95, 0.6), (0.95, 0.4, 0.7))
    x, y, a, b = (
        rng.uniform(60, 260),
        rng.uniform(50, 130),
        rng.uniform(0.6, 1.4),
        rng.uniform(0, 6),
    )

    def draw(image: Image) -> None:
        for side in (-1, 1):
            ellipse(image, 16 + 7 * side, 11, 7.5, tone, stretch=0.8)
            ellipse(image, 16 + 6 * side, 20, 5, shade(tone, 0.75))
            ellipse(image, 16 + 8 * side, 11, 2.5, (0.1, 0.05, 0.05))
        capsule(image, (16, 6), (16, 24), 3, (0.08, 0.05, 0.05))

    def path(t: float) -> Point:
        return x + 70 * np.sin(a * t + b), y + 35 * np.sin(1.7 * a * t)

    return _sprite((30, 32), draw, path)
