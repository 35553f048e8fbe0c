"""`vcd library`: many described videos in one file, kept up to date and asked every day."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcd import encoding
from vcd.errors import ContractError, VcdError, display_name
from vcd.library import Entry, Library
from vcd_cli import options
from vcd_cli.console import Console
from vcd_cli.match import INTERRUPTED, SOME_FAILED

if TYPE_CHECKING:
    from vcd.collection import Added

EXAMPLES = """Examples:

vcd library add refs.vcdlib videos/

vcd match query.mp4 refs.vcdlib
"""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Keep many described videos in one file, and search it.",
    epilog=EXAMPLES,
)

LibraryFile = Annotated[
    Path, typer.Argument(metavar="LIBRARY", help="A library file, by custom *.vcdlib.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="JSON lines, which is also the form in a pipe.")
]


@app.command(
    epilog="""Examples:

vcd library add refs.vcdlib videos/

vcd library add refs.vcdlib more/ one.mp4 --jobs 4

vcd library add refs.vcdlib /shared/videos/ --cluster ray://head:10001

The same call again goes on after an interruption, and takes in what is new.
"""
)
def add(
    library: LibraryFile,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILES", help="Media files, descriptor files, folders, libraries."),
    ],
    streams: options.Streams = "visual,audio",
    rate: options.Rate = 2.0,
    exact: options.Exact = False,
    model: options.Models = None,
    jobs: options.Jobs = None,
    cluster: options.Cluster = None,
    cache: options.Cache = None,
    no_cache: options.NoCache = False,
    decoder: options.Decoder = options.DecoderName.pyav,
    isolation: options.Isolation = options.IsolationName.process,
    limit: options.Limit = None,
    quiet: options.Quiet = False,
) -> int:
    """Add what is new: unchanged files are skipped, moved ones recognised by their content."""
    from vcd.collection import add_files

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
    )
    with Library(library) as opened:
        try:
            with console.step("adding") as step:
                added = add_files(
                    engine,
                    opened,
                    files,
                    on_error=console.fail,
                    on_start=step.expect,
                    on_done=lambda _: step.advance(),
                    on_added=lambda s, d: console.remark(s.name, d, engine.streams),
                )
        except KeyboardInterrupt:
            return INTERRUPTED
        console.say(_summary(added, len(opened), library))
    return SOME_FAILED if console.failures else 0


@app.command(
    epilog="""Examples:

vcd library remove refs.vcdlib holiday videos/old.mp4

vcd library remove refs.vcdlib --missing
"""
)
def remove(
    library: LibraryFile,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAMES", help="Ids, or files and folders they were made of."),
    ] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="All whose file is no longer there.")
    ] = False,
    quiet: options.Quiet = False,
) -> int:
    """Remove videos from the library; no media file is touched."""
    console = Console(quiet=quiet)
    if not names and not missing:
        raise typer.BadParameter("name videos, or say --missing", param_hint="NAMES")
    with Library(library, create=False) as opened:
        entries = opened.entries()
        chosen = {e.video_id for e in entries if missing and _is_missing(e)}
        for name in names or []:
            found = {e.video_id for e in entries if name == e.video_id}
            if not found and name:
                found = {e.video_id for e in entries if _lies_at(e, name)}
            if not found:
                console.fail(ContractError(f"holds no video {name!r}", file=library))
            chosen |= found
        for video_id in sorted(chosen):
            opened.remove(video_id)
        console.say(f"{len(chosen)} removed; {_videos(len(opened))} in {display_name(library)}")
    return SOME_FAILED if console.failures else 0


@app.command(
    "list",
    epilog="""Examples:

vcd library list refs.vcdlib

vcd library list refs.vcdlib | jq -r .path
""",
)
def list_videos(library: LibraryFile, as_json: AsJson = False) -> int:
    """List what the library holds."""
    with Library(library, create=False) as opened:
        rows = [_record(entry) for entry in opened.entries()]
    _print(rows, as_json, ("id", "duration", "width", "height", "warnings", "path"))
    return 0


@app.command(
    epilog="""Examples:

vcd library search refs.vcdlib query.mp4 --top 5

It tells what is worth comparing, fast; vcd match tells what was copied, and how surely.
"""
)
def search(
    library: LibraryFile,
    queries: Annotated[
        list[Path], typer.Argument(metavar="QUERIES", help="Files, folders or libraries.")
    ],
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Candidates a query.")] = 10,
    as_json: AsJson = False,
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
    quiet: options.Quiet = False,
) -> int:
    """List the videos most likely to share something with each query, by votes of the index."""
    from vcd.gallery import Gallery
    from vcd.sources import resolve

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
    )
    rows: list[dict[str, Any]] = []
    with Library(library, create=False) as opened:
        gallery = Gallery([], [opened], candidates=top)
        for source, query in engine.prepare_all(
            resolve(queries, console.fail, engine.limits), on_error=console.fail
        ):
            for candidate, found in gallery.candidates(source, query):
                rows.append(
                    {
                        "query": source.name,
                        "reference": found.name,
                        "votes": round(candidate.votes, 2),
                        "offset": round(candidate.offset, 1),
                        "speed": round(candidate.speed, 2),
                    }
                )
    _print(rows, as_json, ("query", "reference", "votes", "offset", "speed"))
    return SOME_FAILED if console.failures else 0


@app.command(
    epilog="""Examples:

vcd library verify refs.vcdlib

vcd library verify refs.vcdlib --recall

vcd library verify refs.vcdlib --rebuild --milvus http://milvus:19530
"""
)
def verify(
    library: LibraryFile,
    recall: Annotated[
        bool,
        typer.Option("--recall", help="Also measure what the index misses of an exact search."),
    ] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build the index anew.")] = False,
    milvus: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help='With --rebuild: keep it in Milvus from now on (http://host:19530); "": here.',
        ),
    ] = None,
    quiet: options.Quiet = False,
) -> int:
    """Check every descriptor, the store and the index; exit code 3 where something is damaged."""
    from vcd.collection import check, measure_recall
    from vcd.library import LibrarySearch

    console = Console(quiet=quiet)
    if milvus is not None and not rebuild:
        raise typer.BadParameter("say --rebuild, too", param_hint="--milvus")
    with Library(library, create=False) as opened:
        with console.step("checking", len(opened)) as step:
            count = check(opened, on_error=console.fail, on_done=step.advance)
        index = LibrarySearch(opened, milvus=milvus)
        if rebuild:
            index.rebuild()
        streams, _ = index.refresh()
        typer.echo(f"{_videos(count)} whole of {len(opened)}")
        for stream, (model, _) in opened.models().items():
            part = streams[stream]
            typer.echo(
                f"{stream}: {len(part):,} positions of {model}; {len(part.kept):,} in the index "
                f"({part.kept.name}), {len(part.fresh):,} added since"
            )
        if recall:
            for line in measure_recall(index):
                typer.echo(line)
    return SOME_FAILED if console.failures else 0


@app.command(
    epilog="""Examples:

vcd library export refs.vcdlib --output refs.npz
"""
)
def export(
    library: LibraryFile,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="VSC .npz where it ends so, else .vcd."
        ),
    ],
) -> int:
    """Write all descriptors to one file, which other programs read."""
    options.check_writable(output)
    console = Console()
    whole = []
    with Library(library, create=False) as opened:
        for video_id in opened.video_ids():
            try:
                whole.append(opened.get(video_id, whole=True))
            except VcdError as error:
                console.fail(error)
    encoding.save(output, whole)
    return SOME_FAILED if console.failures else 0


@app.command(
    epilog="""Examples:

vcd library ignore refs.vcdlib episode-1 --start 0 --end 42 --reason intro

