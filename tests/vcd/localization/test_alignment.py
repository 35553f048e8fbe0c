"""What the line localizer promises, on simulated descriptors."""

import sys
from pathlib import Path

import numpy as np
import pytest
from making import grid

sys.path.insert(0, str(Path(__file__).parent))
from simulated import bounds, content, evidence_of, planted

from vcd.errors import ContractError
from vcd.localization import LineLocalizer, LineSettings, Localizer
from vcd.records import SimilarityMatrix

LOCALIZER = LineLocalizer()


def sure(matrix, localizer=LOCALIZER):
    return [s for s in localizer.localize(matrix) if s.score >= 0.5]


def test_is_a_localizer():
    assert isinstance(LOCALIZER, Localizer)
    assert LOCALIZER.name == "lines"


@pytest.mark.parametrize("seed", range(5))
def test_planted_line_is_found_within_a_frame(seed):
    [segment] = sure(planted([(15, np.arange(30, 55))], seed=seed))
    np.testing.assert_allclose(bounds(segment), (15, 40, 30, 55), atol=1)
    assert segment.speed == pytest.approx(1)
    assert segment.streams == {"visual"}


@pytest.mark.parametrize(("query_rate", "ref_rate"), [(1, 1), (2, 2), (4, 4), (1, 2), (2, 1)])
def test_rates(query_rate, ref_rate):
    """The same copy, [10, 30) s of the query from [20, 40) s of the reference, at other rates."""
    rng = np.random.default_rng(7)
    ref = content(rng, 320).astype(np.float32)  # eight a second
    query = content(rng, 320).astype(np.float32)
    query[80:240] = ref[160:320]
    query = query[:: 8 // query_rate]
    ref = ref[:: 8 // ref_rate]
    matrix = evidence_of(query, ref, query_rate=query_rate, ref_rate=ref_rate)
    [segment] = sure(matrix)
    np.testing.assert_allclose(bounds(segment), (10, 30, 20, 40), atol=1)
    assert segment.speed == pytest.approx(1)


@pytest.mark.parametrize("speed", [0.5, 0.75, 1.25, 1.5, 2])
def test_other_speeds(speed):
    positions = 20 + np.floor(np.arange(40) * speed).astype(int)
    [segment] = sure(planted([(10, positions)], m=130))
    np.testing.assert_allclose(bounds(segment), (10, 50, 20, 20 + 40 * speed), atol=2)
    assert segment.speed == pytest.approx(speed, rel=0.06)


def test_reversed():
    [segment] = sure(planted([(15, np.arange(54, 29, -1))]))
    np.testing.assert_allclose(bounds(segment), (15, 40, 30, 55), atol=1)
    assert segment.speed == pytest.approx(-1)
    forwards = LineLocalizer(LineSettings(backwards=False))
    found = forwards.localize(planted([(15, np.arange(54, 29, -1))]))
    assert all(other.speed > 0 and other.score < 0.7 * segment.score for other in found)


@pytest.mark.parametrize("pieces", [[(15, range(30, 55))], [(15, range(54, 29, -1))]])
def test_transposition_swaps_axes_and_inverts_speed(pieces):
    matrix = planted(pieces, n=60, m=80)
    turned = SimilarityMatrix(
        matrix.values.T.copy(),
        matrix.ref_times,
        matrix.query_times,
        "visual",
        matrix.excess.T.copy(),
    )
    [one], [other] = sure(matrix), sure(turned)
    np.testing.assert_allclose(bounds(other), np.roll(bounds(one), 2), atol=1)
    assert other.speed == pytest.approx(1 / one.speed)


def test_shift_of_the_clock_shifts_the_answer():
    matrix = planted([(15, np.arange(30, 55))])
    later = SimilarityMatrix(
        matrix.values, matrix.query_times + 100, matrix.ref_times + 7, "visual", matrix.excess
    )
    [one], [other] = sure(matrix), sure(later)
    np.testing.assert_allclose(np.subtract(bounds(other), bounds(one)), (100, 100, 7, 7), atol=1e-9)
    assert other.score == one.score


def test_two_segments():
    found = sure(planted([(5, np.arange(40, 60)), (35, np.arange(10, 28))]))
    assert len(found) == 2
    first, second = sorted(found, key=lambda s: s.query_start)
    np.testing.assert_allclose(bounds(first), (5, 25, 40, 60), atol=1.5)
    np.testing.assert_allclose(bounds(second), (35, 53, 10, 28), atol=1.5)


def test_loop():
    piece = np.arange(30, 45)
    found = sure(planted([(5, piece), (20, piece), (35, piece)]))
    assert len(found) == 3
    for segment, start in zip(sorted(found, key=lambda s: s.query_start), (5, 20, 35), strict=True):
        np.testing.assert_allclose(bounds(segment), (start, start + 15, 30, 45), atol=2)


def test_gap_is_bridged():
    [segment] = sure(planted([(10, np.arange(20, 32)), (26, np.arange(36, 50))]))
    np.testing.assert_allclose(bounds(segment), (10, 40, 20, 50), atol=1)


@pytest.mark.parametrize("seed", range(10))
def test_noise_gives_nothing(seed):
    assert sure(planted([], seed=seed)) == []


@pytest.mark.parametrize("size", [5, 20, 40])
def test_still_block_gives_nothing(size):
    rng = np.random.default_rng(3)
    query, ref = content(rng, 60).astype(np.float32), content(rng, 80).astype(np.float32)
    query[10 : 10 + size] = ref[20 : 20 + size] = ref[0]
    assert sure(evidence_of(query, ref)) == []


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1), (1, 30), (30, 1), (2, 2)])
def test_matrices_too_small_for_a_line(shape):
    excess = np.ones(shape, np.float32)
    matrix = SimilarityMatrix(excess, grid(shape[0]), grid(shape[1]), "visual", excess)
    assert sure(matrix) == []


