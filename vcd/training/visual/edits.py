"""What people do to pictures, on batches of tensors: the two views that training compares.

Everything works on any device; random numbers come from a generator on the CPU, so that a run can
be repeated whatever computes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional as F

__all__ = ["Views", "make_views"]

Edit = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """A plain and an edited view of each picture, grey levels from 0 to 255.

    `other` is the number of the second picture that an edited view shows, `share` how much of the
    target of training that picture gets for it (0 where there is none).
    """

    plain: torch.Tensor
    edited: torch.Tensor
    other: torch.Tensor
    share: torch.Tensor


def make_views(
    pictures: torch.Tensor,
    marks: torch.Tensor,
    *,
    size: int,
    strength: float,
    shared: float,
    generator: torch.Generator,
) -> Views:
    """Draw two views of every picture.

    Parameters
    ----------
    pictures : Tensor of uint8, shape (b, side, side, 3)
    marks : Tensor of uint8, shape (k, 4, side, side)
        Writing and signs with their opacity, to be laid over pictures.
    size : int
        Pixels a side of the views.
    strength : float
        In [0, 1]: how many edits and how hard.
    shared : float
        Target share of the second picture where it fills most of the view.
    generator : torch.Generator
        On the CPU.
    """
    base = pictures.permute(0, 3, 1, 2).float() / 255
    count, device = len(base), base.device
    base = _window(base, 0.3, 1.0, size, generator, whole=0.4)
    plain = _window(base, 0.7, 1.0, size, generator, whole=0.3)
    light = _draw(count, generator).to(device) < 0.5
    plain = torch.where(light[:, None, None, None], _colour(plain, 0.15, generator), plain)

    edited = base
    number = 1 + (_draw(count, generator) * (0.5 + 3.5 * strength)).long()
    weights = torch.tensor(list(_FREQUENCIES.values()))
    order = torch.rand(count, len(weights), generator=generator) ** (1 / weights)
    chosen = torch.zeros(order.shape, dtype=torch.bool)
    chosen.scatter_(1, order.argsort(dim=1, descending=True), _first(number, len(weights)))
    for name, often in _BESIDE.items():
        chosen[:, list(_FREQUENCIES).index(name)] |= _draw(count, generator) < often * strength
    other = (torch.arange(count) + int(torch.randint(1, count, (1,), generator=generator))) % count
    share = torch.zeros(count)
    for k, name in enumerate(_FREQUENCIES):
        rows = torch.nonzero(chosen[:, k])[:, 0]
        if len(rows) == 0:
            continue
        at = rows.to(device)
        if name == "composition":
            second = base[other[rows].to(device)]
            made, part = _compose(edited[at], second, generator)
            share[rows] = shared * part
        elif name == "marks":
            picks = torch.randint(len(marks), (len(rows),), generator=generator)
            made = _mark(edited[at], marks[picks.to(marks.device)], generator)
        else:
            made = _EDITS[name](edited[at], generator)
        edited = edited.index_copy(0, at, made.to(edited.dtype))
    edited = edited.clamp(0, 1)
    return Views(plain.clamp(0, 1) * 255, edited * 255, other.to(device), share.to(device))


def _first(number: torch.Tensor, width: int) -> torch.Tensor:
    return torch.arange(width)[None, :] < number[:, None]


def _draw(count: int, generator: torch.Generator, low: float = 0, high: float = 1) -> torch.Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def _one(generator: torch.Generator, low: float = 0, high: float = 1) -> float:
    return float(_draw(1, generator, low, high))


# Geometry: every edit is a map from places of the result to places of the picture -----------------


def _sampled(
    pictures: torch.Tensor,
    maps: torch.Tensor,
    size: int,
    fill: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return pictures seen through 3 x 3 maps (b, 3, 3); what lies outside is filled."""
    axis = (torch.arange(size) + 0.5) * 2 / size - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], dim=-1).reshape(1, -1, 3)
    seen = (places @ maps.transpose(1, 2)).to(pictures.device)
    grid = (seen[..., :2] / seen[..., 2:].clamp(min=0.1)).reshape(-1, size, size, 2)
    if fill is None:
        return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    inside = (grid.abs() <= 1).all(dim=-1)[:, None]
    found = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    return torch.where(inside, found, fill.to(pictures.device))


def _maps(count: int) -> torch.Tensor:
    return torch.eye(3).repeat(count, 1, 1)


