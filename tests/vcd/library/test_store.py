"""A library keeps descriptors, and never opens what is none."""

import os
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from making import make_descriptor

from vcd.errors import DescriptorError, OutputError, VcdError
from vcd.library import Library


@pytest.fixture
def library(tmp_path):
    with Library(tmp_path / "refs.vcdlib") as library:
        yield library


def test_add_get_remove(library):
    library.add(make_descriptor("b", seed=1))
    library.add(make_descriptor("a", seed=2))
    assert len(library) == 2
    assert library.video_ids() == ["a", "b"]
    assert [d.video_id for d in library] == ["a", "b"]
    assert library.get("b").to_bytes() == make_descriptor("b", seed=1).to_bytes()
    assert library.remove("b")
    assert not library.remove("b")
    assert "b" not in library
    with pytest.raises(DescriptorError, match="holds no video 'b'"):
        library.get("b")


def test_adding_again_replaces(library):
    library.add(make_descriptor("a", n=3))
    library.add(make_descriptor("a", n=7))
    assert len(library) == 1
    assert len(library.get("a").tracks["visual"]) == 7


def test_content_is_there_after_opening_again(library):
    library.add(make_descriptor("a"))
    with Library(library.path, create=False) as again:
        assert again.video_ids() == ["a"]


def test_several_readers_beside_a_writer(library):
    with Library(library.path) as reader:
        library.add(make_descriptor("a"))
        assert "a" in reader


def test_missing_library(tmp_path):
    with pytest.raises(DescriptorError, match="no such library"):
        Library(tmp_path / "gone.vcdlib", create=False)
    with pytest.raises(OutputError, match="cannot be used"):
        Library(tmp_path / "no folder" / "x.vcdlib")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text.vcdlib").write_text("hello, this is certainly not a database" * 10)
    with pytest.raises(DescriptorError, match="not a readable library"):
        Library(tmp_path / "text.vcdlib")
    other = sqlite3.connect(tmp_path / "other.vcdlib")
    other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(DescriptorError, match="no vcd library"):
        Library(tmp_path / "other.vcdlib")


def test_damaged_video_is_named_and_the_rest_can_be_read(library):
    for name in ("a", "b", "c"):
        library.add(make_descriptor(name))
    library._database.execute("UPDATE videos SET descriptor = 'text' WHERE video_id = 'a'")
    library._database.execute(
        "UPDATE videos SET descriptor = substr(descriptor, 1, 99) WHERE video_id = 'b'"
    )
    for name in ("a", "b"):
        with pytest.raises(DescriptorError, match=f"video '{name}': is ") as caught:
            library.get(name)
        assert caught.value.file == str(library.path)
        assert caught.value.remedy
    assert library.get("c").video_id == "c"


def test_empty_file_is_no_library_and_stays_empty(tmp_path):
    path = tmp_path / "empty.vcdlib"
    path.touch()
    with pytest.raises(DescriptorError, match="no vcd library"):
        Library(path, create=False)
    assert path.stat().st_size == 0
    assert [p.name for p in tmp_path.iterdir()] == ["empty.vcdlib"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are not listed here")
def test_nothing_stays_open_when_opening_fails(tmp_path):
    path = tmp_path / "refs.vcdlib"
    Library(path).close()
    (tmp_path / "refs.vcdlib-wal").mkdir()
    with pytest.raises(OutputError) as caught:
        Library(path)
    opened = [p.readlink() for p in Path("/proc/self/fd").iterdir() if p.is_symlink()]
    assert caught.value.file == str(path)
    assert path not in opened


@contextmanager
def as_nobody():
    """Give up the superuser's right to write anywhere, for a while."""
    if os.geteuid():
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="folders cannot be closed here")
def test_library_in_a_folder_that_is_closed_is_told():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "closed", "refs.vcdlib")
        path.parent.mkdir()
        Library(path).close()
        Path(folder).chmod(0o755)
        path.parent.chmod(0)
        try:
            with as_nobody(), pytest.raises(VcdError, match=r"refs\.vcdlib"):
                Library(path, create=False)
        finally:
            path.parent.chmod(0o755)


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="folders cannot be closed here")
@pytest.mark.parametrize("name", ["refs.vcdlib", "a?b #1%20\n.vcdlib"])
def test_library_in_a_folder_that_allows_no_writing_is_read(name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        with Library(path) as library:
            library.add(make_descriptor("a"))
        Path(folder).chmod(0o555)
        try:
            with as_nobody(), Library(path, create=False) as library:
                assert [d.video_id for d in library] == ["a"]
                with pytest.raises(OutputError, match="readonly"):
                    library.add(make_descriptor("b"))
        finally:
            Path(folder).chmod(0o755)


def test_newer_version_is_refused(library):
    library._database.execute("PRAGMA user_version = 9")
    with pytest.raises(DescriptorError, match="version 9"):
        Library(library.path)
