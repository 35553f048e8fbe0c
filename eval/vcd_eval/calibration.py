"""Fits how probable found segments are, on haystacks whose truth is known.

Every query is compared with every reference as in use; what the localizer proposes is measured,
judged against the truth, and a logistic model of the measures is fitted for each pass: picture,
sound, both fused, and single moments taken as still pictures.

References
----------
Platt 1999, "Probabilistic outputs for support vector machines"; for stills, whose confidence is one
number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vcd.descriptors import further_tracks, load_manifest
from vcd.descriptors.manifest import FILE_NAME
from vcd.detection import STILL, Calibration
from vcd.encoding import write_whole
from vcd.engine import Engine, PreparedVideo
from vcd.errors import EvaluationError, ModelError
from vcd.localization import Confidence, LineLocalizer, default_confidence
from vcd.localization.bounds import TimeAxis, to_segment
from vcd.localization.features import FEATURES
from vcd.records import STREAMS, Segment, SimilarityMatrix, Stream, Track, VideoDescriptor
from vcd_eval.haystack import Haystack, OnError
from vcd_eval.haystack_pairs import Named, each_query
from vcd_eval.measures import HIT, calibration_error, closeness

__all__ = [
    "ASSUMED_ODDS",
    "PASSES",
    "SIGNS",
    "Judged",
    "cross_validated",
    "enter",
    "error_of",
    "fit",
    "joined",
    "judge",
]

PASSES = ("visual", "audio", "fused", STILL)
ASSUMED_ODDS = 1 / 200
"""Pairs that share something for each that shares nothing, as probabilities assume."""

_SIGN = {
    "contrast": 1,
    "best_in_row": 1,
    "distinct": 1,
    "seconds": 1,
    "changes": 1,
    "speed": -1,
    "overlap": -1,
    "backwards": -1,
}
SIGNS = [_SIGN.get(name, 0) for name in FEATURES]
"""Whether each of `FEATURES` can only speak for a copy (1) or only against one (-1)."""

# Measured: fitted on one made haystack, log losses on another one and on the simulated matrices are
# both near their best from 30 to 100; without it the second is three times as high.
_PULL = 50.0
_LEAST_SLOPE = 0.01
_FOLDS = 5
_SLACK = 1.0  # seconds beside a still's segment at which the moment it was taken from still counts

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What one pass proposed, measured and judged.

    Parameters
    ----------
    measures : ndarray of float64, shape (n, k)
        `FEATURES` of each segment; for stills the log-odds of their confidence alone.
    right : ndarray of bool, shape (n,)
        Whether a segment tells of a true one.
    queries : ndarray of str, shape (n,)
        The query of each, by which folds are cut.
    pairs, related : int
        Pairs compared, and those among them that hold a true row.
    """

    measures: Floats
    right: npt.NDArray[np.bool_]
    queries: npt.NDArray[np.str_]
    pairs: int
    related: int


