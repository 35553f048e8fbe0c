"""Made scenes: large pictures drawn by program, for a moving camera.

`SCENES` names the kinds. Everything depends on the random generator alone.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from vcd_eval.making import sprites
from vcd_eval.making.camera import HEIGHT, Path, Point, Shot, Sprite, pack
from vcd_eval.making.canvas import (
    Colour,
    Image,
    box,
    capsule,
    dots,
    ellipse,
    fade,
    glow,
    gradient,
    mix,
    noise,
    pick,
    polygon,
    ramp,
    random_colour,
    resize,
    shade,
)
from vcd_eval.making.lettering import WORDS, write_text

__all__ = ["SCENES", "make_shot"]

Scene = tuple[Image, "list[Sprite]"]

_SIZE = _TALL, _WIDE = 270, 480  # of a still
_FINER = 2  # stills are enlarged so that the camera moves by less than a pixel


def make_shot(kind: str, rng: np.random.Generator, seconds: float) -> Shot:
    """Return a shot of a scene of a kind (a name of `SCENES`)."""
    image, moving = SCENES[kind](rng)
    large = resize(image, (_TALL * _FINER, _WIDE * _FINER))
    windows = []
    for _ in range(2):
        width = rng.uniform(0.66, 0.92)
        room = (1 - width) / 2
        windows.append((0.5 + rng.uniform(-room, room), 0.5 + rng.uniform(-room, room), width))
    return Shot(pack(large), windows[0], windows[1], seconds, tuple(moving))


# --- mountains -------------------------------------------------------------------------------


def _ridges(rng: np.random.Generator) -> Scene:
    """Mountain ridges behind each other in haze, with a sun and sometimes a lake."""
    sky = pick(
        rng,
        [(0.25, 0.45, 0.8), (0.75, 0.85, 0.95)],
        [(0.25, 0.2, 0.45), (0.95, 0.55, 0.35), (1.0, 0.8, 0.5)],
        [(0.45, 0.6, 0.7), (0.95, 0.9, 0.8)],
    )
    image = gradient(_SIZE, sky)
    clouds = np.clip(noise(rng, _SIZE, 3) * 2 - 1.05, 0, 1) * 0.8
    fade(image, clouds, (1.0, 0.97, 0.95))
    sun_x = rng.uniform(0.2, 0.8) * _WIDE
    glow(image, sun_x, 70, 60, (1.0, 0.85, 0.5), strength=0.5)
    ellipse(image, sun_x, 70, 15, (1.0, 0.97, 0.85))
    near = pick(rng, (0.1, 0.25, 0.15), (0.2, 0.12, 0.2), (0.15, 0.2, 0.3))
    rows = np.arange(_TALL, dtype=np.float32)[:, None]
    for layer in range(5):
        depth = layer / 4
        height = noise(rng, (16, _WIDE), 0.1 + 0.05 * layer, octaves=7, gain=0.5)[8]
        line = 120 + 30 * layer - height * (95 - 14 * layer)
        rock = noise(rng, _SIZE, 10)
        colour = mix(sky[-1], near, 0.3 + 0.7 * depth)
        fill = ramp(rock, [shade(colour, 0.7), shade(colour, 1.3)])
        if layer < 3:
            snow = np.clip((64 + 22 * layer + 40 * rock - rows) / 4, 0, 1) * (0.9 - 0.3 * depth)
            fade(fill, snow.astype(np.float32), (0.97, 0.97, 1.0))
        fade(image, np.clip(rows - line, 0, 1).astype(np.float32), fill)
    if rng.random() < 0.5:
        _mirror_lake(image, rng)
    return image, [sprites.bird(rng) for _ in range(3)]


def _mirror_lake(image: Image, rng: np.random.Generator) -> None:
    shore = 205
    depth = _TALL - shore
    ripple = np.rint(4 * noise(rng, (depth, _WIDE), 12, octaves=2)).astype(np.intp)
    rows = np.clip(shore - 1 - np.arange(depth)[:, None] * 2 - ripple, 0, shore - 1)
    mirrored = image[rows, np.arange(_WIDE)]
    image[shore:] = 0.75 * mirrored + 0.25 * np.array((0.15, 0.3, 0.4), np.float32)


def _terrain(rng: np.random.Generator) -> Scene:
    """Islands from above, lit from one side."""
    height = noise(rng, _SIZE, 2.5, octaves=7, gain=0.55)
    stops: list[Colour] = [
        (0.02, 0.12, 0.35), (0.05, 0.3, 0.55), (0.2, 0.6, 0.7), (0.85, 0.8, 0.55),
        (0.3, 0.55, 0.2), (0.15, 0.4, 0.15), (0.45, 0.4, 0.35), (0.98, 0.98, 1.0),
    ]  # fmt: skip
    image = ramp(height, stops)
    slope = np.gradient(height, axis=1) + np.gradient(height, axis=0)
    land = height > 0.36
    image *= (1 + np.where(land, np.clip(slope * 14, -0.6, 0.6), 0))[:, :, None].astype(np.float32)
    return np.clip(image, 0, 1), [sprites.shadow_cloud(rng)]


def _forest(rng: np.random.Generator) -> Scene:
    """Trunks before dappled leaves."""
    hue = pick(rng, (0.3, 0.6, 0.15), (0.8, 0.5, 0.1), (0.2, 0.5, 0.35))
    leaves = noise(rng, _SIZE, 9, octaves=5, gain=0.8)
    image = ramp(leaves, [shade(hue, 0.15), shade(hue, 0.8), shade(hue, 1.3), (1.0, 1.0, 0.8)])
    for depth in np.linspace(0.3, 1, 16):
        x, width = rng.uniform(0, _WIDE), 5 + 26 * depth * rng.uniform(0.6, 1.1)
        bark = noise(rng, (24, _WIDE), 9, octaves=4, gain=0.7)
        tone = mix(shade(hue, 0.7), (0.16, 0.1, 0.07), depth)
        fill = np.repeat(ramp(bark, [shade(tone, 0.4), shade(tone, 1.7)]), 12, axis=0)[:_TALL]
        lean = rng.uniform(-14, 14)
        foot = 150 + 120 * depth
        capsule(image, (x, -20.0), (x + lean, foot), width, fill)
        capsule(image, (x, foot * 0.4), (x + rng.uniform(-60, 60), 0.0), width / 3, fill)
    for _ in range(160):
        x, y = rng.uniform(0, _WIDE), rng.uniform(190, _TALL)
        end = x + rng.uniform(-8, 8), y - rng.uniform(10, 30)
        capsule(image, (x, y), end, 2, shade(hue, rng.uniform(0.4, 1.5)))
    return image, [sprites.leaf(rng, hue) for _ in range(5)]


# --- city ------------------------------------------------------------------------------------


def _skyline(rng: np.random.Generator) -> Scene:
    """Towers with lit windows at night, and their light on water."""
    image = gradient(_SIZE, [(0.02, 0.03, 0.12), (0.15, 0.1, 0.3), (0.6, 0.3, 0.35)])
    dots(image, rng.uniform(0, (_WIDE, 120), (120, 2)), np.full((120, 3), 0.8, np.float32))
    ellipse(image, rng.uniform(60, 420), 45, 17, (0.95, 0.93, 0.8))
    for layer in range(3):
        x = -10.0
        while x < _WIDE:
            width = rng.uniform(22, 55)
            top = rng.uniform(60 + 30 * layer, 165 + 12 * layer)
            wall = mix((0.22, 0.17, 0.32), (0.04, 0.05, 0.09), layer / 2)
            box(image, x, top, x + width, 220, wall)
            if rng.random() < 0.3:
                capsule(image, (x + width / 2, top), (x + width / 2, top - 22), 2, wall)
            light = pick(rng, (1.0, 0.85, 0.45), (0.7, 0.9, 1.0), (1.0, 0.65, 0.3))
            for wy in np.arange(top + 5, 214, 7):
                for wx in np.arange(x + 4, x + width - 5, 6):
                    if rng.random() < 0.38:
                        box(image, wx, wy, wx + 3, wy + 4, shade(light, rng.uniform(0.5, 1)))
            x += width + rng.uniform(-3, 12)
    water = image[219 - 2 * np.arange(_TALL - 220)] * np.float32(0.55)
    image[220:] = water + 0.12 * noise(rng, (_TALL - 220, _WIDE), 10)[:, :, None]
    return image, [sprites.lamp(rng, (1.0, 0.3, 0.2))]


def _neon(rng: np.random.Generator) -> Scene:
    """Glowing signs on a brick wall."""
    image = np.zeros((*_SIZE, 3), np.float32) + np.array((0.08, 0.05, 0.06), np.float32)
    for row, y in enumerate(range(0, _TALL, 12)):
        for left in range(-15 * (row % 2), _WIDE, 30):
            tone = shade((0.36, 0.17, 0.13), rng.uniform(0.6, 1.2))
            box(image, left + 1, y + 1, left + 29, y + 11, tone, corner=1)
    image *= (0.5 + 0.5 * noise(rng, _SIZE, 2))[:, :, None]
    palette: list[Colour] = [(1, 0.2, 0.6), (0.2, 0.9, 1), (1, 0.8, 0.2), (0.4, 1, 0.4)]
    for i, y in enumerate((60, 135, 210)):
        colour = palette[int(rng.integers(0, 4))]
        x = _WIDE / 2 + rng.uniform(-60, 60)
        word = str(rng.choice(WORDS))
        glow(image, x, y, 90, colour, strength=0.45)
        write_text(image, word, x, y, height=34 + 8 * (i == 1), colour=mix(colour, (1, 1, 1), 0.35))
        capsule(image, (x - 100, y + 32), (x + 100, y + 32), 3, colour)
    for _ in range(2):
        x, colour = rng.uniform(30, 450), palette[int(rng.integers(0, 4))]
        ellipse(image, x, rng.uniform(40, 230), 22, colour)
        ellipse(image, x, rng.uniform(40, 230), 12, (0.05, 0.03, 0.05))
    return image, [sprites.lamp(rng, (0.9, 0.9, 1.0))]


def _crossing(rng: np.random.Generator) -> Scene:
    """Streets from above: roofs, trees, lanes and cars."""
    image = ramp(noise(rng, _SIZE, 8), [(0.3, 0.42, 0.22), (0.45, 0.55, 0.3)])
    asphalt = ramp(noise(rng, _SIZE, 40, octaves=2), [(0.2, 0.2, 0.22), (0.3, 0.3, 0.32)])
    road_x, road_y = rng.uniform(150, 330), rng.uniform(110, 160)
    for x in np.arange(-10.0, _WIDE, 74):
        for y in np.arange(-14.0, _TALL, 66):
            wall = pick(rng, (0.72, 0.5, 0.4), (0.6, 0.62, 0.66), (0.8, 0.74, 0.6))
            wall = shade(wall, rng.uniform(0.75, 1.15))
            w, h = rng.uniform(44, 66), rng.uniform(38, 58)
            box(image, x + 5, y + 5, x + w + 5, y + h + 5, (0, 0, 0), alpha=0.35)
            box(image, x, y, x + w, y + h, wall)
            box(image, x, y, x + w, y + h / 2, shade(wall, 1.15))
            for _ in range(3):
                ax, ay = x + rng.uniform(4, w - 12), y + rng.uniform(4, h - 10)
                box(image, ax, ay, ax + 8, ay + 6, shade(wall, 0.6))
    box(image, 0, road_y - 24, _WIDE, road_y + 24, asphalt)
    box(image, road_x - 24, 0, road_x + 24, _TALL, asphalt)
    for dash in range(0, _WIDE, 26):
        box(image, dash, road_y - 1, dash + 14, road_y + 1, (0.95, 0.95, 0.9))
    for step in range(-20, 22, 7):
        box(image, road_x + step, road_y - 40, road_x + step + 4, road_y - 27, (0.95, 0.95, 0.9))
        box(image, road_x - 40, road_y + step, road_x - 27, road_y + step + 4, (0.95, 0.95, 0.9))
    for _ in range(45):
        x, y = rng.uniform(0, _WIDE), road_y + rng.choice([-1, 1]) * rng.uniform(32, 120)
        _tree_top(image, rng, x, y)
    return image, [sprites.car(rng, HEIGHT / 2 + offset) for offset in (-9, 8, 9)]


def _facade(rng: np.random.Generator) -> Scene:
    """A house front: shutters, balconies, flowers, curtains."""
    wall = pick(rng, (0.85, 0.62, 0.4), (0.8, 0.45, 0.4), (0.6, 0.7, 0.6), (0.9, 0.85, 0.7))
    image = ramp(noise(rng, _SIZE, 5, gain=0.8), [shade(wall, 0.8), shade(wall, 1.1)])
    shutter = pick(rng, (0.15, 0.4, 0.35), (0.2, 0.3, 0.55), (0.5, 0.2, 0.15))
    glass = gradient(_SIZE, [(0.1, 0.15, 0.25), (0.35, 0.5, 0.65), (0.1, 0.12, 0.2)])
    for y in range(24, _TALL, 88):
        box(image, 0, y + 68, _WIDE, y + 74, shade(wall, 0.6))
        for x in range(36, _WIDE - 40, 92):
            box(image, x - 3, y - 3, x + 39, y + 55, (0.95, 0.93, 0.88))
            box(image, x, y, x + 36, y + 52, glass)
            curtain = pick(rng, (0.9, 0.85, 0.8), (0.8, 0.3, 0.3), (0.95, 0.8, 0.4))
            polygon(
                image, [(x, y), (x + rng.uniform(6, 18), y), (x + 4, y + 52), (x, y + 52)], curtain
            )
            capsule(image, (x + 18, y), (x + 18, y + 52), 2, (0.95, 0.93, 0.88))
            for side in (x - 21, x + 39):
                box(image, side, y - 2, side + 18, y + 54, shutter)
                for slat in range(y + 2, y + 52, 5):
                    box(image, side + 2, slat, side + 16, slat + 2, shade(shutter, 0.6))
            for _ in range(14):
                colour = pick(
                    rng, (0.9, 0.2, 0.3), (0.95, 0.7, 0.2), (0.8, 0.4, 0.8), (0.2, 0.5, 0.2)
                )
                ellipse(image, x + rng.uniform(-2, 38), y + 58 + rng.uniform(-5, 5), 3, colour)
    return image, [sprites.bird(rng)]


# --- sea -------------------------------------------------------------------------------------


def _reef(rng: np.random.Generator) -> Scene:
    """Corals under rippling light, with fish."""
    image = gradient(_SIZE, [(0.25, 0.75, 0.85), (0.05, 0.45, 0.65), (0.03, 0.2, 0.4)])
    light = (1 - np.abs(2 * noise(rng, _SIZE, 5, octaves=3) - 1)) ** 8
    image += 0.35 * light[:, :, None] * np.linspace(1, 0, _TALL, dtype=np.float32)[:, None, None]
    sand = noise(rng, (8, _WIDE), 0.3)[4] * 40
    rows = np.arange(_TALL, dtype=np.float32)[:, None]
    fill = ramp(noise(rng, _SIZE, 20), [(0.5, 0.5, 0.4), (0.8, 0.78, 0.6)])
    fade(image, np.clip(rows - 245 + sand, 0, 1), fill)
    for _ in range(16):
        colour = pick(
            rng,
            (0.95, 0.35, 0.4),
            (0.95, 0.6, 0.2),
            (0.7, 0.3, 0.75),
            (0.95, 0.8, 0.4),
            (0.4, 0.8, 0.5),
        )
        x, y = rng.uniform(0, _WIDE), rng.uniform(235, 275)
        if rng.random() < 0.6:
            reach = rng.uniform(24, 38)
            _branch(image, rng, foot=(x, y), angle=-np.pi / 2, length=reach, colour=colour)
        else:
            for _ in range(24):
                dx, dy = rng.normal(0, 16), rng.normal(0, 9)
                tone = shade(colour, rng.uniform(0.6, 1.2))
                ellipse(image, x + dx, y - 10 + dy, rng.uniform(3, 7), tone)
    return np.clip(image, 0, 1), [sprites.fish(rng) for _ in range(6)]


def _deep(rng: np.random.Generator) -> Scene:
    """Jellyfish in dark water."""
    image = gradient(_SIZE, [(0.05, 0.1, 0.35), (0.02, 0.03, 0.15), (0.0, 0.0, 0.05)])
    image += 0.12 * noise(rng, _SIZE, 2)[:, :, None] * np.array((0.4, 0.5, 1), np.float32)
    specks = rng.uniform(0.2, 0.7, (220, 1)).astype(np.float32)
    dots(image, rng.uniform(0, _SIZE[::-1], (220, 2)), specks * np.array((0.6, 0.8, 1), np.float32))
    for x in np.linspace(40, 440, 5):
        _jelly(image, rng, x + rng.uniform(-20, 20), rng.uniform(50, 170), rng.uniform(14, 34))
    picture = np.zeros((110, 90, 3), np.float32)
    _jelly(picture, rng, 45, 34, 28)
    cover = np.clip(picture.max(axis=2) * 1.6, 0, 1)
    x, phase = rng.uniform(60, 260), rng.uniform(0, 6)
    path: Path = lambda t: (x + 20 * np.sin(t + phase), 150 - 22 * t)  # noqa: E731
    return np.clip(image, 0, 1), [Sprite(picture, cover, path)]


def _pebbles(rng: np.random.Generator) -> Scene:
    """A beach of stones that hide each other, of many sizes (a dead leaves picture)."""
    tone = pick(rng, (0.6, 0.55, 0.5), (0.55, 0.6, 0.65), (0.7, 0.5, 0.4))
    image = np.zeros((*_SIZE, 3), np.float32) + np.array(shade(tone, 0.3), np.float32)
    grain = noise(rng, _SIZE, 30, octaves=3, gain=0.8)
    veined = [ramp(grain, [shade(tone, 0.5 * k), shade(tone, 1.5 * k)]) for k in (0.6, 0.9, 1.2)]
    for i in range(640):
        radius = 4 + 22 * rng.random() ** 3
        x, y = rng.uniform(0, _WIDE), rng.uniform(0, _TALL)
        stretch, angle = rng.uniform(0.6, 1), rng.uniform(0, np.pi)
        colour = shade(mix(tone, random_colour(rng), 0.3), rng.uniform(0.5, 1.3))
        fill = colour if i % 5 else veined[i % 3]
        ellipse(image, x + 2, y + 3, radius, (0, 0, 0), stretch=stretch, angle=angle, alpha=0.4)
        ellipse(image, x, y, radius, fill, stretch=stretch, angle=angle)
        ellipse(image, x - radius / 3, y - radius / 3, radius / 3, (1, 1, 1), alpha=0.15)
    return image, [sprites.crab(rng)]


# --- newsroom --------------------------------------------------------------------------------


def _presenter(rng: np.random.Generator) -> Scene:
    """A drawn newsreader before a wall of screens."""
    image = gradient(_SIZE, [(0.05, 0.12, 0.3), (0.1, 0.3, 0.55)])
    for left in range(10, _WIDE, 95):
        for y in (14, 92):
            tone = pick(rng, (0.2, 0.5, 0.8), (0.8, 0.35, 0.2), (0.25, 0.65, 0.5))
            fill = ramp(noise(rng, _SIZE, 7), [shade(tone, 0.4), shade(tone, 1.3)])
            box(image, left, y, left + 84, y + 68, fill, corner=4)
    x = _WIDE / 2 + rng.uniform(-70, 70)
    skin = pick(rng, (0.95, 0.78, 0.65), (0.6, 0.42, 0.3), (0.85, 0.65, 0.48))
    hair = pick(rng, (0.15, 0.1, 0.08), (0.6, 0.4, 0.15), (0.5, 0.5, 0.52), (0.5, 0.15, 0.1))
    coat = pick(rng, (0.6, 0.15, 0.2), (0.15, 0.2, 0.35), (0.2, 0.45, 0.35))
    ellipse(image, x, 88, 45, hair, stretch=1.15)
    ellipse(image, x, 262, 84, coat, stretch=0.95)
    polygon(image, [(x - 22, 172), (x + 22, 172), (x, 225)], (0.95, 0.95, 0.97))
    polygon(
        image, [(x - 6, 182), (x + 6, 182), (x + 9, 232), (x, 242), (x - 9, 232)], (0.8, 0.2, 0.2)
    )
    box(image, x - 15, 128, x + 15, 180, shade(skin, 0.85), corner=9)
    ellipse(image, x, 102, 37, skin, stretch=1.22)
    ellipse(image, x, 64, 36, hair, stretch=0.5)
    for side in (-1, 1):
        ellipse(image, x + 15 * side, 97, 7, (1, 1, 1), stretch=0.65)
        ellipse(image, x + 15 * side, 97, 3.6, (0.1, 0.2, 0.3))
        capsule(image, (x + 8 * side, 86), (x + 22 * side, 85), 3, hair)
    capsule(image, (x, 100), (x + 4, 115), 3, shade(skin, 0.8))
    capsule(image, (x - 11, 128), (x + 11, 128), 6, (0.7, 0.25, 0.25))
    box(image, 0, 240, _WIDE, _TALL, (0.75, 0.77, 0.8))
    box(image, 30, 210, 250, 236, (0.75, 0.08, 0.1))
    write_text(image, _headline(rng, 2), 140, 223, height=14, colour=(1, 1, 1))
    return image, [sprites.badge(rng)]


def _chart(rng: np.random.Generator) -> Scene:
    """Bars, a line and a ring with words."""
    paper = pick(rng, (0.97, 0.95, 0.9), (0.9, 0.95, 0.98), (0.12, 0.14, 0.2))
    ink: Colour = (0.15, 0.15, 0.2) if sum(paper) > 1.5 else (0.9, 0.9, 0.95)
    image = gradient(_SIZE, [paper, shade(paper, 0.9)])
    for y in range(60, 236, 22):
        capsule(image, (40, y), (440, y), 1, mix(paper, ink, 0.3))
    write_text(image, _headline(rng, 2), _WIDE / 2, 32, height=24, colour=ink)
    palette: list[Colour] = [
        (0.9, 0.3, 0.25),
        (0.2, 0.55, 0.85),
        (0.95, 0.7, 0.15),
        (0.3, 0.7, 0.4),
    ]
    for i, x in enumerate(range(56, 300, 40)):
        top = rng.uniform(80, 205)
        box(image, x, top, x + 26, 232, palette[(i + int(rng.integers(0, 4))) % 4], corner=3)
        write_text(image, str(rng.integers(10, 99)), x + 13, top - 9, height=10, colour=ink)
    points = [(float(x), rng.uniform(80, 180)) for x in range(60, 320, 42)]
    for a, b in pairwise(points):
        capsule(image, a, b, 4, palette[int(rng.integers(0, 4))])
    start = 0.0
    for colour in palette:
        for angle in np.arange(start, start + rng.uniform(0.8, 1.9), 0.1):
            ellipse(image, 375 + 40 * np.cos(angle), 140 + 40 * np.sin(angle), 12, colour)
        start += 1.57
    write_text(image, f"{rng.integers(10, 99)}%", 375, 140, height=18, colour=ink)
    return image, [sprites.badge(rng)]


def _weather(rng: np.random.Generator) -> Scene:
    """A weather map with suns, clouds, rain and numbers."""
    land = noise(rng, _SIZE, 2, octaves=6)
    image = ramp(land, [(0.25, 0.5, 0.75), (0.35, 0.6, 0.85), (0.45, 0.65, 0.35), (0.6, 0.7, 0.4)])
    level = np.abs((land * 9) % 1 - 0.5) > 0.46
    fade(image, level.astype(np.float32) * 0.5, (0.95, 0.95, 0.9))
    for x in range(60, _WIDE, 90):
        for y in range(60, _TALL, 80):
            cx, cy = x + rng.uniform(-22, 22), y + rng.uniform(-16, 16)
            if rng.random() < 0.5:
                for angle in np.arange(0, 2 * np.pi, np.pi / 4):
                    ray = np.array((np.cos(angle), np.sin(angle)))
                    a, b = (cx, cy) + 16 * ray, (cx, cy) + 22 * ray
                    capsule(image, (a[0], a[1]), (b[0], b[1]), 3, (1.0, 0.8, 0.15))
                ellipse(image, cx, cy, 13, (1.0, 0.85, 0.2))
            else:
                for dx, r in ((-12, 10), (0, 14), (13, 10)):
                    ellipse(image, cx + dx, cy, r, (0.95, 0.96, 1.0))
                for dx in (-10, 0, 10):
                    capsule(image, (cx + dx, cy + 16), (cx + dx - 4, cy + 25), 3, (0.2, 0.4, 0.95))
            number = f"{rng.integers(-9, 35)}"
            write_text(image, number, cx + 32, cy, height=14, colour=(1, 1, 1), shadow=0.6)
    return image, [sprites.shadow_cloud(rng)]


def _card(rng: np.random.Generator) -> Scene:
    """A title card: words before stripes, rings or triangles."""
    a, b = (shade(random_colour(rng), 0.9) for _ in range(2))
    image = gradient(_SIZE, [a, b])
    kind, tone = int(rng.integers(0, 3)), mix(a, (1, 1, 1), 0.35)
    for i in range(14):
        if kind == 0:
            capsule(image, (i * 46 - 120, 280), (i * 46 + 20, -10), 16, tone, alpha=0.5)
        elif kind == 1:
            x, y = rng.uniform(0, _WIDE), rng.uniform(0, _TALL)
            ellipse(image, x, y, rng.uniform(15, 60), random_colour(rng), alpha=0.55)
        else:
            x, y, r = rng.uniform(0, _WIDE), rng.uniform(0, _TALL), rng.uniform(25, 75)
            corners = [(x, y - r), (x + r, y + r), (x - r, y + r)]
            polygon(image, corners, random_colour(rng), alpha=0.6)
    box(image, 60, 70, 420, 200, (0.05, 0.05, 0.08), corner=10, alpha=0.6)
    write_text(image, _headline(rng, 1), _WIDE / 2, 112, height=44, colour=(1, 1, 1))
    write_text(
        image, _headline(rng, 2), _WIDE / 2, 168, height=20, colour=mix(tone, (1, 1, 1), 0.4)
    )
    return image, [sprites.ball(rng) for _ in range(3)]


# --- space, toys, garden ---------------------------------------------------------------------


def _planet(rng: np.random.Generator) -> Scene:
    """A banded planet with a ring among stars and nebulae."""
    image = _stars(rng, random_colour(rng, 0.1, 0.6))
    x, y, radius = rng.uniform(170, 310), rng.uniform(110, 160), rng.uniform(60, 85)
    tone: Colour = random_colour(rng, 0.35, 0.95)
    bands = np.repeat(noise(rng, (_TALL, 8), 6)[:, 4:5], _WIDE, axis=1)
    bands = np.clip(bands + 0.25 * noise(rng, _SIZE, 9) - 0.1, 0, 1)
    fill = ramp(bands, [shade(tone, 0.4), tone, shade(tone, 1.3), (1, 0.95, 0.85)])
    dy, dx = np.mgrid[0:_TALL, 0:_WIDE].astype(np.float32)
    lit = np.clip(
        1.15 - np.hypot(dx - x + radius * 0.5, dy - y + radius * 0.4) / (1.7 * radius), 0.02, 1
    )
    rim = [(x - 1.9 * radius, y + 22), (x + 1.9 * radius, y - 22)]
    for k in range(4):
        capsule(image, rim[0], rim[1], 18 - 5 * k, shade(tone, 0.5 + 0.25 * (k % 2)), alpha=0.6)
    ellipse(image, x, y, radius, fill * lit[:, :, None])
    capsule(image, (x - radius, y + 17), (x + radius, y - 5), 5, shade(tone, 0.9), alpha=0.8)
    for _ in range(2):
        moon = rng.uniform(20, 460), rng.uniform(20, 250)
        ellipse(image, *moon, rng.uniform(6, 14), (0.7, 0.7, 0.72))
    return image, [sprites.comet(rng)]


def _craters(rng: np.random.Generator) -> Scene:
    """A grey moon full of craters under a black sky."""
    image = ramp(noise(rng, _SIZE, 6, gain=0.6), [(0.28, 0.27, 0.27), (0.62, 0.6, 0.57)])
    for i in range(130):
        radius = 3 + 30 * rng.random() ** 4
        x, y = rng.uniform(0, _WIDE), 70 + (_TALL - 70) * (i / 130)
        flat = 0.35 + 0.5 * i / 130
        ellipse(
            image,
            x - radius * 0.1,
            y - radius * 0.1,
            radius * 1.15,
            (0.78, 0.76, 0.72),
            stretch=flat,
        )
        ellipse(image, x, y, radius, (0.2, 0.2, 0.21), stretch=flat)
        ellipse(
            image,
            x + radius * 0.18,
            y + radius * 0.12,
            radius * 0.8,
            (0.45, 0.44, 0.43),
            stretch=flat,
        )
    sky = _stars(rng, (0.05, 0.05, 0.1))
    horizon = 58 + 18 * noise(rng, (8, _WIDE), 0.3)[4]
    rows = np.arange(_TALL, dtype=np.float32)[:, None]
    fade(image, np.clip(horizon - rows, 0, 1).astype(np.float32), sky)
    x = rng.uniform(100, 380)
    ellipse(
        image,
        x,
        30,
        20,
        ramp(noise(rng, _SIZE, 16), [(0.1, 0.25, 0.7), (0.3, 0.6, 0.4), (1, 1, 1)]),
    )
    return image, [sprites.comet(rng)]


def _galaxy(rng: np.random.Generator) -> Scene:
    """A spiral of stars."""
    tint: Colour = random_colour(rng, 0.3, 0.9)
    image = _stars(rng, shade(tint, 0.4))
    x, y, turn = rng.uniform(180, 300), rng.uniform(110, 160), rng.uniform(0, 6)
    glow(image, x, y, 32, (1, 0.9, 0.7), strength=1.0)
    far = rng.uniform(0, 1, 1600)
    angle = turn + 4.2 * far + np.pi * rng.integers(0, 2, 1600)
    reach = 18 + 150 * far
    flat = np.stack([reach * np.cos(angle), 0.6 * reach * np.sin(angle)], axis=1)
    points = flat + (x, y) + rng.normal(0, 1, flat.shape) * (5 + 7 * far[:, None])
    white = rng.uniform(0, 0.8, (1600, 1)).astype(np.float32)
    light = (1 - 0.5 * far[:, None]).astype(np.float32)
    colours = light * (white + (1 - white) * np.array(tint, np.float32))
    dots(image, points, colours)
    dots(image, points[:500] + np.array((1, 0)), colours[:500])
    return np.clip(image, 0, 1), [sprites.comet(rng)]


def _spheres(rng: np.random.Generator) -> Scene:
    """Shiny balls on a checkered floor."""
    image = gradient(_SIZE, [(0.55, 0.75, 0.95), (0.9, 0.92, 0.95)])
    rows, columns = np.mgrid[110:_TALL, 0:_WIDE].astype(np.float32)
    depth = 3600 / (rows - 100)
    across = (columns - _WIDE / 2) * depth / 260
    turn = rng.uniform(0.2, 1.2)
    u, v = (
        across * np.cos(turn) - depth * np.sin(turn),
        across * np.sin(turn) + depth * np.cos(turn),
    )
    dark = ((np.floor(u / 24) + np.floor(v / 24)) % 2)[:, :, None]
    a, b = (
        np.array(rng.uniform(0.6, 1, 3), np.float32),
        np.array(rng.uniform(0, 0.4, 3), np.float32),
    )
    haze = np.clip((rows - 110) / 60, 0, 1)[:, :, None]
    image[110:] = (dark * a + (1 - dark) * b) * haze + (1 - haze) * np.float32(0.92)
    for size in np.linspace(14, 46, 9):
        x, y = rng.uniform(20, 460), 112 + size * 1.9 + rng.uniform(-6, 14)
        ellipse(image, x + size * 0.4, y + size * 0.92, size, (0, 0, 0), stretch=0.25, alpha=0.4)
        tone: Colour = random_colour(rng, 0.1, 1)
        for k in range(7):
            part = k / 7
            lit = mix(shade(tone, 0.45), mix(tone, (1, 1, 1), 0.2), part)
            shift = 0.3 * size * part
            ellipse(image, x - shift, y - shift, size * (1 - 0.75 * part), lit)
        ellipse(image, x - 0.4 * size, y - 0.45 * size, size * 0.13, (1, 1, 1), alpha=0.9)
    return image, [sprites.ball(rng) for _ in range(2)]


def _blocks(rng: np.random.Generator) -> Scene:
    """Toy blocks with letters, piled up."""
    image = ramp(noise(rng, _SIZE, 3), [(0.55, 0.35, 0.2), (0.75, 0.52, 0.32)])
    for y in range(0, _TALL, 45):
        box(image, 0, y, _WIDE, y + 2, (0.35, 0.2, 0.1), alpha=0.6)
    for y in (60, 122, 184, 246):
        for x in range(10, _WIDE, 66):
            if rng.random() < 0.18 + 0.1 * (y < 100):
                continue
            tone: Colour = pick(
                rng,
                (0.9, 0.2, 0.2),
                (0.2, 0.5, 0.9),
                (0.95, 0.8, 0.2),
                (0.2, 0.7, 0.35),
                (0.6, 0.3, 0.8),
            )
            cx, cy = x + 24 + rng.uniform(-6, 6), float(y)
            polygon(
                image,
                [(cx - 26, cy - 26), (cx - 14, cy - 37), (cx + 38, cy - 37), (cx + 26, cy - 26)],
                shade(tone, 1.3),
            )
            polygon(
                image,
                [(cx + 26, cy - 26), (cx + 38, cy - 37), (cx + 38, cy + 15), (cx + 26, cy + 26)],
                shade(tone, 0.55),
            )
            box(image, cx - 26, cy - 26, cx + 26, cy + 26, tone)
            box(image, cx - 20, cy - 20, cx + 20, cy + 20, (0.97, 0.93, 0.82), corner=4)
            letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[int(rng.integers(0, 26))]
            write_text(image, letter, cx, cy, height=30, colour=shade(tone, 0.8))
    return image, [sprites.ball(rng)]


def _quilt(rng: np.random.Generator) -> Scene:
    """Patchwork of dots, stripes and diamonds."""
    image = np.zeros((*_SIZE, 3), np.float32)
    for x in range(0, _WIDE, 54):
        for y in range(0, _TALL, 54):
            a: Colour = random_colour(rng, 0.1, 1)
            b = mix(a, (1, 1, 1), 0.6) if rng.random() < 0.5 else shade(a, 0.4)
            box(image, x, y, x + 54, y + 54, a)
            kind = int(rng.integers(0, 4))
            for i in range(4):
                if kind == 0:
                    box(image, x, y + 4 + 13 * i, x + 54, y + 10 + 13 * i, b)
                elif kind == 1:
                    for j in range(4):
                        ellipse(image, x + 7 + 13 * i, y + 7 + 13 * j, 4, b)
                elif kind == 2:
                    r = 26 - 7 * i
                    cx, cy = x + 27, y + 27
                    ring = [(cx, cy - r), (cx + r, cy), (cx, cy + r), (cx - r, cy)]
                    polygon(image, ring, (b, a)[i % 2])
                else:
                    ellipse(image, x + 27, y + 27, 25 - 6 * i, (b, a)[i % 2])
    image *= (0.8 + 0.2 * noise(rng, _SIZE, 40, octaves=2))[:, :, None]
    return image, [sprites.ball(rng)]


def _flowers(rng: np.random.Generator) -> Scene:
    """A meadow in bloom with butterflies."""
    image = ramp(noise(rng, _SIZE, 10, gain=0.7), [(0.08, 0.25, 0.06), (0.3, 0.55, 0.15)])
    for _ in range(350):
        x, y = rng.uniform(0, _WIDE), rng.uniform(0, _TALL + 20)
        end = x + rng.uniform(-9, 9), y - rng.uniform(14, 36)
        capsule(image, (x, y), end, 2, shade((0.25, 0.55, 0.15), rng.uniform(0.4, 1.6)))
    for i in range(44):
        x, y, size = rng.uniform(0, _WIDE), _TALL * i / 40, rng.uniform(5, 8) + i / 6
        tone = pick(
            rng,
            (0.95, 0.25, 0.35),
            (0.98, 0.85, 0.2),
            (0.95, 0.95, 0.98),
            (0.65, 0.35, 0.85),
            (1, 0.55, 0.7),
        )
        count, turn = int(rng.integers(5, 9)), rng.uniform(0, 6)
        for angle in turn + np.arange(count) * 2 * np.pi / count:
            px, py = x + size * np.cos(angle), y + size * np.sin(angle)
            petal = shade(tone, rng.uniform(0.8, 1.1))
            ellipse(image, px, py, size * 0.75, petal, stretch=0.55, angle=angle)
        ellipse(image, x, y, size * 0.45, (0.5, 0.3, 0.1) if tone[2] < 0.9 else (0.95, 0.75, 0.1))
    return image, [sprites.butterfly(rng) for _ in range(4)]


def _orchard(rng: np.random.Generator) -> Scene:
    """Apples and lemons heaped in a crate."""
    image = np.zeros((*_SIZE, 3), np.float32) + np.array((0.12, 0.07, 0.04), np.float32)
    for i in range(230):
        x, y, radius = rng.uniform(0, _WIDE), _TALL * (0.05 + i / 220), rng.uniform(15, 23)
        tone = pick(rng, (0.8, 0.12, 0.12), (0.55, 0.75, 0.2), (0.97, 0.82, 0.2), (0.95, 0.5, 0.1))
        ellipse(image, x + 3, y + 4, radius, (0, 0, 0), alpha=0.35)
        for k in range(3):
            lit = mix(shade(tone, 0.55), mix(tone, (1, 1, 1), 0.15), k / 2)
            ellipse(image, x - 2.4 * k, y - 2.8 * k, radius * (1 - 0.3 * k), lit, stretch=0.95)
        ellipse(image, x - radius / 3, y - radius / 2.5, radius / 6, (1, 1, 1), alpha=0.8)
        capsule(image, (x, y - radius * 0.7), (x + 3, y - radius * 1.1), 2.5, (0.3, 0.2, 0.1))
    return image, [sprites.butterfly(rng)]


SCENES: dict[str, Callable[[np.random.Generator], Scene]] = {
    "ridges": _ridges,
    "terrain": _terrain,
    "forest": _forest,
    "skyline": _skyline,
    "neon": _neon,
    "crossing": _crossing,
    "facade": _facade,
    "reef": _reef,
    "deep": _deep,
    "pebbles": _pebbles,
    "presenter": _presenter,
    "chart": _chart,
    "weather": _weather,
    "card": _card,
    "planet": _planet,
    "craters": _craters,
    "galaxy": _galaxy,
    "spheres": _spheres,
    "blocks": _blocks,
    "quilt": _quilt,
    "flowers": _flowers,
    "orchard": _orchard,
}


# --- parts of scenes -------------------------------------------------------------------------


def _headline(rng: np.random.Generator, words: int) -> str:
    return " ".join(str(word) for word in rng.choice(WORDS, words, replace=False))


def _stars(rng: np.random.Generator, tint: Colour) -> Image:
    cloud = noise(rng, _SIZE, 2, octaves=6) ** 2 * noise(rng, _SIZE, 3)
    image = ramp(cloud * 2, [(0.0, 0.0, 0.03), shade(tint, 0.7), tint])
    points = rng.uniform(0, (_WIDE, _TALL), (300, 2))
    light = rng.uniform(0.3, 1, (300, 1)).astype(np.float32)
    dots(image, points, light * np.array((1, 1, 0.95), np.float32))
    dots(image, points[:60] + np.array((1, 0)), light[:60] * np.ones(3, np.float32))
    return image


def _branch(
    image: Image,
    rng: np.random.Generator,
    *,
    foot: Point,
    angle: float,
    length: float,
    colour: Colour,
) -> None:
    """Draw a coral that forks until its branches are thin."""
    width = length / 4
    tip = foot[0] + length * np.cos(angle), foot[1] + length * np.sin(angle)
    capsule(image, foot, tip, width, shade(colour, 1.1 - 0.04 * width))
    if width > 2:
        for side in (-1, 1):
            turned = angle + side * rng.uniform(0.25, 0.7)
            _branch(image, rng, foot=tip, angle=turned, length=length * 0.72, colour=colour)


def _jelly(image: Image, rng: np.random.Generator, x: float, y: float, radius: float) -> None:
    colour = pick(rng, (1.0, 0.5, 0.8), (0.5, 0.8, 1.0), (0.8, 0.6, 1.0), (1.0, 0.7, 0.4))
    for dx in np.linspace(-0.7, 0.7, 6) * radius:
        at = (x + dx, y)
        for step in range(5):
            to = at[0] + rng.uniform(-4, 4), y + (step + 1) * radius * 0.42
            capsule(image, at, to, 1.6, colour, alpha=0.5)
            at = to
    ellipse(image, x, y, radius, colour, stretch=0.7, alpha=0.55)
    ellipse(image, x, y - radius * 0.15, radius * 0.6, (1, 1, 1), stretch=0.6, alpha=0.35)


def _tree_top(image: Image, rng: np.random.Generator, x: float, y: float) -> None:
    ellipse(image, x + 3, y + 4, 10, (0, 0, 0), alpha=0.3)
    for _ in range(6):
        tone = shade((0.15, 0.42, 0.15), rng.uniform(0.7, 1.6))
        ellipse(image, x + rng.uniform(-5, 5), y + rng.uniform(-5, 5), rng.uniform(4, 8), tone)
