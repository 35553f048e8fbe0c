"""`vcd describe`: the descriptors of media files, for later or for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vcd import encoding
from vcd.sources import resolve
from vcd_cli import options
from vcd_cli.console import Console
from vcd_cli.match import SOME_FAILED

EXAMPLES = """Examples:

vcd describe video.mp4 --output video.vcd

vcd describe refs/ --output references.npz

vcd describe uploads/ --output-dir descriptors/
"""


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
    )
    options.check_writable(output)
    if output_dir is not None:
        options.make_folder(output_dir)
    sources = resolve(files, console.fail)
    kept = []
    with console.step("describing", len(sources)) as step:
        for source, descriptor in engine.describe_all(
            sources, on_error=console.fail, on_done=lambda _: step.advance()
        ):
            console.warn_of_damage(source.name, descriptor.health)
            if output_dir is not None:
                name = descriptor.video_id.replace("/", "_") + encoding.SUFFIX
                descriptor.save(output_dir / name)
            if output is not None:
                kept.append(descriptor)
            parts = [
                f"{len(track)} {track.key} x {track.vectors.shape[1]} ({track.model})"
                for track in descriptor.tracks.values()
            ]
            typer.echo(
                f"{source.name}\t{descriptor.duration:.2f} s\t{', '.join(parts) or 'nothing'}"
            )
    if output is not None and kept:
        encoding.save(output, kept)
    return SOME_FAILED if console.failures else 0
