"""`vcd eval vcsl`: precision and recall of copied segments as VCSL counts them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from vcd_cli.console import Console

EXAMPLES = """Examples:

vcd eval vcsl --groundtruth gt.json --predictions pred.json --pairs pair_file_test.csv

vcd eval vcsl --groundtruth gt.json --predictions pred.json --pairs pair_file_test.csv
--query-sets split_meta_pairs.json --split test
"""


def vcsl(
    groundtruth: Annotated[Path, typer.Option(help="True boxes of each pair.", metavar="JSON")],
    predictions: Annotated[Path, typer.Option(help="Found boxes of each pair.", metavar="JSON")],
    pairs: Annotated[Path, typer.Option(help="The pairs that are scored.", metavar="CSV")],
    query_sets: Annotated[
        Path | None, typer.Option(help="Pairs by query set, for the macro figures.", metavar="JSON")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Which split of the query sets (default: test).")
    ] = None,
    ratio: Annotated[
        float,
        typer.Option(help="Positive to negative pairs assumed by FRR and FAR; published: 1."),
    ] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Score boxes of copied segments by VCSL's precision, recall and F1."""
    from vcd_eval import formats
    from vcd_eval.vcsl import macro, overall

    if split is not None and query_sets is None:
        raise typer.BadParameter("takes --query-sets", param_hint="--split")
    listed = formats.read_pair_list(pairs)
    truth = formats.read_boxes(groundtruth, listed)  # as published, of other pairs as well
    unknown: list[str] = []
    found = formats.read_boxes(predictions, listed, on_unknown=unknown.append)
    total = overall(truth, found, listed, ratio=ratio)
    console = Console()
    if total.missing:
        console.warn(
            f"{predictions}: lacks {total.missing} of the {total.pairs} pairs; they count as empty"
        )
    if unknown:
        console.warn(
            f"{predictions}: {len(unknown)} keys are none of the pairs and are not scored, "
            f"such as {unknown[0]!r}"
        )
    result: dict[str, Any] = {
        "overall": {"precision": total.precision, "recall": total.recall, "f1": total.f1},
        "frr": total.frr,
        "far": total.far,
        "missing": total.missing,
    }
    if query_sets is not None:
        sets = formats.read_query_sets(query_sets, listed, split or "test")
        mean = macro(truth, found, sets)
        result["macro"] = {"precision": mean.precision, "recall": mean.recall, "f1": mean.f1}
    if as_json:
        typer.echo(json.dumps(result))
        return 0
    for name in ("overall", "macro"):
        if name in result:
            figures = result[name]
            precision = figures["precision"]
            shown = "     -" if precision is None else f"{precision:6.4f}"
            typer.echo(
                f"{name:8} precision {shown}  recall {figures['recall']:6.4f}"
                f"  F1 {figures['f1']:6.4f}"
            )
    typer.echo(f"FRR {total.frr:.4f}  FAR {total.far:.4f}")
    return 0
