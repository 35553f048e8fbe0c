"""A library keeps descriptors, and never opens what is none."""

import sqlite3

import pytest
from making import make_descriptor

from vcd.errors import DescriptorError, OutputError
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


def test_newer_version_is_refused(library):
    library._database.execute("PRAGMA user_version = 9")
    with pytest.raises(DescriptorError, match="version 9"):
        Library(library.path)
