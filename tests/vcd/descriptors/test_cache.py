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


def test_key_follows_content_and_settings_not_the_name(cache, file, tmp_path):
    other = tmp_path / "b.mp4"
    other.write_bytes(b"content")
    assert cache.key(file, {"rate": 1}) == cache.key(other, {"rate": 1})
    assert cache.key(file, {"rate": 1}) != cache.key(file, {"rate": 2})
    other.write_bytes(b"other")
    assert cache.key(file, {"rate": 1}) != cache.key(other, {"rate": 1})


def test_entry_comes_back_under_the_name_asked_for(cache):
    assert cache.get("ab12", "x") is None
    cache.put("ab12", make_descriptor("first"))
    found = cache.get("ab12", "second")
    assert found.video_id == "second"
    assert len(found.tracks["visual"]) == 10


def test_damaged_entry_is_an_error_that_names_it(cache):
    cache.put("ab12", make_descriptor())
    path = next(cache.folder.rglob("*.vcd"))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DescriptorError, match="ab12"):
        cache.get("ab12", "x")


def test_missing_file_and_folder(cache, tmp_path):
    with pytest.raises(MediaNotFoundError, match="no such file"):
        cache.key(tmp_path / "gone.mp4", {})
    with pytest.raises(MediaError):
        cache.key(tmp_path, {})


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match="--no-cache"):
        DescriptorCache(tmp_path / "cache").put("ab12", make_descriptor())
