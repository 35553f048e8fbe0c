"""Which matches of a collection are duplicates, and which videos belong together: a policy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from vcd.library import Entry
from vcd.records import Match, Segment
from vcd.report import query_coverage, ref_coverage

__all__ = ["Duplicates", "Found", "Group", "Pair", "Policy", "group"]

Kind = Literal["same", "clip", "part"]

_WHOLE = 0.8  # share of a video from which all of it counts as copied: ends are found less surely
_OVERLAP = _HALF = 0.5
_EDGE_SECONDS, _EDGE_SHARE = 3.0, 0.05  # of the ends of a video, where intros lie


@dataclass(frozen=True, slots=True)
class Policy:
    """What counts as a duplicate.

    Parameters
    ----------
    threshold : float
        Smallest probability of a segment.
    sound : bool
        Also what is borne out by the sound alone while both show pictures: the same music, or one
        recording under other pictures.
    common : bool
        Also what three videos or more have at their beginning or end: intros, jingles, credits.
    longest_common : float
        Seconds; what is longer is no intro. Nor is what fills half of a video.
    """

    threshold: float
    sound: bool = False
    common: bool = False
    longest_common: float = 30.0


@dataclass(frozen=True, slots=True)
class Found:
    """A match of two videos of a collection, of every probability that may tell something.

    `other_pictures` tells of each segment whether both videos show something there and the picture
    does not bear it out.
    """

    first: Entry
    second: Entry
    match: Match
    other_pictures: tuple[bool, ...]

    def sides(self, segment: Segment) -> tuple[tuple[Entry, Span], tuple[Entry, Span]]:
        """Return both videos with the part of each that a segment names."""
        return (
            (self.first, (segment.query_start, segment.query_end)),
            (self.second, (segment.ref_start, segment.ref_end)),
        )


Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two videos that share something.

    "same": nearly all of both; "clip": nearly all of the first lies in the second; "part": parts.
    """

    first: Entry
    second: Entry
    match: Match
    kind: Kind


