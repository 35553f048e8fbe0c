"""`vcd demo`: made videos, edited copies of them, and what vcd finds, beside the truth."""

from __future__ import annotations

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
    from vcd_cli import options
    from vcd_cli.match import SOME_FAILED
    from vcd_cli.run import MatchRun
    from vcd_eval import formats
    from vcd_eval.demo import make_demo

    console = Console()
    with console.step("making videos", 2) as step:
        made = make_demo(output_dir, seed=seed, progress=lambda done, of, _: step.reach(done, of))

    run = MatchRun(Engine(threshold=_THRESHOLD, jobs=options.processors()), console)
    found = [pair.match for pair in run.search(made.folder / "queries", [made.folder / "refs"])]
    labels = formats.read_labels(made.labels)
    _print_table([path.stem for path in made.queries], labels, found)
    run.write_page(output_dir / "report.html", subject="the demo", threshold=_THRESHOLD)
    console.say(f"try it: vcd match {made.queries[0]} {made.folder / 'refs'}")
    return SOME_FAILED if console.failures else 0


def _print_table(queries: Sequence[str], labels: Labels, found: Sequence[Match]) -> None:
    """Print what is true of each query, and below it what was found."""
    titles = ("", "reference", "in query", "in reference", "by", "probability")
    typer.echo(_row(titles))
    for query in queries:
        typer.echo(query)
        rows: list[tuple[str, ...]] = [("  truth", *row) for row in _truth(query, labels)]
        rows += [
            ("  found", m.ref_id, *_times(*_bounds(s)), _by(s.streams), f"{s.score:.2f}")
            for m in found
            if m.query_id == query
            for s in m.segments
        ]
        for row in rows or [("  no copy, nothing found",)]:
            typer.echo(_row(row))


def _row(cells: Sequence[str]) -> str:
    widths = (9, 12, 12, 14, 15, 11)
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=False)).rstrip()


def _truth(query: str, labels: Labels) -> list[tuple[str, str, str, str]]:
    table = labels.segments
    return [
        (
            table.ref_ids[row],
            *_times(*table.query_times[row], *table.ref_times[row]),
            _by([s for s, copied in _copied(labels, row) if copied]),
        )
        for row, name in enumerate(table.query_ids)
        if name == query
    ]


def _copied(labels: Labels, row: int) -> list[tuple[str, bool]]:
    return [("visual", bool(labels.visual[row])), ("audio", bool(labels.audio[row]))]


def _bounds(segment: Segment) -> tuple[float, float, float, float]:
    return segment.query_start, segment.query_end, segment.ref_start, segment.ref_end


def _times(start: float, end: float, ref_start: float, ref_end: float) -> tuple[str, str]:
    return f"{start:.1f}-{end:.1f}", f"{ref_start:.1f}-{ref_end:.1f}"


def _by(streams: Collection[str]) -> str:
    words = {"visual": "picture", "audio": "sound"}
    return "+".join(word for stream, word in words.items() if stream in streams)
