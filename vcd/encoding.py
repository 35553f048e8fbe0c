"""How descriptors lie on disk: the versioned byte string, and the VSC `.npz`.

The byte string of one video, all numbers little-endian::

    b"VCDD"  uint16 version  uint16 reserved  uint32 header length  uint64 total length
    header   JSON, UTF-8: video id, duration, health, tracks with model, view, shape
    arrays   per track: times float64 (n, 2), vectors int8 (n, d), weight float32 (n,)
    checksum BLAKE2b, 16 bytes, over all before it

Vectors are stored as int8 with one factor a row; rows have unit length, so the factor need not be
kept. A file holds one byte string or several, one after the other.

A VSC `.npz` holds `video_ids` (n,), `timestamps` (n, 2) and `features` (n, d) float32 of the
visual track, as the VSC 2022/2023 evaluation reads them, and beside them `weights`, the same four
arrays of every further track under its key, and `vcd`, the header of each video; a reader that
knows only the first three is served, and vcd loses nothing.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import stat
import struct
import threading
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vcd.errors import ContractError, DescriptorError, OutputError, PathLike
from vcd.records import FULL_VIEW, Health, Track, VideoDescriptor

__all__ = [
    "abandon_writing",
    "from_bytes",
    "is_descriptor_file",
    "load",
    "load_one",
    "save",
    "to_bytes",
    "write_whole",
]

MAGIC = b"VCDD"
VERSION = 1
SUFFIX = ".vcd"
MOST_BYTES = 4 << 30
"""Of a file that is read, unless told otherwise."""

_PREFIX = struct.Struct("<4sHHIQ")
_CHECKSUM_BYTES = 16
_DESCRIBE_AGAIN = "describe the video again"
_VSC_MODEL = "unknown"
_MISFITS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What reading raises where a file is well-formed, but its parts contradict each other."""

_parts: set[Path] = set()  # being written, by whatever thread
_parts_lock = threading.Lock()


def to_bytes(descriptor: VideoDescriptor) -> bytes:
    """Return the byte string of one descriptor."""
    tracks = [track.quantised() for track in descriptor.tracks.values()]
    header = json.dumps(
        _header(descriptor)
        | {
            "tracks": [
                {"stream": t.stream, "model": t.model, "view": t.view, "shape": t.vectors.shape}
                for t in tracks
            ]
        },
        ensure_ascii=False,
    ).encode("utf-8", "surrogateescape")
    arrays = b"".join(
        t.times.astype("<f8").tobytes() + t.vectors.tobytes() + t.weight.astype("<f4").tobytes()
        for t in tracks
    )
    total = _PREFIX.size + len(header) + len(arrays) + _CHECKSUM_BYTES
    body = _PREFIX.pack(MAGIC, VERSION, 0, len(header), total) + header + arrays
    return body + _checksum(body)


def from_bytes(data: bytes, *, file: PathLike | None = None) -> VideoDescriptor:
    """Read one byte string.

    Parameters
    ----------
    data : bytes
        What `to_bytes` returned, nothing before or after it.
    file : path-like, optional
        Named in error messages.

    Raises
    ------
    DescriptorError
        The bytes are damaged, of another format, or of a newer version.
    """
    parts = list(_split(data, file))
    if len(parts) != 1:
        raise DescriptorError(f"holds {len(parts)} descriptors where one is expected", file=file)
    return _parse(parts[0], file)


def save(path: PathLike, descriptors: Sequence[VideoDescriptor]) -> None:
    """Write descriptors to one file: VSC `.npz` where the name ends so, else byte strings.

    The file appears whole or not at all.

    Raises
    ------
    OutputError
        The file cannot be written.
    ContractError
        `.npz` only: two descriptors share a video id.
    """
    if _is_npz(path):
        buffer = io.BytesIO()
        # Typed as any mapping: a name of an array might pass for another parameter of the function.
        arrays: dict[str, Any] = dict(_to_arrays(descriptors))
        np.savez_compressed(buffer, **arrays)
        write_whole(path, buffer.getvalue())
    else:
        write_whole(path, b"".join(to_bytes(d) for d in descriptors))


