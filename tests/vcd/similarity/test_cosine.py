"""Cosine matrices: range, axes, and refusal of what cannot be compared."""

import dataclasses

import numpy as np
import pytest
from making import make_track, unit_rows

from vcd.errors import DescriptorError
from vcd.similarity import cosine_matrix, evidence_matrix, prepare


def test_matrix_is_query_by_reference():
    query, reference = make_track(3, seed=1), make_track(5, seed=2)
    matrix = cosine_matrix(prepare(query), prepare(reference))
    assert matrix.values.shape == (3, 5)
    assert matrix.values[2, 4] == pytest.approx(query.vectors[2] @ reference.vectors[4], abs=1e-6)


def test_video_with_itself_has_ones_on_the_diagonal():
    video = prepare(make_track(6).quantised())
    assert np.allclose(np.diag(cosine_matrix(video, video).values), 1, atol=1e-6)


def test_transposing_swaps_the_axes():
    a, b = prepare(make_track(3, seed=1)), prepare(make_track(5, seed=2))
    assert np.allclose(cosine_matrix(a, b).values, cosine_matrix(b, a).values.T)


@pytest.mark.parametrize("other", [{"model": "other-1"}, {"stream": "audio"}, {"d": 8}])
def test_other_model_or_stream_is_refused(other):
    with pytest.raises(DescriptorError, match="cannot be compared"):
        cosine_matrix(prepare(make_track()), prepare(make_track(**other)))


def test_background_is_used_where_there_is_one():
    rng = np.random.default_rng(0)
    track = make_track(30, 16)
    background = unit_rows(rng, 50, 16)
    with_it = evidence_matrix(prepare(track, background), prepare(track, background))
    without = evidence_matrix(prepare(track), prepare(track))
    assert not np.allclose(with_it.excess, without.excess)


def test_empty_tracks_give_an_empty_matrix():
    empty = prepare(make_track(0))
    assert evidence_matrix(empty, prepare(make_track(4))).values.shape == (0, 4)


def inner_view(track, rows, seed):
    other = make_track(len(track), seed=seed)
    return dataclasses.replace(
        track,
        view="inner",
        times=track.times[rows],
        vectors=other.vectors[rows],
        weight=track.weight[rows],
    )


def test_the_views_most_alike_count():
    query, reference = make_track(6, seed=1), make_track(5, seed=2)
    seen = inner_view(query, [1, 4], 3), inner_view(reference, [0, 3], 4)
    matrix = cosine_matrix(prepare(query, views=seen[:1]), prepare(reference, views=seen[1:]))
    mine, theirs = ([[vector] for vector in track.vectors] for track in (query, reference))
    for vectors, view, rows in ((mine, seen[0], (1, 4)), (theirs, seen[1], (0, 3))):
        for row, vector in zip(rows, view.vectors, strict=True):
            vectors[row].append(vector)
    best = [[max(a @ b for a in i for b in j) for j in theirs] for i in mine]
    assert matrix.values == pytest.approx(np.array(best), abs=1e-6)


def test_a_view_raises_the_level_of_its_positions():
    track = make_track(6, 16, seed=1)
    background = unit_rows(np.random.default_rng(0), 50, 16)
    plain = prepare(track, background).background
    seen = prepare(track, background, views=[inner_view(track, [2], 3)]).background
    own = prepare(inner_view(track, [2], 3), background).background
    assert seen.top_mean[2] == max(plain.top_mean[2], own.top_mean[0])
    assert np.array_equal(np.delete(seen.top_mean, 2), np.delete(plain.top_mean, 2))


def test_views_of_positions_with_the_same_times_are_kept_apart():
    times = np.array([[0, 1], [1, 1], [1, 1], [1, 2]], np.float64)
    track = make_track(4, seed=1, times=times)
    prepared = prepare(track, views=[inner_view(track, [1, 2, 3], 3)])
    assert prepared.views[0][0].tolist() == [1, 2, 3]


def test_positions_of_a_view_that_say_nothing_change_nothing():
    track = make_track(4, 16, seed=1)
    view = inner_view(track, [1, 2], 3)
    vectors, weight = view.vectors.copy(), np.array([0, 1], np.float32)
    vectors[0] = 0
    quiet = dataclasses.replace(view, vectors=vectors, weight=weight)
    plain = prepare(track, unit_rows(np.random.default_rng(0), 50, 16))
    seen = prepare(track, unit_rows(np.random.default_rng(0), 50, 16), views=[quiet])
    assert seen.background.mean[1] == plain.background.mean[1]
    other = prepare(make_track(5, 16, seed=2))
    assert np.array_equal(
        cosine_matrix(seen, other).values[1], cosine_matrix(plain, other).values[1]
    )


