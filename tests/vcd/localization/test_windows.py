"""Windows of long videos: every copy lies in one, and they stay small and few."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from making import grid, make_track, unit_rows

sys.path.insert(0, str(Path(__file__).parent))
from simulated import DIMENSIONS, content, copied, planted

from vcd.errors import ContractError
from vcd.localization.windows import Window, coarse_windows, find_windows
from vcd.records import SimilarityMatrix
from vcd.similarity import prepare

BACKGROUND = unit_rows(np.random.default_rng(999), 300, DIMENSIONS)


def long_video(vectors, rate=2.0):
    track = make_track(
        len(vectors), times=grid(len(vectors), 1 / rate), vectors=vectors.astype(np.float32)
    )
    return {"visual": prepare(track, BACKGROUND)}


def holds(window, query, ref):
    return (
        window.query_start <= query[0]
        and query[1] <= window.query_end
        and window.ref_start <= ref[0]
        and ref[1] <= window.ref_end
    )


def test_copies_lie_in_windows_and_little_else_does():
    rng = np.random.default_rng(0)
    query, ref = content(rng, 2400), content(rng, 3000)  # 20 and 25 minutes
    copies = [(100, 2000, 30, 1), (1200, 300, 12, 1), (1800, 900, 60, -1), (2300, 1900, 16, 1)]
    for first, start, length, direction in copies:
        rows = ref[start : start + length][::direction]
        query[first : first + length] = copied(rng, rows, 0.4)
    windows = find_windows(long_video(query), long_video(ref))
    for first, start, length, _ in copies:
        spans = (first / 2, (first + length) / 2), (start / 2, (start + length) / 2)
        assert any(holds(window, *spans) for window in windows)
    assert sum(window.area for window in windows) < 0.1 * 1200 * 1500


def test_a_long_copy_gives_windows_that_overlap():
    rng = np.random.default_rng(1)
    ref = content(rng, 2400)
    query = copied(rng, ref, 0.4)
    windows = [
        window
        for window in find_windows(long_video(query), long_video(ref))
        if abs(window.query_start - window.ref_start) < 5
    ]
    assert len(windows) > 3
    for before, after in pairwise(windows):
        assert after.query_start < before.query_end - 20
    assert windows[0].query_start <= 5
    assert windows[-1].query_end >= 1195


def test_videos_longer_than_a_tile_are_searched_to_their_end():
    rng = np.random.default_rng(2)
    query, ref = content(rng, 3800), content(rng, 200)
    query[3590:3620] = copied(rng, ref[100:130], 0.3)  # across the border of two tiles
    query[3750:3770] = copied(rng, ref[20:40], 0.3)
    windows = find_windows(long_video(query, rate=1.0), long_video(ref, rate=1.0))
    assert any(holds(window, (3590, 3620), (100, 130)) for window in windows)
    assert any(holds(window, (3750, 3770), (20, 40)) for window in windows)


def test_windows_that_overlap_become_one():
    pieces = [(10, range(20, 40)), (32, range(42, 60))]
    windows = coarse_windows(planted(pieces, noise=0.3))
    assert len(windows) >= 2
    a, b = Window(0, 60, 0, 60), Window(50, 100, 55, 110)
    assert a.with_other(b) == Window(0, 100, 0, 110)
    assert a.area == 3600


def test_nothing_gives_no_window():
    assert find_windows({}, {}) == []
    times = grid(3)
    plain = SimilarityMatrix(np.zeros((3, 3), np.float32), times, times, "visual")
    with pytest.raises(ContractError, match="plain cosines"):
        coarse_windows(plain)
