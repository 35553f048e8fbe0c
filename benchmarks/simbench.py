"""Measure the line localizer on simulated matrices with exact truth, and fit its confidence.

    python benchmarks/simbench.py [dev.npz] [--fit]

The folder holds `dev.npz`, `dev.csv` and `dev_pairs.csv`; its place is the argument, else
`$VCD_SHARED/simbench/dev.npz`, else `../shared/simbench/dev.npz` beside the repository. `--fit`
first refits `vcd/localization/weights.json` (needs scikit-learn) and prints cross-validated
figures, in which no pair is scored by a model that has seen it. Other localizers on the same
matrices: `vcd eval localizers dev.npz dev.csv`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vcd.localization import LineLocalizer, default_confidence
from vcd.localization.alignment import Proposal
from vcd.localization.bounds import TimeAxis, to_segment
from vcd.localization.features import FEATURES
from vcd.records import Segment, SimilarityMatrix
from vcd_eval.formats import SegmentTable, read_groundtruth
from vcd_eval.localizer_comparison import LocalizerScore, Normalised, compare
from vcd_eval.matrices import MatrixPair, list_pairs, read_matrices
from vcd_eval.measures import HIT, closeness

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "vcd" / "localization" / "weights.json"
FOLDS = 5
THRESHOLD = 0.5

Pair = tuple[str, str]
Array = npt.NDArray[np.float64]


class Judged:
    """The line localizer with scores of our choice: ``scores`` of a pair, one a proposal."""

    name = "lines"

    def __init__(
        self, scores: Mapping[Pair, Array] | None = None, *, unjudged: bool = False
    ) -> None:
        self.scores = scores
        self.unjudged = unjudged  # features alone are wanted: weights may not fit them yet
        self.pair: Pair = ("", "")
        self.features: dict[Pair, Array] = {}
        self.found: dict[Pair, list[Segment]] = {}
        self._lines = LineLocalizer()

    def localize(self, matrix: SimilarityMatrix) -> list[Segment]:
        """Return every line, and keep it with its features."""
        proposals = self._lines.proposals(matrix)
        if self.scores is not None:
            scores = self.scores[self.pair]
        elif self.unjudged:
            scores = np.zeros(len(proposals))
        else:
            scores = np.array([default_confidence()(p.features) for p in proposals])
        self.features[self.pair] = np.array([p.features.array() for p in proposals]).reshape(
            -1, len(FEATURES)
        )
        self.found[self.pair] = [
            _segment(p, matrix, float(score)) for p, score in zip(proposals, scores, strict=True)
        ]
        return self.found[self.pair]


class Contender(Normalised):
    """Tells the localizer which pair it is given."""

    localizer: Judged

    def prepare(self, pair: MatrixPair) -> SimilarityMatrix:
        """Return the normalised matrix."""
        self.localizer.pair = (pair.query_id, pair.ref_id)
        return super().prepare(pair)


def _segment(proposal: Proposal, matrix: SimilarityMatrix, score: float) -> Segment:
    query, ref = TimeAxis(matrix.query_times), TimeAxis(matrix.ref_times)
    return to_segment(proposal.line, query, ref, score, frozenset(("visual",)))


def default_path() -> Path:
    shared = os.environ.get("VCD_SHARED")
    return (Path(shared) if shared else ROOT.parent / "shared") / "simbench" / "dev.npz"


def fit(judged: Judged, truth: SegmentTable) -> dict[Pair, Array]:
    """Write weights fitted on everything; return cross-validated scores of the proposals."""
    from sklearn.linear_model import LogisticRegression

    pairs = list(judged.features)
    true = defaultdict(list)
    for query, ref, (q0, q1), (r0, r1) in zip(
        truth.query_ids, truth.ref_ids, truth.query_times, truth.ref_times, strict=True
    ):
        true[query, ref].append([q0, q1, r0, r1])
    features = np.concatenate([judged.features[pair] for pair in pairs])
    labels = np.concatenate(
        [(closeness(_boxes(judged.found[p]), true.get(p, [])) > HIT).any(axis=1) for p in pairs]
    )
    owner = np.repeat(np.arange(len(pairs)), [len(judged.found[pair]) for pair in pairs])
    fold = np.random.default_rng(0).permutation(len(pairs)) % FOLDS

    def model(rows: npt.NDArray[np.bool_]) -> tuple[Array, float]:
        mean, spread = features[rows].mean(axis=0), features[rows].std(axis=0)
        fitted = LogisticRegression(max_iter=1000).fit(
            (features[rows] - mean) / spread, labels[rows]
        )
        weights = fitted.coef_[0] / spread
        return weights, float(fitted.intercept_[0] - weights @ mean)

    scores = {}
    for k in range(FOLDS):
        weights, intercept = model(fold[owner] != k)
        for i in np.flatnonzero(fold == k):
            z = judged.features[pairs[i]] @ weights + intercept
            scores[pairs[i]] = 1 / (1 + np.exp(-z))
    weights, intercept = model(np.ones(len(labels), np.bool_))
    content = {
        "weights": {name: round(float(w), 4) for name, w in zip(FEATURES, weights, strict=True)},
        "intercept": round(intercept, 4),
        "fitted": {
            "by": "benchmarks/simbench.py --fit",
            "on": "simbench dev (simulated matrices, CC0)",
            "pairs": len(pairs),
            "pairs_without_copy": sum(pair not in true for pair in pairs),
            "segments": len(labels),
            "copies": int(labels.sum()),
        },
    }
    WEIGHTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return scores


def _boxes(segments: list[Segment]) -> Array:
    rows = [[s.query_start, s.query_end, s.ref_start, s.ref_end] for s in segments]
    return np.array(rows, np.float64).reshape(-1, 4)


def show(name: str, pairs: int, score: LocalizerScore) -> None:
    shown = [score.precision, score.recall, score.f1, score.segment_ap]
    shown += [score.false_alarm_rate, score.hit_at_far1, score.boundary_error_s]
    cells = ["     -" if x is None else f"{x:6.3f}" for x in shown]
    print(f"{name:14s} {pairs:5d} {' '.join(cells)} {score.ms_median:6.1f} {score.ms_p90:6.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the line localizer on simbench.")
    parser.add_argument("path", nargs="?", type=Path, default=default_path())
    parser.add_argument("--fit", action="store_true", help="refit weights.json first")
    options = parser.parse_args()
    truth = read_groundtruth(options.path.with_suffix(".csv"))
    pairs = list(read_matrices(options.path, list_pairs(options.path)))
    judged = Judged(unjudged=options.fit)
    contender = Contender(judged, threshold=THRESHOLD)
    compare(pairs[:1], truth.take(np.zeros(len(truth), np.bool_)), {"warm": contender})
    score = compare(pairs, truth, {"lines": contender})["lines"]
    if options.fit:
        judged.scores = fit(judged, truth)
        speed = score.ms_median, score.ms_p90
        score = compare(pairs, truth, {"lines": contender})["lines"]
        score = replace(score, ms_median=speed[0], ms_p90=speed[1])
        print("scores cross-validated by pair")
    print(
        f"{'at 0.5':14s} pairs {'P':>6} {'R':>6} {'F1':>6} {'uAP':>6} {'FAR':>6} {'@FAR1':>6}"
        f" {'bounds':>6} {'ms':>6} {'p90':>6}"
    )
    show("all", len(pairs), score)
    with options.path.with_name(f"{options.path.stem}_pairs.csv").open(encoding="utf-8") as file:
        category = {(r["query_id"], r["ref_id"]): r["category"] for r in csv.DictReader(file)}
    for name in sorted(set(category.values())):
        rows = [p for p in pairs if category[p.query_id, p.ref_id] == name]
        chosen = [
            category[pair] == name for pair in zip(truth.query_ids, truth.ref_ids, strict=True)
        ]
        show(name, len(rows), compare(rows, truth.take(chosen), {name: contender})[name])


if __name__ == "__main__":
    main()