def load(path: PathLike, *, most: int = MOST_BYTES) -> list[VideoDescriptor]:
    """Read every descriptor of a file that `save` wrote, or of a plain VSC `.npz`.

    Parameters
    ----------
    path : path-like
    most : int
        Bytes that are read, and that an archive may unpack to.

    Raises
    ------
    DescriptorError
        The file is not there, no regular file, damaged, larger than that, or of another format.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):  # a device may have no end
                raise OSError(errno.EINVAL, "it is no regular file")
            _check_size(status.st_size, most, path)
            data = file.read(most)
    except OSError as error:
        raise DescriptorError(
            f"cannot be read ({error.strerror or error})", file=path, remedy="check the path"
        ) from error
    if _is_npz(path):
        _check_size(_unpacked(data), most, path)
        return _from_npz(data, path)
    return [_parse(part, path) for part in _split(data, path)]


def load_one(path: PathLike) -> VideoDescriptor:
    """Read a file of one descriptor; raise `DescriptorError` where it holds none or several."""
    descriptors = load(path)
    if len(descriptors) != 1:
        raise DescriptorError(
            f"holds {len(descriptors)} descriptors where one is expected",
            file=path,
            remedy="read them all with vcd.encoding.load",
        )
    return descriptors[0]


def is_descriptor_file(path: PathLike) -> bool:
    """Whether a file name is one that `load` reads, by its ending."""
    return _is_npz(path) or os.fsdecode(path).lower().endswith(SUFFIX)


def write_whole(path: PathLike, data: bytes) -> None:
    """Write a file beside its place, then rename it: it appears whole or not at all.

    A link is followed and stays a link; a file that exists keeps its mode. What is no regular file
    (a pipe, a device) is written into as it stands.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    given = Path(os.fsdecode(path))
    target = Path(os.path.realpath(given))
    temporary = target.with_name(f".vcd-{uuid.uuid4().hex}.part")
    try:
        # By the name as given: what /dev/stdout leads to may be a pipe that has no name.
        mode = given.stat().st_mode if given.exists() else None
        if mode is not None and not stat.S_ISREG(mode):
            given.write_bytes(data)
            return
        try:
            with _parts_lock:
                _parts.add(temporary)
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            if mode is not None:
                temporary.chmod(stat.S_IMODE(mode))
            temporary.replace(target)
        finally:
            with suppress(OSError):
                temporary.unlink()
            with _parts_lock:
                _parts.discard(temporary)
    except OSError as error:
        raise OutputError(
            f"cannot be written ({error.strerror or error})",
            file=path,
            remedy="check that the folder exists, has room, and allows writing",
        ) from error


def abandon_writing() -> None:
    """Remove what other threads have half written, and hold them up: the process is to end now."""
    _parts_lock.acquire()  # for good, or a thread might begin another file
    for part in _parts:
        with suppress(OSError):
            part.unlink()


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe would hang


def _check_size(size: int, most: int, path: PathLike) -> None:
    if size > most:
        raise DescriptorError(
            f"holds {size} bytes, more than the limit of {most:g}",
            file=path,
            remedy="raise max_descriptor to read it all the same",
        )


