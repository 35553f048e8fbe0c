"""Records check themselves when made, and say what they got."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import grid, make_descriptor, make_track, unit_rows

from vcd.errors import ContractError
from vcd.records import Match, Segment, SimilarityMatrix, VideoDescriptor


def test_track_keeps_what_it_is_given():
    track = make_track(4, 8)
    assert len(track) == 4
    assert track.key == "visual"
    assert make_track(view="centre").key == "visual/centre"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stream": "smell"}, "stream must be one of"),
        ({"model": ""}, "needs the id of its model"),
        ({"times": grid(3)}, r"vectors must have shape \(3, d\)"),
        ({"times": grid(4).astype(np.float32)}, "must be float64"),
        ({"times": grid(4)[:, ::-1].copy()}, "must not end before they start"),
        ({"times": grid(4)[::-1].copy()}, "must not go backwards"),
        ({"vectors": np.ones((4, 8), np.float64)}, "must be float32 or int8"),
        ({"vectors": np.ones((4, 8), np.float32)}, "unit length"),
        ({"vectors": np.zeros((4, 8), np.float32)}, "zeros must have weight 0"),
        ({"weight": np.full(4, 2, np.float32)}, r"lie in \[0, 1\]"),
        ({"weight": np.full(4, np.nan, np.float32)}, r"lie in \[0, 1\]"),
        ({"view": "a/b"}, "not a view name"),
    ],
)
def test_track_refuses(change, message):
    with pytest.raises(ContractError, match=message):
        make_track(4, 8, **change)


def test_arrays_cannot_be_changed():
    track = make_track()
    with pytest.raises(ValueError, match="read-only"):
        track.vectors[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        track.model = "other-1"


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_quantised_vectors_stay_close_and_quantising_again_changes_nothing(seed, d):
    track = make_track(5, d, vectors=unit_rows(np.random.default_rng(seed), 5, d))
    once = track.quantised()
    assert once.vectors.dtype == np.int8
    error = np.linalg.norm(once.unit_vectors() - track.vectors, axis=1)
    assert error.max() <= 0.5 / 127 * np.sqrt(d) + 1e-6
    again = dataclasses.replace(track, vectors=once.unit_vectors()).quantised()
    assert np.array_equal(again.vectors, once.vectors)


def test_descriptor_takes_tracks_as_list_or_mapping():
    track = make_track()
    assert VideoDescriptor("v", 5, [track]).tracks["visual"] is track
    assert VideoDescriptor("v", 5, {"visual": track}).tracks["visual"] is track


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", 1.0), "needs a video id"),
        (("v", -1.0), "duration"),
        (("v", float("nan")), "duration"),
        (("v", 1.0, {"audio": make_track()}), "lies under the name"),
        (("v", 1.0, [make_track(), make_track()]), "two tracks"),
    ],
)
def test_descriptor_refuses(arguments, message):
    with pytest.raises(ContractError, match=message):
        VideoDescriptor(*arguments)


def test_matrix_without_normalisation_has_no_evidence():
    matrix = SimilarityMatrix(np.zeros((2, 3), np.float32), grid(2), grid(3), "visual")
    with pytest.raises(ContractError, match="no evidence"):
        _ = matrix.evidence


def test_evidence_is_bounded():
    excess = np.array([[-7, 0.5], [0, 9]], np.float32)
    matrix = SimilarityMatrix(excess / 10, grid(2), grid(2), "visual", excess=excess)
    assert matrix.evidence.tolist() == [[-1, 0.5], [0, 1]]


def test_matrix_refuses_wrong_shape_and_nan():
    with pytest.raises(ContractError, match=r"shape \(2, 3\)"):
        SimilarityMatrix(np.zeros((3, 2), np.float32), grid(2), grid(3), "visual")
    with pytest.raises(ContractError, match="finite"):
        SimilarityMatrix(np.full((2, 2), np.nan, np.float32), grid(2), grid(2), "visual")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((1, 0, 0, 1, 0.5), "end before it starts"),
        ((0, 1, 0, 1, 1.5), "score"),
        ((0, float("inf"), 0, 1, 0.5), "finite"),
        ((0, 1, 0, 1, 0.5, frozenset({"smell"})), "unknown streams"),
        ((0, 1, 0, 1, 0.5, frozenset(), 0.0), "speed"),
    ],
)
def test_segment_refuses(values, message):
    with pytest.raises(ContractError, match=message):
        Segment(*values)


def test_match_sorts_its_segments():
    late, early = Segment(5, 6, 0, 1, 0.9), Segment(1, 2, 4, 5, 0.3)
    assert Match("q", "r", 0.9, (late, early)).segments == (early, late)


def test_shapes_not_data_are_shown():
    assert "(10, 16)" in repr(make_track())
    assert len(repr(make_descriptor().tracks["visual"])) < 80
