"""What scoring costs, beside the published code and a sort of ten million numbers.

::

    python benchmarks/eval_speed.py

The unit is NumPy's sort of 10 million float64 on this machine, in this run; what the published code
of VSC 2023 (facebookresearch/vsc2022, commit 644d521) takes in that unit was measured on another
machine. Our share of it should be at most 0.2, and a million predictions take less than 20 s.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from vcd_eval.formats import SegmentTable
from vcd_eval.vsc import segment_ap

RUNS = 15
UNIT = 10_000_000

# predictions, true segments, queries, references; what the published code takes, in units
CASES: list[tuple[int, int, int, int, float | None]] = [
    (5_000, 1_000, 200, 400, 0.097 / 0.67),
    (500, 100, 1, 1, 0.74 / 0.67),
    (1_000, 200, 1, 1, 2.5 / 0.67),
    (50_000, 8_000, 8_000, 40_000, 1.25 / 0.67),
    (1_000_000, 8_000, 8_000, 40_000, None),
]


def segments(rng: np.random.Generator, n: int, queries: int, references: int) -> SegmentTable:
    """Return segments of 2 to 32 s anywhere in the first ten minutes of any pair."""
    start = rng.uniform(0, 600, (n, 2))
    end = start + rng.uniform(2, 32, (n, 1))
    # One text a video, as the readers of files give it.
    query_names = [f"Q{i:06d}" for i in range(queries)]
    ref_names = [f"R{i:06d}" for i in range(references)]
    return SegmentTable(
        query_ids=[query_names[i] for i in rng.integers(0, queries, n)],
        ref_ids=[ref_names[i] for i in rng.integers(0, references, n)],
        query_times=np.stack([start[:, 0], end[:, 0]], axis=1),
        ref_times=np.stack([start[:, 1], end[:, 1]], axis=1),
        scores=rng.random(n),
    )


def predict(rng: np.random.Generator, truth: SegmentTable, chance: SegmentTable) -> SegmentTable:
    """Return predictions of which every second is a true segment, some seconds beside its place."""
    row = rng.integers(0, len(truth), len(chance))
    right = np.arange(len(chance)) % 2 == 0
    shift = rng.normal(0, 3, (len(chance), 1))
    return SegmentTable(
        query_ids=[
            truth.query_ids[i] if hit else q
            for i, hit, q in zip(row, right, chance.query_ids, strict=True)
        ],
        ref_ids=[
            truth.ref_ids[i] if hit else r
            for i, hit, r in zip(row, right, chance.ref_ids, strict=True)
        ],
        query_times=np.where(right[:, None], truth.query_times[row] + shift, chance.query_times),
        ref_times=np.where(right[:, None], truth.ref_times[row] - shift, chance.ref_times),
        scores=chance.scores,
    )


def cpu(work: Callable[[], object], runs: int = RUNS) -> float:
    """Return the least CPU seconds of several runs; a busy machine only adds to them."""
    spent = []
    for _ in range(runs):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def main() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.random(UNIT)
    unit = cpu(lambda: np.sort(numbers))
    print(f"unit: {unit:.2f} CPU s, the sort of {UNIT:,} float64")
    for predictions, truths, queries, references, published in CASES:
        truth = segments(rng, truths, queries, references)
        found = predict(rng, truth, segments(rng, predictions, queries, references))
        spent = cpu(lambda t=truth, f=found: segment_ap(t, f), 1 if published is None else RUNS)  # type: ignore[misc]
        line = f"{predictions:9,} predictions, {queries:5,} x {references:6,}: {spent:7.3f} CPU s"
        line += f", {spent / unit:6.3f} units"
        if published is not None:
            line += f", {spent / unit / published:.3f} of the published code's"
        print(line, flush=True)


if __name__ == "__main__":
    main()