def _unpacked(data: bytes) -> int:
    """Return how many bytes an archive unpacks to, by its own word, which unpacking holds it to."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return sum(part.file_size for part in archive.infolist())
    except Exception:  # reading it will tell what is wrong
        return 0


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECKSUM_BYTES).digest()


def _is_npz(path: PathLike) -> bool:
    return os.fsdecode(path).lower().endswith(".npz")


def _header(descriptor: VideoDescriptor) -> dict[str, Any]:
    health = descriptor.health
    return {
        "video_id": descriptor.video_id,
        "duration": descriptor.duration,
        "health": {name: getattr(health, name) for name in Health.__dataclass_fields__},
    }


def _split(data: bytes, file: PathLike | None) -> Iterator[bytes]:
    """Yield each byte string of a file, its frame and checksum verified."""
    whole = memoryview(data)
    start = 0
    if not data:
        raise DescriptorError("is empty", file=file, remedy=_DESCRIBE_AGAIN)
    while start < len(data):
        rest = len(data) - start
        if rest < _PREFIX.size or whole[start : start + 4] != MAGIC:
            raise DescriptorError("is not a vcd descriptor", file=file, remedy=_DESCRIBE_AGAIN)
        _, version, _, _, total = _PREFIX.unpack_from(data, start)
        if version > VERSION:
            raise DescriptorError(
                f"is of format version {version}, this vcd reads up to {VERSION}",
                file=file,
                remedy="update vcd, or describe the video again",
            )
        if not _PREFIX.size + _CHECKSUM_BYTES <= total <= rest:
            raise DescriptorError("is cut short", file=file, remedy=_DESCRIBE_AGAIN)
        end = start + total - _CHECKSUM_BYTES
        body = bytes(whole[start:end])
        if _checksum(body) != whole[end : end + _CHECKSUM_BYTES]:
            raise DescriptorError(
                "is damaged (checksum differs)", file=file, remedy=_DESCRIBE_AGAIN
            )
        yield body
        start += total


def _parse(body: bytes, file: PathLike | None) -> VideoDescriptor:
    header_length = _PREFIX.unpack_from(body)[3]
    offset = _PREFIX.size + header_length
    try:
        header = json.loads(body[_PREFIX.size : offset].decode("utf-8", "surrogateescape"))
        tracks = []
        for entry in header["tracks"]:
            n, d = entry["shape"]
            arrays = []
            for dtype, shape in (("<f8", (n, 2)), ("i1", (n, d)), ("<f4", (n,))):
                count = int(np.prod(shape))
                arrays.append(np.frombuffer(body, dtype, count, offset).reshape(shape))
                offset += arrays[-1].nbytes
            times, vectors, weight = arrays
            tracks.append(
                Track(
                    stream=entry["stream"],
                    model=entry["model"],
                    view=entry["view"],
                    times=times.astype(np.float64),
                    vectors=vectors.astype(np.int8),
                    weight=weight.astype(np.float32),
                )
            )
        return _assemble(header, tracks)
    except _MISFITS as error:
        raise DescriptorError(
            f"its parts do not fit together ({error})", file=file, remedy=_DESCRIBE_AGAIN
        ) from error


def _assemble(header: Mapping[str, Any], tracks: Sequence[Track]) -> VideoDescriptor:
    health = dict(header["health"])
    health["warnings"] = tuple(health["warnings"])
    return VideoDescriptor(
        video_id=header["video_id"],
        duration=header["duration"],
        tracks={t.key: t for t in tracks},
        health=Health(**health),
    )


def _to_arrays(descriptors: Sequence[VideoDescriptor]) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a VSC `.npz`; video ids are grouped and in the order given."""
    ids = [d.video_id for d in descriptors]
    if len(set(ids)) != len(ids):
        raise ContractError(
            "two descriptors share a video id", remedy="give every video a name of its own"
        )
    keys = sorted({key for d in descriptors for key in d.tracks} | {"visual"})
    arrays: dict[str, npt.NDArray[Any]] = {}
    for key in keys:
        owned = [(d.video_id, d.tracks[key]) for d in descriptors if key in d.tracks]
        names = [name for name, track in owned for _ in range(len(track))]
        sizes = {track.vectors.shape[1] for _, track in owned}
        if len(sizes) > 1 or len({track.model for _, track in owned}) > 1:
            raise ContractError(f"the {key} tracks come from different models")
        width = sizes.pop() if sizes else 0
        prefix = "" if key == "visual" else f"{key}:"
        none = np.zeros((0, width), np.float32)
        arrays[prefix + "video_ids"] = np.array(names, dtype=np.str_)
        arrays[prefix + "timestamps"] = np.concatenate(
            [np.zeros((0, 2)), *(track.times for _, track in owned)]
        )
        arrays[prefix + "features"] = np.concatenate(
            [none, *(track.unit_vectors() for _, track in owned)]
        )
        arrays[prefix + "weights"] = np.concatenate(
            [np.zeros(0, np.float32), *(track.weight for _, track in owned)]
        )
    headers = [
        _header(d)
        | {
            "tracks": [
                {"stream": t.stream, "model": t.model, "view": t.view} for t in d.tracks.values()
            ]
        }
        for d in descriptors
    ]
    arrays["vcd"] = np.array([json.dumps(header) for header in headers], dtype=np.str_)
    return arrays


