"""The drawings of the page: heat maps with axes, and the two timelines joined by their segments."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from html import escape

from vcd.records import Segment, SimilarityMatrix
from vcd.report.heatmap import HeatMap, colourise, heat_map
from vcd.report.views import PairView, matrix_streams
from vcd.report.wording import clock

__all__ = ["SEGMENT_COLOURS", "data_uri", "heat_figures", "segment_colour", "strip", "timelines"]

SEGMENT_COLOURS = ("#f76707", "#9c6ade", "#e8478b", "#2f9e44", "#1c7ed6", "#d9a400")
"""Told apart on light and dark ground and on the heat map; used in turn."""

_CELLS = 160
_WIDTH, _HEIGHT = 380, 300
_LEFT, _TOP, _RIGHT, _BOTTOM = 56, 8, 10, 36
_TICK_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_MAP_TITLES = {"visual": "Picture", "audio": "Sound", "fused": "Picture and sound together"}
_LEAST_BLOCK = 0.6  # percent of a timeline, so that a short segment in a long video is seen


def data_uri(kind: str, data: bytes) -> str:
    """Return bytes as a data URI of a media type."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def segment_colour(index: int) -> str:
    """Return the colour of the segment at a place in its match."""
    return SEGMENT_COLOURS[index % len(SEGMENT_COLOURS)]


def strip(pair: PairView) -> str:
    """Return a small bar of the query with its segments as blocks."""
    length = _lengths(pair)[0]
    blocks = "".join(
        f'<i style="{_place(s.query_start, s.query_end, length)};--c:{segment_colour(i)}"></i>'
        for i, s in enumerate(pair.match.segments)
    )
    return f'<span class="strip" aria-hidden="true">{blocks}</span>'


def timelines(pair: PairView, *, playable: bool) -> str:
    """Return a bar for the query over one for the reference, joined by ribbons, segment by segment.

    Parameters
    ----------
    pair : PairView
    playable : bool
        Whether a block is a button that plays its segment.
    """
    query_length, ref_length = _lengths(pair)
    segments = pair.match.segments
    ribbons = "".join(_ribbon(i, s, query_length, ref_length) for i, s in enumerate(segments))
    query = [(s.query_start, s.query_end) for s in segments]
    ref = [(s.ref_start, s.ref_end) for s in segments]
    return (
        '<div class="timelines">'
        + _lane("query", query, query_length, playable)
        + '<svg class="ribbons" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        + ribbons
        + "</svg>"
        + _lane("reference", ref, ref_length, playable)
        + "</div>"
    )


def heat_figures(pair: PairView) -> str:
    """Return the heat maps of a pair: picture and sound, or the fused one where it is alone."""
    return "".join(_heat_figure(pair, s, pair.matrices[s]) for s in matrix_streams(pair))


def _heat_figure(pair: PairView, stream: str, matrix: SimilarityMatrix) -> str:
    heat = heat_map(matrix, longest=_CELLS)
    if heat is None:
        return ""
    title = _MAP_TITLES[stream]
    return (
        f'<figure class="map"><figcaption>{title}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Heat map of the similarity '
        f"of {title.lower()}: query upwards, reference to the right, "
        f'{len(pair.match.segments)} segments drawn">' + _heat_plot(pair, heat) + "</svg></figure>"
    )


