"""Whatever is done to a file: a descriptor or a VcdError, in bounded time, and nothing is left."""

import threading
import time
from pathlib import Path

import pytest
from mutations import MUTATIONS, mutate

from vcd.engine import Engine
from vcd.errors import MediaCrashError, VcdError
from vcd.media import Limits
from vcd.media.pool import pool
from vcd.records import VideoDescriptor

FILES = 110
LIMITS = Limits(max_wall_time=20, max_stall=10, max_cpu_time=20, max_memory=2 << 30)


@pytest.fixture(scope="module")
def engine():
    return Engine(rate=1, limits=LIMITS)


def test_the_corpus_is_whole(corpus, engine, tmp_path):
    assert len(corpus) >= 12
    for kind, data in corpus.items():
        path = tmp_path / kind  # without an ending: what it is, is found in its content
        path.write_bytes(data)
        found = engine.describe(path)
        assert found.tracks, kind
        assert not found.health.damaged, kind


def test_damage_is_the_same_for_the_same_number(corpus):
    kinds = list(corpus.values())
    assert len({mutate(kinds[0], number, kinds)[0] for number in range(30)}) > 25
    assert mutate(kinds[0], 7, kinds) == mutate(kinds[0], 7, kinds)
    names = " ".join(mutate(kinds[0], number, kinds)[1] for number in range(200))
    assert all(name in names for name in MUTATIONS)


def test_damaged_files_end_well(corpus, engine, tmp_path):
    kinds, others = list(corpus), list(corpus.values())
    engine.describe(_write(tmp_path / "first", others[0]))
    open_files, threads = _open_files(), threading.active_count()
    described = failed = 0
    for number in range(FILES):
        kind = kinds[number % len(kinds)]
        data, done = mutate(corpus[kind], number, others)
        path = _write(tmp_path / f"{number}", data)
        started = time.monotonic()
        try:
            assert isinstance(engine.describe(path), VideoDescriptor)
            described += 1
        except VcdError as error:
            assert error.file is not None, (kind, done)
            assert not isinstance(error, MediaCrashError), (kind, number, done)
            failed += 1
        assert time.monotonic() - started < LIMITS.max_wall_time + 60, (kind, number, done)
    assert described > FILES / 4
    assert failed > FILES / 10
    assert _open_files() <= open_files + 1
    assert threading.active_count() <= threads
    assert len(pool._all) <= 4


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _open_files() -> int:
    folder = Path("/dev/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0
