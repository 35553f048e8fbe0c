"""`vcd eval vsc`: what the Video Similarity Challenge scores, from files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcd_cli.options import check_writable

if TYPE_CHECKING:
    from vcd_eval.descriptors import DescriptorTable

MATCHING_EXAMPLES = (
    "Example: vcd eval vsc matching --groundtruth groundtruth.csv --predictions matches.csv"
)
DESCRIPTOR_EXAMPLES = """Examples:

vcd eval vsc descriptor --groundtruth gt.csv --queries queries.npz --references refs.npz

vcd eval vsc descriptor --groundtruth gt.csv --queries queries.npz --references refs.npz
--score-normalisation background.npz --output candidates.csv
"""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Video Similarity Challenge 2022/2023.",
    epilog=MATCHING_EXAMPLES,
)

Truth = Annotated[Path, typer.Option(help="CSV of the true segments.", metavar="CSV")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command(epilog=MATCHING_EXAMPLES)
def matching(
    groundtruth: Truth,
    predictions: Annotated[
        Path, typer.Option(help="CSV of predicted segments with scores.", metavar="CSV")
    ],
    as_json: AsJson = False,
) -> int:
    """Score the matching track: segment micro-AP and pair micro-AP."""
    from vcd_eval import formats
    from vcd_eval.vsc import pair_ap, segment_ap

    truth = formats.read_groundtruth(groundtruth)
    predicted = formats.read_predictions(predictions)
    segment = segment_ap(truth, predicted)
    pair = pair_ap(truth, predicted)
    clamped = pair_ap(truth, predicted, reference_clamp=True)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "segment_ap": segment.ap,
                    "pair_ap": pair.ap,
                    "pair_ap_reference": clamped.ap,
                    "curve": segment.curve.tolist(),
                }
            )
        )
    else:
        typer.echo(f"segment micro-AP  {segment.ap:.4f}")
        typer.echo(f"pair micro-AP     {pair.ap:.4f}")
    return 0


@app.command(epilog=DESCRIPTOR_EXAMPLES)
def descriptor(
    groundtruth: Truth,
    queries: Annotated[Path, typer.Option(help="Descriptors of the queries.", metavar="NPZ")],
    references: Annotated[Path, typer.Option(help="Descriptors of the references.", metavar="NPZ")],
    score_normalisation: Annotated[
        Path | None,
        typer.Option(
            metavar="NPZ",
            help="Normalise scores as the challenge's baseline does, by these descriptors of "
            "unrelated videos.",
        ),
    ] = None,
    beta: Annotated[
        float, typer.Option(min=0, help="Share of the background's highest score to subtract.")
    ] = 1.2,
    output: Annotated[
        Path | None, typer.Option(help="Write the candidate pairs, best first.", metavar="CSV")
    ] = None,
    challenge: Annotated[
        bool,
        typer.Option(
            "--challenge",
            help="Hold the challenge's rules: ids Q... and R..., in ascending order.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Score the descriptor track: search the candidate pairs, then their micro-AP.

    The best 1200 vector pairs and 25 candidate pairs a query video are kept, counted over all
    queries together.
    """
    from vcd_eval import formats
    from vcd_eval.candidates import find_candidates
    from vcd_eval.score_normalisation import normalise_scores
    from vcd_eval.vsc import check_same_videos, pair_ap

    check_writable(output)
    truth = formats.read_groundtruth(groundtruth, vsc_ids=challenge)
    q = _descriptors(queries, "Q" if challenge else "")
    r = _descriptors(references, "R" if challenge else "")
    check_same_videos(truth, query_ids=q.video_ids.tolist(), ref_ids=r.video_ids.tolist())
    if score_normalisation is not None:
        background = _descriptors(score_normalisation, "")
        q, r = normalise_scores(q, r, background, beta=beta)
    candidates = find_candidates(q, r)
    if output is not None:
        formats.write_candidates(output, candidates)
    ap = pair_ap(truth, candidates).ap
    if as_json:
        typer.echo(json.dumps({"uap": ap, "candidates": len(candidates)}))
    else:
        typer.echo(f"descriptor micro-AP  {ap:.4f}")
        typer.echo(f"candidate pairs      {len(candidates)}")
    return 0


def _descriptors(path: Path, prefix: str) -> DescriptorTable:
    """Read descriptors; the challenge's rules hold where a prefix is given."""
    from vcd_eval.descriptors import read_descriptors

    table = read_descriptors(path, prefix=prefix)
    if prefix:
        table.check_order(file=path)
    elif (row := table.first_scattered()) is not None:
        sys.stderr.write(
            f"vcd: warning: {path}: rows of video {table.video_ids[row]} do not lie together; "
            "rows are taken by video and time\n"
        )
        table = table.grouped()
    return table
