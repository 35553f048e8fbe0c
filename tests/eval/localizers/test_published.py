"""The field's localizers on matrices of the engine: silent positions count as similarity 0."""

import numpy as np
import pytest

from vcd.errors import EvaluationError
from vcd.records import SimilarityMatrix
from vcd_eval.localizers import PUBLISHED, published


def matrix(*, silent):
    """Return a copy of 20 s beside 12 s of black frames, which resemble each other wholly."""
    n = 40
    times = np.stack([np.arange(n) / 2, (np.arange(n) + 1) / 2], axis=1)
    values = np.random.default_rng(0).uniform(0, 0.1, (n, n)).astype(np.float32)
    values[np.arange(20), np.arange(20) + 2] = 0.9
    values[24:36, 24:36] = 1
    excess = values - 0.5
    if silent:
        excess[24:36] = 0
        excess[:, 24:36] = 0
    return SimilarityMatrix(values, times, times, "visual", excess)


@pytest.mark.parametrize("name", ["TN", "TN-VSC"])
def test_silent_positions_say_nothing(name):
    assert max(s.query_end for s in published(name).localize(matrix(silent=False))) > 13
    found = published(name).localize(matrix(silent=True))
    assert found
    assert max(s.query_end for s in found) < 12


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_one_has_its_name_and_takes_matrices_of_any_size(name):
    localizer = published(name)
    assert localizer.name == name
    for shape in ((0, 5), (1, 5), (5, 1)):
        times = [np.stack([np.arange(k) / 2, (np.arange(k) + 1) / 2], axis=1) for k in shape]
        values = np.zeros(shape, np.float32)
        assert localizer.localize(SimilarityMatrix(values, *times, "visual", values)) == []


def test_an_unknown_name_is_told():
    with pytest.raises(EvaluationError, match="no localizer 'SPD'"):
        published("SPD")