def _heat_plot(pair: PairView, heat: HeatMap) -> str:
    from vcd.media.thumbnails import encode_png

    query_length, ref_length = _lengths(pair)
    query_length = max(query_length, heat.query_span[1])
    ref_length = max(ref_length, heat.ref_span[1])
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(seconds: float) -> float:
        return round(_LEFT + width * seconds / ref_length, 2)

    def y(seconds: float) -> float:
        return round(_TOP + height * (1 - seconds / query_length), 2)

    (q0, q1), (r0, r1) = heat.query_span, heat.ref_span
    picture = data_uri("image/png", encode_png(colourise(heat.cells[::-1])))
    parts = [
        f'<rect class="ground" x="{_LEFT}" y="{_TOP}" width="{width}" height="{height}"/>',
        f'<image href="{picture}" x="{x(r0)}" y="{y(q1)}" width="{x(r1) - x(r0):.2f}" '
        f'height="{y(q0) - y(q1):.2f}" preserveAspectRatio="none"/>',
    ]
    base = _TOP + height
    parts += [
        f'<path d="M{x(tick)} {base}v4"/><text x="{x(tick)}" y="{base + 15}" '
        f'text-anchor="middle">{_tick_label(tick)}</text>'
        for tick in ticks(ref_length)
    ]
    parts += [
        f'<path d="M{_LEFT} {y(tick)}h-4"/><text x="{_LEFT - 7}" y="{y(tick) + 3.5:.2f}" '
        f'text-anchor="end">{_tick_label(tick)}</text>'
        for tick in ticks(query_length)
    ]
    middle = _TOP + height / 2
    parts.append(
        f'<text class="axis" x="{_LEFT + width / 2}" y="{_HEIGHT - 3}" text-anchor="middle">'
        f'reference</text><text class="axis" x="10" y="{middle}" text-anchor="middle" '
        f'transform="rotate(-90 10 {middle})">query</text>'
    )
    for i, s in enumerate(pair.match.segments):
        from_ref, to_ref = (s.ref_start, s.ref_end) if s.speed > 0 else (s.ref_end, s.ref_start)
        ends = f'x1="{x(from_ref)}" y1="{y(s.query_start)}" x2="{x(to_ref)}" y2="{y(s.query_end)}"'
        parts.append(f'<line class="casing" {ends}/><line stroke="{segment_colour(i)}" {ends}/>')
    return "".join(parts)


def _lane(
    side: str, intervals: Sequence[tuple[float, float]], length: float, playable: bool
) -> str:
    blocks = []
    for i, (start, end) in enumerate(intervals):
        style = f"{_place(start, end, length)};--c:{segment_colour(i)}"
        words = f"{clock(start)}–{clock(end)}"
        if playable:
            blocks.append(
                f'<button type="button" class="block" data-segment="{i}" style="{style}" '
                f'title="{words}" aria-label="Play segment {i + 1}, {words} of the {side}">'
                f"{i + 1}</button>"
            )
        else:
            blocks.append(f'<span class="block" style="{style}" title="{words}">{i + 1}</span>')
    name = f"<span>{escape(side.capitalize())}</span><span>{clock(length)}</span>"
    head = '<i class="head"></i>'
    bar = f'<div class="bar" data-length="{length:.3f}">{"".join(blocks)}{head}</div>'
    label = f'<div class="lane-name">{name}</div>'
    inside = label + bar if side == "query" else bar + label
    return f'<div class="lane {side}">{inside}</div>'


def _ribbon(index: int, segment: Segment, query_length: float, ref_length: float) -> str:
    a, b = (100 * t / query_length for t in (segment.query_start, segment.query_end))
    c, d = (100 * t / ref_length for t in (segment.ref_start, segment.ref_end))
    if segment.speed < 0:
        c, d = d, c
    points = f"{a:.3f},0 {b:.3f},0 {d:.3f},10 {c:.3f},10"
    return f'<polygon points="{points}" fill="{segment_colour(index)}"/>'


def _place(start: float, end: float, length: float) -> str:
    width = max(100 * (end - start) / length, _LEAST_BLOCK)
    left = min(100 * start / length, 100 - width)
    return f"left:{left:.3f}%;width:{width:.3f}%"


def _lengths(pair: PairView) -> tuple[float, float]:
    """Return how many seconds the two axes show; never 0, and never less than a segment's end."""
    segments = pair.match.segments
    query = max([pair.query.duration, *(s.query_end for s in segments)])
    ref = max([pair.reference.duration, *(s.ref_end for s in segments)])
    return query or 1.0, ref or 1.0


def ticks(length: float, most: int = 5) -> list[float]:
    """Return times for an axis from 0 to a length in seconds: even, round, at most so many."""
    step = next((s for s in _TICK_STEPS if length / s < most), 0.0)
    if not step:
        step = _TICK_STEPS[-1] * math.ceil(length / _TICK_STEPS[-1] / most)
    return [step * i for i in range(math.floor(length / step + 1e-9) + 1)]


def _tick_label(seconds: float) -> str:
    """Return a time without the decimals that `clock` shows, where they are 0."""
    return clock(seconds).removesuffix(".0")
