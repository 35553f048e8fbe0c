"""`vcd demo`: made videos, edited copies of them, and what vcd finds, beside the truth."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcd.records import Match, Segment
from vcd_cli.console import Console

if TYPE_CHECKING:
    from vcd_eval.formats import Labels

EXAMPLES = """Example: vcd demo --output-dir /tmp/demo"""

_THRESHOLD = 0.5


def demo(
    output_dir: Annotated[
        Path, typer.Option(metavar="DIR", help="Where videos and report go.")
    ] = Path("vcd-demo"),
    seed: Annotated[int, typer.Option(help="Another number gives other pictures and sounds.")] = 0,
) -> int:
    """Make videos and edited copies, match them, and print the truth beside what was found."""
    from vcd.engine import Engine
    from vcd_cli.run import MatchRun
    from vcd_eval import formats
    from vcd_eval.demo import make_demo

    console = Console()
    with console.step("making videos", 2) as step:
        made = make_demo(output_dir, seed=seed, progress=lambda done, of, _: step.reach(done, of))

    run = MatchRun(Engine(threshold=_THRESHOLD, jobs=os.cpu_count() or 1), console)
    found = [pair.match for pair in run.search(made.folder / "queries", [made.folder / "refs"])]
    labels = formats.read_labels(made.labels)
    _print_table([path.stem for path in made.queries], labels, found)
    run.write_page(output_dir / "report.html", subject="the demo", threshold=_THRESHOLD)
    console.say(f"try it: vcd match {made.queries[0]} {made.folder / 'refs'}")
    return 0


def _print_table(queries: Sequence[str], labels: Labels, found: Sequence[Match]) -> None:
    """Print what is true of each query, and beside it what was found."""
    from rich.console import Console as RichConsole
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("query", "truth: reference, query, reference time", "found", "probability"):
        table.add_column(title)
    for query in queries:
        truth = _truth_lines(query, labels)
        matches = [match for match in found if match.query_id == query]
        lines = [_line(m.ref_id, _span(s), s.streams) for m in matches for s in m.segments]
        scores = [f"{s.score:.2f}" for m in matches for s in m.segments]
        table.add_row(query, "\n".join(truth), "\n".join(lines) or "nothing", "\n".join(scores))
    RichConsole(highlight=False).print(table)


def _truth_lines(query: str, labels: Labels) -> list[str]:
    lines = []
    for row, name in enumerate(labels.segments.query_ids):
        if name == query:
            times = (*labels.segments.query_times[row], *labels.segments.ref_times[row])
            kept = {"visual": labels.visual[row], "audio": labels.audio[row]}
            streams = frozenset(stream for stream, copied in kept.items() if copied)
            lines.append(_line(labels.segments.ref_ids[row], times, streams))
    return lines or ["no copy"]


def _span(segment: Segment) -> tuple[float, float, float, float]:
    return segment.query_start, segment.query_end, segment.ref_start, segment.ref_end


def _line(ref: str, times: Sequence[float], streams: Collection[str]) -> str:
    words = {"visual": "picture", "audio": "sound"}
    by = "+".join(word for stream, word in words.items() if stream in streams)
    start, end, ref_start, ref_end = times
    return f"{ref} {start:.1f}-{end:.1f} = {ref_start:.1f}-{ref_end:.1f} s, {by}"
