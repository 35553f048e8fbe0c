"""Score normalisation: golden values of the baseline, the definition, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vcd.errors import EvaluationError
from vcd_eval.descriptors import DescriptorTable, read_descriptors
from vcd_eval.score_normalisation import normalise_scores

VECTORS = Path(__file__).parent / "vectors" / "vsc" / "scorenorm"
SETTINGS: dict[str, dict[str, Any]] = {
    "beta_1_2": {},
    "beta_1_0_keep_dim": {"beta": 1.0, "replace_dimension": False},
    "beta_1_2_no_l2": {"unit_length": False},
}


def read(name: str) -> DescriptorTable:
    return read_descriptors(VECTORS / f"{name}.npz")


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_equals_the_baseline(name: str) -> None:
    results = normalise_scores(read("queries"), read("refs"), read("noise"), **SETTINGS[name])
    for side, result in zip(("queries", "refs"), results, strict=True):
        expected = read(f"expected_{name}_{side}")
        np.testing.assert_allclose(result.features, expected.features, rtol=0, atol=1e-5)
        assert result.video_ids.tolist() == expected.video_ids.tolist()


def table(prefix: str, features: np.ndarray[Any, Any]) -> DescriptorTable:
    ids = np.array([f"{prefix}{i}" for i in range(len(features))], dtype=np.str_)
    return DescriptorTable(ids, np.zeros(len(ids)), features)


def test_inner_products_lose_what_the_background_reaches() -> None:
    rng = np.random.default_rng(0)
    q, r, b = (rng.normal(size=(n, 6)).astype(np.float32) for n in (7, 9, 11))
    q[0] = 0
    new_q, new_r = normalise_scores(
        table("Q", q), table("R", r), table("B", b), beta=0.7, replace_dimension=False
    )
    uq, ur, ub = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9) for x in (q, r, b))
    expected = uq @ ur.T - 0.7 * (uq @ ub.T).max(axis=1, keepdims=True)
    np.testing.assert_allclose(new_q.features @ new_r.features.T, expected, atol=1e-6)


def test_many_rows_are_taken_in_parts() -> None:
    rng = np.random.default_rng(0)
    q, b = rng.normal(size=(1500, 3)), rng.normal(size=(9000, 3))
    new_q, _ = normalise_scores(
        table("Q", q), table("R", q), table("B", b), beta=1, replace_dimension=False,
        unit_length=False,
    )  # fmt: skip
    np.testing.assert_allclose(new_q.features[:, -1], -(q @ b.T).max(axis=1), atol=1e-4)


def test_what_is_refused() -> None:
    some, other = table("R", np.eye(3)), table("B", np.eye(3))
    with pytest.raises(EvaluationError, match="3 videos are both background and reference"):
        normalise_scores(some, some, some)
    with pytest.raises(EvaluationError, match="background is empty"):
        normalise_scores(some, some, table("B", np.zeros((0, 3))))
    with pytest.raises(EvaluationError, match=r"the background \(4, 4\)"):
        normalise_scores(some, some, table("B", np.eye(4)))
    for beta in (-1, np.nan, np.inf):
        with pytest.raises(EvaluationError, match="beta"):
            normalise_scores(some, some, other, beta=beta)
