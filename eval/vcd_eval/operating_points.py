"""Named thresholds, and what each was measured to give on a haystack nothing was fitted on."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vcd.descriptors.manifest import FILE_NAME
from vcd.encoding import write_whole
from vcd.engine import Engine
from vcd.errors import EvaluationError
from vcd_eval.formats import SegmentTable, scores_of
from vcd_eval.haystack import Haystack, OnError, run_haystack
from vcd_eval.measures import calibration_error, find_hits

__all__ = ["ALARMS", "FINDABLE", "enter_points", "measure_haystack", "measure_points"]

ALARMS = 1e-4
"""False alarms a pair without copy that ``strict`` allows."""

FINDABLE = 0.98
"""Share of the copies found at any threshold that ``review`` still finds."""

_LOWEST = 0.01

Floats = npt.NDArray[np.float64]


def measure_points(
    groundtruth: SegmentTable, predictions: SegmentTable, *, pairs: int
) -> dict[str, dict[str, float]]:
    """Choose the thresholds ``strict``, ``balanced`` and ``review``, and measure each.

    ``balanced`` has the highest F1. ``strict`` is the lowest one from there on with at most
    `ALARMS` false alarms a pair; ``review``, for a person who looks at all that is reported, the
    highest one up to there that keeps `FINDABLE` of the copies found from .01 on. A segment is
    right, and a true row found, as `vcd_eval.measures` says.

    Parameters
    ----------
    groundtruth, predictions : SegmentTable
        Scores are probabilities.
    pairs : int
        Pairs compared that hold no copy.

    Returns
    -------
    dict of str to dict
        By name: ``threshold``, ``precision``, ``recall``, ``false_alarms_per_10000_pairs``. No
        ``strict`` where every right segment scores below a false alarm that is one too many.

    Raises
    ------
    EvaluationError
        There is no true row, no pair without copy, or nothing right was found.
    """
    row = find_hits(groundtruth, predictions).row
    scores = scores_of(predictions)
    if not len(groundtruth) or pairs < 1 or not (row >= 0).any():
        raise EvaluationError(
            "operating points need copies that are found, and pairs without any",
            remedy="make a larger haystack: vcd eval make SOURCES --out DIR --queries 200",
        )
    best = np.zeros(len(groundtruth))
    np.maximum.at(best, row[row >= 0], scores[row >= 0])
    alarms = _alarms(groundtruth, predictions)
    # Rounded up, so that what is written keeps what was measured.
    levels = np.unique(np.ceil(scores[scores >= _LOWEST] * 1e4) / 1e4)
    levels = levels[levels <= 1]
    reported = np.array([(scores >= t).sum() for t in levels])
    right = np.array([((row >= 0) & (scores >= t)).sum() for t in levels])
    precision = right / np.maximum(reported, 1)
    recall = np.array([(best >= t).mean() for t in levels])
    alarm = np.array([(alarms >= t).sum() for t in levels]) / pairs
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    balanced = int(np.argmax(f1))
    review = int(np.flatnonzero(recall >= FINDABLE * recall.max())[-1])
    chosen = {"balanced": balanced, "review": min(review, balanced)}
    strict = np.flatnonzero((alarm <= ALARMS) & (right > 0))
    if len(strict):
        chosen = {"strict": max(int(strict[0]), balanced)} | chosen
    return {
        name: {
            "threshold": float(levels[k]),
            "precision": round(float(precision[k]), 4),
            "recall": round(float(recall[k]), 4),
            "false_alarms_per_10000_pairs": round(float(1e4 * alarm[k]), 2),
        }
        for name, k in chosen.items()
    }


def measure_haystack(
    haystack: Haystack,
    engine: Engine,
    *,
    on_error: OnError,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, dict[str, dict[str, float]]], float]:
    """Measure the operating points of an engine's models, together and each alone.

    Parameters
    ----------
    haystack : Haystack
    engine : Engine
        With a threshold of 0.
    on_error, on_progress : callable
        As in `run_haystack`.

    Returns
    -------
    points : dict
        As `enter_points` takes it.
    error : float
        Expected calibration error of all predictions together.

    Raises
    ------
    EvaluationError
        As `measure_points`.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = run_haystack(
            haystack, engine, Path(folder), on_error=on_error, on_progress=on_progress, timed=0
        )
    names = {"any": "+".join(info.id for info in engine.models.values())}
    names |= {str(stream): info.id for stream, info in engine.models.items()}
    points = {}
    for name, ids in names.items():
        truth = haystack.truth(name)
        related = set(zip(truth.query_ids, truth.ref_ids, strict=True))
        compared = sum(q in run.queries and r in run.references for q, r in related)
        pairs = len(run.queries) * len(run.references) - compared
        points[ids] = measure_points(truth, run.predictions[name], pairs=pairs)
    predictions = run.predictions["any"]
    right = find_hits(haystack.truth("any"), predictions).row >= 0
    return points, calibration_error(scores_of(predictions), right)


def _alarms(groundtruth: SegmentTable, predictions: SegmentTable) -> Floats:
    """Return the highest score of each pair in which there is nothing to find."""
    true = set(zip(groundtruth.query_ids, groundtruth.ref_ids, strict=True))
    highest: dict[tuple[str, str], float] = {}
    pairs = zip(predictions.query_ids, predictions.ref_ids, strict=True)
    for pair, score in zip(pairs, scores_of(predictions).tolist(), strict=True):
        if pair not in true:
            highest[pair] = max(highest.get(pair, 0.0), score)
    return np.array(list(highest.values()), np.float64)


def enter_points(folder: Path, points: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Enter operating points in the manifest of a models folder.

    Parameters
    ----------
    folder : Path
    points : mapping
        By the ids of the models used, joined by ``+``, then by name.

    Raises
    ------
    OutputError
    """
    path = folder / FILE_NAME
    manifest = json.loads(path.read_text("utf-8"))
    manifest["operating_points"] = manifest.get("operating_points", {}) | dict(points)
    write_whole(path, (json.dumps(manifest, indent=2) + "\n").encode())
