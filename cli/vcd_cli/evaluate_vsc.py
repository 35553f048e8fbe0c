"""`vcd eval vsc`: what the Video Similarity Challenge scores, from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcd.errors import EvaluationError
from vcd_cli.console import Console
from vcd_cli.options import check_writable

if TYPE_CHECKING:
    from vcd_eval.descriptors import DescriptorTable
    from vcd_eval.formats import PairTable, SegmentTable

MATCHING_EXAMPLES = (
    "Example: vcd eval vsc matching --groundtruth groundtruth.csv --predictions matches.csv"
)
PAIRS_EXAMPLES = (
    "Example: vcd eval vsc pairs --groundtruth groundtruth.csv --candidates candidates.csv"
)
DESCRIPTOR_EXAMPLES = """Examples:

vcd eval vsc descriptor --groundtruth gt.csv --queries queries.npz --references refs.npz

vcd eval vsc descriptor --groundtruth gt.csv --queries queries.npz --references refs.npz
--score-normalisation background.npz --output candidates.csv
"""

VALIDATE_EXAMPLES = """Examples:

vcd eval vsc validate matches.csv

vcd eval vsc validate queries.npz references.npz --metadata query_metadata.csv
--metadata reference_metadata.csv
"""

_SOME_FAILED = 3
_SIDES = ("Q", "R")

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Video Similarity Challenge 2022/2023.",
    epilog=MATCHING_EXAMPLES,
)

Truth = Annotated[Path, typer.Option(help="CSV of the true segments.", metavar="CSV")]
Challenge = Annotated[
    bool,
    typer.Option(
        "--challenge",
        help="Hold the challenge's rules: ids Q... and R..., whole numbers read as Q000001 or "
        "R000001, descriptors in ascending order.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command(epilog=MATCHING_EXAMPLES)
def matching(
    groundtruth: Truth,
    predictions: Annotated[
        Path, typer.Option(help="CSV of predicted segments with scores.", metavar="CSV")
    ],
    challenge: Challenge = False,
    as_json: AsJson = False,
) -> int:
    """Score the matching track: segment micro-AP and pair micro-AP."""
    from vcd_eval import formats
    from vcd_eval.vsc import pair_ap, segment_ap

    truth = formats.read_groundtruth(groundtruth, vsc_ids=challenge)
    predicted = formats.read_predictions(predictions, vsc_ids=challenge)
    _warn_of_other_videos(truth, predicted, predictions)
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
        typer.echo(f"pair micro-AP     {pair.ap:.4f}  by the scores as they are")
        typer.echo(f"                  {clamped.ap:.4f}  as published: negative scores count as 0")
    return 0


@app.command(epilog=PAIRS_EXAMPLES)
def pairs(
    groundtruth: Truth,
    candidates: Annotated[
        Path, typer.Option(help="CSV of candidate pairs with scores.", metavar="CSV")
    ],
    challenge: Challenge = False,
    as_json: AsJson = False,
) -> int:
    """Score candidate pairs: micro-AP over pairs."""
    from vcd_eval import formats
    from vcd_eval.vsc import pair_ap

    truth = formats.read_groundtruth(groundtruth, vsc_ids=challenge)
    given = formats.read_candidates(candidates, vsc_ids=challenge)
    _warn_of_other_videos(truth, given, candidates)
    scored = pair_ap(truth, given)
    if as_json:
        typer.echo(json.dumps({"ap": scored.ap, "curve": scored.curve.tolist()}))
    else:
        typer.echo(f"pair micro-AP  {scored.ap:.4f}")
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
        float | None,
        typer.Option(
            min=0,
            help="Share of the background's highest score to subtract (default: the baseline's).",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the candidate pairs, best first.", metavar="CSV")
    ] = None,
    challenge: Challenge = False,
    as_json: AsJson = False,
) -> int:
    """Score the descriptor track: search the candidate pairs, then their micro-AP.

    The best 1200 vector pairs and 25 candidate pairs a query video are kept, counted over all
    queries together.
    """
    from vcd_eval import formats
    from vcd_eval.candidates import find_candidates
    from vcd_eval.descriptors import read_descriptors
    from vcd_eval.score_normalisation import BETA, normalise_scores
    from vcd_eval.vsc import check_same_videos, pair_ap

    if beta is not None and score_normalisation is None:
        raise typer.BadParameter("takes --score-normalisation", param_hint="--beta")
    check_writable(output)
    truth = formats.read_groundtruth(groundtruth, vsc_ids=challenge)
    q = _descriptors(queries, "Q" if challenge else "")
    r = _descriptors(references, "R" if challenge else "")
    check_same_videos(truth, query_ids=q.video_ids.tolist(), ref_ids=r.video_ids.tolist())
    if score_normalisation is not None:
        background = read_descriptors(score_normalisation, prefix="R" if challenge else "")
        q, r = normalise_scores(q, r, background, beta=BETA if beta is None else beta)
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


@app.command(epilog=VALIDATE_EXAMPLES)
def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILES", help="Descriptors (.npz) and matches (.csv)."),
    ] = None,
    queries: Annotated[
        Path | None, typer.Option(help="Descriptors of the queries.", metavar="NPZ")
    ] = None,
    references: Annotated[
        Path | None, typer.Option(help="Descriptors of the references.", metavar="NPZ")
    ] = None,
    predictions: Annotated[Path | None, typer.Option(help="Matches.", metavar="CSV")] = None,
    metadata: Annotated[
        list[Path] | None,
        typer.Option(
            help="Metadata of queries or references, told apart by their ids: with it, rows are "
            "counted. May be given twice.",
            metavar="CSV",
        ),
    ] = None,
    subset: Annotated[
        Path | None, typer.Option(help="Queries that take part; others do not.", metavar="CSV")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check files by the challenge's rules: one line a problem, and exit code 3 if there are any.

    Descriptors: float32, at most 512 dimensions, ids in ascending order, and over all videos no
    more than one row a second. Matches: the challenge's columns, times of at least 0, no segment
    that ends before it starts.
    """
    from vcd_eval import vsc_validation as rules

    budgets = _budgets(metadata or [], subset)
    archives = [(path, side) for path, side in ((queries, "Q"), (references, "R")) if path]
    archives += [(path, _side(path)) for path in files or [] if path.suffix.lower() == ".npz"]
    tables = [path for path in files or [] if path.suffix.lower() in {".csv", ".gz"}]
    tables += [predictions] if predictions else []
    options = (queries, references, predictions)
    if len(archives) + len(tables) != len([*(files or []), *filter(None, options)]):
        raise typer.BadParameter("a file is neither .npz nor .csv", param_hint="FILES")
    if not archives and not tables:
        raise typer.BadParameter("there is nothing to check", param_hint="FILES")
    problems: list[rules.Problem] = []
    remarks: list[str] = []
    for path, side in archives:
        problems += rules.check_descriptors(path, budget=budgets.get(side))
        if side in _SIDES and side not in budgets:
            remarks.append(f"{path}: rows are not counted, which takes the --metadata of its side")
        elif side and side not in _SIDES:
            remarks.append(
                f"{path}: rows are not counted, as ids such as {side}... do not tell queries from "
                "references; give it as --queries or --references, with --metadata"
            )
    for path in tables:
        found = rules.check_matches(path)
        problems += found
        remarks += [] if found else rules.match_remarks(path)
    checked = len(archives) + len(tables)
    if as_json:
        listed = [{"file": p.file, "line": p.line, "problem": p.text} for p in problems]
        result = {"valid": not problems, "problems": listed, "remarks": remarks}
        typer.echo(json.dumps(result))
    else:
        for remark in remarks:
            Console().warn(remark)
        for problem in problems:
            typer.echo(str(problem))
        if not problems:
            typer.echo(f"valid: {checked} file{'s' * (checked > 1)}")
    return _SOME_FAILED if problems else 0


