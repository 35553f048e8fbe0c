"""Votes: hits that agree in time make a candidate, hits that do not agree make a weaker one."""

from dataclasses import replace

import numpy as np
import pytest

from vcd.library.candidates import Hits, rank
from vcd.library.index import NOTHING, pack


def hits(of_video, n=20, step=0.5):
    """Return one hit a moment for each video, at the time that a function of the moment says."""
    times = step * np.arange(n)
    ids = np.stack([pack(key, place(times)) for key, place in of_video.items()], axis=1)
    return Hits(np.arange(n), times, np.full(n, step), ids, np.ones(ids.shape, np.float32))


@pytest.mark.parametrize("speed", [1.0, 2.0, 0.5, 0.7071, -1.0])
def test_hits_in_order_of_time_beat_hits_out_of_order(speed):
    chance = np.random.default_rng(0)
    first, second = rank(
        [hits({7: lambda t: chance.uniform(0, 300, len(t)), 9: lambda t: 50 + speed * t})], 5
    )
    assert (first.key, second.key) == (9, 7)
    assert first.votes > 3 * second.votes
    assert first.speed == pytest.approx(speed, rel=0.01)
    assert first.offset == pytest.approx(50, abs=1)


def test_streams_vote_together():
    seen = hits({1: lambda t: 5 + t, 2: lambda t: 9 + t})
    heard = hits({2: lambda t: 9 + t}, n=40, step=0.25)
    first, second = rank([seen, heard], 5)
    assert first.key == 2
    assert first.votes == pytest.approx(2 * second.votes)


def test_a_moment_votes_once():
    still = hits({1: lambda t: 5 + 0 * t})  # one moment of the reference, all along the query
    moving = hits({2: lambda t: 5 + t})
    assert [c.key for c in rank([still, moving], 5)] == [2, 1]


def test_many_candidates_are_cut_and_ties_are_in_order():
    many = hits({key: lambda t: t for key in range(30, 0, -1)})
    assert [c.key for c in rank([many], 4)] == [1, 2, 3, 4]


def test_nothing_gives_nothing():
    assert rank([], 3) == []
    empty = hits({NOTHING: lambda t: t})
    assert rank([replace(empty, ids=empty.ids * 0 + NOTHING)], 3) == []