@pytest.mark.parametrize("change", [{"model": "other-1"}, {"times": np.array([[0.1, 9.0]])}])
def test_a_view_of_another_video_is_refused(change):
    track = make_track(6, seed=1)
    view = dataclasses.replace(inner_view(track, [2], 3), **change)
    with pytest.raises(DescriptorError, match="does not fit"):
        prepare(track, views=[view])


def swapped(d=16):
    """Return the map to an orientation in which a vector's numbers come in reverse order."""
    return np.vstack([np.eye(d)[::-1], np.zeros((1, d))])[None].astype(np.float32)


def test_a_mirrored_query_counts_a_little_less_than_its_cosine():
    reference = make_track(5, 16, seed=1)
    mirrored = dataclasses.replace(reference, vectors=reference.vectors[:, ::-1].copy())
    plain = cosine_matrix(prepare(mirrored), prepare(reference)).values
    values = cosine_matrix(prepare(mirrored, orientations=swapped()), prepare(reference)).values
    assert np.diag(values) == pytest.approx(0.94, abs=1e-6)
    turned = reference.vectors @ reference.vectors.T - 0.06
    assert values == pytest.approx(np.maximum(plain, turned), abs=1e-6)


def test_only_the_query_is_mirrored():
    query, reference = make_track(4, 16, seed=1), make_track(5, 16, seed=2)
    plain = cosine_matrix(prepare(query), prepare(reference)).values
    other = cosine_matrix(prepare(query), prepare(reference, orientations=swapped())).values
    assert np.array_equal(plain, other)


def test_views_of_both_are_compared_with_the_query_mirrored():
    query, reference = make_track(6, 16, seed=1), make_track(5, 16, seed=2)
    theirs = inner_view(reference, [3], 4)
    mine = inner_view(query, [2], 3)
    mine = dataclasses.replace(mine, vectors=theirs.vectors[:, ::-1].copy())
    ready = prepare(query, views=[mine], orientations=swapped())
    values = cosine_matrix(ready, prepare(reference, views=[theirs])).values
    assert values[2, 3] == pytest.approx(0.94, abs=1e-6)


def test_a_position_that_says_nothing_says_nothing_mirrored():
    vectors, weight = make_track(4, 16).vectors.copy(), np.array([1, 0, 1, 1], np.float32)
    vectors[1] = 0
    query = make_track(4, 16, vectors=vectors, weight=weight)
    maps = swapped()
    maps[:, -1, 0] = 1  # a map has a part that does not depend on the vector
    values = cosine_matrix(prepare(query, orientations=maps), prepare(make_track(5, 16))).values
    assert not values[1].any()


def test_the_level_of_chance_is_that_of_upright_positions():
    track, background = make_track(6, 16), unit_rows(np.random.default_rng(0), 50, 16)
    plain = prepare(track, background).background
    ready = prepare(track, background, orientations=swapped()).background
    assert np.array_equal(plain.top_mean, ready.top_mean)


def test_some_positions_give_their_part_of_the_matrix():
    track = make_track(12, 16)
    view = inner_view(track, [1, 4, 6, 9], 5)
    background = unit_rows(np.random.default_rng(1), 20, 16)
    query = prepare(track, background, views=[view], orientations=swapped())
    ref = prepare(make_track(7, seed=3))
    whole = cosine_matrix(query, ref).values
    for part in (slice(3, 8), slice(1, None, 3), slice(8, 4), slice(None)):
        some = query.at(part)
        assert np.allclose(cosine_matrix(some, ref).values, whole[part], atol=1e-6)
        assert np.array_equal(some.background.mean, query.background.mean[part])
        assert np.array_equal(some.track.times, track.times[part])


def test_positions_between_two_moments():
    track = prepare(make_track(10, step=0.5))
    assert track.between(1.0, 2.0).track.times.tolist() == [[1.0, 1.5], [1.5, 2.0]]
    assert len(track.between(-5, 99).track) == 10
    assert len(track.between(30, 40).track) == 0
