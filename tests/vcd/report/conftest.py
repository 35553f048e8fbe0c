"""Pairs of videos with matches, made from nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vcd.records import Match, Segment, SimilarityMatrix
from vcd.report import MediaView, PairView

BOTH = frozenset({"visual", "audio"})


def _matrix(stream: str, n: int = 40, m: int = 60, step: float = 0.5) -> SimilarityMatrix:
    rng = np.random.default_rng(7)
    values = rng.uniform(0, 0.4, (n, m)).astype(np.float32)
    for i in range(min(n, m) // 2):
        values[i + 5, i + 10] = 0.95

    def times(count: int) -> np.ndarray:
        start = np.arange(count, dtype=np.float64) * step
        return np.stack([start, start + step], axis=1)

    return SimilarityMatrix(values, times(n), times(m), stream)  # type: ignore[arg-type]


@pytest.fixture
def make_pair() -> Callable[..., PairView]:
    """Give a function that makes a pair; every part can be replaced."""

    def make(
        query: str = "clip.mp4",
        reference: str = "film.mp4",
        segments: tuple[Segment, ...] | None = None,
        durations: tuple[float, float] = (20.0, 30.0),
        *,
        paths: tuple[Path | None, Path | None] = (None, None),
        streams: tuple[str, ...] = (),
        score: float | None = None,
        sure_from: float | None = None,
    ) -> PairView:
        if segments is None:
            segments = (
                Segment(2.5, 12.5, 5.0, 15.0, 0.987654321, BOTH, 1.0),
                Segment(15.0, 18.0, 20.0, 26.0, 0.6, frozenset({"audio"}), -2.0),
            )
        if score is None:
            score = max((s.score for s in segments), default=0.0)
        return PairView(
            Match(query, reference, score, segments),
            MediaView(query, durations[0], paths[0]),
            MediaView(reference, durations[1], paths[1]),
            {stream: _matrix(stream) for stream in streams},
            sure_from,
        )

    return make
