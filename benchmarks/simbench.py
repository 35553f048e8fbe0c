"""Measure the line localizer on simulated matrices with exact truth, and fit its confidence.

    python benchmarks/simbench.py [dev.npz] [--fit] [--no-long]

The folder holds `dev.npz`, `dev.csv` and `dev_pairs.csv`; its place is the argument, else
`$VCD_SHARED/simbench/dev.npz`, else `../shared/simbench/dev.npz` beside the repository. `--fit`
first refits `vcd/localization/weights.json` (needs scikit-learn) and prints cross-validated
figures, in which no pair is scored by a model that has seen it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vcd.localization import LineLocalizer, confidence
from vcd.localization.alignment import Proposal
from vcd.localization.bounds import TimeAxis, to_segment
from vcd.localization.features import FEATURES
from vcd.records import SimilarityMatrix
from vcd.similarity import BackgroundStatistics, normalise
from vcd_eval.formats import SegmentTable
from vcd_eval.vcsl import f1_score, precision_recall
from vcd_eval.vsc import segment_ap

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "vcd" / "localization" / "weights.json"
FOLDS = 5
HIT = 0.4  # root of the share of the enclosing box that makes a prediction a hit
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """A matrix, its backgrounds and its true boxes (query start, end, reference start, end)."""

    key: str
    category: str
    matrix: SimilarityMatrix
    backgrounds: tuple[BackgroundStatistics, BackgroundStatistics]
    truth: Array


@dataclass
class Answer:
    """What was found in a pair: features (n, k), boxes (n, 4), scores (n,), and CPU seconds."""

    features: Array
    boxes: Array
    scores: Array
    seconds: float


def default_path() -> Path:
    shared = os.environ.get("VCD_SHARED")
    return (Path(shared) if shared else ROOT.parent / "shared") / "simbench" / "dev.npz"


def load(path: Path, long: bool = True) -> list[Pair]:
    """Read the set; `long` says whether pairs given as descriptors are included."""
    stem = path.with_suffix("")
    truth: dict[str, list[list[float]]] = defaultdict(list)
    with Path(f"{stem}.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            box = [float(row[k]) for k in ("query_start", "query_end", "ref_start", "ref_end")]
            truth[f"{row['query_id']}_{row['ref_id']}"].append(box)
    pairs = []
    with np.load(path) as data, Path(f"{stem}_pairs.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = f"{row['query_id']}_{row['ref_id']}"
            if row["form"] == "sim":
                cosines = data[f"{key}_sim"].astype(np.float32) * np.float32(1.5 / 255) - 0.5
            elif long:
                query, ref = (_unit(data[f"{key}_{side}d"]) for side in "qr")
                cosines = query @ ref.T
            else:
                continue
            rates = [float(rate) for rate in data[f"{key}_fps"]]
            times = [_times(n, rate) for n, rate in zip(cosines.shape, rates, strict=True)]
            backgrounds = tuple(
                BackgroundStatistics(*np.ascontiguousarray(data[f"{key}_{s}b"].T, np.float32))
                for s in "qr"
            )
            matrix = SimilarityMatrix(cosines.astype(np.float32), times[0], times[1], "visual")
            boxes = np.array(truth[key], np.float64).reshape(-1, 4)
            pairs.append(Pair(key, row["category"], matrix, backgrounds, boxes))  # type: ignore[arg-type]
    return pairs


def _unit(rows: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
    real = rows.astype(np.float32)
    return real / np.linalg.norm(real, axis=1, keepdims=True)  # type: ignore[no-any-return]


def _times(n: int, rate: float) -> Array:
    return np.stack((np.arange(n) / rate, (np.arange(n) + 1) / rate), axis=1)


def answer(pair: Pair, localizer: LineLocalizer, scored: bool = True) -> Answer:
    """Normalise and localise one pair; the time covers both, and the confidence if wanted."""
    begin = time.thread_time()
    matrix = normalise(
        pair.matrix, query_background=pair.backgrounds[0], ref_background=pair.backgrounds[1]
    )
    proposals: Sequence[Proposal] = localizer.proposals(matrix)
    scores = [confidence(proposal.features) if scored else 0.5 for proposal in proposals]
    seconds = time.thread_time() - begin
    query, ref = TimeAxis(matrix.query_times), TimeAxis(matrix.ref_times)
    boxes, features = [], []
    for proposal, score in zip(proposals, scores, strict=True):
        s = to_segment(proposal.line, query, ref, score, frozenset())
        boxes.append([s.query_start, s.query_end, s.ref_start, s.ref_end])
        features.append(proposal.features.array())
    return Answer(
        np.array(features).reshape(-1, len(FEATURES)),
        np.array(boxes).reshape(-1, 4),
        np.array(scores),
        seconds,
    )


def closeness(boxes: Array, truth: Array) -> Array:
    """Root of the overlap's share of the enclosing box, shape (boxes, truths)."""
    low, high = (0, 2), (1, 3)
    a, b = boxes[:, None], truth[None]
    inner = np.minimum(a[..., high], b[..., high]) - np.maximum(a[..., low], b[..., low])
    outer = np.maximum(a[..., high], b[..., high]) - np.minimum(a[..., low], b[..., low])
    return np.sqrt(np.maximum(inner, 0).prod(axis=2) / outer.prod(axis=2))  # type: ignore[no-any-return]