@dataclass(frozen=True, slots=True)
class Group:
    """Videos that belong together by their pairs, the representative first.

    `compilations` are those of which half or more is shared with several others, which do not
    share it among themselves.
    """

    videos: tuple[Entry, ...]
    pairs: tuple[Pair, ...]
    compilations: frozenset[str] = frozenset()

    @property
    def representative(self) -> Entry:
        """The video of the largest picture, then the longest, then the least damaged."""
        return self.videos[0]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What came of a search for duplicates.

    `only_sound` and `only_common` count pairs left out for sharing nothing but that; `decided`
    those that a person decided to be no duplicates; `compared` the pairs that were localized.
    """

    groups: tuple[Group, ...]
    videos: int = 0
    compared: int = 0
    only_sound: int = 0
    only_common: int = 0
    decided: int = 0


def group(
    found: Sequence[Found], policy: Policy, separated: Collection[tuple[str, str]] = ()
) -> Duplicates:
    """Return the groups of duplicates, the largest first.

    Parameters
    ----------
    found : sequence of Found
        Each two videos once.
    policy : Policy
    separated : collection of (str, str)
        Pairs of identities, each in order, that are decided to be no duplicates.
    """
    shared = _Shared(found, policy)
    pairs: list[Pair] = []
    left_out = {"sound": 0, "common": 0, "decided": 0}
    for one in found:
        surely = [
            (s, other)
            for s, other in zip(one.match.segments, one.other_pictures, strict=True)
            if s.score >= policy.threshold
        ]
        if not surely:
            continue
        identities = sorted((one.first.identity, one.second.identity))
        if (identities[0], identities[1]) in separated:
            left_out["decided"] += 1
            continue
        seen = [s for s, other in surely if policy.sound or not other]
        kept = [s for s in seen if policy.common or not shared.is_common(one, s)]
        if kept:
            match = replace(one.match, score=max(s.score for s in kept), segments=tuple(kept))
            pairs.append(Pair(one.first, one.second, match, _kind(one, match)))
        else:
            left_out["common" if seen else "sound"] += 1
    return Duplicates(
        groups=_components(pairs),
        only_sound=left_out["sound"],
        only_common=left_out["common"],
        decided=left_out["decided"],
    )


class _Shared:
    """What parts of each video others share with it, to tell intros from copies."""

    def __init__(self, found: Iterable[Found], policy: Policy) -> None:
        self._longest = policy.longest_common
        self._parts: dict[int, list[tuple[int, Span]]] = defaultdict(list)
        for one in found:
            for segment in one.match.segments:
                if self._may_be_intro(one, segment):
                    (first, one_part), (second, other_part) = one.sides(segment)
                    self._parts[first.key].append((second.key, one_part))
                    self._parts[second.key].append((first.key, other_part))

    def is_common(self, found: Found, segment: Segment) -> bool:
        """Whether a third video begins or ends with the same."""
        if not self._may_be_intro(found, segment):
            return False
        pair = {found.first.key, found.second.key}
        return any(
            other not in pair and _overlap(span, part) >= _OVERLAP
            for entry, span in found.sides(segment)
            for other, part in self._parts[entry.key]
        )

    def _may_be_intro(self, found: Found, segment: Segment) -> bool:
        """Whether both videos begin, or both end, with a part that is short for both."""
        sides = found.sides(segment)
        short = all(
            end - start <= min(self._longest, entry.duration / 2) for entry, (start, end) in sides
        )
        begin = all(start <= _edge(entry) for entry, (start, _) in sides)
        close = all(end >= entry.duration - _edge(entry) for entry, (_, end) in sides)
        return short and (begin or close)


def _edge(entry: Entry) -> float:
    return max(_EDGE_SECONDS, _EDGE_SHARE * entry.duration)


def _overlap(one: Span, other: Span) -> float:
    """Return the length that two parts share, as a share of the longer; not positive for none."""
    common = min(one[1], other[1]) - max(one[0], other[0])
    return common / max(one[1] - one[0], other[1] - other[0], 1e-9)


def _kind(found: Found, match: Match) -> Kind:
    first = query_coverage(match, found.first.duration) >= _WHOLE
    second = ref_coverage(match, found.second.duration) >= _WHOLE
    if first and second:
        return "same"
    return "clip" if first else "part"


def _components(pairs: Sequence[Pair]) -> tuple[Group, ...]:
    """Return the videos that pairs connect, directly or through others."""
    parent: dict[int, int] = {}

    def root(key: int) -> int:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for pair in pairs:
        parent[root(pair.second.key)] = root(pair.first.key)
    by_root: dict[int, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_root[root(pair.first.key)].append(pair)
    groups = []
    for members in by_root.values():
        entries = {e.key: e for pair in members for e in (pair.first, pair.second)}
        groups.append(
            Group(
                videos=tuple(sorted(entries.values(), key=_rank)),
                pairs=tuple(sorted(members, key=lambda p: -p.match.score)),
                compilations=_compilations(entries, members),
            )
        )
    return tuple(sorted(groups, key=lambda g: (-len(g.videos), g.representative.video_id)))


def _rank(entry: Entry) -> tuple[int, float, int, str]:
    pixels = 0 if entry.origin is None else entry.origin.width * entry.origin.height
    return -pixels, -entry.duration, entry.warnings, entry.video_id


def _compilations(entries: Mapping[int, Entry], pairs: Sequence[Pair]) -> frozenset[str]:
    """Return the ids of videos of which half is shared, with videos that share nothing themselves.

    The source of many clips is none: what they took is small beside the whole.
    """
    related = {frozenset((p.first.key, p.second.key)) for p in pairs}
    parts: dict[int, list[tuple[int, Span]]] = defaultdict(list)
    for pair in pairs:
        for s in pair.match.segments:
            parts[pair.first.key].append((pair.second.key, (s.query_start, s.query_end)))
            parts[pair.second.key].append((pair.first.key, (s.ref_start, s.ref_end)))
    return frozenset(
        entries[key].video_id
        for key, own in parts.items()
        if _covered(span for _, span in own) >= _HALF * entries[key].duration
        and any(
            one != other and frozenset((one, other)) not in related and _overlap(a, b) <= 0
            for one, a in own
            for other, b in own
        )
    )


def _covered(spans: Iterable[Span]) -> float:
    """Return the length of the union of some parts, in seconds."""
    total = reached = 0.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
