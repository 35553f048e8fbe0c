"""A whole run as one self-contained page: nothing is loaded from anywhere but the videos shown."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from vcd.encoding import write_whole
from vcd.errors import PathLike, VcdError
from vcd.report.cards import Thumbnails, card
from vcd.report.views import RunReport
from vcd.report.wording import percent

__all__ = ["fill_page", "render_html", "write_html"]


def write_html(path: PathLike, run: RunReport, *, thumbnails: Thumbnails | None = None) -> None:
    """Write the page of a run, whole or not at all.

    Parameters
    ----------
    path : path-like
    run : RunReport
        Its pairs are read once; they appear with the most probable first.
    thumbnails : callable, optional
        Called as ``thumbnails(view, times)`` once for each side of a pair that has a file; returns
        one JPEG a time as bytes, empty where there is none. A `MediaError` leaves them out.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    target = Path(os.fsdecode(path))
    write_whole(path, render_html(run, target.absolute().parent, thumbnails=thumbnails).encode())


def render_html(run: RunReport, folder: Path, *, thumbnails: Thumbnails | None = None) -> str:
    """Return the page of a run as text; `folder` is where it will lie."""
    cards: list[tuple[float, int, str]] = []
    for pair in run.pairs:
        number = len(cards) + 1
        cards.append((-pair.match.score, number, card(pair, number, folder, thumbnails)))
    texts = [text for _, _, text in sorted(cards)]
    if texts:
        texts[0] = texts[0].replace("<details ", "<details open ", 1)
    found = len(cards)
    facts = [
        (f"{run.queries:,}", "query" if run.queries == 1 else "queries"),
        (f"{run.references:,}", "reference" if run.references == 1 else "references"),
        (f"{found:,}", "match" if found == 1 else "matches"),
    ]
    if run.threshold is not None:
        facts.append((percent(run.threshold), "threshold"))
    return fill_page(
        title=run.subject or "Video copies found",
        lead=_lead(found),
        facts=facts,
        failures=run.failures,
        toolbar=_asset("toolbar.html") if len(cards) > 1 else "",
        matches="\n".join(texts) or _nothing_found(),
        version=run.version,
        finished=run.finished,
    )


def fill_page(
    *,
    title: str,
    lead: str,
    facts: Sequence[tuple[str, str]],
    failures: tuple[VcdError, ...],
    toolbar: str,
    matches: str,
    version: str,
    finished: datetime | None,
) -> str:
    """Return a page as text: `toolbar` and `matches` are HTML, all else is plain."""
    style, script = _asset("page.css"), _asset("page.js")
    if failures:
        facts = [*facts, (f"{len(failures):,}", "failed")]
    return Template(_asset("page.html")).substitute(
        policy=_policy(script),
        title=escape(title),
        style=style,
        script=script,
        lead=escape(lead),
        facts="".join(f"<div><dd>{value}</dd><dt>{name}</dt></div>" for value, name in facts),
        failures=_failures(failures),
        toolbar=toolbar,
        matches=matches,
        footer=_footer(version, finished),
    )


def _asset(name: str) -> str:
    return (files("vcd.report") / name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    """Return a content security policy: only this page's own script runs, nothing is fetched."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data: 'self' file:; media-src 'self' file:; base-uri 'none'; form-action 'none'"
    )


def _lead(found: int) -> str:
    if not found:
        return "No copies found"
    matches = "1 match" if found == 1 else f"{found:,} matches"
    return f"{matches} found"


def _failures(failures: tuple[VcdError, ...]) -> str:
    if not failures:
        return ""
    count = "1 input" if len(failures) == 1 else f"{len(failures):,} inputs"
    items = "".join(
        f"<li><b>{escape(f.file or 'unknown file')}</b> {escape(f.problem)}"
        + (f'<span class="remedy">{escape(f.remedy)}</span>' if f.remedy else "")
        + "</li>"
        for f in failures
    )
    opened = " open" if len(failures) <= 3 else ""
    return (
        f'<details class="failures"{opened}><summary>{count} could not be used</summary>'
        f"<ul>{items}</ul></details>"
    )


def _nothing_found() -> str:
    return '<p class="nothing">None of the queries shows or sounds like any of the references.</p>'


def _footer(version: str, finished: datetime | None) -> str:
    parts = [f"vcd {escape(version)}" if version else "vcd"]
    if finished is not None:
        parts.append(f'<time datetime="{finished.isoformat()}">{finished:%Y-%m-%d %H:%M}</time>')
    return " · ".join(parts)
