"""`vcd eval vcdb`: precision and recall of copied segments, counted in segments as VCDB does."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from vcd_cli.console import Console

EXAMPLES = """Examples:

vcd eval vcdb --groundtruth annotation/ --predictions matches.csv

vcd eval vcdb --groundtruth gt.csv --predictions matches.csv --json
"""


def vcdb(
    groundtruth: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="VCDB's folder of annotation files, where (a, b) also stands for (b, a); or a CSV "
            "of true segments, where a query is a query.",
        ),
    ],
    predictions: Annotated[
        Path, typer.Option(help="CSV of predicted segments with scores.", metavar="CSV")
    ],
    without_self: Annotated[
        bool, typer.Option("--without-self", help="Leave out pairs of a video with itself.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Score copied segments: precision, recall and F1, counted in segments.

    A segment pair is right where it shares time with a true one on both axes, however little.
    """
    from vcd.errors import EvaluationError
    from vcd_eval import formats
    from vcd_eval.vcdb import evaluate, pairs_with_itself, read_annotation

    folder = groundtruth.is_dir()
    truth = read_annotation(groundtruth) if folder else formats.read_groundtruth(groundtruth)
    found = formats.read_predictions(predictions)
    if without_self:
        truth, found = (table.take(~pairs_with_itself(table)) for table in (truth, found))
    elif own := int(pairs_with_itself(truth).sum()):
        Console().warn(
            f"{own} true segments pair a video with itself, and the predictions hold "
            f"{int(pairs_with_itself(found).sum())} such; --without-self leaves them out"
        )
    try:
        best, everything = evaluate(truth, found, either_way=folder)
    except EvaluationError as error:  # no file is malformed, but there is nothing to compare
        file = predictions if len(truth) else groundtruth
        raise EvaluationError(error.problem, file=file, remedy=error.remedy) from error
    if as_json:
        counts = {"true_segments": len(truth), "predictions": len(found)}
        typer.echo(json.dumps(asdict(best) | {"all": asdict(everything)} | counts))
        return 0
    for name, result in (("best F1", best), ("all", everything)):
        precision = "     –" if result.precision is None else f"{result.precision:6.4f}"
        threshold = "–" if result.threshold is None else f"{result.threshold:.4g}"
        typer.echo(
            f"{name:8} precision {precision}  recall {result.recall:6.4f}  F1 {result.f1:6.4f}"
            f"  threshold {threshold}"
        )
    return 0