def _from_npz(data: bytes, file: PathLike) -> list[VideoDescriptor]:
    try:
        arrays = _read_npz(data)
        if "vcd" in arrays:
            rows = {name: _rows_by_id(array) for name, array in arrays.items() if _is_ids(name)}
            return [_from_arrays(json.loads(str(text)), arrays, rows) for text in arrays["vcd"]]
        return _from_plain_vsc(arrays)
    except KeyError as error:
        raise DescriptorError(
            f"lacks the array {error}",
            file=file,
            remedy="a VSC file holds video_ids, timestamps and features",
        ) from error
    except _MISFITS as error:
        raise DescriptorError(
            f"is not a readable descriptor archive ({error})", file=file, remedy=_DESCRIBE_AGAIN
        ) from error


def _read_npz(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an archive; whatever is wrong with it is a ValueError."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # damage shows in zipfile, zlib, tokenize and NumPy's own parser
        raise ValueError(str(error) or type(error).__name__) from error


def _is_ids(name: str) -> bool:
    return name == "video_ids" or name.endswith(":video_ids")


def _rows_by_id(ids: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.intp]]:
    """Return the rows of every video, in the order of the file."""
    names, inverse = np.unique(ids, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(inverse, minlength=len(names)))[:-1])
    return dict(zip(names.tolist(), parts, strict=True)) if len(names) else {}


def _from_arrays(
    header: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    rows_by_id: Mapping[str, Mapping[str, npt.NDArray[np.intp]]],
) -> VideoDescriptor:
    tracks = []
    none = np.zeros(0, np.intp)
    for entry in header["tracks"]:
        full = entry["view"] == FULL_VIEW
        key = entry["stream"] if full else f"{entry['stream']}/{entry['view']}"
        prefix = "" if key == "visual" else f"{key}:"
        rows = rows_by_id[prefix + "video_ids"].get(header["video_id"], none)
        tracks.append(
            Track(
                stream=entry["stream"],
                model=entry["model"],
                view=entry["view"],
                times=arrays[prefix + "timestamps"][rows],
                vectors=arrays[prefix + "features"][rows],
                weight=arrays[prefix + "weights"][rows],
            )
        )
    return _assemble(header, tracks)


def _from_plain_vsc(arrays: Mapping[str, npt.NDArray[Any]]) -> list[VideoDescriptor]:
    """Read a `.npz` of another program: rows are scaled to unit length, the model is unknown."""
    ids = np.array([_vsc_id(value) for value in arrays["video_ids"]], dtype=np.str_)
    features = np.asarray(arrays["features"], dtype=np.float32)
    stamps = np.asarray(arrays["timestamps"], dtype=np.float64)
    if features.ndim != 2 or len(stamps) != len(ids) or len(features) != len(ids):
        raise ValueError("video_ids, timestamps and features differ in length")
    rows_of = _rows_by_id(ids)
    descriptors = []
    for name in dict.fromkeys(ids.tolist()):
        rows = rows_of[name]
        starts = stamps[rows] if stamps.ndim == 1 else stamps[rows, 0]
        rows = rows[np.argsort(starts, kind="stable")]
        times = stamps[rows]
        if times.ndim == 1:
            step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
            times = np.stack([times, times + step], axis=1)
        length = np.linalg.norm(features[rows], axis=1, keepdims=True)
        track = Track(
            stream="visual",
            model=_VSC_MODEL,
            times=times,
            vectors=features[rows] / np.maximum(length, 1e-9),
            weight=(length[:, 0] > 0).astype(np.float32),
        )
        descriptors.append(
            VideoDescriptor(name, float(times[:, 1].max(initial=0)), {"visual": track})
        )
    return descriptors


def _vsc_id(value: Any) -> str:
    return f"Q{int(value):06d}" if isinstance(value, np.integer) else str(value)
