"""Which packets must be decoded so that the sampled frames, and as few others as may be, come out.

Packets are looked at in groups, from one key frame to the next, with the next group known. Three
savings follow, none of which changes a sampled frame:

* after the last packet that a sampled frame of the group needs, nothing is decoded;
* a group without a sampled frame is not decoded at all;
* a frame that no other frame refers to is decoded only where it is sampled itself.

Frames that come after a key frame in the file but are presented before it may refer to the group
before. They are decoded where that group was decoded whole, which it is when one of them is
sampled; otherwise they are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from vcd.media.sampling import is_picked

__all__ = [
    "GroupPlanner",
    "PacketLike",
    "Step",
    "is_clean_start",
    "is_referenced",
    "is_shown",
    "safe_codec",
]

_MAX_PACKETS = 600
_MAX_BYTES = 32 << 20

_H264_SLICES = range(1, 6)
_H264_IDR = 5
_HEVC_KEY = range(16, 24)
_ANNEX_B = (b"\x00\x00\x01", b"\x00\x00\x00\x01")

# Codecs in which a key frame starts anew and a packet holds one picture.
_SAFE = frozenset(
    {"h264", "hevc", "mpeg4", "mpeg1video", "mpeg2video", "vp8", "vp9", "av1", "libdav1d",
     "theora", "mjpeg"}
)  # fmt: skip


class PacketLike(Protocol):
    """What is looked at of a packet."""

    pts: int | None
    size: int

    @property
    def is_keyframe(self) -> bool:
        """Whether the container calls it a key frame."""
        ...

    @property
    def is_discard(self) -> bool:
        """Whether it is decoded but not shown."""
        ...

    def __buffer__(self, flags: int, /) -> memoryview: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: decode a packet, pass over it, or (both None) empty the decoder."""

    decode: PacketLike | None = None
    skip: PacketLike | None = None


def safe_codec(name: str) -> bool:
    """Say whether leaving out packets of this codec is known to be safe."""
    return name in _SAFE


def _pictures(data: memoryview, length_size: int) -> Iterator[memoryview]:
    """Yield the units of an H.264 or HEVC packet; `length_size` 0 means start codes."""
    if length_size:
        at = 0
        while at + length_size < len(data):
            size = int.from_bytes(data[at : at + length_size], "big")
            at += length_size
            if size <= 0 or at + size > len(data):
                return
            yield data[at : at + size]
            at += size
        return
    # Parameter sets and messages are short: the first picture begins near the front.
    head = bytes(data[:4096])
    at = head.find(_ANNEX_B[0])
    while at >= 0:
        yield data[at + 3 :]
        at = head.find(_ANNEX_B[0], at + 3)


def _length_size(codec: str, extradata: bytes | None) -> int:
    """Return how many bytes give a unit's length, 0 where start codes divide the units."""
    if not extradata or extradata.startswith(_ANNEX_B):
        return 0
    if codec == "h264":
        return (extradata[4] & 3) + 1 if len(extradata) > 6 and extradata[0] == 1 else 0
    return (extradata[21] & 3) + 1 if len(extradata) > 22 else 0


def _exp_golomb(bits: int, width: int, at: int) -> tuple[int, int]:
    """Read one unsigned Exp-Golomb number; return it and the position after it."""
    zeros = 0
    while at + zeros < width and not bits >> (width - 1 - at - zeros) & 1:
        zeros += 1
    end = at + 2 * zeros + 1
    if end > width:
        return -1, width
    return (bits >> (width - end) & ((1 << (zeros + 1)) - 1)) - 1, end


def _h264_starts_anew(unit: memoryview) -> bool:
    """Say whether the picture is an IDR, or begins with a slice predicted from nothing."""
    if unit[0] & 31 == _H264_IDR:
        return True
    head = bytes(unit[1:13])
    bits, width = int.from_bytes(head, "big"), 8 * len(head)
    _, at = _exp_golomb(bits, width, 0)
    slice_type, _ = _exp_golomb(bits, width, at)
    return slice_type in (2, 4, 7, 9)


def is_clean_start(codec: str, extradata: bytes | None) -> Callable[[PacketLike], bool]:
    """Return a test whether decoding may begin at a packet as if nothing came before.

    A container may call a packet a key frame from which the picture only builds up little by
    little (periodic intra refresh); for H.264 and HEVC the packet itself is asked.
    """
    if codec not in ("h264", "hevc"):
        return lambda packet: packet.is_keyframe
    length_size = _length_size(codec, extradata)

    def test(packet: PacketLike) -> bool:
        if not packet.is_keyframe:
            return False
        for unit in _pictures(memoryview(packet), length_size):
            if len(unit) < 3:
                continue
            if codec == "hevc":
                kind = unit[0] >> 1 & 63
                if kind < 32:
                    return kind in _HEVC_KEY
            elif unit[0] & 31 in _H264_SLICES:
                return _h264_starts_anew(unit)
        return False

    return test


def is_referenced(codec: str, extradata: bytes | None) -> Callable[[PacketLike], bool]:
    """Return a test whether other frames may refer to the frame in a packet (True in doubt)."""
    if codec == "mpeg4":
        return _mpeg4_referenced
    if codec in ("mpeg1video", "mpeg2video"):
        return _mpeg2_referenced
    if codec not in ("h264", "hevc"):
        return lambda packet: True
    length_size = _length_size(codec, extradata)
    if codec == "hevc" and not (extradata and length_size and extradata[21] >> 3 & 7 == 1):
        # "Not referred to" holds within a temporal layer: it must be the only one.
        return lambda packet: True

    def test(packet: PacketLike) -> bool:
        for unit in _pictures(memoryview(packet), length_size):
            if len(unit) < 3:
                continue
            if codec == "h264":
                if unit[0] & 31 in _H264_SLICES:
                    return unit[0] & 0x60 != 0
            elif (kind := unit[0] >> 1 & 63) < 32:
                return kind >= 16 or kind % 2 == 1  # even types below 16: not referred to
        return True

    return test


