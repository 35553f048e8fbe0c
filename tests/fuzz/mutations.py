"""Seeded ways to damage a file: the same number gives the same damage."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

__all__ = ["MUTATIONS", "mutate"]

# Numbers at which lengths, counts and times go wrong.
_EDGES = (0, 1, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
# Names of boxes and chunks, beside which lengths stand.
_BOX = re.compile(
    rb"moov|mvhd|trak|tkhd|mdia|mdhd|stsd|stts|stsc|stsz|stco|ctts|elst|mdat|moof|trun|avcC|hvcC|"
    rb"esds|ftyp|RIFF|LIST|hdrl|strh|strf|idx1|movi|fmt |data|OggS|fLaC|IHDR|IDAT|acTL|VP8 |VP8L|"
    rb"\x1a\x45\xdf\xa3|\x1f\x43\xb6\x75|\x16\x54\xae\x6b"
)


def _truncate(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> bytearray:
    return data[: chance.randrange(len(data))]


def _flip(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> bytearray:
    for _ in range(chance.choice((1, 3, 10, 60))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def _overwrite(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> bytearray:
    at = chance.randrange(len(data))
    length = chance.randrange(1, 200)
    data[at : at + length] = chance.choice((bytes(length), chance.randbytes(length)))
    return data


def _splice(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> bytearray:
    other = chance.choice(others)
    begin = chance.randrange(len(other))
    at = chance.randrange(len(data))
    data[at : at + chance.randrange(500)] = other[begin : begin + chance.randrange(1, 2000)]
    return data


def _swap_header(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> bytearray:
    length = chance.choice((4, 16, 64, 256, 1024))
    data[:length] = chance.choice(others)[:length]
    return data


def _repeat(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> bytearray:
    at = chance.randrange(len(data))
    part = data[at : at + chance.randrange(1, 1000)]
    data[at:at] = part * chance.randrange(1, 20)
    return data


def _leave_out(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> bytearray:
    at = chance.randrange(len(data))
    del data[at : at + chance.randrange(1, 1000)]
    return data


def _resize(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> bytearray:
    boxes = [found.start() for found in _BOX.finditer(data)]
    at = chance.choice(boxes) + chance.choice((-4, 4, 8, 12, 16, 20)) if boxes else 0
    return _edge_at(data, max(0, at), chance)


def _edge(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> bytearray:
    for _ in range(chance.randrange(1, 4)):
        # Headers matter most, and stand in front or at the end.
        near = min(len(data), 1024)
        at = chance.choice((chance.randrange(near), -chance.randrange(1, near + 1)))
        data = _edge_at(data, at % len(data), chance)
    return data


def _edge_at(data: bytearray, at: int, chance: random.Random) -> bytearray:
    size = chance.choice((1, 2, 4, 8))
    value = chance.choice(_EDGES) % (1 << 8 * size)
    data[at : at + size] = value.to_bytes(size, chance.choice(("big", "little")))
    return data


Mutation = Callable[[bytearray, random.Random, Sequence[bytes]], bytearray]

MUTATIONS: dict[str, Mutation] = {
    "truncate": _truncate,
    "flip": _flip,
    "overwrite": _overwrite,
    "splice": _splice,
    "swap header": _swap_header,
    "repeat": _repeat,
    "leave out": _leave_out,
    "resize": _resize,
    "edge": _edge,
}


def mutate(data: bytes, number: int, others: Sequence[bytes]) -> tuple[bytes, str]:
    """Return damaged data and the names of what was done, one to three things.

    Parameters
    ----------
    data : bytes
        Not empty.
    number : int
        The same one gives the same damage.
    others : sequence of bytes
        Other files, to take parts from.
    """
    chance = random.Random(number)
    names = chance.choices(list(MUTATIONS), k=chance.choice((1, 1, 2, 3)))
    damaged = bytearray(data)
    for name in names:
        if damaged:
            damaged = MUTATIONS[name](damaged, chance, others)
    return bytes(damaged), "+".join(names)
