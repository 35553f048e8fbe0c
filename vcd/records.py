"""The frozen records that cross rooms, checked when they are made.

Conventions
-----------
Times are float64 seconds from the first presented frame or sample of the file; intervals are
half-open, ``[start, end)``. Axis 0 of a matrix is the query, axis 1 the reference. Arrays are
C-contiguous and read-only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from vcd.errors import ContractError, PathLike, display_name

__all__ = [
    "FULL_VIEW",
    "STREAMS",
    "FloatArray",
    "Health",
    "Match",
    "Segment",
    "SimilarityMatrix",
    "Stream",
    "TimeArray",
    "Track",
    "VideoDescriptor",
]

Stream = Literal["visual", "audio"]
STREAMS: tuple[Stream, ...] = get_args(Stream)
FULL_VIEW = "full"

FloatArray = npt.NDArray[np.float32]
TimeArray = npt.NDArray[np.float64]

_UNIT_TOLERANCE = 1e-3
_LONGEST = 1e8  # seconds, three years: no file lasts longer, and sums and rates of times stay exact
_TIME_DIGITS, _SCORE_DIGITS = 3, 6  # of JSON


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a C-contiguous read-only array with the same values."""
    contiguous = np.ascontiguousarray(array)
    if contiguous.flags.writeable:
        contiguous = contiguous.view()
        contiguous.flags.writeable = False
    return contiguous


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ContractError(problem)