def is_shown(codec: str) -> Callable[[PacketLike], bool]:
    """Return a test whether the packet gives a frame to show (VP8 and VP9 have hidden ones)."""

    def vp8(packet: PacketLike) -> bool:
        data = memoryview(packet)
        return not packet.is_discard and bool(data) and bool(data[0] >> 4 & 1)

    def vp9(packet: PacketLike) -> bool:
        data = memoryview(packet)
        if packet.is_discard or not data:
            return False
        several = data[-1] & 0xE0 == 0xC0
        return several or data[0] & 0x30 == 0x30 or bool(data[0] & 0b1010)

    return {"vp8": vp8, "vp9": vp9}.get(codec, lambda packet: not packet.is_discard)


def _mpeg4_referenced(packet: PacketLike) -> bool:
    data = bytes(memoryview(packet)[:512])
    at = data.find(b"\x00\x00\x01\xb6")
    if at < 0 or at + 4 >= len(data):
        return True
    # Two pictures in a packet ("packed"): the second would be lost with the first.
    return data[at + 4] >> 6 != 2 or bytes(memoryview(packet)).count(b"\x00\x00\x01\xb6") > 1


def _mpeg2_referenced(packet: PacketLike) -> bool:
    data = bytes(memoryview(packet)[:512])
    at = data.find(b"\x00\x00\x01\x00")
    if at < 0 or at + 5 >= len(data):
        return True
    return data[at + 5] >> 3 & 7 != 3


class GroupPlanner:
    """Plans the decoding of one picture stream.

    Parameters
    ----------
    rate : float
        Of the sampling rule, frames a second.
    seconds : callable
        Turns a packet's time stamp into seconds on the file's clock.
    codec : str
        Name of the codec, one that `safe_codec` allows.
    extradata : bytes, optional
        The codec's set-up data in the container.
    """

    def __init__(
        self,
        rate: float,
        seconds: Callable[[int], float],
        codec: str,
        extradata: bytes | None = None,
    ) -> None:
        self._rate = rate
        self._seconds = seconds
        self._starts_anew = is_clean_start(codec, extradata)
        self._referenced = is_referenced(codec, extradata)
        self._shown = is_shown(codec)
        self._before: list[float] = []  # times of the group before
        self._group: list[PacketLike] = []
        self._next: list[PacketLike] = []
        self._bytes = 0
        self._whole = True  # the group before was decoded whole
        self._empty = False  # the decoder was emptied and nothing was decoded since

    def feed(self, packet: PacketLike) -> Iterator[Step]:
        """Take the next packet of the stream and yield what is now decided."""
        full = len(self._next) >= _MAX_PACKETS or self._bytes + packet.size > _MAX_BYTES
        if self._next and (full or self._starts_anew(packet)):
            yield from self._turn()
        self._next.append(packet)
        self._bytes += packet.size

    def finish(self, end: float | None) -> Iterator[Step]:
        """End the stream, whose picture ends at `end` seconds, and yield what is left."""
        yield from self._turn(end)
        yield from self._turn(end)
        yield Step()

    def _turn(self, end: float | None = None) -> Iterator[Step]:
        if self._group:
            yield from self._plan(self._group, self._next, end)
        self._group, self._next, self._bytes = self._next, [], 0

    def _picked(
        self, group: Sequence[PacketLike], after: Sequence[PacketLike], end: float | None
    ) -> set[int]:
        """Return the time stamps that stand for an interval."""
        shown = {
            p.pts: self._seconds(p.pts)
            for p in (*group, *after)
            if p.pts is not None and self._shown(p)
        }
        times = sorted({*self._before, *shown.values()})
        at = {time: i for i, time in enumerate(times)}
        picked = set()
        for pts, time in shown.items():
            i = at[time]
            before = times[i - 1] if i else None
            later = times[i + 1] if i + 1 < len(times) else None
            if is_picked(before, time, later, self._rate, end):
                picked.add(pts)
        self._before = [shown[p.pts] for p in group if p.pts in shown]
        return picked

    def _plan(
        self, group: Sequence[PacketLike], after: Sequence[PacketLike], end: float | None
    ) -> Iterator[Step]:
        if any(p.pts is None for p in (*group, *after)):
            picked: set[int | None] = {p.pts for p in (*group, *after)}
        else:
            picked = {*self._picked(group, after, end)}
        first = group[0].pts or 0
        leaderless = not self._whole and self._starts_anew(group[0])
        whole = bool(after) and (not self._starts_anew(after[0]) or _leader_picked(after, picked))
        last = max((i for i, p in enumerate(group) if whole or p.pts in picked), default=-1)
        for i, p in enumerate(group):
            lost = leaderless and i > 0 and p.pts is not None and p.pts < first
            idle = p.pts not in picked and not self._referenced(p)
            if i > last or lost or idle:
                yield Step(skip=p)
            else:
                self._empty = False
                yield Step(decode=p)
        self._whole = last == len(group) - 1
        if not self._whole and not self._empty:
            self._empty = True
            yield Step()


def _leader_picked(group: Sequence[PacketLike], picked: set[int | None]) -> bool:
    """Say whether a frame is picked that comes after the group's key frame but is shown before."""
    key = group[0].pts
    return any(p.pts in picked and (key is None or p.pts is None or p.pts < key) for p in group[1:])
