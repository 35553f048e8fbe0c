"""Films to be lost, and a disk that is small."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

from corpus import make_corpus

KINDS = ["mp4-h264-aac", "mkv-mpeg4-flac", "avi-mpeg4-mp3", "ts-mpeg2-mp2", "wav", "mp3"]


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    """Return a folder of small files."""
    folder = tmp_path_factory.mktemp("films")
    make_corpus(folder, KINDS)
    return folder


@pytest.fixture(scope="session")
def environment():
    """Return the variables under which another process finds what this one does."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder on a disk of 300 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no small disk can be had here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