def _check_times(times: npt.NDArray[Any], name: str) -> None:
    _require(
        times.ndim == 2 and times.shape[1] == 2 and times.dtype == np.float64,
        f"{name} must be float64 of shape (n, 2), got {times.dtype} {times.shape}",
    )
    if len(times):
        _require(
            bool((np.abs(times) <= _LONGEST).all()),
            f"{name} must be finite and within {_LONGEST:g} seconds",
        )
        _require(bool((times[:, 1] >= times[:, 0]).all()), f"{name} must not end before they start")
        _require(bool((np.diff(times[:, 0]) >= 0).all()), f"{name} must not go backwards")


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The descriptors of one stream of one video, in time order.

    Parameters
    ----------
    stream : {"visual", "audio"}
    model : str
        Id of the model in the manifest that made the vectors.
    times : ndarray of float64, shape (n, 2)
        Start and end in seconds of what each vector describes.
    vectors : ndarray of float32 or int8, shape (n, d)
        float32: rows of unit length. int8: the same rows times one factor each; as a row has unit
        length the factor need not be kept (`unit_vectors` finds it again). A row of zeros stands
        for "nothing to describe" and has weight 0.
    weight : ndarray of float32, shape (n,)
        How much a position can testify, from 0 (black, flat, silent) to 1.
    view : str
        What part of the picture is described; "full" is the whole.

    Raises
    ------
    ContractError
        Shapes, types or ranges are not as above.

    Examples
    --------
    >>> import numpy as np, vcd
    >>> times = np.array([[0.0, 0.5], [0.5, 1.0]])
    >>> vcd.Track("visual", "mine-1", times, np.eye(2, dtype=np.float32), np.ones(2, np.float32))
    Track(visual, mine-1, (2, 2) float32)
    """

    stream: Stream
    model: str
    times: TimeArray
    vectors: npt.NDArray[np.float32] | npt.NDArray[np.int8]
    weight: FloatArray
    view: str = FULL_VIEW

    def __post_init__(self) -> None:
        _require(self.stream in STREAMS, f"stream must be one of {STREAMS}, got {self.stream!r}")
        _require(bool(self.model), "a track needs the id of its model")
        _require(bool(self.view) and "/" not in self.view, f"not a view name: {self.view!r}")
        _check_times(self.times, "track times")
        n = len(self.times)
        _require(
            self.vectors.ndim == 2 and len(self.vectors) == n and self.vectors.shape[1] > 0,
            f"vectors must have shape ({n}, d), got {self.vectors.shape}",
        )
        _require(
            self.vectors.dtype in (np.float32, np.int8),
            f"vectors must be float32 or int8, got {self.vectors.dtype}",
        )
        _require(
            self.weight.shape == (n,) and self.weight.dtype == np.float32,
            f"weight must be float32 of shape ({n},), got {self.weight.dtype} {self.weight.shape}",
        )
        _require(
            n == 0 or bool((self.weight >= 0).all() and (self.weight <= 1).all()),
            "weights must lie in [0, 1]",
        )
        square = np.einsum("nd,nd->n", self.vectors, self.vectors, dtype=np.float64)
        nothing = square == 0
        _require(bool((self.weight[nothing] == 0).all()), "a row of zeros must have weight 0")
        if self.vectors.dtype == np.float32:
            unit = np.abs(np.sqrt(square[~nothing]) - 1) <= _UNIT_TOLERANCE
            _require(bool(unit.all()), "float32 vectors must have unit length")
        for name in ("times", "vectors", "weight"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.times)

    def __repr__(self) -> str:
        return f"Track({self.key}, {self.model}, {self.vectors.shape} {self.vectors.dtype})"

    @property
    def key(self) -> str:
        """Name of the track inside its video: the stream, with the view where it is not full."""
        return self.stream if self.view == FULL_VIEW else f"{self.stream}/{self.view}"

    def unit_vectors(self) -> FloatArray:
        """Return the vectors as float32 rows of unit length (zero rows stay zero), shape (n, d)."""
        if self.vectors.dtype == np.float32:
            return self.vectors  # type: ignore[return-value]
        rows = self.vectors.astype(np.float32)
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.maximum(length, 1e-9)  # type: ignore[no-any-return]

    def quantised(self) -> Track:
        """Return the same track with int8 vectors, one factor a row; twice is the same as once."""
        if self.vectors.dtype == np.int8:
            return self
        largest = np.abs(self.vectors).max(axis=1, keepdims=True, initial=0)
        rows = np.rint(self.vectors * (127 / np.maximum(largest, 1e-9))).astype(np.int8)
        return replace(self, vectors=rows)


@dataclass(frozen=True, slots=True)
class Health:
    """How much of a file could be read.

    Frames are counted at the sampling rate asked for and audio samples at 16 kHz; *expected* is
    what the container's own duration promises. Warnings are sentences for a person.
    """

    frames_decoded: int = 0
    frames_expected: int = 0
    samples_decoded: int = 0
    samples_expected: int = 0
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        counts = (
            self.frames_decoded,
            self.frames_expected,
            self.samples_decoded,
            self.samples_expected,
        )
        _require(min(counts) >= 0, f"counts must not be negative, got {counts}")

    @property
    def damaged(self) -> bool:
        """Whether anything was lost or odd."""
        return bool(self.warnings)


@dataclass(frozen=True, slots=True, eq=False)
class VideoDescriptor:
    """Everything vcd keeps of a video: one track a stream (and view), and how well it was read.

    Parameters
    ----------
    video_id : str
        Name under which results mention the video.
    duration : float
        Seconds.
    tracks : mapping of str to Track, or iterable of Track
        By `Track.key`: ``"visual"``, ``"audio"``, and ``"visual/centre"`` for a further view.
    health : Health

    Raises
    ------
    ContractError
        Two tracks share a key, a key is not its track's, or the duration is negative.

    Examples
    --------
    >>> import vcd
    >>> video = vcd.describe("query.mp4")
    >>> {"audio", "visual"} <= video.tracks.keys(), round(video.duration)
    (True, 12)
    >>> video.save("query.vcd")
    >>> vcd.VideoDescriptor.load("query.vcd").video_id
    'query'
    """

    video_id: str
    duration: float
    tracks: Mapping[str, Track] = field(default_factory=dict)
    health: Health = field(default_factory=Health)

    def __post_init__(self) -> None:
        _require(
            isinstance(self.video_id, str) and bool(self.video_id),
            "a descriptor needs a video id, as text",
        )
        _require(
            0 <= self.duration <= _LONGEST,
            f"duration must lie in [0, {_LONGEST:g}] seconds, got {self.duration}",
        )
        by_key: dict[str, Track] = {}
        given: Iterable[Track]
        if isinstance(self.tracks, Mapping):
            for key, track in self.tracks.items():
                _require(key == track.key, f"track {track.key!r} lies under the name {key!r}")
            given = self.tracks.values()
        else:
            given = self.tracks
        for track in given:
            _require(track.key not in by_key, f"two tracks are named {track.key!r}")
            by_key[track.key] = track
        object.__setattr__(self, "tracks", MappingProxyType(by_key))

    def __reduce__(self) -> tuple[Any, ...]:
        return VideoDescriptor, (self.video_id, self.duration, dict(self.tracks), self.health)

    def to_bytes(self) -> bytes:
        """Return the versioned byte string (int8 vectors, checksum) of `vcd.encoding`."""
        from vcd import encoding

        return encoding.to_bytes(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> VideoDescriptor:
        """Read what `to_bytes` wrote; raise `DescriptorError` where it is damaged."""
        from vcd import encoding

        return encoding.from_bytes(data)

    def save(self, path: PathLike) -> None:
        """Write a VSC `.npz` where the name ends so, else the byte string.

        The file appears whole or not at all; `OutputError` where it cannot be written.
        """
        from vcd import encoding

        encoding.save(path, [self])

    @classmethod
    def load(cls, path: PathLike) -> VideoDescriptor:
        """Read a file of one descriptor; raise `DescriptorError` where it cannot be."""
        from vcd import encoding

        return encoding.load_one(path)


@dataclass(frozen=True, slots=True, eq=False)
class SimilarityMatrix:
    """How similar every position of a query is to every position of a reference.

    Parameters
    ----------
    values : ndarray of float32, shape (n_query, n_ref)
        Cosine similarities in [-1, 1]; after normalisation, centred on what unrelated content
        reaches.
    query_times, ref_times : ndarray of float64, shape (n, 2)
        Start and end of each row and column.
    stream : {"visual", "audio", "fused"}
    excess : ndarray of float32, shape (n_query, n_ref), optional
        How far each cell exceeds the level that unrelated content reaches there, divided by what
        counts as full evidence in this stream; 0 says nothing. Only after normalisation.

    Examples
    --------
    >>> import numpy as np, vcd
    >>> times = np.array([[0.0, 0.5], [0.5, 1.0]])
    >>> vcd.SimilarityMatrix(np.eye(2, dtype=np.float32), times, times, "visual")
    SimilarityMatrix(visual, (2, 2), cosine)
    """

    values: FloatArray
    query_times: TimeArray
    ref_times: TimeArray
    stream: Literal["visual", "audio", "fused"]
    excess: FloatArray | None = None

    def __post_init__(self) -> None:
        _check_times(self.query_times, "query times")
        _check_times(self.ref_times, "reference times")
        shape = (len(self.query_times), len(self.ref_times))
        for name, array in (("values", self.values), ("excess", self.excess)):
            if array is None:
                continue
            _require(
                array.shape == shape and array.dtype == np.float32,
                f"{name} must be float32 of shape {shape}, got {array.dtype} {array.shape}",
            )
            _require(bool(np.isfinite(array).all()), f"{name} must be finite")
            object.__setattr__(self, name, _frozen(array))
        object.__setattr__(self, "query_times", _frozen(self.query_times))
        object.__setattr__(self, "ref_times", _frozen(self.ref_times))

    @property
    def evidence(self) -> FloatArray:
        """Bounded evidence for a copy in [-1, 1], 0 = "says nothing", shape (n_query, n_ref)."""
        if self.excess is None:
            raise ContractError(
                "this matrix holds plain cosines and no evidence",
                remedy="normalise it first: vcd.similarity.normalise",
            )
        return np.clip(self.excess, -1, 1)

    def __repr__(self) -> str:
        state = "cosine" if self.excess is None else "normalised"
        return f"SimilarityMatrix({self.stream}, {self.values.shape}, {state})"


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a query that shows, or sounds like, a part of a reference.

    `score` is the probability in [0, 1] that this is a copy; `speed` is reference seconds per query
    second, negative where the copy runs backwards; `streams` says which streams bear it out.

    Examples
    --------
    >>> import vcd
    >>> segment = vcd.Segment(2.0, 9.5, 12.0, 19.5, 0.99, frozenset({"visual"}))
    >>> segment.length, segment.to_dict()["ref_start"]
    (7.5, 12.0)
    """

    query_start: float
    query_end: float
    ref_start: float
    ref_end: float
    score: float
    streams: frozenset[Stream] = frozenset()
    speed: float = 1.0

    def __post_init__(self) -> None:
        bounds = (self.query_start, self.query_end, self.ref_start, self.ref_end)
        _require(all(math.isfinite(b) for b in bounds), f"bounds must be finite, got {bounds}")
        _require(
            self.query_start <= self.query_end and self.ref_start <= self.ref_end,
            f"a segment must not end before it starts, got {bounds}",
        )
        _require(0 <= self.score <= 1, f"score must lie in [0, 1], got {self.score}")
        _require(
            math.isfinite(self.speed) and self.speed != 0,
            f"speed must be finite and not 0, got {self.speed}",
        )
        _require(self.streams <= set(STREAMS), f"unknown streams: {sorted(self.streams)}")

    @property
    def length(self) -> float:
        """Length in the query, in seconds."""
        return self.query_end - self.query_start

    def to_dict(self) -> dict[str, Any]:
        """Return the segment as the JSON object of all results, times to the millisecond."""
        return {
            "query_start": _rounded(self.query_start, _TIME_DIGITS),
            "query_end": _rounded(self.query_end, _TIME_DIGITS),
            "ref_start": _rounded(self.ref_start, _TIME_DIGITS),
            "ref_end": _rounded(self.ref_end, _TIME_DIGITS),
            "score": _rounded(self.score, _SCORE_DIGITS),
            "speed": _rounded(self.speed, _SCORE_DIGITS),
            "streams": [stream for stream in STREAMS if stream in self.streams],
        }


