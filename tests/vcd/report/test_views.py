from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcd.errors import ContractError
from vcd.records import Match, Segment
from vcd.report import MediaView, PairView, query_coverage, ref_coverage
from vcd.report.views import matrix_streams

_TIMES = st.floats(0, 100, allow_nan=False)


@st.composite
def _matches(draw: st.DrawFn) -> Match:
    segments = []
    for _ in range(draw(st.integers(1, 6))):
        q = sorted((draw(_TIMES), draw(_TIMES)))
        r = sorted((draw(_TIMES), draw(_TIMES)))
        segments.append(Segment(*q, *r, 0.5))
    return Match("q", "r", 0.5, tuple(segments))


def _swapped(match: Match) -> Match:
    return Match(
        match.ref_id,
        match.query_id,
        match.score,
        tuple(
            Segment(s.ref_start, s.ref_end, s.query_start, s.query_end, s.score)
            for s in match.segments
        ),
    )


@given(_matches(), st.floats(0.1, 200))
def test_coverage_is_a_share_and_the_same_from_both_sides(match: Match, duration: float) -> None:
    share = query_coverage(match, duration)
    assert 0 <= share <= 1
    assert share == ref_coverage(_swapped(match), duration)


@given(_matches())
def test_coverage_of_a_union_lies_between_its_largest_part_and_the_sum(match: Match) -> None:
    lengths = [s.length for s in match.segments]
    covered = query_coverage(match, 100) * 100
    assert max(lengths) - 1e-9 <= covered <= sum(lengths) + 1e-9


@given(_matches())
def test_coverage_counts_nothing_twice(match: Match) -> None:
    twice = Match("q", "r", 0.5, match.segments * 2)
    assert query_coverage(twice, 100) == query_coverage(match, 100)


def test_coverage_of_overlapping_and_outlying_segments() -> None:
    match = Match("q", "r", 1, (Segment(0, 4, 0, 4, 1), Segment(2, 6, 8, 12, 1)))
    assert query_coverage(match, 10) == pytest.approx(0.6)
    assert ref_coverage(match, 10) == pytest.approx(0.6)


def test_a_picture_is_covered_by_any_segment() -> None:
    assert query_coverage(Match("q", "r", 1, (Segment(0, 0, 0, 1, 1),)), 0) == 1
    assert query_coverage(Match("q", "r", 1, ()), 0) == 0


@pytest.mark.parametrize("duration", [-1.0, math.nan, math.inf])
def test_an_impossible_duration_is_refused(duration: float) -> None:
    with pytest.raises(ContractError, match="duration must be finite"):
        MediaView("a.mp4", duration)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.mp4", "video"), ("a.png", "picture"), ("a.mp3", "sound"), ("a", "video")],
)
def test_the_kind_is_guessed_from_the_name(name: str, kind: str) -> None:
    assert MediaView(name, 1, Path(name)).kind == kind


def test_names_are_made_printable() -> None:
    assert MediaView("a\nb\udcff.mp4", 1).name == "a\\nb\\xff.mp4"


def test_an_unknown_matrix_is_refused(make_pair) -> None:
    pair = make_pair(streams=("visual",))
    with pytest.raises(ContractError, match="smell"):
        PairView(pair.match, pair.query, pair.reference, {"smell": pair.matrices["visual"]})


def test_streams_to_draw(make_pair) -> None:
    assert matrix_streams(make_pair(streams=("visual", "audio", "fused"))) == ["visual", "audio"]
    assert matrix_streams(make_pair(streams=("fused",))) == ["fused"]
    assert matrix_streams(make_pair()) == []
    heard = (Segment(0, 5, 0, 5, 1, frozenset({"audio"})),)
    assert matrix_streams(make_pair(segments=heard, streams=("visual", "audio")))[0] == "audio"