vcd library ignore refs.vcdlib test-card
"""
)
def ignore(
    library: LibraryFile,
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="Id of the video.")],
    start: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="From here.")] = 0.0,
    end: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="To here (default: its end).")
    ] = None,
    reason: Annotated[str, typer.Option(help="Kept with the decision.")] = "",
) -> int:
    """Decide that a part of a video says nothing: an intro, an advert, a test card."""
    with Library(library, create=False) as opened:
        until = math.inf if end is None else end
        number = opened.ignore(video, start, until, reason=reason).number
    typer.echo(f"decision {number}")
    return 0


@app.command(
    epilog="""Examples:

vcd library separate refs.vcdlib holiday-1 holiday-2 --reason "same place, other year"
"""
)
def separate(
    library: LibraryFile,
    first: Annotated[str, typer.Argument(metavar="VIDEO", help="Id of one video.")],
    second: Annotated[str, typer.Argument(metavar="VIDEO", help="Id of the other.")],
    reason: Annotated[str, typer.Option(help="Kept with the decision.")] = "",
) -> int:
    """Decide that two videos are no copies of each other, whatever they share."""
    with Library(library, create=False) as opened:
        number = opened.separate(first, second, reason=reason).number
    typer.echo(f"decision {number}")
    return 0


@app.command(
    epilog="""Examples:

vcd library decisions refs.vcdlib

vcd library decisions refs.vcdlib --forget 3
"""
)
def decisions(
    library: LibraryFile,
    forget: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Take this decision back.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """List what was decided, and take decisions back."""
    with Library(library, create=False) as opened:
        if forget is not None:
            if not opened.forget(forget):
                raise ContractError(f"holds no decision {forget}", file=library)
            return 0
        known = {entry.identity: entry.video_id for entry in opened.entries()}
        rows = [
            {
                "number": d.number,
                "kind": d.kind,
                "videos": [known.get(i, i) for i in (d.first, d.second) if i],
                "start": d.start,
                "end": None if math.isinf(d.end) else d.end,
                "reason": d.reason,
            }
            for d in opened.decisions()
        ]
    _print(rows, as_json, ("number", "kind", "videos", "start", "end", "reason"))
    return 0


def _summary(added: Added, total: int, library: Path) -> str:
    parts = [
        f"{count} {word}"
        for count, word in (
            (added.described, "added"),
            (added.copied, "copies"),
            (added.moved, "moved"),
            (added.unchanged, "unchanged"),
        )
        if count
    ]
    return f"{', '.join(parts) or 'nothing added'}; {_videos(total)} in {display_name(library)}"


def _videos(count: int) -> str:
    return "1 video" if count == 1 else f"{count:,} videos"


def _record(entry: Entry) -> dict[str, Any]:
    origin = entry.origin
    return {
        "id": entry.video_id,
        "duration": round(entry.duration, 3),
        "width": origin.width if origin else None,
        "height": origin.height if origin else None,
        "warnings": entry.warnings,
        "path": display_name(origin.path) if origin and origin.path else None,
        "content": origin.content if origin else None,
    }


def _is_missing(entry: Entry) -> bool:
    path = entry.origin.path if entry.origin else None
    return path is not None and not os.path.lexists(path)


def _lies_at(entry: Entry, name: str) -> bool:
    path = entry.origin.path if entry.origin else None
    place = Path(os.path.abspath(name))  # noqa: PTH100 - links are left as they are
    return path is not None and (path == place or place in path.parents)


def _print(rows: list[dict[str, Any]], as_json: bool, columns: tuple[str, ...]) -> None:
    """Print a table on a terminal, else one JSON object a line."""
    if as_json or not sys.stdout.isatty():
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False, allow_nan=False))
        return
    from rich import box
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for row in rows:
        cells = (row[name] for name in columns)
        table.add_row(*(Text(", ".join(c) if isinstance(c, list) else _cell(c)) for c in cells))
    RichConsole().print(table)


def _cell(value: object) -> str:
    return "" if value is None else str(value)
