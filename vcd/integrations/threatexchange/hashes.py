"""The two hash strings: a whole descriptor as text, and a compact one of binary codes.

Both are one word of unreserved characters, ``:``, ``/``, ``-`` and ``_``, in six fields::

    vcd1:  60000 : visual-8/256/500/120 : audio-2/128/250/233 : 9f86d081884c7d65 : payload
    vcd1c: 60000 : visual-8/256/1053/57 : -                   : 2c26b46b68ffc68f : payload
    form   ms      picture track          sound track           checksum           base64url

A track is named by model, dimensions, milliseconds from one position to the next, and positions;
``-`` stands for none. The checksum (BLAKE2b, 8 bytes) covers all other fields, and is what matches
call a reference by: neither form holds the name of a file.

The full form (``vcd1``) holds every int8 vector, of picture and sound, deflated: it compares
exactly as the file itself would. The compact form (``vcd1c``) holds of one stream, the picture
where it has one that says anything, a bit a dimension (its sign) at chosen moments: at most one
each half second and at least one each two seconds, so that up to 114 seconds fit in 2,500
characters.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from vcd.descriptors import VIEWS, ModelInfo
from vcd.errors import DescriptorError, HashStringError
from vcd.records import STREAMS, Health, Stream, Track, VideoDescriptor

__all__ = ["VideoHash", "compact_hash", "full_hash", "parse_hash"]

Form = Literal["vcd1", "vcd1c"]
FULL: Form = "vcd1"
COMPACT: Form = "vcd1c"

COMPACT_CHARACTERS = 2500
_COMPACT_PAYLOAD = 1828  # bytes that leave room for the other fields
_LEAST_INTERVAL, _MOST_INTERVAL = 500, 2000  # milliseconds
_MOST_COUNT = 100_000  # half a day at the least interval; a short string may state any number

_MOST_CHARACTERS = 1 << 26  # about nine hours; a longer one is none of ours
_HEADER_BYTES = 8192  # of the byte string inside, beyond its arrays
_ROW_BYTES = 20  # times and weight of a position
_OVERHANG = 10.0  # seconds by which a window of sound may outlast the video

_TRACK = re.compile(r"([a-z0-9_]+-[0-9]+)/([1-9][0-9]{0,4})/([1-9][0-9]{0,8})/([1-9][0-9]{0,8})")
_FIELDS = 6
_NOBODY = "video"
_HASH_AGAIN = "hash the video again, and copy the string whole"


@dataclass(frozen=True, slots=True, eq=False)
class VideoHash:
    """A hash string that was read.

    Attributes
    ----------
    form : {"vcd1", "vcd1c"}
    checksum : str
        16 hexadecimal digits; names the video in matches.
    descriptor : VideoDescriptor
        Without name and health. In the compact form its vectors hold -1 and 1 alone.
    """

    form: Form
    checksum: str
    descriptor: VideoDescriptor

    @property
    def compact(self) -> bool:
        """Whether it is the compact form."""
        return self.form == COMPACT


def full_hash(descriptor: VideoDescriptor) -> str:
    """Return the full hash string of a video; its name and its health are left out."""
    bare = replace(descriptor, video_id=_NOBODY, health=Health())
    tracks = [_describe(bare.tracks.get(stream)) for stream in STREAMS]
    return _join(FULL, bare.duration, tracks, zlib.compress(bare.to_bytes(), 9))


def compact_hash(descriptor: VideoDescriptor) -> str:
    """Return the compact hash string of a video.

    Raises
    ------
    HashStringError
        Nothing of the video says anything: it is black, flat or silent throughout.
    """
    track = next((t for t in map(descriptor.tracks.get, STREAMS) if t and t.weight.any()), None)
    if track is None:
        raise HashStringError(
            "nothing of the video says anything", remedy="only the full hash can hold it"
        )
    duration = _milliseconds(descriptor.duration)
    room = _rows_in(_COMPACT_PAYLOAD, track.vectors.shape[1])
    interval = min(max(_LEAST_INTERVAL, math.ceil(duration / room)), _MOST_INTERVAL)
    count = max(1, math.ceil(duration / interval))
    chosen = _chosen(track, count, interval / 1000)
    present = chosen >= 0
    codes = np.packbits(track.vectors[chosen[present]] > 0, axis=1)
    payload = np.packbits(present).tobytes() + codes.tobytes()
    name = f"{track.model}/{track.vectors.shape[1]}/{interval}/{count}"
    names = [name if stream == track.stream else "-" for stream in STREAMS]
    return _join(COMPACT, descriptor.duration, names, payload)


def parse_hash(
    text: str, models: Mapping[Stream, ModelInfo], *, most: int = _MOST_CHARACTERS
) -> VideoHash:
    """Read a hash string of either form.

    Parameters
    ----------
    text : str
    models : mapping of stream to ModelInfo
        The models that vectors may come from: those of other models are refused.
    most : int
        Characters that are read; it may unpack to twice as many bytes.

    Raises
    ------
    HashStringError
        It is cut short, altered, of another format or model, or its parts contradict each other.
    """
    if len(text) > most:
        raise HashStringError(
            f"has {len(text)} characters, more than the limit of {most:g}",
            remedy="raise max_hash to read it all the same",
        )
    fields = text.split(":")
    form = fields[0]
    if form not in (FULL, COMPACT):
        raise HashStringError(
            f"begins with {form[:12]!r}, not with {FULL} or {COMPACT}",
            remedy="use it with the signal type it was made by, or update vcd",
        )
    if len(fields) != _FIELDS:
        raise HashStringError(
            f"has {len(fields)} fields where {_FIELDS} are expected", remedy=_HASH_AGAIN
        )
    _, milliseconds, *names, checksum, body = fields
    if checksum != _checksum([form, milliseconds, *names, body]):
        raise HashStringError("is cut short or altered (checksum differs)", remedy=_HASH_AGAIN)
    if not re.fullmatch(r"0|[1-9][0-9]{0,9}", milliseconds):
        raise HashStringError(f"has no duration but {milliseconds[:20]!r}", remedy=_HASH_AGAIN)
    tracks = {
        stream: _read_name(name, stream, models)
        for stream, name in zip(STREAMS, names, strict=True)
        if name != "-"
    }
    payload = _decoded(body)
    if form == COMPACT:
        descriptor = _unpack_compact(int(milliseconds), tracks, payload)
    else:
        descriptor = _unpack_full(int(milliseconds), tracks, payload, 2 * most)
    return VideoHash("vcd1c" if form == COMPACT else "vcd1", checksum, descriptor)


@dataclass(frozen=True, slots=True)
class _TrackName:
    model: str
    dimensions: int
    interval: int
    count: int


def _describe(track: Track | None) -> str:
    if track is None or not len(track):
        return "-"
    starts = track.times[:, 0]
    step = float(np.median(np.diff(starts))) if len(track) > 1 else float(np.ptp(track.times[0]))
    interval = max(1, round(step * 1000))
    return f"{track.model}/{track.vectors.shape[1]}/{interval}/{len(track)}"


def _read_name(name: str, stream: Stream, models: Mapping[Stream, ModelInfo]) -> _TrackName:
    found = _TRACK.fullmatch(name)
    if found is None:
        raise HashStringError(f"has no {stream} track but {name[:40]!r}", remedy=_HASH_AGAIN)
    model, *numbers = found.groups()
    track = _TrackName(model, *map(int, numbers))
    known = models.get(stream)
    if known is None or (known.id, known.dimensions) != (track.model, track.dimensions):
        wanted = f"{known.id} ({known.dimensions} dimensions)" if known else f"no {stream} model"
        raise HashStringError(
            f"was made by model {track.model} ({track.dimensions} dimensions), not by {wanted}",
            remedy="hash the video again with this version of vcd",
        )
    return track


def _join(form: Form, duration: float, tracks: list[str], payload: bytes) -> str:
    body = base64.urlsafe_b64encode(payload).decode().rstrip("=")
    fields: list[str] = [form, str(_milliseconds(duration)), *tracks]
    return ":".join([*fields, _checksum([*fields, body]), body])


def _milliseconds(duration: float) -> int:
    return round(duration * 1000)


def _checksum(fields: list[str]) -> str:
    return hashlib.blake2b(":".join(fields).encode("utf-8", "replace"), digest_size=8).hexdigest()


def _decoded(body: str) -> bytes:
    try:
        if re.search(r"[^A-Za-z0-9_-]", body):
            raise ValueError("other characters")
        payload = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except (ValueError, binascii.Error) as error:
        raise HashStringError(f"holds no base64url ({error})", remedy=_HASH_AGAIN) from error
    if base64.urlsafe_b64encode(payload).decode().rstrip("=") != body:
        raise HashStringError("holds no base64url (odd bits at its end)", remedy=_HASH_AGAIN)
    return payload


# The full form -------------------------------------------------------------------------------


def _unpack_full(
    milliseconds: int, names: Mapping[Stream, _TrackName], payload: bytes, most_bytes: int
) -> VideoDescriptor:
    expected = sum(name.count * (_ROW_BYTES + name.dimensions) for name in names.values())
    most = min(_HEADER_BYTES + (1 + len(VIEWS)) * expected, most_bytes)
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(payload, most)
        if not inflate.eof or inflate.unused_data:
            raise HashStringError("holds more than it says it does", remedy=_HASH_AGAIN)
        descriptor = VideoDescriptor.from_bytes(data)
    except zlib.error as error:
        raise HashStringError(f"cannot be inflated ({error})", remedy=_HASH_AGAIN) from error
    except HashStringError:
        raise
    except DescriptorError as error:
        raise HashStringError(f"its payload {error.problem}", remedy=_HASH_AGAIN) from error
    _check_full(milliseconds, names, descriptor)
    return replace(descriptor, video_id=_NOBODY, health=Health())


def _check_full(
    milliseconds: int, names: Mapping[Stream, _TrackName], descriptor: VideoDescriptor
) -> None:
    """Refuse a descriptor that is not what the other fields say, or that no file can have."""
    stated = {stream: (n.model, n.dimensions, n.count) for stream, n in names.items()}
    held = {
        stream: (track.model, track.vectors.shape[1], len(track))
        for stream in STREAMS
        if (track := descriptor.tracks.get(stream)) is not None and len(track)
    }
    fits = stated == held and milliseconds == _milliseconds(descriptor.duration)
    for track in descriptor.tracks.values():
        name = names.get(track.stream)
        fits &= name is not None or not len(track)
        fits &= name is None or (track.model, track.vectors.shape[1]) == (
            name.model,
            name.dimensions,
        )
        if len(track):
            fits &= bool(track.times.min() >= 0)
            fits &= bool(track.times.max() <= descriptor.duration + _OVERHANG)
    if not fits:
        raise HashStringError("its fields and its payload contradict", remedy=_HASH_AGAIN)


# The compact form ----------------------------------------------------------------------------


def _rows_in(payload: int, dimensions: int) -> int:
    """Return how many codes, with a bit each that says it is there, so many bytes hold."""
    return max(1, 8 * payload // (8 * math.ceil(dimensions / 8) + 1))


def _chosen(track: Track, count: int, interval: float) -> npt.NDArray[np.intp]:
    """Return for each interval the speaking position nearest its middle, -1 for none."""
    speaking = np.flatnonzero(track.weight > 0)
    middles = track.times[speaking].mean(axis=1)
    at = np.minimum((middles / interval).astype(np.intp), count - 1)
    away = np.abs(middles - (at + 0.5) * interval)
    order = np.lexsort((away, at))
    places, first = np.unique(at[order], return_index=True)
    chosen = np.full(count, -1, np.intp)
    chosen[places] = speaking[order[first]]
    return chosen


def _unpack_compact(
    milliseconds: int, names: Mapping[Stream, _TrackName], payload: bytes
) -> VideoDescriptor:
    if len(names) != 1:
        raise HashStringError("a compact hash has one track", remedy=_HASH_AGAIN)
    [(stream, name)] = names.items()
    bits = np.frombuffer(payload, np.uint8)
    flags = math.ceil(name.count / 8)
    width = math.ceil(name.dimensions / 8)
    fits = (
        _LEAST_INTERVAL <= name.interval <= _MOST_INTERVAL
        and name.count <= _MOST_COUNT
        and len(bits) >= flags
        and name.count == max(1, math.ceil(milliseconds / name.interval))
    )
    if fits:
        present = np.unpackbits(bits[:flags])[: name.count].astype(bool)
        fits = np.packbits(present).tobytes() == payload[:flags] and bool(present.any())
        fits = fits and len(bits) == flags + width * int(present.sum())
    if not fits:
        raise HashStringError("its fields and its payload contradict", remedy=_HASH_AGAIN)
    codes = np.unpackbits(bits[flags:].reshape(-1, width), axis=1)[:, : name.dimensions]
    vectors = np.zeros((name.count, name.dimensions), np.int8)
    vectors[present] = 2 * codes.astype(np.int8) - 1
    duration = milliseconds / 1000
    starts = np.arange(name.count, dtype=np.float64) * (name.interval / 1000)
    ends = np.minimum(starts + name.interval / 1000, max(duration, float(starts[-1])))
    track = Track(
        stream=stream,
        model=name.model,
        times=np.stack([starts, ends], axis=1),
        vectors=vectors,
        weight=present.astype(np.float32),
    )
    return VideoDescriptor(_NOBODY, duration, {track.key: track})