def judge(
    haystack: Haystack,
    engine: Engine,
    *,
    on_error: OnError,
    on_progress: Callable[[int, int], None] | None = None,
    seed: int = 0,
) -> dict[str, Judged]:
    """Propose segments for all pairs of a haystack and judge them.

    Parameters
    ----------
    haystack : Haystack
    engine : Engine
        Its models and rate; segments shorter than its minimal length are left out.
    on_error : callable
        Told of inputs that cannot be used.
    on_progress : callable, optional
        Told how many of how many videos are done.
    seed : int
        Of the moments that are taken from queries as stills.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[tuple[Sequence[float], bool, str]]] = {name: [] for name in PASSES}
    asked_for: set[str] = set()
    there: set[str] = set()
    with ThreadPoolExecutor(engine.jobs) as pool:
        for (query_id, query), references in each_query(
            haystack, engine, on_error=on_error, on_progress=on_progress
        ):
            asked_for.add(query_id)
            there.update(name for name, _ in references)
            still = _still(query.descriptor, rng)
            asked = [query] if still is None else [query, engine.prepare(still)]
            look = partial(_look, engine, haystack, query_id, asked)
            for judged in pool.map(look, references):
                for name, measures, right in judged:
                    found[name].append((measures, right, query_id))
    segments = haystack.labels.segments
    true = set(zip(segments.query_ids, segments.ref_ids, strict=True))
    related = sum(query in asked_for and ref in there for query, ref in true)
    pairs = len(asked_for) * len(there)
    return {name: _judged(rows, pairs, related) for name, rows in found.items() if rows}


def joined(parts: Iterable[Mapping[str, Judged]]) -> dict[str, Judged]:
    """Return what several haystacks gave as one; their queries count as different ones."""
    rows: dict[str, list[Judged]] = {}
    for number, part in enumerate(parts):
        for name, judged in part.items():
            queries = np.char.add(f"{number}/", judged.queries)
            rows.setdefault(name, []).append(replace(judged, queries=queries))
    return {
        name: Judged(
            np.concatenate([j.measures for j in several]),
            np.concatenate([j.right for j in several]),
            np.concatenate([j.queries for j in several]),
            pairs=sum(j.pairs for j in several),
            related=sum(j.related for j in several),
        )
        for name, several in rows.items()
    }


def fit(judged: Judged) -> tuple[Floats, float]:
    """Fit a logistic model; return its weights, shape (k,), and intercept.

    Made haystacks hold few of the lookalikes that matter in use (the same scene at another moment,
    series of one studio), and a few hundred segments leave room for chance. So weights of
    `FEATURES` are drawn towards those of `default_confidence`, which was fitted on simulated
    matrices full of lookalikes (a normal prior on one scale of all measures), and one that
    contradicts what is known of its feature is held at 0. Other measures are drawn towards 0; a
    single one (the log-odds of stills) never speaks against a copy.

    Raises
    ------
    EvaluationError
        All segments are right, or all are wrong.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    right = judged.right
    if right.all() or not right.any():
        raise EvaluationError(
            f"of {len(right)} segments {int(right.sum())} are right, so there is nothing to tell "
            "apart",
            remedy="make a larger haystack: vcd eval make SOURCES --out DIR --queries 200",
        )
    mean, scale = judged.measures.mean(axis=0), judged.measures.std(axis=0)
    scale = np.where(scale > 0, scale, 1)
    scaled = (judged.measures - mean) / scale
    of_lines = scaled.shape[1] == len(FEATURES)
    signs = SIGNS if of_lines else [0] * scaled.shape[1]
    known = default_confidence().weights * scale if of_lines else np.zeros(scaled.shape[1])
    penalty = _PULL if of_lines else 1.0
    limits = {1: (0.0, None), -1: (None, 0.0), 0: (None, None)}
    if scaled.shape[1] == 1:
        limits[0] = (_LEAST_SLOPE, None)

    def loss(theta: Floats) -> tuple[float, Floats]:
        weights = theta[:-1]
        odds = scaled @ weights + theta[-1]
        wrong = expit(odds) - right
        away = weights - known
        value = np.logaddexp(0, odds).sum() - odds[right].sum() + penalty / 2 * away @ away
        return value, np.append(scaled.T @ wrong + penalty * away, wrong.sum())

    start = np.zeros(scaled.shape[1] + 1)
    bounds = [*(limits[sign] for sign in signs), (None, None)]
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    weights = best[:-1] / scale
    return weights, float(best[-1] - weights @ mean)


def cross_validated(judged: Judged, *, seed: int = 0) -> Floats:
    """Return for each segment the probability by a model that has seen no segment of its query."""
    from scipy.special import expit

    names, number = np.unique(judged.queries, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(names)) % _FOLDS)[number]
    scores = np.zeros(len(judged.right))
    for k in np.unique(fold):
        rest = fold != k
        weights, intercept = fit(
            replace(
                judged,
                measures=judged.measures[rest],
                right=judged.right[rest],
                queries=judged.queries[rest],
            )
        )
        scores[~rest] = expit(judged.measures[~rest] @ weights + intercept)
    return scores


