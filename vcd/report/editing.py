"""Matches as time lines that open in an editor: OpenTimelineIO, and its EDL.

Each query becomes one time line, by its own clock. Its first tracks are the query as a whole, with
a marker over every segment; below them lie the references, each part cut out and placed where the
query shows it, at the speed at which it does. Parts that overlap in time lie on tracks of their
own. Clips refer to the media files by their addresses.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from vcd.errors import ContractError, MissingExtraError, VcdError
from vcd.records import Segment, Stream
from vcd.report.views import MediaView, PairView
from vcd.report.wording import clock, percent
from vcd.report.writers import ResultWriter

if TYPE_CHECKING:
    from opentimelineio import opentime, schema

__all__ = ["EdlWriter", "OtioWriter", "time_line"]

Part = tuple[MediaView, Segment]

_DEFAULT_RATE = 30.0  # of an editor's clock, where a file does not tell its own
_KINDS: dict[Stream, str] = {"visual": "Video", "audio": "Audio"}
_SURE = 0.9  # markers are green from this probability on, yellow below


class OtioWriter(ResultWriter):
    """Keeps all matches, and on `close` writes one time line, or a collection of one a query.

    Raises
    ------
    MissingExtraError
        OpenTimelineIO is not installed.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        _require("opentimelineio")
        self._queries: dict[tuple[str, str], list[PairView]] = {}

    def write_match(self, pair: PairView) -> None:
        """Keep one match."""
        self._queries.setdefault((pair.match.query_id, pair.query.name), []).append(pair)

    def close(self) -> None:
        """Write all."""
        from opentimelineio import schema

        lines = [time_line(pairs) for pairs in self._queries.values()]
        whole = lines[0] if len(lines) == 1 else schema.SerializableCollection("vcd", lines)
        self.stream.write(whole.to_json_string(indent=2) + "\n")


class EdlWriter(OtioWriter):
    """Writes the parts of references that one query shows as a CMX 3600 edit decision list.

    The list has a single track: of parts that overlap, it holds the most probable.

    Raises
    ------
    MissingExtraError
        OpenTimelineIO or its adapter is not installed.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        _require("otio_cmx3600_adapter")

    def close(self) -> None:
        """Write all; `ContractError` where there are several queries."""
        from opentimelineio import adapters, schema

        if len(self._queries) > 1:
            raise ContractError(
                f"an edit decision list holds one query, there are {len(self._queries)}",
                remedy="match one at a time, or choose --format otio",
            )
        line = schema.Timeline("vcd")
        rate = _DEFAULT_RATE
        for pairs in self._queries.values():
            line.name = pairs[0].query.name
            rate = _frame_rate(pairs[0].query)
            parts = [(pair.reference, s) for pair in pairs for s in pair.match.segments]
            parts.sort(key=lambda part: -part[1].score)
            line.tracks.append(_track("V", "Video", _lanes(parts)[0], rate))
        if line.tracks:
            self.stream.write(adapters.write_to_string(line, "cmx_3600", rate=rate))


def time_line(pairs: Sequence[PairView]) -> schema.Timeline:
    """Return the time line of one query's matches."""
    from opentimelineio import schema

    query = pairs[0].query
    rate = _frame_rate(query)
    line = schema.Timeline(query.name)
    parts = [(pair.reference, s) for pair in pairs for s in pair.match.segments]
    for stream, kind in _KINDS.items():
        track = schema.Track(f"query ({kind})", kind=kind)
        whole = schema.Clip(query.name, _reference(query, rate), _range(0, query.duration, rate))
        own = [part for part in parts if stream in part[1].streams]
        whole.markers.extend(_marker(*part, rate) for part in own)
        track.append(whole)
        line.tracks.append(track)
        for number, lane in enumerate(_lanes(own), 1):
            line.tracks.append(_track(f"references {number} ({kind})", kind, lane, rate))
    return line


def _lanes(parts: Iterable[Part]) -> list[list[Part]]:
    """Share parts out so that none of a lane overlap; each takes the first lane with room."""
    lanes: list[list[Part]] = []
    for part in parts:
        start, end = part[1].query_start, part[1].query_end
        free = (
            lane
            for lane in lanes
            if all(end <= s.query_start or start >= s.query_end for _, s in lane)
        )
        lane = next(free, None)
        if lane is None:
            lanes.append([part])
        else:
            lane.append(part)
    return [sorted(lane, key=lambda part: part[1].query_start) for lane in lanes]


def _track(name: str, kind: str, parts: Iterable[Part], rate: float) -> schema.Track:
    from opentimelineio import opentime, schema

    track = schema.Track(name, kind=kind)
    at = opentime.RationalTime(0, rate)
    for media, segment in parts:
        place = _range(segment.query_start, segment.query_end, rate)
        if place.start_time > at:
            track.append(schema.Gap(duration=place.start_time - at))
        start = _range(segment.ref_start, segment.ref_end, rate).start_time
        clip = schema.Clip(
            media.name,
            _reference(media, rate),
            opentime.TimeRange(start, place.duration),
            metadata={"vcd": segment.to_dict()},
        )
        if segment.speed != 1:
            clip.effects.append(schema.LinearTimeWarp("speed", time_scalar=segment.speed))
        clip.markers.append(_marker(media, segment, rate, start=segment.ref_start))
        track.append(clip)
        at = place.end_time_exclusive()
    return track


def _marker(
    media: MediaView, segment: Segment, rate: float, *, start: float | None = None
) -> schema.Marker:
    from opentimelineio import schema

    begin = segment.query_start if start is None else start
    return schema.Marker(
        f"{media.name} {clock(segment.ref_start)}-{clock(segment.ref_end)},"
        f" {percent(segment.score)}",
        _range(begin, begin + segment.length, rate),
        color=schema.MarkerColor.GREEN if segment.score >= _SURE else schema.MarkerColor.YELLOW,
        metadata={"vcd": segment.to_dict()},
    )


def _range(start: float, end: float, rate: float) -> opentime.TimeRange:
    """Return the frames from one second to another, one at the least."""
    from opentimelineio import opentime

    first = round(start * rate)
    count = max(1, round(end * rate) - first)
    return opentime.TimeRange(
        opentime.RationalTime(first, rate), opentime.RationalTime(count, rate)
    )


def _reference(media: MediaView, rate: float) -> schema.MediaReference:
    from opentimelineio import schema

    if media.path is None:
        return schema.MissingReference(media.name)
    address = Path(os.path.abspath(media.path)).as_uri()  # noqa: PTH100 - links stay as given
    return schema.ExternalReference(address, _range(0, media.duration, rate))


def _frame_rate(media: MediaView) -> float:
    """Return the rate of the editor's clock: that of the file, or the nearest an editor knows."""
    from opentimelineio import opentime

    from vcd.media import get_decoder

    rate = 0.0
    if media.path is not None:
        with suppress(VcdError):
            rate = get_decoder(isolation="process").probe(media.path).frame_rate
    return float(opentime.RationalTime.nearest_smpte_timecode_rate(rate) or _DEFAULT_RATE)


def _require(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise MissingExtraError(
            f"this format needs {module}, which is not installed",
            remedy='pip install "vcd-engine[otio]"',
        )