def _warn_of_other_videos(
    truth: SegmentTable, predictions: SegmentTable | PairTable, path: Path
) -> None:
    """Warn where truth and predictions share no id; it need not be wrong, so it is no failure."""
    from vcd_eval.vsc import check_same_videos

    try:
        check_same_videos(truth, query_ids=predictions.query_ids, ref_ids=predictions.ref_ids)
    except EvaluationError as error:
        Console().warn(f"{path}: {error}")


def _budgets(metadata: list[Path], subset: Path | None) -> dict[str, int]:
    """Return the number of rows allowed of queries ("Q") and references ("R"), where known."""
    from vcd_eval.formats import read_metadata, read_subset
    from vcd_eval.vsc_validation import row_budget

    budgets = {}
    for path in metadata:
        table = read_metadata(path)
        side = table.video_ids[0][0] if len(table) else ""
        if side not in _SIDES or side in budgets:
            raise typer.BadParameter(
                f"{path} holds neither ids Q... nor ids R..., or is a second file of one side",
                param_hint="--metadata",
            )
        chosen = read_subset(subset, prefix=side) if subset is not None and side == "Q" else None
        budgets[side] = row_budget(table, chosen)
    if subset is not None and "Q" not in budgets:
        raise typer.BadParameter("takes the --metadata of the queries", param_hint="--subset")
    return budgets


def _side(path: Path) -> str:
    """Return the first letter of a file's video ids; nothing where it cannot be told."""
    from vcd_eval.descriptors import ids_as_text, read_descriptor_arrays

    try:
        ids = ids_as_text(read_descriptor_arrays(path, ["video_ids"])["video_ids"])
    except EvaluationError:
        return ""
    return str(ids[0])[:1] if len(ids) else ""


def _descriptors(path: Path, prefix: str) -> DescriptorTable:
    """Read descriptors; the challenge's rules hold where a prefix is given."""
    from vcd_eval.descriptors import read_descriptors

    table = read_descriptors(path, prefix=prefix)
    if prefix:
        table.check_order(file=path)
    elif (row := table.first_scattered()) is not None:
        Console().warn(
            f"{path}: rows of video {table.video_ids[row]} do not lie together; "
            "rows are taken by video and time"
        )
        table = table.grouped()
    return table
