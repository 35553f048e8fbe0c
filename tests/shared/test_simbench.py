"""The line localizer on the simulated matrices that lie outside the repository."""

import csv
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from vcd.localization import LineLocalizer
from vcd.records import SimilarityMatrix
from vcd.similarity import BackgroundStatistics, normalise
from vcd_eval.formats import SegmentTable, read_groundtruth, read_pair_list
from vcd_eval.localizer_comparison import compare, default_contenders
from vcd_eval.matrices import read_matrices
from vcd_eval.vsc import segment_ap

SHARED = Path(os.environ.get("VCD_SHARED", Path(__file__).resolve().parents[3] / "shared"))
FOLDER = SHARED / "simbench"
EVERY = 4

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no data folder {FOLDER}"),
]


def _matrix(data, key):
    cosines = data[f"{key}_sim"].astype(np.float32) * np.float32(1.5 / 255) - np.float32(0.5)
    times = []
    for n, rate in zip(cosines.shape, data[f"{key}_fps"].astype(float), strict=True):
        edges = np.arange(n + 1) / rate
        times.append(np.stack((edges[:-1], edges[1:]), axis=1))
    query, ref = (
        BackgroundStatistics(*np.ascontiguousarray(data[f"{key}_{s}b"].T[[0, 2, 3]], np.float32))
        for s in "qr"
    )
    matrix = SimilarityMatrix(cosines, times[0], times[1], "visual")
    return normalise(matrix, query_background=query, ref_background=ref)


def _table(rows, scored=True):
    return SegmentTable(
        query_ids=[row[0].split("_")[0] for row in rows],
        ref_ids=[row[0].split("_")[1] for row in rows],
        query_times=np.array([row[1:3] for row in rows], float),
        ref_times=np.array([row[3:5] for row in rows], float),
        scores=np.array([row[5] for row in rows], float) if scored else None,
    )


def test_segment_micro_ap() -> None:
    truth = defaultdict(list)
    with (FOLDER / "dev.csv").open() as file:
        for row in csv.DictReader(file):
            key = f"{row['query_id']}_{row['ref_id']}"
            columns = ("query_start", "query_end", "ref_start", "ref_end")
            truth[key].append((key, *(float(row[c]) for c in columns)))
    localizer = LineLocalizer()
    true, found, negatives, alarms = [], [], 0, 0
    with np.load(FOLDER / "dev.npz") as data:
        keys = sorted(name[: -len("_sim")] for name in data.files if name.endswith("_sim"))[::EVERY]
        for key in keys:
            segments = localizer.localize(_matrix(data, key))
            true += truth[key]
            found += [
                (key, s.query_start, s.query_end, s.ref_start, s.ref_end, s.score) for s in segments
            ]
            negatives += not truth[key]
            alarms += not truth[key] and any(s.score >= 0.5 for s in segments)
    assert len(keys) > 90
    assert segment_ap(_table(true, scored=False), _table(found)).ap >= 0.88
    assert alarms / negatives <= 0.25


def test_the_baselines_score_as_the_published_code_does() -> None:
    """HV and DTW are deterministic; the figures are the published code's on the whole set.

    So is DP (.295, .665, .409), which takes ten times as long: `vcd eval localizers` shows it.
    """
    rows = read_pair_list(FOLDER / "dev_pairs.csv")
    truth = read_groundtruth(FOLDER / "dev.csv")
    chosen = {"HV", "DTW"}
    contenders = {name: c for name, c in default_contenders().items() if name in chosen}
    scores = compare(read_matrices(FOLDER / "dev.npz", rows), truth, contenders)
    figures = {
        name: [round(x, 3) for x in (s.precision, s.recall, s.f1)] for name, s in scores.items()
    }
    assert figures == {
        "HV": [0.145, 1.0, 0.253],
        "DTW": [0.374, 0.417, 0.394],
    }
