"""`vcd match`: which parts of which references appear in a query."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from vcd.errors import display_name
from vcd.report import ResultWriter, make_writer, require_matplotlib, whole_file
from vcd_cli import options
from vcd_cli.console import Console
from vcd_cli.run import MatchRun

EXAMPLES = """Examples:

vcd match query.mp4 refs/

vcd match uploads/ refs/ --threshold 0.9 --format csv --output matches.csv

vcd match uploads/ refs/ --threshold strict --exit-code

vcd match song.mp3 refs/ --streams audio

vcd match query.mp4 refs/ --html report.html

vcd match query.mp4 refs/ --format otio --output match.otio
"""

FOUND, SOME_FAILED, INTERRUPTED = 10, 3, 130


class Format(StrEnum):
    """Formats of results."""

    table = "table"
    jsonl = "jsonl"
    json = "json"
    csv = "csv"
    otio = "otio"
    edl = "edl"


def match(
    query: Annotated[
        Path,
        typer.Argument(
            metavar="QUERY",
            help="A video, picture, sound or descriptor file, a library, or a folder.",
        ),
    ],
    refs: Annotated[
        list[Path],
        typer.Argument(
            metavar="REFS", help="The same, to look in. A file is not compared with itself."
        ),
    ],
    threshold: Annotated[
        str,
        typer.Option(
            metavar="P",
            help="Smallest probability to report: a number, or strict, balanced or review (see vcd "
            "models thresholds).",
        ),
    ] = "0.5",
    top: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most this many references a query.")
    ] = None,
    min_length: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Shortest segment to report."),
    ] = 2.5,
    streams: options.Streams = "visual,audio",
    rate: options.Rate = 2.0,
    exact: options.Exact = False,
    model: options.Models = None,
    refine: options.Refine = False,
    jobs: options.Jobs = None,
    cluster: options.Cluster = None,
    cache: options.Cache = None,
    no_cache: options.NoCache = False,
    decoder: options.Decoder = options.DecoderName.pyav,
    isolation: options.Isolation = options.IsolationName.process,
    limit: options.Limit = None,
    format: Annotated[
        Format | None,
        typer.Option(help="Form of the results (default: table on a terminal, else jsonl)."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write results here."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw one picture a pair into this folder.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page to look at the matches.")
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 10 where something was found.")
    ] = False,
    quiet: options.Quiet = False,
) -> int:
    """Find which parts of which references appear in QUERY, from where to where."""
    console = Console(quiet=quiet)
    engine = options.make_engine(
        streams=streams,
        rate=rate,
        exact=exact,
        models=model,
        jobs=jobs,
        cluster=cluster,
        cache=cache,
        no_cache=no_cache,
        decoder=decoder,
        isolation=isolation,
        limit=limit,
        threshold=options.probability_or_name(threshold),
        min_length=min_length,
        refine=refine,
    )
    output = None if output == Path("-") else output
    for path in (output, html):
        options.check_writable(path)
    if plot is not None:
        options.make_folder(plot)
        require_matplotlib()

    run = MatchRun(engine, console, top=top)
    with ExitStack() as stack:
        writer = stack.enter_context(_writer(stack, format, output))
        try:
            for pair in run.search(query, refs):
                writer.write_match(pair)
        except KeyboardInterrupt:
            return INTERRUPTED  # on the way out the file is written with what was found so far
        for failure in console.failures:
            writer.write_error(failure)
    if plot is not None:
        run.plot(plot)
    if html is not None:
        subject = f"{display_name(query)} in {', '.join(display_name(path) for path in refs)}"
        run.write_page(html, subject=subject, threshold=engine.detector.threshold)
    if console.failures:
        return SOME_FAILED
    return FOUND if exit_code and len(run) else 0


def _writer(stack: ExitStack, format: Format | None, output: Path | None) -> ResultWriter:
    """Return the writer of the results; a file appears whole when the stack unwinds."""
    stream: TextIO = sys.stdout if output is None else stack.enter_context(whole_file(output))
    if format is None:
        format = Format.table if output is None and sys.stdout.isatty() else Format.jsonl
    return make_writer(format.value, stream)
