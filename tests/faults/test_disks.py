"""Disks that are full, folders that allow no writing, files that go or change while being read."""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from making import make_descriptor

from vcd import encoding
from vcd.descriptors import DescriptorCache
from vcd.engine import Engine
from vcd.errors import MediaError, MediaNotFoundError, OutputError, VcdError
from vcd.library import Library
from vcd.media import Sampling, get_decoder
from vcd.sources import resolve


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


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fill(disk):
    """Leave no room at all."""
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_full_disk_is_told_and_keeps_no_halves(small_disk):
    many = [make_descriptor(f"v{number}", n=200, seed=number) for number in range(30)]
    for name in ("all.vcd", "all.npz"):
        with pytest.raises(OutputError, match=rf"{name}: .*No space left.*has room"):
            encoding.save(small_disk / name, many)
    assert names(small_disk) == []
    cache = DescriptorCache(small_disk)
    with pytest.raises(OutputError, match="No space left"):
        for number, one in enumerate(many):
            cache.put(str(number), {}, one)
    for path in small_disk.rglob("*.vcd"):
        assert encoding.load_one(path)


def test_a_library_on_a_full_disk_keeps_what_it_has(small_disk):
    filler = small_disk / "filler"
    filler.write_bytes(bytes(60_000))
    with Library(small_disk / "refs.vcdlib") as library:
        added = []
        with pytest.raises(VcdError, match=r"refs\.vcdlib"):
            for number in range(100):
                library.add(make_descriptor(f"v{number}", n=50))
                added.append(f"v{number}")
    filler.unlink()
    with Library(small_disk / "refs.vcdlib", create=False) as library:
        assert library.video_ids() == added
        assert [video.video_id for video in library] == added


def test_a_full_disk_under_the_cache_costs_no_description(films, small_disk, caplog):
    fill(small_disk)
    engine = Engine(streams=["audio"], cache=small_disk)
    sources = resolve(films, pytest.fail)
    assert len(list(engine.describe_all(sources, on_error=pytest.fail))) == len(sources)
    assert [r.levelname for r in caplog.records if "nothing is kept" in r.message] == ["WARNING"]


FULL = """
import resource, sys
from vcd_cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
sys.argv = ["vcd", *sys.argv[1:]]
main()
"""


def test_a_limit_on_the_size_of_files_is_told(films, environment, tmp_path):
    name, out = "all.npz", tmp_path / "out"
    out.mkdir()
    command = ["describe", next(films.glob("*.wav")), "--output", out / name, "--no-cache"]
    done = subprocess.run(
        [sys.executable, "-c", FULL, *map(str, command)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert names(out) == []


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="folders cannot be closed here")
def test_folders_that_allow_no_writing(films):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(next(films.glob("*.wav")), folder / "sound.wav")
        (folder / "cache").mkdir(mode=0o555)
        folder.chmod(0o555)
        try:
            engine = Engine(streams=["audio"], cache=folder / "cache", isolation="none")
            with as_nobody():
                assert engine.describe(folder / "sound.wav").tracks["audio"]
                with pytest.raises(OutputError, match="Permission denied"):
                    make_descriptor().save(folder / "new.vcd")
        finally:
            folder.chmod(0o755)
        assert names(folder) == ["cache", "sound.wav"]


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_files_that_vanish_cost_only_themselves(films, tmp_path, isolation):
    for number in range(3):
        shutil.copy(next(films.glob("*.wav")), tmp_path / f"{number}.wav")
    sources = resolve(tmp_path, pytest.fail)
    (tmp_path / "1.wav").unlink()
    errors = []
    engine = Engine(streams=["audio"], isolation=isolation)
    found = [s.video_id for s, _ in engine.describe_all(sources, on_error=errors.append)]
    assert found == ["0", "2"]
    assert [type(error) for error in errors] == [MediaNotFoundError]


CHANGES = {
    "gone": lambda path: path.unlink(),
    "cut off": lambda path: os.truncate(path, 3000),
    "emptied": lambda path: os.truncate(path, 0),
    "overwritten": lambda path: path.write_bytes(os.urandom(path.stat().st_size)),
    "grown": lambda path: path.write_bytes(path.read_bytes() * 3),
    "replaced": lambda path: path.with_suffix(".new").replace(path),
}


@pytest.mark.parametrize("isolation", ["none", "process"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["*.ts", "*.mp4", "*.wav"])
def test_files_that_change_while_they_are_read(films, tmp_path, kind, change, isolation):
    path = tmp_path / "changing"
    shutil.copy(next(films.glob(kind)), path)
    path.with_suffix(".new").write_bytes(b"another file")
    recording = get_decoder(isolation=isolation).read(path, Sampling(rate=10))
    parts = iter(recording)
    next(parts)
    CHANGES[change](path)
    try:
        for _ in parts:
            pass
    except MediaError as error:
        assert "changing" in str(error)
    else:
        assert recording.duration < 3600


def test_a_file_that_vanishes_between_content_and_reading(films, tmp_path, monkeypatch):
    path = tmp_path / "gone.wav"
    shutil.copy(next(films.glob("*.wav")), path)
    engine = Engine(streams=["audio"], cache=tmp_path / "cache")
    digest = DescriptorCache.content

    def vanish(given):
        found = digest(given)
        path.unlink()
        return found

    monkeypatch.setattr(DescriptorCache, "content", staticmethod(vanish))
    with pytest.raises(MediaNotFoundError, match=r"gone\.wav"):
        engine.describe(path)
    assert not list((tmp_path / "cache").rglob("*.vcd"))
