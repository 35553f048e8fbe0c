"""`vcd duplicates`: everything that occurs twice in a collection."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, TextIO

import typer

from vcd import __version__
from vcd.collection import Duplicates, Group, Policy, add_files, find_duplicates
from vcd.collection.duplicates import CANDIDATES
from vcd.engine import Engine
from vcd.errors import ContractError, display_name
from vcd.library import SUFFIX, Entry, Library
from vcd.records import Match, SimilarityMatrix
from vcd.report import MediaView, PairView, whole_file
from vcd.report.groups import (
    GroupReport,
    GroupView,
    MemberView,
    write_groups,
    write_groups_html,
)
from vcd.sources import source_of
from vcd_cli import options
from vcd_cli.console import Console
from vcd_cli.match import FOUND, INTERRUPTED, SOME_FAILED
from vcd_cli.pictures import thumbnails

EXAMPLES = """Examples:

vcd duplicates videos/

vcd duplicates videos/ more/ --html review.html

vcd duplicates videos/ --library videos.vcdlib

vcd duplicates videos.vcdlib --sound --threshold 0.8 --format json

Nothing is ever deleted. Decisions are kept in a library: see vcd library separate, and ignore.
"""


class Format(StrEnum):
    """Forms of results."""

    table = "table"
    jsonl = "jsonl"
    json = "json"


def duplicates(
    dirs: Annotated[
        list[Path],
        typer.Argument(metavar="DIRS", help="Folders, media files, or one library."),
    ],
    library: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep what is described, and decisions, in this library."
        ),
    ] = None,
    threshold: Annotated[
        str,
        typer.Option(
            metavar="P",
            help="Smallest probability to report: a number, or strict, balanced or review.",
        ),
    ] = "0.95",
    min_length: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Shortest segment to report.")
    ] = 2.5,
    sound: Annotated[
        bool, typer.Option("--sound", help="Also the same sound under other pictures.")
    ] = False,
    intros: Annotated[
        bool,
        typer.Option("--intros", help="Also what three videos or more begin or end with."),
    ] = False,
    candidates: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Videos that each one is compared with, at most."),
    ] = CANDIDATES,
    streams: options.Streams = "visual,audio",
    rate: options.Rate = 2.0,
    exact: options.Exact = False,
    model: options.Models = None,
    jobs: options.Jobs = None,
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
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page to review them.")
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 10 where something was found.")
    ] = False,
    quiet: options.Quiet = False,
) -> int:
    """Find everything that occurs twice: whole videos, clips, compilations, shared scenes."""
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
        isolation=isolation,
        limit=limit,
        threshold=options.probability_or_name(threshold),
        min_length=min_length,
    )
    for path in (output, html):
        options.check_writable(path)
    policy = Policy(engine.detector.threshold, sound=sound, common=intros)
    try:
        with ExitStack() as stack:
            opened = _open(stack, dirs, library)
            if opened.path not in dirs:
                _add(engine, console, opened, dirs)
            found = _find(engine, console, opened, policy, candidates)
            report = GroupReport(
                groups=[_group(opened, group) for group in found.groups],
                videos=found.videos,
                threshold=policy.threshold,
                remarks=tuple(_remarks(found)),
                failures=tuple(console.failures),
                subject=f"Duplicates in {', '.join(display_name(path) for path in dirs)}",
                version=__version__,
                finished=datetime.now().astimezone(),
            )
            stream: TextIO = sys.stdout
            if output is not None:
                stream = stack.enter_context(whole_file(output))
            if format is None:
                plain = output is not None or not sys.stdout.isatty()
                format = Format.jsonl if plain else Format.table
            write_groups(stream, report, format.value)
            if html is not None:
                write_groups_html(
                    html,
                    report,
                    thumbnails=partial(thumbnails, engine),
                    matrices=partial(_matrices, engine, opened),
                )
                console.say(f"page in {display_name(html)}")
            if format is not Format.table:
                for remark in report.remarks:
                    console.say(remark)
    except KeyboardInterrupt:
        return INTERRUPTED
    if console.failures:
        return SOME_FAILED
    return FOUND if exit_code and found.groups else 0


def _open(stack: ExitStack, dirs: list[Path], library: Path | None) -> Library:
    """Return the library to look in: one that is named, or one for this run alone."""
    given = [path for path in dirs if path.suffix.lower() == SUFFIX and path.is_file()]
    if library is None and given:
        if len(dirs) > 1:
            raise ContractError(
                "a library stands alone",
                file=given[0],
                remedy="name it with --library, and the folders to take in as DIRS",
            )
        return stack.enter_context(Library(given[0], create=False))
    if library is None:
        folder = stack.enter_context(TemporaryDirectory(prefix="vcd-"))
        library = Path(folder, f"run{SUFFIX}")
    return stack.enter_context(Library(library))


def _add(engine: Engine, console: Console, library: Library, dirs: list[Path]) -> None:
    with console.step("describing") as step:
        add_files(
            engine,
            library,
            dirs,
            on_error=console.fail,
            on_start=step.expect,
            on_done=lambda _: step.advance(),
            on_added=lambda s, d: console.remark(s.name, d, engine.streams),
        )


def _find(
    engine: Engine, console: Console, library: Library, policy: Policy, candidates: int
) -> Duplicates:
    with console.step("comparing") as step:
        return find_duplicates(
            engine,
            library,
            policy,
            candidates=candidates,
            on_error=console.fail,
            on_start=step.expect,
            on_done=step.advance,
        )


def _matrices(engine: Engine, library: Library, match: Match) -> Mapping[str, SimilarityMatrix]:
    first, second = (engine.prepare(library.get(name)) for name in (match.query_id, match.ref_id))
    return engine.matrices(first, second)


def _group(library: Library, group: Group) -> GroupView:
    pairs = []
    for pair in group.pairs:
        view = PairView(pair.match, _media(library, pair.first), _media(library, pair.second))
        pairs.append((pair.kind, view))
    members = [_member(library, entry, group) for entry in group.videos]
    return GroupView(members, pairs)


def _media(library: Library, entry: Entry) -> MediaView:
    source = source_of(library, entry)
    return MediaView(source.name, entry.duration, path=source.path)


def _member(library: Library, entry: Entry, group: Group) -> MemberView:
    remark = "compilation" if entry.video_id in group.compilations else ""
    if entry == group.representative:
        remark = "representative"
    return MemberView(
        name=source_of(library, entry).name,
        video_id=entry.video_id,
        duration=entry.duration,
        width=entry.origin.width if entry.origin else 0,
        height=entry.origin.height if entry.origin else 0,
        warnings=entry.warnings,
        remark=remark,
    )


def _remarks(found: Duplicates) -> list[str]:
    told = (
        (found.only_sound, "only the sound, under other pictures (--sound shows them)"),
        (found.only_common, "only what several videos begin or end with (--intros shows them)"),
        (found.decided, "what was decided to be no duplicate"),
    )
    return [
        f"{count} {'pair shares' if count == 1 else 'pairs share'} {what}"
        for count, what in told
        if count
    ]