def _window(
    pictures: torch.Tensor,
    least: float,
    most: float,
    size: int,
    generator: torch.Generator,
    *,
    whole: float = 0.0,
) -> torch.Tensor:
    """Cut a window of some share of the area, of a shape of its own, out of each picture."""
    count = len(pictures)
    area = _draw(count, generator, least, most)
    area[_draw(count, generator) < whole] = 1.0
    shape = torch.exp(_draw(count, generator, -0.3, 0.3))
    width, height = (area.sqrt() * shape).clamp(max=1), (area.sqrt() / shape).clamp(max=1)
    maps = _maps(count)
    maps[:, 0, 0], maps[:, 1, 1] = width, height
    maps[:, 0, 2] = (1 - width) * _draw(count, generator, -1, 1)
    maps[:, 1, 2] = (1 - height) * _draw(count, generator, -1, 1)
    return _sampled(pictures, maps, size)


def _crop(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return _window(x, 0.2, 0.7, x.shape[-1], generator)


def _fill(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return what surrounds a shrunken picture: black mostly, a colour, or itself out of focus."""
    count, size = len(x), x.shape[-1]
    colour = torch.rand(count, 3, 1, 1, generator=generator)
    colour[_draw(count, generator) < 0.6] = 0
    fill = colour.to(x.device).expand(-1, -1, size, size).clone()
    soft = torch.nonzero(_draw(count, generator) < 0.2)[:, 0].to(x.device)
    if len(soft):
        tiny = F.interpolate(x[soft], size=8, mode="area")
        fill[soft] = F.interpolate(tiny, size=size, mode="bicubic").clamp(0, 1)
    return fill


def _pad(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shrink into a frame: bars on two sides, or all around, or another aspect."""
    count = len(x)
    maps = _maps(count)
    both = _draw(count, generator) < 0.4
    upright = _draw(count, generator) < 0.5
    scale, second = _draw(count, generator, 1.1, 2.2), _draw(count, generator, 1.0, 1.8)
    maps[:, 0, 0] = torch.where(both | upright, scale, torch.ones(count))
    maps[:, 1, 1] = torch.where(both, second, torch.where(upright, torch.ones(count), scale))
    shift = _draw(count, generator, -0.5, 0.5)
    maps[:, 0, 2] = (maps[:, 0, 0] - 1) * shift
    maps[:, 1, 2] = (maps[:, 1, 1] - 1) * _draw(count, generator, -0.5, 0.5)
    return _sampled(x, maps, x.shape[-1], _fill(x, generator))


def _rotation(angle: torch.Tensor) -> torch.Tensor:
    maps = _maps(len(angle))
    maps[:, 0, 0], maps[:, 0, 1] = angle.cos(), -angle.sin()
    maps[:, 1, 0], maps[:, 1, 1] = angle.sin(), angle.cos()
    return maps


def _rotate(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Turn by some degrees, zoomed in so that few corners show, or with the corners filled."""
    count = len(x)
    angle = _draw(count, generator, -1, 1) * math.radians(45)
    maps = _rotation(angle)
    zoom = 1 / (angle.cos() + angle.sin().abs() * _draw(count, generator))
    maps[:, :2] *= torch.where(_draw(count, generator) < 0.5, zoom, torch.ones(count))[
        :, None, None
    ]
    return _sampled(x, maps, x.shape[-1], _fill(x, generator))


def _turn(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Turn by a quarter, a half or three quarters."""
    quarters = torch.randint(1, 4, (len(x),), generator=generator)
    return torch.stack([torch.rot90(p, int(q), (1, 2)) for p, q in zip(x, quarters, strict=True)])


def _flip(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    upright = (_draw(len(x), generator) < 0.15).to(x.device)[:, None, None, None]
    return torch.where(upright, x.flip(2), x.flip(3))


def _perspective(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """See the picture from the side, as on a filmed screen."""
    count = len(x)
    maps = _rotation(_draw(count, generator, -0.2, 0.2))
    maps[:, :2, :2] *= _draw(count, generator, 0.9, 1.5)[:, None, None]
    maps[:, 2, 0], maps[:, 2, 1] = (_draw(count, generator, -0.35, 0.35) for _ in range(2))
    maps[:, :2, 2] += torch.rand(count, 2, generator=generator) * 0.3 - 0.15
    return _sampled(x, maps, x.shape[-1], _fill(x, generator))


# Compositions -------------------------------------------------------------------------------------


def _compose(
    x: torch.Tensor, second: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Put each picture into, under, beside or through another; return how much that one shows."""
    out, part = [], []
    for picture, other in zip(x, second, strict=True):
        kind = _one(generator)
        if kind < 0.35:  # a small picture in another one
            out.append(_laid(other, picture, _one(generator, 0.3, 0.7), generator))
            part.append(1.0)
        elif kind < 0.6:  # another one laid over it
            out.append(_laid(picture, other, _one(generator, 0.3, 0.7), generator))
            part.append(0.5)
        elif kind < 0.85:
            out.append(_stacked(picture, other, generator))
            part.append(1.0)
        else:
            share = _one(generator, 0.25, 0.6)
            out.append(picture * (1 - share) + other * share)
            part.append(share)
    return torch.stack(out), torch.tensor(part)


def _laid(
    ground: torch.Tensor, upper: torch.Tensor, side: float, generator: torch.Generator
) -> torch.Tensor:
    size = ground.shape[-1]
    shape = math.exp(_one(generator, -0.3, 0.3))
    height, width = (min(max(int(size * side * f), 8), size) for f in (shape, 1 / shape))
    top, left = (int(_one(generator, 0, size - n + 1)) for n in (height, width))
    small = F.interpolate(
        upper[None], size=(height, width), mode="bilinear", antialias=True, align_corners=False
    )[0]
    result = ground.clone()
    result[:, top : top + height, left : left + width] = small
    return result


def _stacked(
    picture: torch.Tensor, other: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    size = picture.shape[-1]
    cut = int(size * _one(generator, 0.4, 0.6))
    pair = [picture, other] if _one(generator) < 0.5 else [other, picture]
    beside = _one(generator) < 0.5
    parts = []
    for part, length in zip(pair, (cut, size - cut), strict=True):
        if _one(generator) < 0.4:  # cut instead of squeezed
            start = (size - length) // 2
            parts.append(
                part[:, :, start : start + length] if beside else part[:, start : start + length]
            )
        else:
            shape = (size, length) if beside else (length, size)
            parts.append(
                F.interpolate(
                    part[None], size=shape, mode="bilinear", antialias=True, align_corners=False
                )[0]
            )
    return torch.cat(parts, dim=2 if beside else 1)


def _mark(x: torch.Tensor, marks: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Lay writing and signs over the picture."""
    count, size = len(x), x.shape[-1]
    maps = _maps(count)
    maps[:, :2, :2] *= _draw(count, generator, 0.8, 1.6)[:, None, None]
    maps[:, :2, 2] = torch.rand(count, 2, generator=generator) * 0.8 - 0.4
    upper = _sampled(
        marks.to(x.device).float() / 255, maps, size, torch.zeros(count, 4, size, size)
    )
    opacity = upper[:, 3:]
    return x * (1 - opacity) + upper[:, :3] * opacity


# Colours ------------------------------------------------------------------------------------------

_GREY = torch.tensor([0.299, 0.587, 0.114])


def _colour(x: torch.Tensor, reach: float, generator: torch.Generator) -> torch.Tensor:
    """Change saturation, channels, contrast, brightness and gamma by up to about `reach`."""
    count = len(x)
    mix = torch.eye(3) + (torch.rand(count, 3, 3, generator=generator) - 0.5) * reach
    saturation = 1 + _draw(count, generator, -1, 1) * reach
    grey = _GREY.expand(3, 3)
    mix = mix @ (saturation[:, None, None] * torch.eye(3) + (1 - saturation)[:, None, None] * grey)
    mix = mix * (1 + _draw(count, generator, -1, 1) * reach)[:, None, None]
    lift = (_draw(count, generator, -1, 1) * reach * 0.5)[:, None, None, None].to(x.device)
    gamma = torch.exp(_draw(count, generator, -1, 1) * reach)[:, None, None, None].to(x.device)
    mixed = torch.einsum("bij,bjhw->bihw", mix.to(x.device), x) + lift
    return mixed.clamp(1e-4, 1).pow(gamma)


def _strong_colour(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return _colour(x, 0.6, generator)


def _recolour(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Exchange channels, turn the hue, make it grey, a duotone or a negative."""
    out = []
    for picture in x:
        kind = _one(generator)
        grey = (picture * _GREY.to(x.device)[:, None, None]).sum(dim=0, keepdim=True)
        if kind < 0.4:
            out.append(grey.expand(3, -1, -1))
        elif kind < 0.7:
            out.append(picture[torch.randperm(3, generator=generator).to(x.device)])
        elif kind < 0.9:
            ends = torch.rand(2, 3, 1, 1, generator=generator).to(x.device)
            out.append(ends[0] + (ends[1] - ends[0]) * grey)
        else:
            out.append(1 - picture)
    return torch.stack(out)


# Losses -------------------------------------------------------------------------------------------


def _blur(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Gaussian blur of 1 to 5 pixels at 160, by separable filters of each picture's own."""
    count, size = len(x), x.shape[-1]
    sigma = _draw(count, generator, 1.0, 5.0).to(x.device) * (size / 160)
    reach = int(10 * size / 160)
    offsets = torch.arange(-reach, reach + 1, device=x.device)
    kernel = torch.exp(-0.5 * (offsets / sigma[:, None]) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(3, dim=0)
    planes = F.pad(x.reshape(1, count * 3, size, size), [reach] * 4, mode="replicate")
    planes = F.conv2d(planes, kernel[:, None, :, None], groups=count * 3)
    planes = F.conv2d(planes, kernel[:, None, None, :], groups=count * 3)
    return planes.reshape(count, 3, size, size)


def _pixelate(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    size = x.shape[-1]
    out = []
    for picture in x:
        blocks = int(_one(generator, 14, 48))
        tiny = F.interpolate(picture[None], size=blocks, mode="area")
        out.append(F.interpolate(tiny, size=size, mode="nearest")[0])
    return torch.stack(out)


def _noise(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    deviation = _draw(len(x), generator, 0.05, 0.25)[:, None, None, None]
    return (x + (torch.randn(x.shape, generator=generator) * deviation).to(x.device)).clamp(0, 1)


def _low_quality(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shrink, code coarsely, and blow up again."""
    size = x.shape[-1]
    side = 8 * int(_one(generator, 5, size / 8 + 1))
    small = F.interpolate(x, size=side, mode="bilinear", antialias=True, align_corners=False)
    coded = _coded(small, _draw(len(x), generator, 5, 60))
    return F.interpolate(coded, size=size, mode="bilinear", align_corners=False)


_LUMA = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)
_FREQUENCY = torch.arange(8.0)
_DCT = torch.cos(math.pi * (2 * _FREQUENCY[None, :] + 1) * _FREQUENCY[:, None] / 16) * math.sqrt(
    2 / 8
)
_DCT[0] /= math.sqrt(2)
# A plane fitted to the luma table of ITU-T T.81, annex K: steps grow with the frequency.
_STEPS = 12 + 9 * (_FREQUENCY[:, None] + _FREQUENCY[None, :])


def _coded(x: torch.Tensor, quality: torch.Tensor) -> torch.Tensor:
    """Return pictures after rounding of their 8 x 8 DCT coefficients, as JPEG does.

    Both sides are a multiple of 8; colour differences are coded more coarsely instead of halved.
    """
    count, _, height, width = x.shape
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50).to(x.device)
    luma = _LUMA.to(x.device)
    planes = torch.einsum("ij,bjhw->bihw", luma, x * 255 - 128)
    blocks = planes.reshape(count, 3, height // 8, 8, width // 8, 8).transpose(3, 4)
    dct = _DCT.to(x.device)
    steps = _STEPS.to(x.device) * scale[:, None, None, None, None, None]
    steps = steps * torch.tensor([1.0, 2.0, 2.0], device=x.device)[:, None, None, None, None]
    rounded = torch.round(dct @ blocks @ dct.T / steps) * steps
    planes = (dct.T @ rounded @ dct).transpose(3, 4).reshape(count, 3, height, width)
    return ((torch.einsum("ij,bjhw->bihw", luma.inverse(), planes) + 128) / 255).clamp(0, 1)


_EDITS: dict[str, Edit] = {
    "flip": _flip,
    "crop": _crop,
    "rotation": _rotate,
    "quarter turns": _turn,
    "perspective": _perspective,
    "recolour": _recolour,
    "colour": _strong_colour,
    "padding": _pad,
    "blur": _blur,
    "pixelation": _pixelate,
    "noise": _noise,
    "low quality": _low_quality,
}

_FREQUENCIES = {
    # How often each edit is chosen, in the order in which they are applied.
    "flip": 1.0,
    "crop": 1.5,
    "rotation": 1.0,
    "quarter turns": 0.8,
    "perspective": 0.8,
    "recolour": 1.0,
    "colour": 1.3,
    "composition": 3.0,
    "marks": 1.3,
    "padding": 1.2,
    "blur": 1.0,
    "pixelation": 0.8,
    "noise": 0.8,
    "low quality": 1.3,
}

# Chances at full strength of coming on top of those chosen: what is mirrored to hide a copy is
# edited in other ways, too.
_BESIDE = {"flip": 0.4, "quarter turns": 0.08, "composition": 0.1}
