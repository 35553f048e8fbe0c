"""`vcd eval haystack`: how well copies are found in a folder whose truth is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vcd import __version__
from vcd_cli import options
from vcd_cli.console import Console
from vcd_cli.match import SOME_FAILED

EXAMPLES = """Examples:

vcd eval haystack haystack/ --out run/

vcd eval haystack haystack/ --out sscd/ --model sscd --streams visual

vcd eval haystack haystack/ --out tn/ --localizer TN
"""


def haystack(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="queries/, refs/, groundtruth.csv and, where there is one, labels.csv.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="OUT", help="Folder for matches.csv, metrics.json and report.html."),
    ],
    threshold: Annotated[
        float, typer.Option(min=0, max=1, metavar="P", help="Probability of the operating point.")
    ] = 0.5,
    min_length: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Shortest segment to report.")
    ] = 2.5,
    streams: options.Streams = "visual,audio",
    rate: options.Rate = 2.0,
    exact: options.Exact = False,
    model: options.Models = None,
    localizer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Another way from the matrix to segments, to compare with: TN, TN-VSC, DP, DTW, "
            "HV, with their published parameters. Their scores are no probabilities.",
        ),
    ] = None,
    refine: options.Refine = False,
    jobs: options.Jobs = None,
    cache: options.Cache = None,
    no_cache: options.NoCache = False,
    decoder: options.Decoder = options.DecoderName.pyav,
    isolation: options.Isolation = options.IsolationName.process,
    limit: options.Limit = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print metrics.json, too.")] = False,
    quiet: options.Quiet = False,
) -> int:
    """Match DIR/queries against DIR/refs and score what was found; interrupted runs go on."""
    from vcd.encoding import write_whole
    from vcd.report import require_matplotlib
    from vcd_eval.formats import write_labels, write_segments, write_subset
    from vcd_eval.haystack import RUNS, read_haystack, run_haystack
    from vcd_eval.haystack_metrics import haystack_metrics
    from vcd_eval.haystack_page import render_page
    from vcd_eval.localizers import published
    from vcd_eval.run_comparison import LABELS, QUERIES, matches_file

    console = Console(quiet=quiet)
    require_matplotlib()
    hay = read_haystack(folder)
    options.make_folder(out)
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
        threshold=0.0,
        min_length=min_length,
        localizer=None if localizer is None else published(localizer),
        refine=refine,
    )
    with console.step("videos", 2) as step:
        run = run_haystack(
            hay,
            engine,
            out,
            on_error=console.fail,
            on_progress=step.reach,
        )
    for name in RUNS:
        file = out / matches_file(name)
        if name in run.predictions:
            write_segments(file, run.predictions[name])
        else:  # of an earlier run with other streams
            file.unlink(missing_ok=True)
    write_labels(out / LABELS, hay.labels)
    write_subset(out / QUERIES, sorted({*run.queries, *hay.labels.segments.query_ids}))
    metrics = haystack_metrics(hay, run, threshold=threshold)
    write_whole(out / "metrics.json", (json.dumps(metrics, indent=1) + "\n").encode())
    page = render_page(hay, run, metrics, version=__version__)
    write_whole(out / "report.html", page.encode())
    if as_json:
        typer.echo(json.dumps(metrics))
    else:
        typer.echo(f"{'':8}{'segment':>9}{'pair':>7}   micro-AP")
        for name in RUNS:
            segment, pair = metrics["segment_uap"][name], metrics["pair_uap"][name]
            if segment is not None:
                typer.echo(f"{name:8}{segment:9.4f}{pair:7.4f}")
    console.say(f"report in {out / 'report.html'}")
    return SOME_FAILED if console.failures else 0