def fit(pairs: list[Pair], answers: list[Answer]) -> None:
    """Write weights fitted on everything; replace all scores by cross-validated ones."""
    from sklearn.linear_model import LogisticRegression

    features = np.concatenate([a.features for a in answers])
    labels = np.concatenate(
        [
            (closeness(a.boxes, p.truth) > HIT).any(axis=1)
            for p, a in zip(pairs, answers, strict=True)
        ]
    )
    owner = np.repeat(np.arange(len(pairs)), [len(a.boxes) for a in answers])
    fold = np.random.default_rng(0).permutation(len(pairs)) % FOLDS

    def model(rows: npt.NDArray[np.bool_]) -> tuple[Array, float]:
        mean, spread = features[rows].mean(axis=0), features[rows].std(axis=0)
        fitted = LogisticRegression(max_iter=1000).fit(
            (features[rows] - mean) / spread, labels[rows]
        )
        weights = fitted.coef_[0] / spread
        return weights, float(fitted.intercept_[0] - weights @ mean)

    for k in range(FOLDS):
        weights, intercept = model(fold[owner] != k)
        for i in np.flatnonzero(fold == k):
            answers[i].scores = 1 / (1 + np.exp(-answers[i].features @ weights - intercept))
    weights, intercept = model(np.ones(len(labels), np.bool_))
    content = {
        "weights": {name: round(float(w), 4) for name, w in zip(FEATURES, weights, strict=True)},
        "intercept": round(intercept, 4),
        "fitted": {
            "by": "benchmarks/simbench.py --fit",
            "on": "simbench dev (simulated matrices, CC0)",
            "pairs": len(pairs),
            "pairs_without_copy": sum(len(p.truth) == 0 for p in pairs),
            "segments": len(labels),
            "copies": int(labels.sum()),
        },
    }
    WEIGHTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def table(pairs: list[Pair], boxes: list[Array], scores: list[Array] | None) -> SegmentTable:
    keys = [p.key.split("_") for p, b in zip(pairs, boxes, strict=True) for _ in b]
    rows = np.concatenate(boxes)
    return SegmentTable(
        query_ids=[key[0] for key in keys],
        ref_ids=[key[1] for key in keys],
        query_times=rows[:, :2],
        ref_times=rows[:, 2:],
        scores=None if scores is None else np.concatenate(scores),
    )


@dataclass(frozen=True)
class Overall:
    """VCSL overall figures, and the share of pairs without copy that get a prediction."""

    precision: float
    recall: float
    f1: float
    alarms: float


def overall(pairs: list[Pair], answers: list[Answer], threshold: float) -> Overall:
    precisions, recalls, alarms = [], [], []
    order = [0, 2, 1, 3]
    for pair, given in zip(pairs, answers, strict=True):
        kept = given.boxes[given.scores >= threshold]
        precision, recall = precision_recall(pair.truth[:, order], kept[:, order])
        if len(kept):
            precisions.append(precision)
        if len(pair.truth):
            recalls.append(recall)
        else:
            alarms.append(len(kept) > 0)
    mean = [float(np.mean(x)) if x else float("nan") for x in (precisions, recalls, alarms)]
    return Overall(mean[0], mean[1], f1_score(mean[0], mean[1]), mean[2])


