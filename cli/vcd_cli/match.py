"""`vcd match`: which parts of which references appear in a query."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from vcd.errors import OutputError, display_name
from vcd.report import ResultWriter, make_writer, whole_file
from vcd_cli import options
from vcd_cli.console import Console
from vcd_cli.run import MatchRun

EXAMPLES = """Examples:

vcd match query.mp4 refs/

vcd match uploads/ refs/ --threshold 0.9 --format csv --output matches.csv

vcd match song.mp3 refs/ --streams audio

vcd match query.mp4 refs/ --html report.html
"""

FOUND, SOME_FAILED = 10, 3


class Format(StrEnum):
    """Formats of results."""

    table = "table"
    jsonl = "jsonl"
    json = "json"
    csv = "csv"


def match(
    query: Annotated[
        Path,
        typer.Argument(
            metavar="QUERY", help="A video, picture, sound or descriptor file, or a folder."
        ),
    ],
    refs: Annotated[
        list[Path], typer.Argument(metavar="REFS...", help="Files and folders to look in.")
    ],
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Smallest probability to report.")
    ] = 0.5,
    top: Annotated[
        int | None, typer.Option(min=1, help="At most this many references a query.")
    ] = None,
    min_length: Annotated[
        float, typer.Option(min=0, help="Shortest segment to report, in seconds.")
    ] = 2.5,
    streams: options.Streams = "visual,audio",
    rate: options.Rate = 2.0,
    exact: options.Exact = False,
    model: options.Models = None,
    jobs: options.Jobs = None,
    cache: options.Cache = None,
    no_cache: options.NoCache = False,
    decoder: options.Decoder = options.DecoderName.pyav,
    format: Annotated[
        Format | None,
        typer.Option(help="Form of the results (default: table on a terminal, else jsonl)."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write results here, not to stdout.")
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
        cache=cache,
        no_cache=no_cache,
        decoder=decoder,
        threshold=threshold,
        min_length=min_length,
    )
    for path in (output, html):
        _check_writable(path)
    if plot is not None:
        _make_folder(plot)

    run = MatchRun(engine, console, top=top)
    with ExitStack() as stack:
        writer = stack.enter_context(_writer(stack, format, output))
        for pair in run.search(query, refs):
            writer.write_match(pair)
        for failure in console.failures:
            writer.write_error(failure)
    if plot is not None:
        run.plot(plot)
    if html is not None:
        subject = f"{display_name(query)} in {', '.join(display_name(path) for path in refs)}"
        run.write_page(html, subject=subject, threshold=threshold)
    if console.failures:
        return SOME_FAILED
    return FOUND if exit_code and len(run) else 0


def _writer(stack: ExitStack, format: Format | None, output: Path | None) -> ResultWriter:
    """Return the writer of the results; a file appears whole when the stack unwinds."""
    stream: TextIO = sys.stdout if output is None else stack.enter_context(whole_file(output))
    if format is None:
        format = Format.table if output is None and sys.stdout.isatty() else Format.jsonl
    return make_writer(format.value, stream)


def _check_writable(path: Path | None) -> None:
    """Refuse a place that cannot be written before any work is done."""
    if path is None:
        return
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise OutputError(
            "cannot be written",
            file=path,
            remedy="name a file in a folder that exists and allows writing",
        )


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder cannot be made ({error.strerror or error})",
            file=path,
            remedy="choose another place",
        ) from error
