"""What a report shows: a pair of videos with its match, and a whole run; the caller fills it."""

from __future__ import annotations

import math
import mimetypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from vcd.errors import ContractError, VcdError, display_name
from vcd.records import Match, SimilarityMatrix

__all__ = [
    "MATRIX_STREAMS",
    "MatrixStream",
    "MediaKind",
    "MediaView",
    "PairView",
    "RunReport",
    "matrix_streams",
    "query_coverage",
    "ref_coverage",
]

MediaKind = Literal["video", "sound", "picture"]
MatrixStream = Literal["visual", "audio", "fused"]
MATRIX_STREAMS: tuple[MatrixStream, ...] = ("visual", "audio", "fused")


@dataclass(frozen=True, slots=True)
class MediaView:
    """One side of a pair as a report shows it.

    Parameters
    ----------
    name : str
        Name to show; made printable by `vcd.errors.display_name`.
    duration : float
        Seconds; 0 for a picture.
    path : Path, optional
        The media file, for players and thumbnails.
    kind : {"video", "sound", "picture"}, optional
        What a browser should take the file for; guessed from the name where left out.

    Raises
    ------
    ContractError
        The duration is negative or not finite.
    """

    name: str
    duration: float
    path: Path | None = None
    kind: MediaKind | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.duration) and self.duration >= 0):
            raise ContractError(f"duration must be finite and not negative, got {self.duration}")
        object.__setattr__(self, "name", display_name(self.name))
        if self.kind is None:
            object.__setattr__(self, "kind", _guess_kind(self.path))


@dataclass(frozen=True, slots=True, eq=False)
class PairView:
    """A match together with all that a report may show of it.

    Parameters
    ----------
    match : Match
    query, reference : MediaView
    matrices : mapping of {"visual", "audio", "fused"} to SimilarityMatrix
        For heat maps; may be empty.
    sure_from : float, optional
        Probability from which a match may be acted upon unseen; where left out, none is known.

    Raises
    ------
    ContractError
        A matrix lies under a name that is no stream.
    """

    match: Match
    query: MediaView
    reference: MediaView
    matrices: Mapping[str, SimilarityMatrix] = field(default_factory=dict)
    sure_from: float | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.matrices) - set(MATRIX_STREAMS))
        if unknown:
            raise ContractError(f"matrices go by {MATRIX_STREAMS}, got {unknown}")
        object.__setattr__(self, "matrices", MappingProxyType(dict(self.matrices)))

    def is_sure(self, score: float) -> bool | None:
        """Whether a probability suffices to act upon; None where that is not known."""
        return None if self.sure_from is None else score >= self.sure_from


@dataclass(frozen=True, slots=True, eq=False)
class RunReport:
    """A whole run.

    Parameters
    ----------
    pairs : iterable of PairView
        Read once, in the order given: a generator that makes each pair when asked keeps memory
        small.
    queries, references : int
        How many were compared.
    threshold : float, optional
        Probability from which a match is reported.
    version : str
        Version of vcd.
    failures : tuple of VcdError
        Inputs that could not be used.
    subject : str
        What was matched, as a title: "suspects/ in library.vcd".
    finished : datetime, optional
        When the run ended.
    """

    pairs: Iterable[PairView]
    queries: int
    references: int
    threshold: float | None = None
    version: str = ""
    failures: tuple[VcdError, ...] = ()
    subject: str = ""
    finished: datetime | None = None


def matrix_streams(pair: PairView) -> list[str]:
    """Return the streams to draw: picture and sound, or fused where it is alone.

    A stream that bears out a segment stands before one that does not.
    """
    testify = {stream for s in pair.match.segments for stream in s.streams}
    present = sorted(
        (stream for stream in MATRIX_STREAMS if stream in pair.matrices),
        key=lambda stream: stream not in testify,
    )
    return [stream for stream in present if stream != "fused"] or [*present]


def query_coverage(match: Match, duration: float) -> float:
    """Return the share of the query that its segments cover together, in [0, 1].

    Parameters
    ----------
    match : Match
    duration : float
        Of the query, in seconds. Where it is 0 (a picture), any segment covers all of it.
    """
    return _covered(((s.query_start, s.query_end) for s in match.segments), duration)


def ref_coverage(match: Match, duration: float) -> float:
    """Return the share of the reference that its segments cover together, in [0, 1].

    Parameters
    ----------
    match : Match
    duration : float
        Of the reference, in seconds. Where it is 0 (a picture), any segment covers all of it.
    """
    return _covered(((s.ref_start, s.ref_end) for s in match.segments), duration)


def _covered(intervals: Iterable[tuple[float, float]], duration: float) -> float:
    """Return the length of the union of half-open intervals inside [0, duration), as a share."""
    ordered = sorted(intervals)
    if duration <= 0:
        return 1.0 if ordered else 0.0
    total = reached = 0.0
    for start, end in ordered:
        fresh = max(start, reached)
        last = min(end, duration)
        if last > fresh:
            total += last - fresh
            reached = last
    return min(total / duration, 1.0)


def _guess_kind(path: Path | None) -> MediaKind:
    major = (mimetypes.guess_type(path.name)[0] or "").partition("/")[0] if path else ""
    kinds: dict[str, MediaKind] = {"image": "picture", "audio": "sound"}
    return kinds.get(major, "video")
