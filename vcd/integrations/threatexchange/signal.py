"""The signal type `vcd`, what it says of a match, and its index, by ThreatExchange's contract.

`tx` imports this module at every command, so vcd's own rooms are imported where they are used.
"""

from __future__ import annotations

import logging
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from threatexchange.content_type.content_base import ContentType
from threatexchange.content_type.video import VideoContent
from threatexchange.signal_type.index import IndexMatch, SignalSimilarityInfo, SignalTypeIndex
from threatexchange.signal_type.signal_base import FileHasher, SignalComparisonResult, SignalType

from vcd.errors import HashStringError, VcdError

if TYPE_CHECKING:
    from vcd.engine import Engine
    from vcd.integrations.threatexchange.comparing import Statistics
    from vcd.integrations.threatexchange.hashes import VideoHash
    from vcd.integrations.threatexchange.shortlist import Shortlist
    from vcd.records import Match, VideoDescriptor

__all__ = ["VcdIndex", "VcdMatchInfo", "VcdSignal"]

T = TypeVar("T")

logger = logging.getLogger("vcd")

_EXAMPLE_ROWS = {"visual": 24, "audio": 44}
_STREAM_LETTERS = {"v": "visual", "a": "audio"}
_SEGMENT = re.compile(
    r"([0-9.]+)-([0-9.]+)@([0-9.]+)-([0-9.]+)\*(-?[0-9.]+)=([01]\.[0-9]{6})([va]{0,2})"
)


@dataclass
class VcdMatchInfo(SignalSimilarityInfo):
    """What is said of a match.

    Parameters
    ----------
    score : float
        Probability that something was copied, in [0, 1]; 0 where nothing was found.
    reference : str
        The checksum inside the reference's hash string.
    segments : list of dict
        As in the results of `vcd match`: `query_start`, `query_end`, `ref_start`, `ref_end`
        (seconds), `score`, `speed`, `streams`.

    Examples
    --------
    >>> info = VcdMatchInfo.parse("0.991000|4a9be5e3dda9f1c0|2.000-9.500@12.000-19.500*1=0.991000v")
    >>> info.score, info.reference
    (0.991, '4a9be5e3dda9f1c0')
    >>> info.segments[0]["ref_start"], info.segments[0]["streams"]
    (12.0, ['visual'])
    """

    score: float
    reference: str
    segments: list[dict[str, Any]]

    def pretty_str(self) -> str:
        """Return all of it without white space: score, reference, and a part for each segment.

        A segment reads ``query start-end@reference start-end*speed=score`` and the letters of its
        streams, ``v`` and ``a``; times in seconds, speed in reference seconds per query second.
        """
        parts = [f"{self.score:.6f}", self.reference]
        for s in self.segments:
            letters = "".join(k for k, name in _STREAM_LETTERS.items() if name in s["streams"])
            times = f"{s['query_start']:.3f}-{s['query_end']:.3f}"
            there = f"{s['ref_start']:.3f}-{s['ref_end']:.3f}"
            parts.append(f"{times}@{there}*{_plain(s['speed'])}={s['score']:.6f}{letters}")
        return "|".join(parts)

    @classmethod
    def parse(cls, text: str) -> VcdMatchInfo:
        """Read what `pretty_str` returned, from the output of `tx match` or HMA's "distance".

        Raises
        ------
        HashStringError
            It is something else.
        """
        score, *rest = text.strip().split("|")
        found = [_SEGMENT.fullmatch(part) for part in rest[1:]]
        try:
            if not rest or not all(found):
                raise ValueError("no segments")
            segments = [_segment(match) for match in found if match is not None]
            return cls(float(score), rest[0], segments)
        except ValueError as error:
            raise HashStringError(
                f"is not what vcd says of a match: {text[:40]!r}", remedy="give it the whole word"
            ) from error

    def __lt__(self, other: Any) -> bool:
        """Whether this match is nearer: more probable."""
        if isinstance(other, VcdMatchInfo):
            return self.score > other.score
        return bool(super().__lt__(other))


