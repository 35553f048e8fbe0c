"""`vcd eval compare`: whether one run over a haystack is better than another."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = "Example: vcd eval compare run-before/ run-after/"


def compare(
    first: Annotated[
        Path, typer.Argument(metavar="A", help="Folder that `vcd eval haystack` wrote.")
    ],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another, of the same haystack.")],
    draws: Annotated[int, typer.Option(min=1, help="Draws of the bootstrap.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Compare the segment micro-AP of runs A and B: B minus A, by paired bootstrap over queries."""
    from vcd_eval.haystack_metrics import defined
    from vcd_eval.run_comparison import compare_runs

    compared = compare_runs(first, second, draws=draws, seed=seed)
    if as_json:
        typer.echo(json.dumps(defined(asdict(compared))))
        return 0
    rows = compared.streams | {f"  {name}": row for name, row in compared.per_edit.items()}
    width = max([8, *map(len, rows)])
    typer.echo(f"{'':{width}} {'rows':>5} {'A':>7} {'B':>7} {'B - A':>7}  {'95 % interval':17} p")
    for name, row in rows.items():
        d = row.difference
        typer.echo(
            f"{name:{width}} {row.rows:5d} {row.first:7.4f} {row.second:7.4f} {d.value:+7.4f}"
            f"  {d.low:+.4f} to {d.high:+.4f} {d.p_value:.3f}"
        )
    return 0
