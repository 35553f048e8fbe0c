"""How well and how fast the engine finds needles in a haystack folder.

Run the engine and score it::

    python benchmarks/haystack.py HAYSTACK --output OUT

or score results that exist already, without running anything::

    python benchmarks/haystack.py HAYSTACK --matches visual=V.csv audio=A.csv fused=F.csv

HAYSTACK holds `queries/`, `refs/`, `groundtruth.csv` and `labels.csv`. Predictions of the picture
alone are scored against the rows whose picture is copied, those of the sound alone against the rows
whose sound is copied, the fused ones against all rows. CPU seconds are of the child process and its
children; with a warm `--cache` they do not hold the description of the files.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from vcd.errors import EvaluationError
from vcd_eval.formats import Labels, SegmentTable, read_labels, read_predictions
from vcd_eval.vsc import operating_point, pair_ap, segment_ap

STREAMS = {"visual": "visual", "audio": "audio", "fused": "visual,audio"}
THRESHOLD = 0.5


@dataclass(frozen=True)
class Figures:
    """What is printed of one run; precision and recall are those of segments at the threshold."""

    run: str
    rows: int
    segment_ap: float
    pair_ap: float
    precision: float
    recall: float
    pair_precision: float
    pair_recall: float
    cpu_s: float | None


def run_engine(folder: Path, run: str, output: Path, options: list[str]) -> float:
    """Match all queries with all references and return the CPU seconds it took."""
    command = [sys.executable, "-m", "vcd_cli", "match"]
    command += [str(folder / "queries"), str(folder / "refs"), "--streams", STREAMS[run]]
    command += ["--threshold", "0", "--format", "csv", "--output", str(output), *options]
    before = children_cpu()
    done = subprocess.run(command, check=False)
    if done.returncode not in (0, 3):  # 3: done, but some inputs failed
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}")
    return children_cpu() - before


def children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def truth_of(labels: Labels, run: str) -> SegmentTable:
    if run == "fused":
        return labels.segments
    return labels.segments.take(labels.visual if run == "visual" else labels.audio)


def named_as_in_truth(predictions: SegmentTable) -> SegmentTable:
    """Return predictions whose ids are file names without folder and ending."""
    return SegmentTable(
        [Path(i).stem for i in predictions.query_ids],
        [Path(i).stem for i in predictions.ref_ids],
        predictions.query_times,
        predictions.ref_times,
        predictions.scores,
    )


def pairs_at_threshold(truth: SegmentTable, predictions: SegmentTable) -> tuple[float, float]:
    """Return precision and recall of the pairs that reach the threshold."""
    true = set(zip(truth.query_ids, truth.ref_ids, strict=True))
    assert predictions.scores is not None
    chosen = predictions.take(predictions.scores >= THRESHOLD)
    found = set(zip(chosen.query_ids, chosen.ref_ids, strict=True))
    hits = len(true & found)
    return hits / len(found) if found else float("nan"), hits / len(true)


def score(labels: Labels, run: str, file: Path, cpu: float | None) -> Figures:
    truth = truth_of(labels, run)
    predictions = named_as_in_truth(read_predictions(file))
    precision, recall = operating_point(truth, predictions, threshold=THRESHOLD)
    pair_precision, pair_recall = pairs_at_threshold(truth, predictions)
    return Figures(
        run=run,
        rows=len(truth),
        segment_ap=segment_ap(truth, predictions).ap,
        pair_ap=pair_ap(truth, predictions).ap,
        precision=precision,
        recall=recall,
        pair_precision=pair_precision,
        pair_recall=pair_recall,
        cpu_s=cpu,
    )


def print_table(figures: list[Figures]) -> None:
    print(f"{'':8} {'rows':>5} {'segment':>8} {'pair':>6}   at score {THRESHOLD}")
    print(
        f"{'':8} {'':5} {'AP':>8} {'AP':>6} {'prec.':>7} {'recall':>7}"
        f" {'pair prec.':>11} {'pair recall':>12} {'CPU s':>8}"
    )
    for f in figures:
        cpu = "-" if f.cpu_s is None else f"{f.cpu_s:.1f}"
        print(
            f"{f.run:8} {f.rows:5d} {f.segment_ap:8.4f} {f.pair_ap:6.4f} {f.precision:7.3f}"
            f" {f.recall:7.3f} {f.pair_precision:11.3f} {f.pair_recall:12.3f} {cpu:>8}"
        )


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", nargs="+", choices=STREAMS, default=list(STREAMS))
    parser.add_argument(
        "--matches", nargs="+", metavar="RUN=FILE", help="score these CSV files and run nothing"
    )
    parser.add_argument("--output", type=Path, help="folder for the CSV files of the runs")
    parser.add_argument("--jobs", help="passed on to the engine")
    parser.add_argument("--cache", help="passed on to the engine")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(arguments)
    if (options.matches is None) == (options.output is None):
        parser.error("give either --output (run the engine) or --matches (score files)")
    for item in options.matches or []:
        if item.partition("=")[0] not in STREAMS or not item.partition("=")[2]:
            parser.error(f"--matches {item}: write visual=FILE, audio=FILE or fused=FILE")
    return options


def main(arguments: list[str] | None = None) -> None:
    options = read_arguments(arguments)
    labels = read_labels(options.folder / "labels.csv")
    figures = []
    if options.matches is not None:
        for item in options.matches:
            run, _, file = item.partition("=")
            figures.append(score(labels, run, Path(file), None))
    else:
        options.output.mkdir(parents=True, exist_ok=True)
        passed_on = [
            word
            for name in ("jobs", "cache")
            if getattr(options, name) is not None
            for word in (f"--{name}", getattr(options, name))
        ]
        for run in options.runs:
            file = options.output / f"{run}.csv"
            cpu = run_engine(options.folder, run, file, passed_on)
            figures.append(score(labels, run, file, cpu))
    print_table(figures)
    if options.json is not None:
        finite = [
            {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}
            for row in map(asdict, figures)
        ]
        options.json.write_text(json.dumps(finite, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except EvaluationError as error:
        sys.exit(str(error))