@dataclass(frozen=True, slots=True)
class Match:
    """A query and a reference that share at least one segment (sorted by query start).

    Examples
    --------
    >>> import vcd
    >>> segment = vcd.Segment(2.0, 9.5, 12.0, 19.5, 0.99, frozenset({"visual"}))
    >>> vcd.Match("upload", "film", 0.99, (segment,)).to_dict()["segments"][0]["streams"]
    ['visual']
    """

    query_id: str
    ref_id: str
    score: float
    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        _require(0 <= self.score <= 1, f"score must lie in [0, 1], got {self.score}")
        ordered = tuple(sorted(self.segments, key=lambda s: (s.query_start, s.ref_start)))
        object.__setattr__(self, "segments", ordered)

    def to_dict(self) -> dict[str, Any]:
        """Return the match as a JSON object: that of `vcd match` less the coverages.

        Those need the durations, which a match does not hold.
        """
        return {
            "query": display_name(self.query_id),
            "reference": display_name(self.ref_id),
            "score": _rounded(self.score, _SCORE_DIGITS),
            "segments": [segment.to_dict() for segment in self.segments],
        }

    def to_json(self) -> str:
        """Return `to_dict` as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)


def _rounded(value: float, digits: int) -> float:
    return round(float(value), digits) + 0.0  # + 0.0 turns -0.0 into 0.0