def error_of(judged: Judged) -> float:
    """Return the expected calibration error of cross-validated probabilities.

    NaN where segments are so few that a part of the queries leaves nothing to fit.
    """
    try:
        return calibration_error(cross_validated(judged), judged.right)
    except EvaluationError:
        return math.nan


def enter(folder: Path, judged: Mapping[str, Judged], named: Collection[str] = ()) -> None:
    """Fit every pass and enter the numbers in the manifest of a models folder.

    Copies are rarer in use than in a made haystack: intercepts are shifted from the odds of the
    haystack to `ASSUMED_ODDS`, which the manifest states. Operating points of the models whose
    numbers are entered go, as they were measured with other probabilities.

    Parameters
    ----------
    folder : Path
    judged : mapping
        Of all `PASSES`.
    named : collection of str
        Models, one a stream at most, that stood in for the defaults: only their own numbers are
        entered then, and those of the pair; without any, those of all defaults.

    Raises
    ------
    EvaluationError
        As `fit`.
    ModelError
        A pass is missing: the default models found nothing.
    OutputError
    """
    missing = [name for name in PASSES if name not in judged]
    if missing:
        raise ModelError(
            f"its models propose nothing by {missing[0]}, so there is nothing to fit",
            file=folder,
            remedy="vcd models verify tells whether they are whole",
        )
    fitted: dict[str, dict[str, Any]] = {}
    for name in PASSES:
        weights, intercept = fit(judged[name])
        intercept += math.log(ASSUMED_ODDS / _odds(judged[name]))
        if name == STILL:
            still = Calibration(float(weights[0]), intercept)
            fitted[name] = {"slope": round(still.slope, 4), "intercept": round(still.intercept, 4)}
        else:
            fitted[name] = Confidence(weights, intercept).as_mapping()
    known = load_manifest(folder)
    used = {stream: known.default(stream).id for stream in STREAMS}
    used |= {known.get(name).stream: name for name in named}
    own = set(named) or set(used.values())
    path = folder / FILE_NAME
    manifest = json.loads(path.read_text("utf-8"))
    for entry in manifest["models"]:
        if entry["id"] in own:
            entry["calibration"] = dict(fitted[entry["stream"]])
            if entry["stream"] == "visual":
                entry["calibration"][STILL] = fitted[STILL]
    # They were measured with other probabilities.
    manifest["operating_points"] = {
        ids: points
        for ids, points in known.operating_points.items()
        if not set(ids.split("+")) & own
    }
    pair = "+".join(used[stream] for stream in STREAMS)
    manifest["fusion"] = manifest.get("fusion", {}) | {pair: fitted["fused"]}
    manifest["assumed_odds"] = ASSUMED_ODDS
    write_whole(path, (json.dumps(manifest, indent=2) + "\n").encode())


def _odds(judged: Judged) -> float:
    """Return how many pairs share something for each that shares nothing."""
    unrelated = judged.pairs - judged.related
    if judged.related < 1 or unrelated < 1:
        raise EvaluationError(
            f"{judged.related} of {judged.pairs} pairs share something; both kinds are needed",
            remedy="make a larger haystack: vcd eval make SOURCES --out DIR --queries 200",
        )
    return judged.related / unrelated


def _judged(rows: Sequence[tuple[Sequence[float], bool, str]], pairs: int, related: int) -> Judged:
    measures, right, queries = zip(*rows, strict=True)
    return Judged(
        np.array(measures, np.float64),
        np.array(right, np.bool_),
        np.array(queries),
        pairs=pairs,
        related=related,
    )


_Seen = tuple[str, Sequence[float], bool]


