"""The cache knows files by content, and survives damage."""

import pytest
from making import make_descriptor

from vcd.descriptors import DescriptorCache
from vcd.errors import DescriptorError, MediaError, MediaNotFoundError, OutputError


@pytest.fixture
def cache(tmp_path):
    return DescriptorCache(tmp_path / "cache")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"content")
    return path


def test_content_is_of_the_bytes_not_the_name(cache, file, tmp_path):
    other = tmp_path / "b.mp4"
    other.write_bytes(b"content")
    assert cache.content(file) == cache.content(other)
    other.write_bytes(b"other")
    assert cache.content(file) != cache.content(other)


def test_entries_differ_by_settings(cache):
    cache.put("ab12", {"rate": 1}, make_descriptor("one"))
    assert cache.get("ab12", {"rate": 1}).video_id == "one"
    assert cache.get("ab12", {"rate": 2}) is None
    assert cache.get("cd34", {"rate": 1}) is None


def test_damaged_entry_is_an_error_that_names_it(cache):
    cache.put("ab12", {}, make_descriptor())
    path = next(cache.folder.rglob("*.vcd"))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DescriptorError, match=path.name):
        cache.get("ab12", {})


def test_missing_file_and_folder(cache, tmp_path):
    with pytest.raises(MediaNotFoundError, match="no such file"):
        cache.content(tmp_path / "gone.mp4")
    with pytest.raises(MediaError):
        cache.content(tmp_path)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match="--no-cache"):
        DescriptorCache(tmp_path / "cache").put("ab12", {}, make_descriptor())


def test_folder_that_cannot_be_looked_into_holds_nothing(tmp_path):
    longer_than_any_name = DescriptorCache(tmp_path / ("x" * 300))
    assert longer_than_any_name.get("c", {}) is None
