"""`vcd describe`: the descriptors of media files, for later or for other programs."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcd import encoding
from vcd.errors import OutputError
from vcd.records import VideoDescriptor
from vcd.sources import Source, resolve
from vcd_cli import options
from vcd_cli.console import Console
from vcd_cli.match import INTERRUPTED, SOME_FAILED

if TYPE_CHECKING:
    from vcd.engine import Engine

EXAMPLES = """Examples:

vcd describe video.mp4 --output video.vcd

vcd describe refs/ --output references.npz

vcd describe uploads/ --output-dir descriptors/
"""

_LONGEST_NAME = 200  # bytes; file systems allow 255, ending included


def describe(
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="Media files and folders.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="One file for all: VSC .npz where it ends so, else .vcd.",
        ),
    ] = None,
    output_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="One .vcd file a video into this folder.")
    ] = None,
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
    """Describe FILES: one line each on stdout, and the descriptors into files where asked."""
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
    options.check_writable(output)
    if output_dir is not None:
        options.make_folder(output_dir)
    sources = resolve(files, console.fail, engine.limits)
    kept: list[VideoDescriptor] = []
    interrupted = 0
    try:
        _describe(engine, sources, console, output_dir, kept if output is not None else None)
    except KeyboardInterrupt:
        interrupted = INTERRUPTED
    if output is not None and kept:
        encoding.save(output, kept)
    return interrupted or (SOME_FAILED if console.failures else 0)


def _describe(
    engine: Engine,
    sources: list[Source],
    console: Console,
    folder: Path | None,
    kept: list[VideoDescriptor] | None,
) -> None:
    """Print a line for each video; keep its descriptor in a folder, a list, or neither."""
    with console.step("describing", len(sources)) as step:
        for source, descriptor in engine.describe_all(
            sources, on_error=console.fail, on_done=lambda _: step.advance()
        ):
            console.remark(source.name, descriptor, engine.streams)
            if folder is not None:
                try:
                    descriptor.save(folder / file_name(descriptor.video_id))
                except OutputError as error:
                    console.fail(error)
            if kept is not None:
                kept.append(descriptor)
            parts = [
                f"{len(track)} {track.key} x {track.vectors.shape[1]} ({track.model})"
                for track in descriptor.tracks.values()
            ]
            typer.echo(
                f"{source.name}\t{descriptor.duration:.2f} s\t{', '.join(parts) or 'nothing'}"
            )


def file_name(video_id: str) -> str:
    """Return a file name for a descriptor: safe on any file system, another one for another id.

    Examples
    --------
    >>> file_name("holiday 2"), file_name("a/b")
    ('holiday 2.vcd', 'a_b--82badf67.vcd')
    """
    plain = re.sub(r"[^\w .()+-]+", "_", video_id).lstrip("-. ").rstrip(". ")
    short = plain.encode()[:_LONGEST_NAME].decode(errors="ignore") or "video"
    if short == video_id:
        return short + encoding.SUFFIX
    digest = hashlib.blake2b(video_id.encode(errors="surrogatepass"), digest_size=4).hexdigest()
    return f"{short}--{digest}{encoding.SUFFIX}"