def _plain(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")


def _segment(found: re.Match[str]) -> dict[str, Any]:
    numbers = [float(number) for number in found.groups()[:6]]
    keys = ("query_start", "query_end", "ref_start", "ref_end", "speed", "score")
    streams = [name for letter, name in _STREAM_LETTERS.items() if letter in found[7]]
    return {**dict(zip(keys, numbers, strict=True)), "streams": streams}


@cache
def _engine(signal_type: type[VcdSignal]) -> Engine:
    """Return the engine of a signal type, always the same."""
    from vcd.engine import Engine

    return Engine(**signal_type.SETTINGS)


class VcdSignal(SignalType, FileHasher):
    """Videos by what they show and sound like; matches say from where to where.

    Neither `tx` nor HMA passes settings to a signal type. For other ones make a subclass, with a
    name of its own, and another `SETTINGS`::

        class StrictVcdSignal(VcdSignal):
            SETTINGS = {"threshold": "strict", "limits": Limits(max_wall_time=60)}

    Attributes
    ----------
    SETTINGS : mapping
        Of `vcd.Engine`.
    PATIENCE : int
        How many references in a row may prove to hold nothing, the most promising first, before
        an index stops looking. Up to so many are all compared.
    """

    SETTINGS: ClassVar[Mapping[str, Any]] = {}
    PATIENCE: ClassVar[int] = 32

    @classmethod
    def engine(cls) -> Engine:
        """Return the engine that hashes and compares."""
        return _engine(cls)

    @classmethod
    def get_content_types(cls) -> list[type[ContentType]]:
        """Return what it applies to: videos."""
        return [VideoContent]

    @classmethod
    def get_index_cls(cls) -> type[SignalTypeIndex[Any]]:
        """Return the index."""
        return _index_of(cls)

    @classmethod
    def validate_signal_str(cls, signal_str: str) -> str:
        """Return a hash string without white space around it.

        Raises
        ------
        HashStringError
            It is no hash string of either form, or by other models.
        """
        text = signal_str.strip()
        cls.parse(text)
        return text

    @classmethod
    def parse(cls, signal_str: str) -> VideoHash:
        """Return what a hash string holds; see `validate_signal_str`."""
        from vcd.integrations.threatexchange.hashes import parse_hash

        engine = cls.engine()
        return parse_hash(signal_str.strip(), engine.models, most=engine.limits.max_hash)

    @classmethod
    def hash_from_file(cls, file: pathlib.Path) -> str:
        """Return the full hash of a file, "" (with the reason logged) where it cannot be hashed.

        What it is, is found in its content: a name without ending will do.
        """
        from vcd.integrations.threatexchange.hashes import full_hash

        try:
            return full_hash(cls.engine().describe(file))
        except VcdError as error:
            logger.warning("%s", error)
            return ""

    @classmethod
    def compact(cls, signal_str: str) -> str:
        """Return the compact hash of a full one, a compact one as it is.

        Raises
        ------
        HashStringError
            It is no hash string, or nothing in the video says anything.
        """
        from vcd.integrations.threatexchange.hashes import compact_hash

        parsed = cls.parse(signal_str)
        return signal_str.strip() if parsed.compact else compact_hash(parsed.descriptor)

    @classmethod
    def compare_hash(cls, hash1: str, hash2: str) -> SignalComparisonResult:
        """Look for parts of the second video, the reference, in the first, the query.

        Raises
        ------
        HashStringError
        """
        from vcd.integrations.threatexchange.comparing import compare, prepare

        first, second = cls.parse(hash1), cls.parse(hash2)
        engine = cls.engine()
        query = prepare(engine, first, others_compact=second.compact)
        reference = prepare(engine, second, others_compact=first.compact)
        match = compare(engine, query, reference)
        return SignalComparisonResult(match is not None, _info(match, second.checksum))

    @staticmethod
    def get_examples() -> list[str]:
        """Return the hashes of one made-up video, full and compact.

        It shows and sounds like the background descriptors that come with the models.
        """
        from vcd.integrations.threatexchange.hashes import compact_hash, full_hash

        video = _made_up(VcdSignal.engine())
        return [full_hash(video), compact_hash(video)]


def _made_up(engine: Engine) -> VideoDescriptor:
    import numpy as np

    from vcd.descriptors import load_background
    from vcd.records import Track, VideoDescriptor

    tracks = []
    for stream, info in engine.models.items():
        background = load_background(info)
        if background is None:
            continue
        rows = background[: _EXAMPLE_ROWS[stream]]
        starts = np.arange(len(rows)) * float(info.input.get("hop", 1 / engine.rate))
        length = float(info.input.get("window", 1 / engine.rate))
        times = np.stack([starts, starts + length], axis=1)
        tracks.append(Track(stream, info.id, times, rows, np.ones(len(rows), np.float32)))
    duration = max(float(track.times.max()) for track in tracks)
    return VideoDescriptor("example", duration, {t.key: t for t in tracks})


def _info(match: Match | None, reference: str) -> VcdMatchInfo:
    if match is None:
        return VcdMatchInfo(0.0, reference, [])
    record = match.to_dict()
    return VcdMatchInfo(record["score"], reference, record["segments"])


class VcdIndex(SignalTypeIndex[T]):
    """Hash strings of references, and what belongs to each.

    A query is compared by the localizer with the references that look most promising, until
    `VcdSignal.PATIENCE` of them in a row hold nothing. Each reference that matches gives one match
    with all its segments, the most probable first.
    """

    SIGNAL_TYPE: ClassVar[type[VcdSignal]] = VcdSignal

    def __init__(self) -> None:
        from vcd.integrations.threatexchange.shortlist import Shortlist

        self._entries: dict[str, list[T]] = {}
        self._statistics: list[Statistics] = []  # in the order of the entries
        self._shortlist: Shortlist = Shortlist()

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds, by which both `tx` and HMA keep an index."""
        return dict(vars(self))

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    def __reduce__(self) -> tuple[Any, ...]:
        return _new_index, (self.SIGNAL_TYPE,), self.__getstate__()

    def add(self, signal_str: str, entry: T) -> None:
        """Add a reference.

        Raises
        ------
        HashStringError
        """
        from vcd.integrations.threatexchange.comparing import prepare
        from vcd.integrations.threatexchange.shortlist import lay_out

        text = signal_str.strip()
        if text not in self._entries:
            engine = self.SIGNAL_TYPE.engine()
            prepared = prepare(engine, self.SIGNAL_TYPE.parse(text))
            self._shortlist.add(lay_out(engine, prepared))
            self._statistics.append(prepared.statistics)
        self._entries.setdefault(text, []).append(entry)

    def add_all(self, entries: Iterable[tuple[str, T]]) -> None:
        """Add references; one that cannot be read is logged and costs nothing but itself."""
        for signal_str, entry in entries:
            try:
                self.add(signal_str, entry)
            except VcdError as error:
                logger.warning("not in the index: %.40s... %s", signal_str, error)

    def query(self, query: str) -> Sequence[IndexMatch[T]]:
        """Return a match for each entry in which something of the query was found.

        An empty string, which stands for a file that could not be hashed, matches nothing.

        Raises
        ------
        HashStringError
        """
        if not query.strip():
            return []
        found = sorted(self._matches(self.SIGNAL_TYPE.parse(query)), key=lambda m: -m[0].score)
        return [IndexMatch[T](info, entry) for info, text in found for entry in self._entries[text]]

    def _matches(self, asked: VideoHash) -> Iterator[tuple[VcdMatchInfo, str]]:
        from vcd.integrations.threatexchange.comparing import compare, prepare
        from vcd.integrations.threatexchange.hashes import COMPACT
        from vcd.integrations.threatexchange.shortlist import lay_out

        engine = self.SIGNAL_TYPE.engine()
        queries = {False: prepare(engine, asked)}  # by whether references are compact
        references = list(self._entries)
        missed = 0
        compact = asked.compact or any(text.startswith(COMPACT) for text in references)
        for number in self._shortlist.ranking(lay_out(engine, queries[False]), compact=compact):
            text = references[number]
            found = self.SIGNAL_TYPE.parse(text)
            if found.compact not in queries:
                queries[True] = prepare(engine, asked, others_compact=True)
            statistics = None if asked.compact else self._statistics[number]
            reference = prepare(engine, found, others_compact=asked.compact, statistics=statistics)
            try:
                match = compare(engine, queries[found.compact], reference)
            except VcdError as error:
                logger.warning("left out: %.40s... %s", text, error)
                continue
            missed = 0 if match is not None else missed + 1
            if match is not None:
                yield _info(match, found.checksum), text
            elif missed >= self.SIGNAL_TYPE.PATIENCE:
                return


@cache
def _index_of(signal_type: type[VcdSignal]) -> type[VcdIndex[Any]]:
    if signal_type is VcdSignal:
        return VcdIndex
    return type(f"{signal_type.__name__}Index", (VcdIndex,), {"SIGNAL_TYPE": signal_type})


def _new_index(signal_type: type[VcdSignal]) -> SignalTypeIndex[Any]:
    """Return an empty index; pickles name the signal type, for the index may have no module."""
    return signal_type.get_index_cls()()