def _look(
    engine: Engine,
    haystack: Haystack,
    query_id: str,
    asked: Sequence[PreparedVideo],
    reference: Named,
) -> list[_Seen]:
    """Return what all passes propose for a pair: pass, measures, and whether it is right."""
    ref_id, video = reference
    seen: list[_Seen] = []
    for name, matrix in engine.matrices(asked[0], video, whole=True).items():
        if 1 not in matrix.values.shape:
            truth = _true_boxes(haystack, query_id, ref_id, name)
            seen += _lines(engine, name, matrix, truth)
    for still in asked[1:]:
        [moment] = still.descriptor.tracks["visual"].times.mean(axis=1)
        shown = _shown_at(haystack, query_id, ref_id, moment)
        segments = engine.passes(engine.matrices(still, video)).get(STILL, [])
        seen += [(STILL, [_log_odds(s.score)], _shows(s, shown)) for s in segments]
    return seen


def _lines(engine: Engine, name: str, matrix: SimilarityMatrix, truth: Floats) -> list[_Seen]:
    localizer = engine.localizer
    if not isinstance(localizer, LineLocalizer):
        raise EvaluationError("only the line localizer has a confidence that can be fitted")
    query, ref = TimeAxis(matrix.query_times), TimeAxis(matrix.ref_times)
    streams: frozenset[Stream] = frozenset()
    seen: list[_Seen] = []
    for proposal in localizer.proposals(matrix):
        s = to_segment(proposal.line, query, ref, 0.0, streams)
        if min(s.length, s.ref_end - s.ref_start) >= engine.detector.min_length:
            box = [s.query_start, s.query_end, s.ref_start, s.ref_end]
            right = bool((closeness(box, truth) > HIT).any())
            seen.append((name, proposal.features.array().tolist(), right))
    return seen


def _true_boxes(haystack: Haystack, query_id: str, ref_id: str, name: str) -> Floats:
    rows = haystack.rows_of(query_id, ref_id, name)
    segments = haystack.labels.segments
    return np.concatenate([segments.query_times[rows], segments.ref_times[rows]], axis=1)


def _still(video: VideoDescriptor, rng: np.random.Generator) -> VideoDescriptor | None:
    """Return one moment of a video's picture as if it were a still picture, its times kept."""
    track = video.tracks.get("visual")
    if track is None or not len(track):
        return None
    k = int(rng.integers(len(track)))
    one = slice(k, k + 1)
    moment = _taken(track, one)
    tracks = [moment]
    for view in further_tracks(video, "visual"):
        there = np.flatnonzero((view.times == moment.times).all(axis=1))[:1]
        tracks += [_taken(view, there)] if len(there) else []
    return VideoDescriptor(f"{video.video_id}-still", video.duration, {t.key: t for t in tracks})


def _taken(track: Track, rows: slice | npt.NDArray[np.intp]) -> Track:
    return replace(
        track, times=track.times[rows], vectors=track.vectors[rows], weight=track.weight[rows]
    )


def _shown_at(haystack: Haystack, query_id: str, ref_id: str, moment: float) -> list[float]:
    """Return the times of the reference that a moment of the query shows."""
    labels = haystack.labels
    times = []
    for row in haystack.rows_of(query_id, ref_id, "visual"):
        start, end = labels.segments.query_times[row]
        first, last = labels.segments.ref_times[row]
        if start <= moment < end:
            share = (moment - start) / (end - start)
            times.append(first + (share if labels.speed[row] > 0 else 1 - share) * (last - first))
    return times


def _shows(segment: Segment, moments: Sequence[float]) -> bool:
    low, high = segment.ref_start - _SLACK, segment.ref_end + _SLACK
    return any(low <= moment <= high for moment in moments)


def _log_odds(probability: float) -> float:
    inside = min(max(probability, 1e-9), 1 - 1e-9)
    return float(np.log(inside / (1 - inside)))
