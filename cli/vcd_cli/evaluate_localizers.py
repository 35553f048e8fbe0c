"""`vcd eval localizers`: ours and the field's localizers on a user's own matrices."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcd_cli.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vcd_eval.localizer_comparison import LocalizerScore
    from vcd_eval.matrices import MatrixPair

EXAMPLES = "Example: vcd eval localizers matrices.npz truth.csv --pairs pairs.csv"

_COLUMNS = {
    "precision": "P",
    "recall": "R",
    "f1": "F1",
    "segment_ap": "uAP",
    "false_alarm_rate": "FAR",
    "hit_at_far1": "hit@FAR1",
    "boundary_error_s": "bounds s",
    "ms_median": "ms",
    "ms_p90": "ms p90",
}


def localizers(
    matrices: Annotated[
        Path,
        typer.Argument(
            metavar="MATRICES",
            help="Archive (.npz) of <query>_<ref>_sim and _fps, and optionally _qb and _rb.",
        ),
    ],
    truth: Annotated[
        Path, typer.Argument(metavar="TRUTH", help="CSV of the true segments, in seconds.")
    ],
    pairs: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="The pairs to score (query_id, ref_id; default: all of the archive).",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Compare localizers: ours ("lines"), and TN, DP, DTW and HV with published parameters.

    P, R, F1: VCSL, overall. uAP: VSC segment micro-AP. FAR: share of pairs without copy in which
    something is found. hit@FAR1: share of copies hit where FAR is at most 1 %. Then the median
    error of bounds, and processor time a pair.
    """
    from vcd_eval import formats
    from vcd_eval.localizer_comparison import compare, default_contenders
    from vcd_eval.matrices import list_pairs, read_matrices

    console = Console()
    chosen = list_pairs(matrices) if pairs is None else formats.read_pair_list(pairs)
    true = formats.read_groundtruth(truth)
    if pairs is not None:
        wanted = set(chosen)
        true = true.take([p in wanted for p in zip(true.query_ids, true.ref_ids, strict=True)])
    contenders = default_contenders()
    with console.step("localizing", len(chosen)) as step:

        def told() -> Iterator[MatrixPair]:
            for pair in read_matrices(matrices, chosen):
                yield pair
                step.advance()

        scores = compare(told(), true, contenders)
    for name in contenders.keys() - scores.keys():
        console.warn(f"{name} is left out: it takes _qb and _rb of every pair")
    if as_json:
        typer.echo(json.dumps({name: asdict(score) for name, score in scores.items()}))
    else:
        typer.echo(_table(scores))
    return 0


def _table(scores: Mapping[str, LocalizerScore]) -> str:
    width = max(map(len, scores))
    lines = [" " * width + "".join(f"{title:>10}" for title in _COLUMNS.values())]
    for name, score in scores.items():
        cells = []
        for key in _COLUMNS:
            value = getattr(score, key)
            digits = 1 if key.startswith("ms") else 3
            cells.append("–" if value is None else f"{value:.{digits}f}")
        lines.append(f"{name:{width}}" + "".join(f"{cell:>10}" for cell in cells))
    return "\n".join(lines)
