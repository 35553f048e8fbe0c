"""Time lines hold each segment where the query shows it, and read back as editors read them."""

import io
import json

import pytest

pytest.importorskip("opentimelineio")

from opentimelineio import adapters, schema

from vcd.errors import ContractError
from vcd.records import Segment
from vcd.report import make_writer

BOTH = frozenset({"visual", "audio"})
SEEN = frozenset({"visual"})


def written(name, *pairs):
    stream = io.StringIO()
    with make_writer(name, stream) as writer:
        for pair in pairs:
            writer.write_match(pair)
    return stream.getvalue()


def seconds(time_range):
    start, end = time_range.start_time, time_range.end_time_exclusive()
    return start.to_seconds(), end.to_seconds()


def test_segments_lie_where_the_query_shows_them(make_pair, tmp_path):
    pair = make_pair(paths=(tmp_path / "a clip.mp4", None))
    line = adapters.read_from_string(written("otio", pair), "otio_json")
    assert isinstance(line, schema.Timeline)
    query, references, query_sound, sound = line.tracks
    assert [track.kind for track in line.tracks] == ["Video", "Video", "Audio", "Audio"]
    assert seconds(query[0].source_range) == (0, 20)
    assert query[0].media_reference.target_url.endswith("/a%20clip.mp4")
    assert isinstance(sound[1].media_reference, schema.MissingReference)
    clips = [item for item in sound if isinstance(item, schema.Clip)]
    assert len([item for item in references if isinstance(item, schema.Clip)]) == 1
    for clip, segment in zip(clips, pair.match.segments, strict=True):
        start, end = seconds(clip.range_in_parent())
        assert (start, end) == (segment.query_start, segment.query_end)
        assert clip.source_range.start_time.to_seconds() == segment.ref_start
        held = dict(clip.metadata["vcd"])
        assert {**held, "streams": list(held["streams"])} == segment.to_dict()
    assert [effect.time_scalar for effect in clips[1].effects] == [-2.0]
    assert len(query[0].markers) == 1
    assert len(query_sound[0].markers) == 2
    assert seconds(query[0].markers[0].marked_range) == (2.5, 12.5)
    assert "99 %" in query[0].markers[0].name


def test_parts_that_overlap_lie_on_tracks_of_their_own(make_pair):
    pair = make_pair(
        segments=(
            Segment(0, 8, 0, 8, 0.9, SEEN),
            Segment(4, 12, 10, 18, 0.8, SEEN),
            Segment(8, 12, 20, 24, 0.7, SEEN),
        )
    )
    line = adapters.read_from_string(written("otio", pair), "otio_json")
    lanes = [track for track in line.tracks if "references" in track.name]
    assert [len([c for c in lane if isinstance(c, schema.Clip)]) for lane in lanes] == [2, 1]


def test_several_queries_are_a_collection(make_pair):
    text = written("otio", make_pair("a.mp4"), make_pair("b.mp4"), make_pair("a.mp4", "c.mp4"))
    collection = adapters.read_from_string(text, "otio_json")
    assert isinstance(collection, schema.SerializableCollection)
    assert [line.name for line in collection] == ["a.mp4", "b.mp4"]


def test_nothing_found_is_an_empty_collection():
    assert json.loads(written("otio"))["children"] == []
    assert written("edl") == ""


def test_edl_reads_back(make_pair):
    pytest.importorskip("otio_cmx3600_adapter")
    segments = (Segment(2.5, 12.5, 5.0, 15.0, 0.9, BOTH), Segment(15, 18, 20, 23, 0.6, SEEN))
    text = written("edl", make_pair(segments=segments))
    line = adapters.read_from_string(text, "cmx_3600", rate=30)
    clips = [item for item in line.tracks[0] if isinstance(item, schema.Clip)]
    assert [seconds(c.source_range)[0] for c in clips] == [5.0, 20.0]
    assert [c.range_in_parent().duration.to_seconds() for c in clips] == [10.0, 3.0]
    assert "film.mp4" in text


def test_edl_holds_one_query(make_pair):
    with pytest.raises(ContractError, match="holds one query, there are 2"):
        written("edl", make_pair("a.mp4"), make_pair("b.mp4"))
