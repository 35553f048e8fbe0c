"""What counts as a duplicate, told by made matches."""

from pathlib import Path

import pytest

from vcd.collection.grouping import Found, Policy, group
from vcd.library import Entry, Origin
from vcd.records import Match, Segment

POLICY = Policy(threshold=0.9)


def video(key, duration=60.0, *, width=320, warnings=0, content=None):
    origin = Origin(Path(f"/v{key}.mp4"), content or f"content {key}", 1, 1, width, 180)
    return Entry(key, f"v{key}", duration, warnings, "", origin)


def found(first, second, *segments, other_pictures=False):
    match = Match(first.video_id, second.video_id, max(s.score for s in segments), segments)
    return Found(first, second, match, (other_pictures,) * len(segments))


def part(q0, q1, r0, r1, score=0.99, streams=("visual", "audio")):
    return Segment(q0, q1, r0, r1, score, frozenset(streams))


def kinds(duplicates):
    return {(p.first.key, p.second.key): p.kind for g in duplicates.groups for p in g.pairs}


def test_kinds_of_pairs():
    whole, copy, clip, other = video(1), video(2), video(3, 12.0), video(4)
    duplicates = group(
        [
            found(whole, copy, part(1, 59, 1, 59)),
            found(clip, whole, part(0.5, 11.5, 30, 41)),
            found(other, whole, part(10, 30, 20, 40)),
        ],
        POLICY,
    )
    assert kinds(duplicates) == {(1, 2): "same", (3, 1): "clip", (4, 1): "part"}
    (together,) = duplicates.groups
    assert {v.key for v in together.videos} == {1, 2, 3, 4}


def test_groups_are_transitive_and_apart():
    a, b, c, d, e = (video(key) for key in range(1, 6))
    whole = part(0, 60, 0, 60)
    duplicates = group([found(a, b, whole), found(b, c, whole), found(d, e, whole)], POLICY)
    assert [sorted(v.key for v in g.videos) for g in duplicates.groups] == [[1, 2, 3], [4, 5]]


def test_representative_is_largest_longest_and_least_damaged():
    whole = part(0, 50, 0, 50)
    small, damaged, best = video(1, width=160), video(2, warnings=1), video(3)
    longer = video(4, 61.0, width=160)
    duplicates = group([found(small, v, whole) for v in (damaged, best, longer)], POLICY)
    assert [v.key for v in duplicates.groups[0].videos] == [3, 2, 4, 1]


def test_compilation_is_named():
    one, other, joined = video(1), video(2), video(3)
    duplicates = group(
        [
            found(one, joined, part(10, 30, 0, 20)),
            found(other, joined, part(10, 30, 25, 45)),
        ],
        POLICY,
    )
    assert duplicates.groups[0].compilations == {"v3"}


def test_the_source_of_clips_is_no_compilation():
    one, other, source = video(1, 10.0), video(2, 10.0), video(3)
    pairs = [found(one, source, part(0, 10, 0, 10)), found(other, source, part(0, 10, 30, 40))]
    assert not group(pairs, POLICY).groups[0].compilations


def test_improbable_pairs_are_left_out():
    assert not group([found(video(1), video(2), part(0, 60, 0, 60, 0.8))], POLICY).groups


def intro(first, second, score=0.99):
    return found(first, second, part(0, 8, 0, 8, score))


def test_what_three_videos_begin_with_is_no_duplicate():
    a, b, c = video(1), video(2), video(3)
    shared = [intro(a, b), intro(b, c, 0.6)]  # the second is not probable enough to be reported
    duplicates = group(shared, POLICY)
    assert not duplicates.groups
    assert duplicates.only_common == 1
    assert kinds(group(shared, Policy(0.9, common=True))) == {(1, 2): "part"}


def test_what_two_videos_begin_with_is_one():
    assert kinds(group([intro(video(1), video(2))], POLICY)) == {(1, 2): "part"}


@pytest.mark.parametrize(
    "segment",
    [part(0, 40, 0, 40), part(20, 28, 20, 28), part(0, 8, 52, 60)],
    ids=["most of both", "in the middle", "begins one and ends the other"],
)
def test_what_is_no_intro_is_reported_however_many_share_it(segment):
    a, b, c = video(1), video(2), video(3)
    pairs = [found(a, b, segment), found(a, c, segment), found(b, c, segment)]
    assert len(kinds(group(pairs, POLICY))) == 3


def test_same_sound_under_other_pictures_is_no_duplicate():
    music = part(0, 60, 0, 60, streams=("audio",))
    pairs = [found(video(1), video(2), music, other_pictures=True)]
    assert not group(pairs, POLICY).groups
    assert group(pairs, POLICY).only_sound == 1
    assert kinds(group(pairs, Policy(0.9, sound=True))) == {(1, 2): "same"}
    black = [found(video(1), video(2), music, other_pictures=False)]
    assert kinds(group(black, POLICY)) == {(1, 2): "same"}


def test_decisions_are_respected():
    pairs = [found(video(1), video(2), part(0, 60, 0, 60))]
    duplicates = group(pairs, POLICY, {("content 1", "content 2")})
    assert not duplicates.groups
    assert duplicates.decided == 1