def hit_rate(pairs: list[Pair], answers: list[Answer], far: float) -> tuple[float, float]:
    """Return the share of true segments overlapped where at most `far` of negatives alarm."""
    negatives = sorted(
        a.scores.max(initial=0) for p, a in zip(pairs, answers, strict=True) if not len(p.truth)
    )
    threshold = negatives[len(negatives) - 1 - int(far * len(negatives))]
    hits = [
        hit
        for p, a in zip(pairs, answers, strict=True)
        if len(p.truth)
        for hit in closeness(a.boxes[a.scores > threshold], p.truth).max(axis=0, initial=0) > 0
    ]
    return float(np.mean(hits)), float(threshold)


def boundary_errors(pairs: list[Pair], answers: list[Answer]) -> Array:
    """Absolute errors of the bounds of predictions at 0.5 or more that are hits, in seconds."""
    errors = []
    for pair, given in zip(pairs, answers, strict=True):
        kept = given.boxes[given.scores >= 0.5]
        if len(kept) and len(pair.truth):
            near = closeness(kept, pair.truth)
            best = near.argmax(axis=1)
            good = near.max(axis=1) > HIT
            errors.append(np.abs(kept - pair.truth[best])[good].ravel())
    return np.concatenate(errors)


def report(pairs: list[Pair], answers: list[Answer]) -> None:
    boxes, scores = [a.boxes for a in answers], [a.scores for a in answers]
    truth = table(pairs, [p.truth for p in pairs], None)
    print(f"segment micro-AP  {segment_ap(truth, table(pairs, boxes, scores)).ap:.4f}")
    at_half = overall(pairs, answers, 0.5)
    grid = [(overall(pairs, answers, t), t) for t in np.arange(0.05, 1, 0.05)]
    best, threshold = max(grid, key=lambda x: x[0].f1)
    for name, o in (("0.50", at_half), (f"{threshold:.2f}", best)):
        print(
            f"VCSL at {name}      P {o.precision:.3f}  R {o.recall:.3f}  F1 {o.f1:.3f}"
            f"  false alarms on negatives {o.alarms:.3f}"
        )
    for far in (0.01, 0.02):
        hits, at = hit_rate(pairs, answers, far)
        print(f"hit at FAR {far:.0%}     {hits:.3f} (threshold {at:.3f})")
    errors = boundary_errors(pairs, answers)
    print(
        f"bounds            median {np.median(errors):.2f} s  p90 {np.quantile(errors, 0.9):.2f} s"
    )
    for name, chosen in (
        (
            "all standard",
            [a for p, a in zip(pairs, answers, strict=True) if p.matrix.values.size < 10**6],
        ),
        ("negatives", [a for p, a in zip(pairs, answers, strict=True) if not len(p.truth)]),
        ("long", [a for p, a in zip(pairs, answers, strict=True) if p.matrix.values.size >= 10**6]),
    ):
        ms = 1e3 * np.array([a.seconds for a in chosen])
        if len(ms):
            print(f"ms, {name:13s} median {np.median(ms):.1f}  p90 {np.quantile(ms, 0.9):.1f}")
    print(f"\n{'category':14s} pairs     P     R   FAR   (at 0.5)")
    for category in sorted({p.category for p in pairs}):
        rows = [i for i, p in enumerate(pairs) if p.category == category]
        o = overall([pairs[i] for i in rows], [answers[i] for i in rows], 0.5)
        shown = ["   - " if np.isnan(x) else f"{x:.3f}" for x in (o.precision, o.recall, o.alarms)]
        print(f"{category:14s} {len(rows):5d} {' '.join(shown)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the line localizer on simbench.")
    parser.add_argument("path", nargs="?", type=Path, default=default_path())
    parser.add_argument("--fit", action="store_true", help="refit weights.json first")
    parser.add_argument("--no-long", action="store_true", help="leave out the long pairs")
    options = parser.parse_args()
    pairs = load(options.path, long=not options.no_long)
    localizer = LineLocalizer()
    scored = not options.fit  # features may have changed since the weights were fitted
    answer(pairs[0], localizer, scored)
    answers = [answer(pair, localizer, scored) for pair in pairs]
    if options.fit:
        fit(pairs, answers)
        print("scores cross-validated by pair")
    report(pairs, answers)


if __name__ == "__main__":
    main()