def test_positions_without_length():
    times = np.zeros((6, 2))
    excess = np.eye(6, dtype=np.float32)
    LOCALIZER.localize(SimilarityMatrix(excess, times, times, "visual", excess))


def test_weight_zero_everywhere_gives_nothing():
    matrix = planted([(15, np.arange(30, 55))], query_weight=np.zeros(60, np.float32))
    assert LOCALIZER.localize(matrix) == []


def test_an_end_is_borne_by_evidence():
    """Silent positions inside are bridged; at the ends nothing is claimed for them."""
    weight = np.ones(60, np.float32)
    weight[15:20] = weight[26:29] = weight[37:40] = 0
    [segment] = sure(planted([(15, np.arange(30, 55))], query_weight=weight))
    np.testing.assert_allclose(bounds(segment), (20, 37, 35, 52), atol=1)


def test_same_input_same_answer():
    matrix = planted([(5, np.arange(40, 60)), (35, np.arange(10, 28))])
    assert LOCALIZER.localize(matrix) == LineLocalizer().localize(matrix)


def test_sorted_by_score_and_named_streams():
    matrix = planted([(5, np.arange(40, 60)), (35, np.arange(10, 18))], stream="visual")
    fused = SimilarityMatrix(
        matrix.values, matrix.query_times, matrix.ref_times, "fused", matrix.excess
    )
    found = LOCALIZER.localize(fused)
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
    assert found[0].streams == {"visual", "audio"}


def test_input_is_left_alone():
    matrix = planted([(15, np.arange(30, 55))])
    before = matrix.excess.copy()
    LOCALIZER.localize(matrix)
    np.testing.assert_array_equal(matrix.excess, before)


def test_plain_cosines_are_refused():
    values = np.zeros((3, 3), np.float32)
    with pytest.raises(ContractError, match="no evidence"):
        LOCALIZER.localize(SimilarityMatrix(values, grid(3), grid(3), "visual"))


def test_settings_are_checked():
    with pytest.raises(ContractError):
        LineSettings(speeds=4)
    with pytest.raises(ContractError):
        LineSettings(most=0)


def test_long_videos():
    """1800 x 5400 cells: the segment is found, and memory stays near a few copies of the matrix."""
    import tracemalloc

    rng = np.random.default_rng(5)
    n, m = 1800, 5400
    excess = rng.random((n, m), np.float32) - 1.6
    rows = np.arange(600, 660)
    excess[rows, rows + 3000] = 1
    matrix = SimilarityMatrix(excess, grid(n, 1), grid(m, 1), "visual", excess)
    tracemalloc.start()
    found = sure(matrix, LineLocalizer(LineSettings(speeds=1)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    [segment] = found
    np.testing.assert_allclose(bounds(segment), (600, 660, 3600, 3660), atol=1)
    assert peak < 8 * excess.nbytes


def test_a_long_copy_does_not_hide_a_short_one():
    pieces = [(10, range(20, 260)), (280, range(300, 310))]
    segments = LineLocalizer().localize(planted(pieces, n=300, m=320, noise=0.3))
    short = [s for s in segments if s.query_start > 270]
    assert any(abs(s.query_start - 280) <= 1 and abs(s.ref_start - 300) <= 1 for s in short)


def test_long_videos_may_share_more_than_short_ones():
    pieces = [(100 * k, range(110 * k, 110 * k + 15)) for k in range(12)]
    segments = LineLocalizer().localize(planted(pieces, n=1200, m=1320, noise=0.3))
    found = {round(s.query_start / 100) for s in segments if s.score > 0.5}
    assert found == set(range(12))
