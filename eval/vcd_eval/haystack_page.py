"""The page of a run over a haystack: figures, curves, and the worst mistakes to look at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from vcd.errors import VcdError
from vcd.report.figures import data_uri
from vcd.report.wording import clock
from vcd.sources import Source
from vcd_eval.formats import SegmentTable, scores_of
from vcd_eval.haystack import RUNS, Haystack, HaystackRun, Thumbnails
from vcd_eval.haystack_plots import RUN_NAMES, calibration_plot, curves_plot, edits_plot
from vcd_eval.measures import find_hits, reliability
from vcd_eval.vsc import segment_ap

__all__ = ["render_page"]

_WORST = 12
_SIDE = 150  # pixels of the longer side of a thumbnail

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --muted: #7a8594; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .3rem .9rem .3rem 0;
  border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; vertical-align: top; }
th { font-weight: 600; } .muted { color: var(--muted); }
.plots { display: flex; flex-wrap: wrap; gap: 1.5rem; } figure { margin: 0; }
figcaption { color: var(--muted); } td img { display: inline-block; margin: 0 .3rem .2rem 0;
  border-radius: 3px; max-width: 150px; }
"""


def render_page(
    haystack: Haystack, run: HaystackRun, metrics: Mapping[str, Any], *, version: str
) -> str:
    """Return the page as text; it needs no other file.

    Parameters
    ----------
    haystack : Haystack
    run : HaystackRun
    metrics : mapping
        Of `haystack_metrics`.
    version : str
    """
    threshold = metrics["operating_point"]["threshold"]
    name = escape(haystack.folder.resolve().name)
    return "".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{name}: how well copies were found</title><style>{_STYLE}</style>",
            f"<h1>How well copies were found in {name}</h1>",
            f'<p class="muted">{len(run.queries)} queries, {len(run.references)} references, '
            f"{len(haystack.labels.segments)} copied segments. vcd {escape(version)}.</p>",
            _headline(metrics),
            _operating_point(metrics),
            _plots(haystack, run, metrics),
            f"<h2>Copies that were missed at {threshold:g}</h2>",
            _misses(haystack, run, threshold),
            f"<h2>False alarms at {threshold:g}, the most certain first</h2>",
            _false_alarms(haystack, run, threshold),
            "<h2>All figures</h2><details><summary>metrics.json</summary><pre>",
            escape(json.dumps(metrics, indent=1)),
            "</pre></details></html>",
        ]
    )


def _headline(metrics: Mapping[str, Any]) -> str:
    rows = []
    for run in RUNS:
        if metrics["segment_uap"][run] is None:
            continue
        low, high = metrics["ci95"].get(f"segment_uap_{run}", (None, None))
        rows.append(
            (
                RUN_NAMES[run],
                _number(metrics["segment_uap"][run]),
                f"{_number(low)} to {_number(high)}",
                _number(metrics["pair_uap"][run]),
                _number(metrics["descriptor_uap"].get(run)),
            )
        )
    header = ("", "segment micro-AP", "95 % interval", "pair micro-AP", "best descriptors")
    return _table(header, rows)


def _operating_point(metrics: Mapping[str, Any]) -> str:
    point, bounds, cost = (metrics[key] for key in ("operating_point", "boundary_error_s", "cost"))
    facts = (
        (f"precision at {point['threshold']:g}", _number(point["precision"])),
        (f"recall at {point['threshold']:g}", _number(point["recall"])),
        ("pairs falsely reported, of 1,000", _number(point["false_alarms_per_1000_pairs"])),
        (
            "bounds off by, median / 90 %",
            f"{_number(bounds['median'])} / {_number(bounds['p90'])} s",
        ),
        ("calibration error", _number(metrics["calibration_error"])),
        ("describing, CPU s a video minute", _number(cost["describe_cpu_s_per_video_minute"], 1)),
        ("comparing, CPU ms a pair", _number(cost["match_cpu_ms_per_pair"], 1)),
        ("peak memory, MB", _number(cost["peak_rss_mb"], 0)),
    )
    return "<p></p>" + _table((), facts)


