"""`vcd eval fivr`: mean average precision of video retrieval as FIVR-200K and FIVR-5K count it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcd_cli.console import Console

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vcd_eval.fivr import Rankings, TaskResult

EXAMPLES = """Examples:

vcd eval fivr --annotation annotation.json --results results.json --database youtube_ids.txt

vcd eval fivr --annotation annotation.json --results results.npz --database fivr_5k_database.txt
--json
"""

_TIES_MATTER = 0.001


def fivr(
    annotation: Annotated[
        Path, typer.Option(help="Relevant videos of each query by label.", metavar="JSON")
    ],
    results: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Similarities: JSON {query: {video: similarity}}, or, read much faster, .npz of "
            "query_ids (q,), video_ids (v,) and similarities (q, v).",
        ),
    ],
    database: Annotated[Path, typer.Option(help="Ids of the database, one a line.", metavar="TXT")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Score video retrieval: mAP and micro-AP of the tasks DSVR, CSVR, ISVR and DAVR.

    Equal similarities rank in the order of the results. Queries without results are left out of
    the means.
    """
    from vcd.errors import EvaluationError
    from vcd_eval import fivr_files
    from vcd_eval.fivr import TASKS, rank, score

    video_ids = fivr_files.read_video_ids(database)
    annotated = fivr_files.read_annotation(annotation)
    retrieved = fivr_files.read_results(results, video_ids)
    try:
        rankings = rank(annotated, retrieved, video_ids)
    except EvaluationError as error:  # no file is wrong by itself, but they do not fit
        remedy = f"{error.remedy}: in {annotation}, {results} and {database}"
        raise EvaluationError(error.problem, file=results, remedy=remedy) from error
    scores = {task: score(rankings, task) for task in TASKS}
    published = {task: result.map for task, result in scores.items()}
    if any(ranking.own for ranking in rankings.queries):
        published = {task: score(rankings, task, count_self=True).map for task in TASKS}
    _warn(Console(), rankings, scores)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    task: {
                        "map": result.map,
                        "queries": len(result.ap),
                        "map_published": published[task],
                        "map_worst": result.map_worst,
                        "map_best": result.map_best,
                        "uap": result.uap,
                        "curve": None if result.curve is None else result.curve.tolist(),
                        "ap": dict(result.ap),
                        "left_out": [*rankings.missing, *result.undefined],
                    }
                    for task, result in scores.items()
                }
            )
        )
        return 0
    differ = any(published[task] != result.map for task, result in scores.items())
    typer.echo("task     mAP  micro-AP  queries" + "  mAP as published" * differ)
    for task, result in scores.items():
        line = f"{task}  {_shown(result.map)}    {_shown(result.uap)}  {len(result.ap):7}"
        typer.echo(line + f"  {_shown(published[task]):>16}" * differ)
    return 0


def _warn(console: Console, rankings: Rankings, scores: Mapping[str, TaskResult]) -> None:
    """Tell what was left out, and what the order of the results decided."""
    if rankings.missing:
        console.warn(
            f"{len(rankings.missing)} annotated queries have no results and are left out, such as "
            f"{rankings.missing[0]!r}"
        )
    if rankings.unannotated:
        console.warn(
            f"{len(rankings.unannotated)} queries of the results are not annotated and are left "
            f"out, such as {rankings.unannotated[0]!r}"
        )
    if rankings.unknown:
        console.warn(
            f"{rankings.unknown} results are left out: their videos are not in the database"
        )
    own = [ranking.query for ranking in rankings.queries if ranking.own]
    if own:
        console.warn(
            f"{', '.join(map(repr, own))} labelled as its own match: left out of mAP; the "
            "published scorer counts it as not found"
        )
    for task, result in scores.items():
        if (result.map_best or 0) - (result.map_worst or 0) > _TIES_MATTER:
            console.warn(
                f"{task}: equal similarities rank in the order of the results; another order "
                f"gives mAP from {result.map_worst:.4f} to {result.map_best:.4f}"
            )


def _shown(value: float | None) -> str:
    return "     –" if value is None else f"{value:6.4f}"
