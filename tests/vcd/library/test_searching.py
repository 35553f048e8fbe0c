"""The index of a library follows the library, wherever it lies and whatever becomes of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from making import make_descriptor

from vcd.library import Library, LibrarySearch, searching
from vcd.library.candidates import is_promising
from vcd.records import STREAMS
from vcd.similarity import prepare


@pytest.fixture
def library(tmp_path):
    with Library(tmp_path / "refs.vcdlib") as library:
        for number in range(12):
            library.add(make_descriptor(f"v{number}", n=20, seed=10 * number))
        yield library


def first(search, descriptor):
    """Return the id of the best candidate."""
    tracks = {stream: prepare(descriptor.tracks[stream]) for stream in STREAMS}
    found = search.candidates(tracks, 3)
    return found and search.library.entry_of(found[0].key).video_id


def test_added_and_removed_videos_are_seen(library):
    search = LibrarySearch(library)
    new = make_descriptor("new", n=20, seed=999)
    assert first(search, library.get("v3")) == "v3"
    assert first(search, new) != "new"
    library.add(new)
    assert first(search, new) == "new"
    with Library(library.path) as other:
        other.remove("new")
    assert first(search, new) != "new"
    assert not search.folder.exists()  # so few need no index on disk


def test_a_mirrored_video_is_found_by_its_model_s_map(library):
    seen = library.get("v3").tracks["visual"]
    mirrored = replace(seen, vectors=seen.unit_vectors()[:, ::-1].copy())
    maps = np.vstack([np.eye(16)[::-1], np.zeros((1, 16))])[None].astype(np.float32)
    search = LibrarySearch(library)
    asked = {"visual": prepare(mirrored, orientations=maps)}
    [best, *others] = search.candidates(asked, 3)
    assert library.entry_of(best.key).video_id == "v3"
    assert best.votes > 3 + max((other.votes for other in others), default=0)
    weight = np.eye(20, dtype=np.float32)[4]
    one = replace(mirrored, weight=weight, vectors=mirrored.vectors * weight[:, None])
    alone = search.candidates({"visual": prepare(one, orientations=maps)}, 1)
    assert not any(is_promising(found, 10.0) for found in alone)
    same = {"visual": prepare(seen, orientations=np.eye(17, 16, dtype=np.float32)[None])}
    [twice, *_] = search.candidates(same, 1)
    # Each moment votes once, however it is held: those asked for more seldom for a second.
    assert twice.votes <= 15 * 0.5 + 5 * 1.0
    assert all(c.votes < 5 for c in search.candidates({"visual": prepare(mirrored)}, 3))


@pytest.mark.parametrize("exact_up_to", [10**9, 10])
def test_index_on_disk(library, monkeypatch, exact_up_to):
    if exact_up_to == 10:
        pytest.importorskip("faiss")
    monkeypatch.setattr(searching, "_FRESH", 30)
    search = LibrarySearch(library, exact_up_to=exact_up_to)
    assert first(search, library.get("v3")) == "v3"
    again = LibrarySearch(library, exact_up_to=exact_up_to)
    streams, _ = again.refresh()
    assert [len(streams[s].kept) for s in STREAMS] == [240, 240]
    assert streams["visual"].kept.exact == (exact_up_to > 10)
    assert len(streams["visual"].fresh) == 0
    library.remove("v3")
    library.add(make_descriptor("late", n=20, seed=777))
    assert first(again, library.get("late")) == "late"
    assert first(again, make_descriptor("v3", n=20, seed=30)) != "v3"
    before = set(again.folder.iterdir())
    again.rebuild()
    assert len(set(again.folder.iterdir())) == len(before)
    assert first(again, library.get("late")) == "late"


@pytest.mark.parametrize("damage", ["state", "file", "gone", "other"])
def test_index_that_is_no_good_is_built_anew(library, monkeypatch, damage, caplog):
    monkeypatch.setattr(searching, "_FRESH", 30)
    search = LibrarySearch(library)
    search.refresh()
    state = search.folder / "state.json"
    (codes,) = search.folder.glob("visual-*.int8")
    if damage == "state":
        state.write_text("{")
    elif damage == "file":
        codes.write_bytes(codes.read_bytes()[:100])
    elif damage == "gone":
        codes.unlink()
    else:
        state.write_text(json.dumps(json.loads(state.read_text()) | {"library": "another"}))
    again = LibrarySearch(library)
    assert first(again, library.get("v3")) == "v3"
    streams, _ = again.refresh()
    assert len(streams["visual"].kept) == 240


def test_what_is_ignored_is_not_found(library):
    search = LibrarySearch(library)
    asked = library.get("v3")
    assert first(search, asked) == "v3"
    number = library.ignore("v3", 0, 100).number
    assert first(search, asked) != "v3"
    assert library.forget(number)
    assert first(search, asked) == "v3"


def test_a_place_that_allows_no_writing_is_told_and_searched(library, monkeypatch, caplog):
    monkeypatch.setattr(searching, "_FRESH", 30)
    search = LibrarySearch(library)
    search.folder.write_text("a file, not a folder")
    assert first(search, library.get("v3")) == "v3"
    assert "cannot be kept" in caplog.text


def test_a_disk_that_fills_up_leaves_nothing_behind(library, monkeypatch, caplog):
    def full(*_):
        raise RuntimeError("write error: No space left on device")

    monkeypatch.setattr(searching, "_FRESH", 30)
    monkeypatch.setattr(searching, "write_whole", full)
    search = LibrarySearch(library)
    assert first(search, library.get("v3")) == "v3"
    assert "cannot be kept" in caplog.text
    assert list(search.folder.iterdir()) == []


def test_a_stream_that_comes_in_during_a_build_is_found_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(searching, "_FRESH", 30)
    with Library(tmp_path / "seen.vcdlib") as library:
        for number in range(4):
            library.add(make_descriptor(f"v{number}", n=20, seed=number, streams=("visual",)))
        models = library.models
        heard = make_descriptor("heard", n=20, seed=99)

        def others_add():
            known = dict(models())
            monkeypatch.setattr(library, "models", models)
            library.add(heard)
            return known

        search = LibrarySearch(library)
        monkeypatch.setattr(library, "models", others_add)
        assert first(search, heard) == "heard"


def test_positions_that_say_nothing_are_not_indexed(library):
    dark = make_descriptor("dark", n=20, seed=5, streams=("visual",))
    track = dark.tracks["visual"]
    silent = type(track)(
        "visual", track.model, track.times, track.vectors, np.zeros(20, np.float32)
    )
    library.add(type(dark)("dark", 10.0, [silent]))
    streams, _ = LibrarySearch(library).refresh()
    assert len(streams["visual"]) == 240
