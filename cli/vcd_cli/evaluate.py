"""`vcd eval`: scores of prediction files by the field's metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vcd_cli import haystack

MATCHING_EXAMPLES = (
    "Example: vcd eval vsc matching --groundtruth groundtruth.csv --predictions matches.csv"
)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Score predictions by the metrics of the field.",
    epilog=MATCHING_EXAMPLES,
)
vsc = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Video Similarity Challenge 2022/2023.",
    epilog=MATCHING_EXAMPLES,
)
app.add_typer(vsc, name="vsc")
app.command("haystack", epilog=haystack.EXAMPLES)(haystack.haystack)


@vsc.command(epilog=MATCHING_EXAMPLES)
def matching(
    groundtruth: Annotated[Path, typer.Option(help="CSV of the true segments.")],
    predictions: Annotated[Path, typer.Option(help="CSV of predicted segments with scores.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
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
