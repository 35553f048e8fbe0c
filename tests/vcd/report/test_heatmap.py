from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcd.records import SimilarityMatrix
from vcd.report.figures import ticks
from vcd.report.heatmap import COLOURS, colourise, heat_map


def _matrix(values: np.ndarray, start: float = 0.0, step: float = 1.0) -> SimilarityMatrix:
    def times(n: int) -> np.ndarray:
        t = start + np.arange(n, dtype=np.float64) * step
        return np.stack([t, t + step], axis=1)

    return SimilarityMatrix(
        values.astype(np.float32), times(values.shape[0]), times(values.shape[1]), "visual"
    )


def test_a_small_even_matrix_stays_as_it_is() -> None:
    values = np.random.default_rng(1).uniform(0, 1, (7, 9)).astype(np.float32)
    heat = heat_map(_matrix(values, start=2, step=0.5))
    assert heat is not None
    np.testing.assert_array_equal(heat.cells, values)
    assert heat.query_span == (2, 5.5)
    assert heat.ref_span == (2, 6.5)


def test_a_thin_diagonal_survives() -> None:
    heat = heat_map(_matrix(np.eye(1000)), longest=100)
    assert heat is not None
    np.testing.assert_array_equal(heat.cells, np.eye(100))


def test_uneven_times_are_laid_on_even_ones() -> None:
    times = np.array([[0, 1], [1, 2], [8, 9], [9, 10]], dtype=np.float64)
    values = np.array([[0.1], [0.2], [0.8], [0.9]], dtype=np.float32)
    heat = heat_map(SimilarityMatrix(values, times, np.array([[0.0, 1.0]]), "audio"))
    assert heat is not None
    # rows of 2.5 s: the first holds the first two, the middle ones hold on to what was before
    np.testing.assert_allclose(heat.cells[:, 0], [0.2, 0.2, 0.2, 0.9])


def test_nothing_to_show() -> None:
    assert heat_map(_matrix(np.zeros((0, 5)))) is None
    assert heat_map(_matrix(np.zeros((3, 3)), step=0.0)) is None


def test_colours_run_from_first_to_last() -> None:
    pixels = colourise(np.array([[0, 1]], dtype=np.float32))
    assert pixels.dtype == np.uint8
    assert pixels[0, 0].tobytes().hex() == COLOURS[0][1:]
    assert pixels[0, 1].tobytes().hex() == COLOURS[-1][1:]


@given(st.floats(0.05, 1e6))
def test_ticks_are_few_and_inside(length: float) -> None:
    marks = ticks(length)
    assert 1 <= len(marks) <= 6
    assert marks[0] == 0
    assert marks[-1] <= length * (1 + 1e-6)


def test_ticks_are_round() -> None:
    assert ticks(75) == pytest.approx([0, 30, 60])
    assert ticks(7200) == pytest.approx([0, 1800, 3600, 5400, 7200])