def _plots(haystack: Haystack, run: HaystackRun, metrics: Mapping[str, Any]) -> str:
    curves = {
        name: segment_ap(haystack.truth(name), run.predictions[name]).curve
        for name in run.predictions
        if metrics["segment_uap"][name] is not None
    }
    point = metrics["operating_point"]
    given = run.predictions["any"]
    right = find_hits(haystack.truth("any"), given).row >= 0
    drawn = [
        (
            "Segments: precision and recall; the dot is the threshold",
            curves_plot(curves, (_real(point["precision"]), _real(point["recall"]))),
        ),
        (
            "Calibration of fused segments; numbers count them",
            calibration_plot(reliability(scores_of(given), right)),
        ),
    ]
    if metrics["per_edit"]:
        drawn.append(
            ("By edit; in brackets how many rows have it", edits_plot(metrics["per_edit"]))
        )
    figures = "".join(
        f'<figure><img alt="{escape(caption)}" src="{data_uri("image/svg+xml", data)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, data in drawn
    )
    return f'<h2>Curves</h2><div class="plots">{figures}</div>'


def _misses(haystack: Haystack, run: HaystackRun, threshold: float) -> str:
    truth, given = haystack.truth("any"), run.predictions["any"]
    found = find_hits(truth, given.take(scores_of(given) >= threshold)).found
    missed = np.flatnonzero(~found)
    lengths = truth.query_times[missed, 1] - truth.query_times[missed, 0]
    order = missed[np.argsort(-lengths, kind="stable")]
    labels = haystack.labels

    def note(i: int) -> str:
        halves = (("picture", labels.visual[i]), ("sound", labels.audio[i]))
        copied = " and ".join(name for name, is_in in halves if is_in)
        return f"{copied}; {', '.join(labels.edits[i])}" if labels.edits[i] else copied

    if not len(order):
        return "<p>None.</p>"
    first = "The longest first. " if len(order) > 1 else ""
    lead = f"<p>{first}{len(order)} of {len(truth)} rows.</p>"
    return lead + _mistakes(truth, order[:_WORST], run, ("what was copied", note))


def _false_alarms(haystack: Haystack, run: HaystackRun, threshold: float) -> str:
    truth, given = haystack.truth("any"), run.predictions["any"]
    given = given.take(scores_of(given) >= threshold)
    true_pairs = set(zip(truth.query_ids, truth.ref_ids, strict=True))
    pairs = zip(given.query_ids, given.ref_ids, strict=True)
    wrong = np.flatnonzero([pair not in true_pairs for pair in pairs])
    scores = scores_of(given)
    order = wrong[np.argsort(-scores[wrong], kind="stable")]
    if not len(order):
        return "<p>None.</p>"
    return _mistakes(given, order[:_WORST], run, ("probability", lambda i: f"{scores[i]:.2f}"))


def _mistakes(
    table: SegmentTable,
    rows: Iterable[int],
    run: HaystackRun,
    remark: tuple[str, Callable[[int], str]],
) -> str:
    header, note = remark
    cells = []
    for i in rows:
        sides = (
            (run.queries.get(table.query_ids[i]), table.query_ids[i], table.query_times[i]),
            (run.references.get(table.ref_ids[i]), table.ref_ids[i], table.ref_times[i]),
        )
        cells.append((*(_side(run.thumbnails, *side) for side in sides), escape(note(i))))
    return _table(("query", "reference", header), cells, escaped=True)


def _side(draw: Thumbnails | None, source: Source | None, name: str, times: Any) -> str:
    start, end = (float(t) for t in times)
    pictures = _thumbnails(draw, source, [start + (end - start) * share for share in (0.25, 0.75)])
    return f"{pictures}<br>{escape(name)} {clock(start)} to {clock(end)}"


def _thumbnails(draw: Thumbnails | None, source: Source | None, times: Sequence[float]) -> str:
    from vcd.media.thumbnails import encode_jpeg

    if draw is None or source is None or source.path is None:
        return ""
    try:
        frames = draw(source.path, times, _SIDE)
    except VcdError:
        return ""
    return "".join(
        f'<img alt="" src="{data_uri("image/jpeg", encode_jpeg(frame, 60))}">'
        for frame in frames
        if frame is not None
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], *, escaped: bool = False) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell if escaped else escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table>{f'<tr>{head}</tr>' if head else ''}{body}</table>"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _real(value: float | None) -> float:
    return float("nan") if value is None else value
