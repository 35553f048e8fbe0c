"""Duplicates of a collection for review: as JSON, as a table, and as one self-contained page."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any, Literal, TextIO

from vcd.encoding import write_whole
from vcd.errors import PathLike, VcdError
from vcd.records import Match, SimilarityMatrix
from vcd.report.cards import Thumbnails, card
from vcd.report.html import fill_page
from vcd.report.views import PairView
from vcd.report.wording import clock, percent, stream_words
from vcd.report.writers import error_record, match_record

__all__ = ["GroupReport", "GroupView", "MemberView", "write_groups", "write_groups_html"]

_KINDS = {"same": "same", "clip": "clip of", "part": "shares a part with"}


@dataclass(frozen=True, slots=True)
class MemberView:
    """One video of a group; `remark` is "representative", "compilation" or ""."""

    name: str
    video_id: str
    duration: float
    width: int = 0
    height: int = 0
    warnings: int = 0
    remark: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class GroupView:
    """A group: its videos, the representative first, and its pairs with the kind of each."""

    members: Sequence[MemberView]
    pairs: Sequence[tuple[str, PairView]]


@dataclass(frozen=True, slots=True, eq=False)
class GroupReport:
    """A whole search for duplicates.

    `remarks` are sentences about what was left out; `threshold` is the probability from which
    something is reported.
    """

    groups: Sequence[GroupView]
    videos: int
    threshold: float
    remarks: tuple[str, ...] = ()
    failures: tuple[VcdError, ...] = ()
    subject: str = ""
    version: str = ""
    finished: datetime | None = None


def write_groups(
    stream: TextIO, report: GroupReport, form: Literal["table", "jsonl", "json"]
) -> None:
    """Write the groups: a table for a person, one JSON object a group, or one for all."""
    if form == "table":
        _write_table(stream, report)
        return
    records = [_record(number, group) for number, group in enumerate(report.groups, start=1)]
    errors = [error_record(failure) for failure in report.failures]
    if form == "json":
        whole = {"groups": records, "errors": errors}
        stream.write(json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=2) + "\n")
    else:
        for record in (*records, *errors):
            stream.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")


def write_groups_html(
    path: PathLike,
    report: GroupReport,
    *,
    thumbnails: Thumbnails | None = None,
    matrices: Callable[[Match], Mapping[str, SimilarityMatrix]] | None = None,
) -> None:
    """Write the page of a search for duplicates, whole or not at all.

    Parameters
    ----------
    path : path-like
    report : GroupReport
    thumbnails : callable, optional
        As for `vcd.report.write_html`.
    matrices : callable, optional
        Gives the matrices of a match, for heat maps.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    target = Path(os.fsdecode(path))
    folder = target.absolute().parent
    number = 0
    sections = []
    for place, group in enumerate(report.groups, start=1):
        cards = []
        for _, pair in group.pairs:
            number += 1
            # One pair at a time: matrices are large.
            shown = pair if matrices is None else replace(pair, matrices=matrices(pair.match))
            cards.append(card(shown, number, folder, thumbnails))
        sections.append(_section(place, group, cards))
    count = len(report.groups)
    pairs = sum(len(group.pairs) for group in report.groups)
    page = fill_page(
        title=report.subject or "Duplicates",
        lead=f"{_count(count, 'group')} of duplicates" if count else "No duplicates found",
        facts=[
            (f"{report.videos:,}", "video" if report.videos == 1 else "videos"),
            (f"{count:,}", "group" if count == 1 else "groups"),
            (f"{pairs:,}", "pair" if pairs == 1 else "pairs"),
            (percent(report.threshold), "threshold"),
        ],
        failures=report.failures,
        toolbar="",
        matches="\n".join(sections)
        + "".join(f'<p class="nothing">{escape(remark)}</p>' for remark in report.remarks)
        or '<p class="nothing">Nothing occurs twice.</p>',
        version=report.version,
        finished=report.finished,
    )
    write_whole(target, page.encode())


def _section(place: int, group: GroupView, cards: Sequence[str]) -> str:
    rows = "".join(
        f"<tr><td>{escape(m.remark)}</td><td>{escape(m.name)}</td><td>{clock(m.duration)}</td>"
        f"<td>{_pixels(m)}</td><td>{m.warnings or ''}</td></tr>"
        for m in group.members
    )
    return (
        f'<section class="group"><h2>Group {place}: {_count(len(group.members), "video")}</h2>'
        '<table class="members"><thead><tr><th></th><th>video</th><th>length</th><th>picture</th>'
        f"<th>warnings</th></tr></thead><tbody>{rows}</tbody></table>{''.join(cards)}</section>"
    )


def _write_table(stream: TextIO, report: GroupReport) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, highlight=False, soft_wrap=True)
    if not report.groups:
        console.print(Text("no duplicates found"))
    for place, group in enumerate(report.groups, start=1):
        console.print(Text(f"group {place}", style="bold"))
        for m in group.members:
            facts = ", ".join(filter(None, (clock(m.duration), _pixels(m), m.remark)))
            console.print(Text(f"  {m.name}  ({facts})"))
        for kind, pair in group.pairs:
            console.print(
                Text(f"    {pair.query.name}  {_KINDS[kind]}  {pair.reference.name}", style="dim")
            )
            for s in pair.match.segments:
                console.print(
                    Text(
                        f"      {percent(s.score):>6}  {clock(s.query_start)}–{clock(s.query_end)}"
                        f"  is  {clock(s.ref_start)}–{clock(s.ref_end)}"
                        f"  by {' and '.join(stream_words(s))}"
                    )
                )
    for remark in report.remarks:
        console.print(Text(remark, style="dim"))


def _record(number: int, group: GroupView) -> dict[str, Any]:
    return {
        "group": number,
        "representative": group.members[0].name,
        "videos": [
            {
                "id": m.video_id,
                "video": m.name,
                "duration": round(m.duration, 3),
                "width": m.width,
                "height": m.height,
                "warnings": m.warnings,
                "compilation": m.remark == "compilation",
            }
            for m in group.members
        ],
        "pairs": [{"kind": kind, **match_record(pair)} for kind, pair in group.pairs],
    }


def _pixels(member: MemberView) -> str:
    return f"{member.width}×{member.height}" if member.width else ""


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
