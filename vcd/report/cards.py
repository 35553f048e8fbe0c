"""One match as a card of the page: players, timelines, heat maps, segments with thumbnails."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from vcd.errors import MediaError
from vcd.records import Segment
from vcd.report.figures import data_uri, heat_figures, segment_colour, strip, timelines
from vcd.report.views import MediaView, PairView
from vcd.report.wording import clock, percent, stream_words

__all__ = ["Thumbnails", "card", "media_uri"]

Thumbnails = Callable[[MediaView, Sequence[float]], Sequence[bytes]]
"""Gives one JPEG for each time of a video, in order; empty bytes where there is no picture."""

_PICTURED_SEGMENTS = 8  # of one match, so that a page of many stays small
_INSIDE = 0.1  # an end lies outside the half-open interval: look a little before it
_SAME_SPEED = 0.01


def card(pair: PairView, number: int, folder: Path, thumbnails: Thumbnails | None) -> str:
    """Return the HTML of one match.

    Parameters
    ----------
    pair : PairView
    number : int
        Place in the page, for ids.
    folder : Path
        Where the page will lie; media files are named relative to it.
    thumbnails : callable, optional
    """
    match = pair.match
    playable = any(_is_playable(side) for side in (pair.query, pair.reference))
    streams = sorted({stream for s in match.segments for stream in s.streams})
    copied = sum(s.length for s in match.segments)
    search = f"{pair.query.name} {pair.reference.name}".lower()
    return (
        f'<details class="match" id="m{number}" data-search="{escape(search)}" '
        f'data-query="{escape(pair.query.name)}" data-reference="{escape(pair.reference.name)}" '
        f'data-score="{match.score:.6f}" data-copied="{copied:.3f}" '
        f'data-streams="{" ".join(streams)}">'
        + _summary(pair, copied)
        + '<div class="card">'
        + _players(pair, folder)
        + timelines(pair, playable=playable)
        + '<div class="evidence">'
        + _segments(pair, thumbnails, playable)
        + _maps(pair)
        + "</div></div></details>"
    )


def media_uri(path: Path, folder: Path) -> str:
    """Return a file as a URI relative to a folder, or absolute where there is no way between them.

    Every byte that has a meaning in a URI is escaped, so any file name is one harmless link.
    """
    target = path.absolute()
    try:
        relative = os.path.relpath(target, folder.absolute())
    except ValueError:  # another drive
        return target.as_uri()
    return quote(os.fsencode(relative.replace(os.sep, "/")))


def _summary(pair: PairView, copied: float) -> str:
    segments = pair.match.segments
    count = f"{len(segments)} segments" if len(segments) != 1 else "1 segment"
    words = sorted({word for s in segments for word in stream_words(s)})
    badges = "".join(map(_badge, words)) + _unsure(pair, pair.match.score)
    return (
        "<summary>"
        + _probability(pair.match.score)
        + f'<span class="names"><span class="name">{_name(pair.query)}</span>'
        f'<span class="in">in</span><span class="name">{_name(pair.reference)}</span></span>'
        + f'<span class="badges">{badges}</span>'
        + strip(pair)
        + f'<span class="amount">{clock(copied)} <span class="muted">in {count}</span></span>'
        "</summary>"
    )


def _probability(score: float) -> str:
    return (
        f'<span class="probability"><span class="meter" aria-hidden="true">'
        f'<i style="width:{100 * score:.1f}%"></i></span><b>{percent(score)}</b></span>'
    )


def _name(view: MediaView) -> str:
    """Return a name of which the browser may cut the middle: its start gives way, its end stays."""
    keep = 10
    head, tail = view.name[:-keep], view.name[-keep:]
    return (
        f'<bdi title="{escape(view.name)}"><span class="head-part">{escape(head)}</span>'
        f'<span class="tail-part">{escape(tail)}</span></bdi>'
    )


def _unsure(pair: PairView, score: float) -> str:
    if pair.is_sure(score) is not False:
        return ""
    why = f"below {percent(pair.sure_from or 0)}, from where no false alarm was seen"
    return f'<span class="badge unsure" title="{why}">unsure</span>'


def _badge(word: str) -> str:
    return f'<span class="badge {word}">{word}</span>'


def _is_playable(view: MediaView) -> bool:
    return view.path is not None and view.kind != "picture"


def _players(pair: PairView, folder: Path) -> str:
    if pair.query.path is None and pair.reference.path is None:
        return ""
    sides = _player(pair.query, "query", folder) + _player(pair.reference, "reference", folder)
    return (
        f'<div class="players">{sides}</div>'
        '<div class="playbar"><span class="listen" role="group" aria-label="Which sound to hear">'
        '<button type="button" data-listen="query" aria-pressed="true">Hear query</button>'
        '<button type="button" data-listen="reference" aria-pressed="false">Hear reference</button>'
        '</span><button type="button" class="stop" hidden>Stop</button>'
        '<span class="status" role="status"></span></div>'
    )


def _player(view: MediaView, side: str, folder: Path) -> str:
    source = ""
    if view.path is not None:
        source = f' data-src="{escape(media_uri(view.path, folder))}"'
    note = "" if view.path is not None else "Only the descriptor of this video is known."
    return (
        f'<figure class="player" data-side="{side}" data-kind="{view.kind}"{source}>'
        f'<figcaption><span class="side">{side.capitalize()}</span>'
        f'<span class="name">{_name(view)}</span></figcaption>'
        f'<div class="stage"></div><p class="note">{note}</p></figure>'
    )


def _maps(pair: PairView) -> str:
    figures = heat_figures(pair)
    if not figures:
        return ""
    scale = '<div class="scale"><span>alike: not at all</span><i></i><span>fully</span></div>'
    return f'<div class="maps">{figures}{scale}</div>'


def _segments(pair: PairView, thumbnails: Thumbnails | None, playable: bool) -> str:
    rows = _thumbnail_rows(pair, thumbnails) if thumbnails else {}
    items = (_segment(pair, i, rows.get(i, ""), playable) for i in range(len(pair.match.segments)))
    return f'<ol class="segments">{"".join(items)}</ol>'


def _segment(pair: PairView, index: int, pictures: str, playable: bool) -> str:
    s = pair.match.segments[index]
    facts = "".join(map(_badge, stream_words(s))) + _unsure(pair, s.score) + _speed_remark(s)
    button = ""
    if playable:
        button = (
            f'<button type="button" class="play" data-segment="{index}" '
            f'aria-label="Play segment {index + 1} in step">'
            '<span class="sign">▶</span> Play<span class="wide"> in step</span></button>'
        )
    return (
        f'<li class="segment" style="--c:{segment_colour(index)}" data-q0="{s.query_start:.3f}" '
        f'data-q1="{s.query_end:.3f}" data-r0="{s.ref_start:.3f}" data-r1="{s.ref_end:.3f}" '
        f'data-speed="{s.speed:.6f}"><div class="segment-top"><span class="dot">{index + 1}</span>'
        f'<span class="times"><span><small>query</small> {_span(s.query_start, s.query_end)}</span>'
        f"<span><small>reference</small> {_span(s.ref_start, s.ref_end)}</span></span>"
        f'{button}</div><div class="facts">{_probability(s.score)}{facts}</div>{pictures}</li>'
    )


def _span(start: float, end: float) -> str:
    return f"{clock(start)} – {clock(end)}"


def _speed_remark(s: Segment) -> str:
    remarks = []
    if abs(abs(s.speed) - 1) >= _SAME_SPEED:
        remarks.append(f"copy runs at {abs(s.speed):.2f}× the reference's speed")
    if s.speed < 0:
        remarks.append("runs backwards")
    return f'<span class="remark">{", ".join(remarks)}</span>' if remarks else ""


def _thumbnail_rows(pair: PairView, thumbnails: Thumbnails) -> dict[int, str]:
    """Return the thumbnails of the most probable segments, by place; each file is asked once."""
    segments = pair.match.segments
    by_score = sorted(range(len(segments)), key=lambda i: -segments[i].score)
    pictured = sorted(by_score[:_PICTURED_SEGMENTS])
    query_times = [_moments(segments[i].query_start, segments[i].query_end) for i in pictured]
    ref_times = [_ref_moments(segments[i]) for i in pictured]
    query_rows = _side_rows("query", pair.query, query_times, thumbnails)
    ref_rows = _side_rows("reference", pair.reference, ref_times, thumbnails)
    return {
        i: f'<div class="thumbs">{query}{ref}</div>'
        for i, query, ref in zip(pictured, query_rows, ref_rows, strict=True)
        if query or ref
    }


def _side_rows(
    side: str, view: MediaView, moments: Sequence[list[float]], thumbnails: Thumbnails
) -> list[str]:
    """Return one row of thumbnails for each segment, empty where there are none."""
    pictures = iter(_fetch(thumbnails, view, [time for times in moments for time in times]))
    return [_thumbnail_row(side, view, times, pictures) for times in moments]


def _thumbnail_row(
    side: str, view: MediaView, times: Sequence[float], pictures: Iterator[bytes]
) -> str:
    cells = []
    for time in times:
        if picture := next(pictures, b""):
            words = escape(f"{view.name} at {clock(time)}")
            cells.append(
                f'<span class="thumb"><img loading="lazy" decoding="async" alt="{words}" '
                f'src="{data_uri("image/jpeg", picture)}"><small>{clock(time)}</small></span>'
            )
    return f'<div class="thumb-row" data-side="{side}">{"".join(cells)}</div>' if cells else ""


def _fetch(thumbnails: Thumbnails, view: MediaView, times: Sequence[float]) -> Sequence[bytes]:
    """Return the pictures, or none where the file cannot be read: the report does not fail."""
    if view.path is None:
        return ()
    try:
        return thumbnails(view, times)
    except MediaError:
        return ()


def _moments(start: float, end: float) -> list[float]:
    """Return the start, the middle, and a moment just before the end."""
    return [start, (start + end) / 2, max(start, end - min(_INSIDE, (end - start) / 4))]


def _ref_moments(segment: Segment) -> list[float]:
    """Return the moments of the reference in the order in which the query shows them."""
    moments = _moments(segment.ref_start, segment.ref_end)
    return moments if segment.speed > 0 else moments[::-1]
