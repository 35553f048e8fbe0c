"""Finding media files."""

import os

import pytest

from vcd.media import find_media

NAMES = [
    "b.MP4",
    "a.mkv",
    "c.txt",
    ".hidden.mp4",
    "sub/d.jpg",
    "sub/.e/f.mp4",
    "sub/g.wav",
    "h.vcd",
]


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path


def names(found, folder):
    return [str(path.relative_to(folder)) for path in found]


def test_a_folder(folder):
    assert names(find_media([folder]), folder) == ["a.mkv", "b.MP4", "sub/d.jpg", "sub/g.wav"]


def test_further_suffixes(folder):
    assert "h.vcd" in names(find_media([folder], extra_suffixes=[".VCD"]), folder)


def test_files_are_taken_as_they_are(folder):
    given = [folder / "c.txt", folder / "none.mp4", folder / ".hidden.mp4", folder / "c.txt"]
    assert list(find_media(given)) == given[:3]


def test_each_file_once(folder):
    found = list(find_media([folder / "a.mkv", folder, os.fsencode(folder / "a.mkv")]))
    assert names(found, folder) == ["a.mkv", "b.MP4", "sub/d.jpg", "sub/g.wav"]


def test_a_link_back_ends(folder):
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "self.mp4").symlink_to(folder / "self.mp4")
    found = names(find_media([folder]), folder)
    assert found == ["a.mkv", "b.MP4", "self.mp4", "sub/d.jpg", "sub/g.wav"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable_folder(folder):
    (folder / "sub").chmod(0)
    errors = []
    assert names(find_media([folder], on_error=errors.append), folder) == ["a.mkv", "b.MP4"]
    (folder / "sub").chmod(0o755)
    assert "sub" in str(errors[0])


def test_a_folder_that_cannot_be_listed_is_told(folder, monkeypatch):
    real = os.scandir

    def scandir(path):
        if path.name == "sub":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    errors = []
    assert names(find_media([folder], on_error=errors.append), folder) == ["a.mkv", "b.MP4"]
    assert "sub: the folder cannot be listed: Permission denied" in str(errors[0])


def test_odd_names(tmp_path):
    for name in (b"\xff.mp4", b"new\nline.mp4", b"-x.mp4"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"")
    assert len(list(find_media([tmp_path]))) == 3
