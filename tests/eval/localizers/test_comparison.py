"""Localizers side by side: figures by hand, and what is refused; the files of matrices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vcd.errors import EvaluationError
from vcd.records import Segment, SimilarityMatrix
from vcd_eval.formats import SegmentTable
from vcd_eval.localizer_comparison import Contender, compare, default_contenders
from vcd_eval.matrices import MatrixPair, list_pairs, read_matrices


class Told:
    """A localizer that answers what it was told, by the first cell of the matrix."""

    name = "told"

    def __init__(self, answers: dict[int, list[Segment]]) -> None:
        self.answers = answers

    def localize(self, matrix: SimilarityMatrix) -> list[Segment]:
        return self.answers.get(int(matrix.values[0, 0]), [])


def pair(number: int) -> MatrixPair:
    values = np.full((4, 4), number, np.float32)
    times = np.stack([np.arange(4.0), np.arange(4.0) + 1], axis=1)
    return MatrixPair(f"Q{number}", "R", SimilarityMatrix(values, times, times, "visual"))


TRUTH = SegmentTable(
    ["Q0", "Q1"], ["R", "R"], np.array([[0.0, 4], [0, 4]]), np.array([[0.0, 4]] * 2)
)


def test_figures_by_hand() -> None:
    told = Told(
        {
            0: [Segment(0, 4, 0, 4, 0.9), Segment(0, 4, 0, 4, 0.1)],
            1: [Segment(1, 3, 0, 4, 0.4)],
            2: [Segment(0, 1, 0, 1, 0.3)],
        }
    )
    contenders = {"all": Contender(told), "sure": Contender(told, threshold=0.5)}
    scores = compare([pair(i) for i in range(4)], TRUTH, contenders)
    everything, sure = scores["all"], scores["sure"]
    assert everything.recall == pytest.approx((1 + 0.5) / 2, abs=1e-5)
    assert everything.precision == pytest.approx(2 / 3, abs=1e-5)
    assert (everything.false_alarm_rate, sure.false_alarm_rate) == (0.5, 0)
    assert sure.precision == pytest.approx(1, abs=1e-5)
    assert sure.recall == pytest.approx(0.5, abs=1e-5)
    assert everything.hit_at_far1 == sure.hit_at_far1 == 1  # both are above 0.3
    assert everything.segment_ap == sure.segment_ap
    assert everything.boundary_error_s == 0
    assert everything.ms_median >= 0


def test_figures_that_are_undefined_are_none() -> None:
    score = compare([pair(0), pair(1)], TRUTH, {"none": Contender(Told({}))})["none"]
    assert (score.precision, score.recall, score.f1, score.segment_ap) == (None, 0, 0, 0)
    assert score.false_alarm_rate is score.hit_at_far1 is score.boundary_error_s is None
    no_truth = SegmentTable([], [], np.zeros((0, 2)), np.zeros((0, 2)))
    score = compare([pair(0)], no_truth, {"none": Contender(Told({}))})["none"]
    assert score.segment_ap is score.hit_at_far1 is None
    assert score.false_alarm_rate == 0


def test_order_never_matters() -> None:
    told = Told({0: [Segment(0, 2, 0, 2, 0.9)], 1: [Segment(1, 3, 0, 4, 0.4)]})
    results = []
    for order in ([0, 1, 2], [2, 1, 0]):
        score = compare([pair(i) for i in order], TRUTH, {"told": Contender(told)})["told"]
        results.append((score.f1, score.segment_ap, score.hit_at_far1, score.boundary_error_s))
    assert results[0] == results[1]


def test_what_does_not_fit_is_refused() -> None:
    contenders = {"told": Contender(Told({}))}
    with pytest.raises(EvaluationError, match="names the pair Q1, R, of which there is no matrix"):
        compare([pair(0)], TRUTH, contenders)
    with pytest.raises(EvaluationError, match="comes twice"):
        compare([pair(0), pair(0)], TRUTH, contenders)
    with pytest.raises(EvaluationError, match="no pair to score"):
        compare([], TRUTH, contenders)


def archive(folder: Path, **changes: Any) -> Path:
    rng = np.random.default_rng(0)
    cosines = rng.normal(0.1, 0.05, (30, 40)).astype(np.float32)
    cosines[np.arange(5, 25), np.arange(12, 32)] = 0.9
    arrays: dict[str, Any] = {
        "Q1_R1_sim": cosines,
        "Q1_R1_fps": np.array([1, 2], np.float32),
        "Q1_R2_sim": np.full((6, 7), 85, np.uint8),
        "Q1_R2_fps": np.array([1, 1]),
        "Q2_R1_qd": np.eye(3, 4, dtype=np.int8) * 5,
        "Q2_R1_rd": np.eye(5, 4, dtype=np.int8),
        "Q2_R1_fps": np.array([1, 1]),
    }
    path = folder / "m.npz"
    np.savez(path, **{k: v for k, v in (arrays | changes).items() if v is not None})
    return path


def test_matrices_are_read_in_all_forms(tmp_path: Path) -> None:
    background = np.tile(np.array([0.1, 0.05, 0.2, 0.3], np.float16), (30, 1))
    path = archive(tmp_path, Q1_R1_qb=background, Q1_R1_rb=np.tile(background[:1], (40, 1)))
    pairs = list_pairs(path)
    assert pairs == [("Q1", "R1"), ("Q1", "R2"), ("Q2", "R1")]
    first, second, third = read_matrices(path, pairs)
    assert first.matrix.ref_times[2].tolist() == [1, 1.5]
    assert first.backgrounds is not None
    assert first.backgrounds[1].largest[0] == pytest.approx(0.3, abs=1e-3)
    assert second.matrix.values[0, 0] == pytest.approx(0, abs=1e-6)
    assert second.backgrounds is None
    assert third.matrix.values.shape == (3, 5)
    assert third.matrix.values[1, 1] == 1
    assert [p.ref_id for p in read_matrices(path, [("Q1", "R2")])] == ["R2"]


def test_a_pair_with_matrix_and_descriptors_is_one_pair(tmp_path: Path) -> None:
    path = archive(tmp_path, Q1_R2_qd=np.eye(6), Q1_R2_rd=np.eye(7, 6))
    assert list_pairs(path) == [("Q1", "R1"), ("Q1", "R2"), ("Q2", "R1")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Q1_R2_fps": None}, "no array Q1_R2_fps"),
        ({"Q1_R2_fps": np.array([0, 1])}, "Q1_R2: fps must be two positive numbers"),
        ({"Q1_R2_sim": np.full((2, 2), np.nan)}, "Q1_R2: values must be finite"),
        ({"Q1_R2_sim": np.zeros((2, 2), np.int64)}, "matrix of uint8 or float"),
        ({"Q1_R2_sim": np.zeros(3)}, "matrix of uint8 or float"),
        ({"Q1_R2_qb": np.zeros((5, 4)), "Q1_R2_rb": np.zeros((7, 4))}, r"must be \(6, 4\)"),
        ({"Q2_R1_rd": np.zeros((5, 3))}, "Q2_R1: "),
        ({"Q2_R1_rd": None}, "no array Q2_R1_rd"),
        ({"a_b_c_sim": np.zeros((2, 2))}, "'a_b_c' cannot be split"),
    ],
)
def test_a_broken_archive_is_refused(tmp_path: Path, changes: Any, message: str) -> None:
    path = archive(tmp_path, **changes)
    with pytest.raises(EvaluationError, match=message) as caught:
        list(read_matrices(path, list_pairs(path)))
    assert caught.value.file == str(path)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.npz").write_bytes(b"PK\x03\x04 torn")
    np.save(tmp_path / "lone.npy", np.zeros(3))
    np.savez(tmp_path / "empty.npz", x=np.zeros(3))
    for name, message in (
        ("m.npz", "not an archive"),
        ("lone.npy", "not an archive"),
        ("none.npz", "cannot be read"),
        ("empty.npz", "holds no pair"),
    ):
        with pytest.raises(EvaluationError, match=message):
            list_pairs(tmp_path / name)


def test_ours_and_the_baselines_on_a_file(tmp_path: Path) -> None:
    path = archive(tmp_path)
    truth = SegmentTable(["Q1"], ["R1"], np.array([[5.0, 25]]), np.array([[6.0, 16]]))
    scores = compare(read_matrices(path, list_pairs(path)), truth, default_contenders())
    assert scores.keys() == default_contenders().keys() - {"TN-VSC-norm"}  # it has no background
    assert scores["lines"].recall > 0.9
    assert scores["lines"].segment_ap == pytest.approx(1, abs=0.1)
    assert scores["TN"].recall > 0.9
    assert scores["HV"].recall > 0.99
