"""Files into a library, what occurs twice in it, and what people decide about it; on real media."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from making import make_descriptor, make_track

from vcd.collection import Added, Policy, add_files, check, find_duplicates
from vcd.engine import Engine
from vcd.errors import DescriptorError
from vcd.library import Library


@pytest.fixture
def videos(demo, tmp_path):
    """Return a folder with two references of the demo and three queries made of them."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for path in (
        demo.folder / "refs" / f"{name}.mp4" for name in ("city", "mountains", "newsroom")
    ):
        shutil.copy2(path, folder)
    for name in ("faster", "inside_a_longer_video", "other_picture"):
        shutil.copy2(demo.folder / "queries" / f"{name}.mp4", folder)
    return folder


@pytest.fixture
def library(tmp_path):
    with Library(tmp_path / "refs.vcdlib") as library:
        yield library


@pytest.fixture(scope="module")
def engine(cache_folder):
    return Engine(cache=cache_folder, jobs=2)


def add(engine, library, given):
    return add_files(engine, library, given, on_error=pytest.fail)


def test_only_what_is_new_is_described(engine, library, videos):
    assert add(engine, library, videos) == Added(described=6)
    assert add(engine, library, videos) == Added(unchanged=6)
    os.utime(videos / "city.mp4")
    assert add(engine, library, videos) == Added(unchanged=6)
    assert add(engine, library, videos) == Added(unchanged=6)
    entry = library.entry("city")
    assert entry.origin.path == videos / "city.mp4"
    assert entry.origin.width > 0
    (videos / "deeper").mkdir()
    (videos / "city.mp4").rename(videos / "deeper" / "town.mp4")
    shutil.copy(videos / "mountains.mp4", videos / "again.mp4")
    assert add(engine, library, videos) == Added(moved=1, copied=1, unchanged=5)
    assert library.entry("city").origin.path == videos / "deeper" / "town.mp4"
    assert len(library) == 7
    shutil.copy(videos / "newsroom.mp4", videos / "faster.mp4")  # another content at its place
    assert add(engine, library, videos) == Added(copied=1, unchanged=6)
    assert len(library) == 7


def test_what_is_added_is_what_was_described(engine, library, videos):
    add(engine, library, videos / "city.mp4")
    assert library.get("city").to_bytes() == engine.describe(videos / "city.mp4").to_bytes()
    assert check(library, on_error=pytest.fail) == 1


def test_bad_files_cost_only_themselves(engine, library, videos):
    (videos / "broken.mp4").write_text("no video")
    for _ in range(2):
        told = []
        add_files(engine, library, [videos, videos / "gone.mp4"], on_error=told.append)
        assert sorted(e.file.rpartition("/")[2] for e in told) == ["broken.mp4", "gone.mp4"]
        assert len(library) == 6


def test_another_model_is_refused(engine, library, videos):
    library.add(make_descriptor("a"))
    with pytest.raises(DescriptorError, match="model made-1, not of") as caught:
        add(engine, library, videos)
    assert "--model made-1" in caught.value.remedy
    with pytest.raises(DescriptorError, match="takes none of"):
        library.add(engine.describe(videos / "city.mp4"))
    assert library.video_ids() == ["a"]


def test_descriptors_and_libraries_are_taken_in(engine, library, videos, tmp_path):
    add(engine, library, videos)
    with Library(tmp_path / "other.vcdlib") as other:
        assert add(engine, other, library.path).described == 6
        assert other.entry("city").origin == library.entry("city").origin
    assert add(engine, library, [library.path.parent / "refs.vcdlib"]) == Added()


def test_two_videos_of_one_id_are_both_kept_and_decisions_stay_behind(engine, library, tmp_path):
    models = engine.models

    def made(n, seed):
        tracks = [
            make_track(n, models[s].dimensions, stream=s, model=models[s].id, seed=seed)
            for s in models
        ]
        return make_descriptor("holiday", n=n, tracks=tracks)

    library.add(made(20, 1))
    with Library(tmp_path / "other.vcdlib") as other:
        other.add(made(33, 2))
        other.ignore("holiday", 0.0, 2.0, reason="intro")
    for _ in range(2):  # the second time nothing is new
        add(engine, library, tmp_path / "other.vcdlib")
    assert library.video_ids() == ["holiday", "holiday#2"]
    taken = library.get("holiday#2", whole=True)
    assert all((track.weight == 1).all() for track in taken.tracks.values())


def pairs(engine, library, **policy):
    found = find_duplicates(engine, library, Policy(0.9, **policy), on_error=pytest.fail)
    return {frozenset((p.first.video_id, p.second.video_id)) for g in found.groups for p in g.pairs}


def test_duplicates_and_decisions(engine, library, videos):
    shutil.copy(videos / "city.mp4", videos / "town.mp4")
    add(engine, library, videos)
    same = frozenset(("city", "town"))
    faster = frozenset(("faster", "mountains"))
    longer = frozenset(("inside_a_longer_video", "newsroom"))
    found = pairs(engine, library)
    assert found == {same, faster, longer}
    assert frozenset(("other_picture", "newsroom")) in pairs(engine, library, sound=True)

    match = engine.match(videos / "faster.mp4", library)
    assert [m.ref_id for m in match] == ["mountains"]
    number = library.separate("faster", "mountains", reason="a test").number
    assert pairs(engine, library) == {same, longer}
    assert engine.match(videos / "faster.mp4", library) == []
    assert library.forget(number)
    library.ignore("mountains", 0, 60)
    assert pairs(engine, library) == {same, longer}
    assert engine.match(videos / "faster.mp4", library) == []


def test_large_library_is_searched_and_gives_the_same(engine, library, videos, monkeypatch):
    add(engine, library, videos)
    queries = [videos / "faster.mp4", videos / "other_picture.mp4"]
    whole = engine.match(queries, library)
    assert {m.ref_id for m in whole} >= {"mountains", "newsroom"}
    monkeypatch.setattr("vcd.gallery.COMPARED_WHOLE", 0)
    assert engine.match(queries, library) == whole
    assert engine.match(queries, library.path) == whole


KILLED = """
import sys
from vcd.library import Library
from making import make_descriptor
library = Library(sys.argv[1])
print("begun", flush=True)
for number in range(400):
    if f"v{number}" not in library:
        library.add(make_descriptor(f"v{number}", n=400, seed=number))
        print(number, flush=True)
"""


def test_a_killed_process_loses_nothing_it_had_finished(tmp_path):
    path = tmp_path / "refs.vcdlib"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for attempt in range(3):
        command = [sys.executable, "-c", KILLED, path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            process.stdout.readline()
            time.sleep(0.02 + 0.03 * attempt)
            process.send_signal(signal.SIGKILL)
            told = [f"v{int(line)}" for line in process.stdout.read().split(b"\n")[:-1]]
        with Library(path, create=False) as library:
            ids = library.video_ids()
            assert set(told) <= set(ids)
            assert check(library, on_error=pytest.fail) == len(ids)
            assert len(ids) == len(set(ids))
