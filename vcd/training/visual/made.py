"""Pictures made by program: statistics of natural pictures without anybody's rights.

After Baradad et al. 2021, "Learning to See by Looking at Noise", and 2022, "Procedural Image
Programs for Representation Learning".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["make_picture"]

Real = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]
_FLAT = 15  # grey levels of deviation below which a picture says too little


def make_picture(rng: np.random.Generator, side: int) -> Picture:
    """Return one picture, shape (side, side, 3), by a program drawn at random."""
    while True:
        programs = (_leaves, _leaves, _palette, _shader, _julia, _page, _scene, _collage)
        picture = programs[int(rng.integers(len(programs)))](rng, side)
        levels = np.clip(picture * 255, 0, 255).astype(np.uint8)
        if levels.mean(axis=2).std() > _FLAT:
            return levels


def _axes(side: int) -> tuple[Real, Real]:
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    return y, x


def _noise(rng: np.random.Generator, side: int, falloff: float) -> Real:
    """Return noise of spectrum 1 / frequency ** falloff, scaled to [0, 1]."""
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    power = 1 / np.maximum(np.hypot(fy, fx), 1 / side) ** falloff
    phases = rng.normal(size=power.shape) + 1j * rng.normal(size=power.shape)
    field = np.fft.irfft2(phases * power, (side, side)).astype(np.float32)
    scaled: Real = (field - field.min()) / np.float32(max(float(np.ptp(field)), 1e-9))
    return scaled


def _coloured(rng: np.random.Generator, field: Real) -> Real:
    """Map a field to colours through cosines, as shaders do."""
    base, swing = rng.uniform(0.3, 0.7, 3), rng.uniform(0.2, 0.5, 3)
    turns, phase = rng.uniform(0.5, 2.5, 3), rng.uniform(0, 1, 3)
    return (base + swing * np.cos(2 * np.pi * (turns * field[..., None] + phase))).astype(
        np.float32
    )


def _texture(rng: np.random.Generator, side: int) -> Real:
    """Return a coloured texture to fill shapes with."""
    kind = rng.integers(4)
    colour = rng.uniform(0, 1, 3).astype(np.float32)
    if kind == 0:
        return np.broadcast_to(colour, (side, side, 3)).astype(np.float32)
    if kind == 1:
        return _coloured(rng, _noise(rng, side, rng.uniform(0.8, 2.2)))
    y, x = _axes(side)
    angle = rng.uniform(0, np.pi)
    across = (np.cos(angle) * x + np.sin(angle) * y).astype(np.float32)
    if kind == 2:
        other = rng.uniform(0, 1, 3).astype(np.float32)
        ramp: Real = colour + (other - colour) * across[..., None]
        return ramp
    stripes = 0.5 + 0.5 * np.sin(across * rng.uniform(20, 120))
    grain = 0.7 + 0.3 * _noise(rng, side, 1.0)
    striped: Real = (colour * (stripes * grain)[..., None]).astype(np.float32)
    return striped


def _blob(
    rng: np.random.Generator, side: int, radius: float
) -> tuple[tuple[slice, slice], npt.NDArray[np.bool_]]:
    """Return where an ellipse, a polygon or a rounded star lies, and its mask inside that box."""
    middle, reach = rng.uniform(-0.1, 1.1, 2) * side, radius * side * 1.5
    low = np.clip(middle - reach, 0, side).astype(int)
    high = np.clip(middle + reach + 1, 0, side).astype(int)
    box = slice(low[0], high[0]), slice(low[1], high[1])
    y, x = (np.mgrid[box] / side).astype(np.float32)
    dy, dx = y - middle[0] / side, x - middle[1] / side
    turn = rng.uniform(0, np.pi)
    u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    v = v * rng.uniform(1, 2.5)
    kind = rng.integers(4)
    if kind == 0:
        return box, np.maximum(np.abs(u), np.abs(v)) < radius
    distance, angle = np.hypot(u, v), np.arctan2(v, u)
    if kind == 1:
        return box, distance < radius
    corners = int(rng.integers(3, 9))
    if kind == 2:
        step = 2 * np.pi / corners
        edge = np.cos(step / 2) / np.cos(np.mod(angle, step) - step / 2)
        return box, distance < radius * edge
    return box, distance < radius * (0.7 + 0.3 * np.cos(corners * angle))


def _leaves(rng: np.random.Generator, side: int) -> Real:
    """Dead leaves: textured shapes of a power law of sizes, falling upon each other."""
    picture = _texture(rng, side).copy()
    textures = [_texture(rng, side) for _ in range(4)]
    for _ in range(int(rng.integers(15, 60))):
        radius = float(0.03 * (1 - rng.random() * 0.99) ** -0.5)
        box, mask = _blob(rng, side, min(radius, 0.4))
        shade = rng.uniform(0.6, 1.3)
        picture[box][mask] = textures[int(rng.integers(len(textures)))][box][mask] * shade
    return picture


def _scene(rng: np.random.Generator, side: int) -> Real:
    """A horizon, sky and ground, and shaded balls upon it."""
    y, x = _axes(side)
    horizon = rng.uniform(0.3, 0.7) + 0.15 * (_noise(rng, side, 2.0)[:1] - 0.5)
    picture = np.where((y < horizon)[..., None], _texture(rng, side), _texture(rng, side))
    light = rng.normal(size=3)
    light /= np.linalg.norm(light)
    for _ in range(int(rng.integers(2, 9))):
        radius = rng.uniform(0.05, 0.25)
        cy, cx = rng.uniform(0.1, 1), rng.uniform(0, 1)
        u, v = (x - cx) / radius, (y - cy) / radius
        inside = u * u + v * v < 1
        height = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
        shade = 0.25 + 0.75 * np.clip(u * light[0] + v * light[1] + height * abs(light[2]), 0, 1)
        ball = _texture(rng, side) * shade[..., None]
        picture[inside] = ball[inside]
    return picture


def _palette(rng: np.random.Generator, side: int) -> Real:
    """Coloured noise, of its own palette or of a spectrum of its own in each channel."""
    if rng.random() < 0.5:
        return _coloured(rng, _noise(rng, side, rng.uniform(1, 2.4)))
    return np.stack([_noise(rng, side, rng.uniform(1, 2.4)) for _ in range(3)], axis=2)


def _shader(rng: np.random.Generator, side: int) -> Real:
    """A random expression of the coordinates."""
    y, x = _axes(side)
    u, v = (x - rng.uniform(0, 1)) * rng.uniform(2, 8), (y - rng.uniform(0, 1)) * rng.uniform(2, 8)
    unary: tuple[Callable[[Real], Real], ...] = (np.sin, np.cos, np.abs, np.tanh, np.arctan)
    binary: tuple[Callable[[Real, Real], Real], ...] = (
        np.add,
        np.multiply,
        np.maximum,
        np.hypot,
        np.arctan2,
    )
    terms = [u, v, _noise(rng, side, 1.8) * 3]
    for _ in range(int(rng.integers(5, 10))):
        a, b = (terms[int(k)] for k in rng.integers(len(terms), size=2))
        mixed = binary[int(rng.integers(len(binary)))](a, b)
        terms.append(unary[int(rng.integers(len(unary)))](mixed * np.float32(rng.uniform(0.5, 3))))
    field = sum(terms[-3:]) / np.float32(3)
    return _coloured(rng, np.asarray(field, np.float32))


def _julia(rng: np.random.Generator, side: int) -> Real:
    """A Julia set, coloured by the time of escape."""
    y, x = _axes(side)
    zoom, turn = rng.uniform(0.4, 3), rng.uniform(0, 2 * np.pi)
    z = ((x - 0.5) + 1j * (y - 0.5)) * zoom * np.exp(1j * turn) + rng.normal(0, 0.3)
    c = 0.7885 * np.exp(1j * rng.uniform(0, 2 * np.pi)) * rng.uniform(0.85, 1.05)
    time = np.zeros(z.shape, np.float32)
    for _ in range(28):
        alive = np.abs(z) < 4
        z = np.where(alive, z * z + c, z)
        time += alive
    return _coloured(rng, (time / 28).astype(np.float32))


def _page(rng: np.random.Generator, side: int) -> Real:
    """A page or an interface: blocks, lines of word-like marks, pictures."""
    paper, ink = rng.uniform(0.7, 1, 3), rng.uniform(0, 0.4, 3)
    if rng.random() < 0.4:
        paper, ink = 1 - paper, 1 - ink
    picture = np.broadcast_to(paper, (side, side, 3)).astype(np.float32)
    for _ in range(int(rng.integers(0, 5))):
        y0, x0 = rng.integers(0, side - 20, 2)
        h, w = rng.integers(12, side // 2, 2)
        block = (
            _texture(rng, side) if rng.random() < 0.5 else _coloured(rng, _noise(rng, side, 1.8))
        )
        picture[y0 : y0 + h, x0 : x0 + w] = block[y0 : y0 + h, x0 : x0 + w]
    height = int(rng.integers(3, 12))
    left, right = int(rng.integers(4, 40)), side - int(rng.integers(4, 40))
    for top in range(int(rng.integers(4, 40)), side - height, int(height * rng.uniform(1.5, 2.5))):
        x = left
        end = right if rng.random() < 0.8 else int(rng.integers(left + 5, right))
        while x < end:
            width = int(rng.integers(1, 2 + height // 2))
            if rng.random() < 0.85:
                lift = int(rng.integers(0, 1 + height // 3))
                picture[top + lift : top + height, x : x + width] = ink
            x += width + 1 + (height // 2 if rng.random() < 0.2 else 0)
    return picture


def _collage(rng: np.random.Generator, side: int) -> Real:
    """Two to four other pictures side by side or in a grid."""
    programs = (_leaves, _palette, _shader, _julia, _page, _scene)
    parts = [programs[int(k)](rng, side) for k in rng.integers(len(programs), size=4)]
    y, x = _axes(side)
    cut_y, cut_x = rng.uniform(0.3, 0.7, 2)
    number = (y > cut_y) * 2 * (rng.random() < 0.6) + (x > cut_x)
    grid: Real = np.choose(number[..., None], parts).astype(np.float32)
    return grid
