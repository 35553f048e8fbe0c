"""Files read in other processes: the same parts, and whatever breaks there breaks only there."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vcd
from vcd.engine import Engine
from vcd.errors import (
    ContractError,
    MediaCrashError,
    MediaError,
    MediaLimitError,
    MediaNotFoundError,
)
from vcd.media import Decoder, Frame, Limits, Recording, Sampling, get_decoder, reading_cost
from vcd.media import messages as wire
from vcd.media.isolation import isolated_thumbnail
from vcd.media.pool import is_supported, pool
from vcd.media.thumbnails import thumbnail

pytestmark = pytest.mark.skipif(not is_supported(), reason="no other processes here")

SMALL = Sampling(rate=5, size=(64, 48))


@pytest.fixture
def decoder():
    return get_decoder(isolation="process")


def numbers(parts, tools):
    return [tools.number_of(part.pixels) for part in parts if isinstance(part, Frame)]


def worker_of(recording):
    return recording._exchange._worker


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def open_files():
    return len(list(Path("/dev/fd").iterdir()))


def wait_until_gone(pid):
    for _ in range(200):
        if not is_running(pid):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("size", [None, 50, (64, 48)])
def test_the_same_parts_as_in_this_process(decoder, film, size):
    path = film(frames=60, sound=2.0, turn=90)
    sampling = Sampling(rate=3, size=size)
    near, far = get_decoder().read(path, sampling), decoder.read(path, sampling)
    assert isinstance(decoder, Decoder)
    assert isinstance(far, Recording)
    for one, other in zip(near, far, strict=True):
        assert type(one) is type(other)
        assert one.start == other.start
        if isinstance(one, Frame):
            assert (one.end, one.time) == (other.end, other.time)
            assert np.array_equal(one.pixels, other.pixels)
        else:
            assert np.array_equal(one.samples, other.samples)
    assert (far.info, far.duration, far.health) == (near.info, near.duration, near.health)
    assert decoder.probe(path) == near.info
    with pytest.raises(ContractError):
        list(far)


def test_thumbnails_are_the_same(film):
    path = film(frames=60)
    near, far = (take(path, [0.1, 1.5, 99], 50) for take in (thumbnail, isolated_thumbnail))
    for one, other in zip(near, far, strict=True):
        assert np.array_equal(one, other)
    engine = Engine()
    assert np.array_equal(engine.thumbnails(path, [0.1], 50)[0], near[0])


def test_reasons_come_back_whole(decoder, film, tmp_path):
    path = film(frames=30)
    with pytest.raises(MediaNotFoundError):
        decoder.read(tmp_path / "none.mp4")
    with pytest.raises(MediaLimitError) as far:
        decoder.read(path, limits=Limits(max_pixels=100))
    with pytest.raises(MediaLimitError) as near:
        get_decoder().read(path, limits=Limits(max_pixels=100))
    assert str(far.value) == str(near.value)
    with pytest.raises(MediaLimitError, match="raise max_frames"):
        list(decoder.read(path, limits=Limits(max_frames=10)))
    with pytest.raises(ContractError):
        get_decoder(isolation="perhaps")


def test_processes_are_kept_and_replaced(decoder, film, tools, monkeypatch):
    path = film(frames=30)
    pool.close()
    seen = []
    monkeypatch.setattr("vcd.media.pool._MOST_FILES", 2)
    for _ in range(4):
        recording = decoder.read(path, SMALL)
        seen.append(worker_of(recording).pid)
        list(recording)
    assert seen[0] == seen[1] != seen[2] == seen[3]
    assert wait_until_gone(seen[0])


@pytest.mark.parametrize("sent", [signal.SIGSEGV, signal.SIGKILL])
def test_a_file_that_ends_its_process_is_told_and_costs_nothing_else(decoder, film, tools, sent):
    path = film(frames=60)
    pool.close()
    # More than a pipe holds: else all of it may have been sent before the signal comes.
    recording = decoder.read(path, Sampling(rate=30, size=(320, 240)))
    os.kill(worker_of(recording).pid, sent)
    with pytest.raises(MediaCrashError, match=r"film\.mp4: .*process that reads it") as error:
        list(recording)
    assert error.value.remedy
    assert len(numbers(decoder.read(path, SMALL), tools)) == 10


def test_what_an_earlier_file_broke_is_not_blamed_on_the_next(decoder, film, tools):
    """A process that has read other files gets the blame: a fresh one reads the file again."""
    path = film(frames=60, sound=2.0)
    whole = numbers(decoder.read(path, SMALL), tools)
    for at in (0, 7):
        recording = decoder.read(path, SMALL)
        assert worker_of(recording).files > 1
        found, pid = [], worker_of(recording).pid
        for part in recording:
            found.append(part)
            if len(found) == at + 1:
                os.kill(pid, signal.SIGSEGV)
        assert numbers(found, tools) == whole
    pid = next(iter(pool._idle)).pid
    os.kill(pid, signal.SIGKILL)  # while it waits
    assert wait_until_gone(pid)
    assert numbers(decoder.read(path, SMALL), tools) == whole


def test_a_file_that_hangs_is_given_up(decoder, film, monkeypatch):
    path = film(frames=60)
    monkeypatch.setattr("vcd.media.isolation._GRACE", 0.1)
    for limits, name in (
        (Limits(max_stall=0.3), "max_stall"),
        (Limits(max_wall_time=2), "max_wall_time"),
    ):
        recording = decoder.read(path, SMALL, limits=limits)
        pid = worker_of(recording).pid
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(MediaLimitError, match=name):
            list(recording)
        assert wait_until_gone(pid)


def test_processor_time_is_limited(decoder, film):
    recording = decoder.read(film(frames=60), SMALL)
    os.kill(worker_of(recording).pid, signal.SIGXCPU)  # as the system does
    with pytest.raises(MediaLimitError, match="max_cpu_time"):
        list(recording)


def test_memory_is_limited(decoder, film, tools):
    path = film(frames=10)
    with pytest.raises(MediaError) as error:
        list(decoder.read(path, Sampling(size=(9000, 9000)), limits=Limits(max_memory=500 << 20)))
    assert "max_memory" in str(error.value)
    assert numbers(decoder.read(path, SMALL), tools)


def test_the_process_may_write_nothing_and_open_little(decoder, film):
    recording = decoder.read(film(frames=60), SMALL)
    limits = Path(f"/proc/{worker_of(recording).pid}/limits")
    if not limits.exists():
        pytest.skip("no /proc")
    found = {line[:25].strip(): line[25:].split()[0] for line in limits.read_text().splitlines()}
    assert found["Max file size"] == "0"
    assert found["Max core file size"] == "0"
    assert int(found["Max open files"]) <= 16
    assert found["Max address space"] == str(Limits().max_memory)
    assert found["Max cpu time"] != "unlimited"
    list(recording)


def test_nothing_is_left_open(decoder, film):
    path = film(frames=60, sound=1.0)
    list(decoder.read(path))
    files, workers = open_files(), len(pool._all)
    next(iter(decoder.read(path)))
    decoder.probe(path)
    with pytest.raises(MediaLimitError):
        decoder.read(path, limits=Limits(max_pixels=1))
    assert open_files() <= files + 1
    assert len(pool._all) <= workers


def test_many_threads_at_once(decoder, film, tools):
    path = film(frames=60, sound=2.0)
    expected = numbers(get_decoder().read(path, SMALL), tools)
    found = []

    def read():
        found.extend(numbers(decoder.read(path, SMALL), tools) for _ in range(3))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 9
    assert reading_cost()[0] > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking where there are threads
def test_a_fork_starts_its_own_processes(decoder, film, tools):
    path = film(frames=30)
    expected = numbers(decoder.read(path, SMALL), tools)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if numbers(decoder.read(path, SMALL), tools) == expected else 2
            pool.close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert numbers(decoder.read(path, SMALL), tools) == expected


LEFT = """
import sys, time
from vcd.media import Sampling, get_decoder
recording = get_decoder(isolation="process").read(sys.argv[1], Sampling(rate=30))
print(recording._exchange._worker.pid, flush=True)
time.sleep(60)
"""


def test_a_killed_parent_leaves_no_process(film):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", LEFT, film(frames=60)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        worker = int(process.stdout.readline())
        assert is_running(worker)
        process.kill()
    assert wait_until_gone(worker)


def test_a_strange_folder_takes_over_nothing(decoder, film, tools, tmp_path, monkeypatch):
    """Modules that lie among the files to read are not imported."""
    path = film(frames=30)
    for name in ("av", "numpy", "vcd", "socket"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    pool.close()
    assert numbers(decoder.read(path, SMALL), tools)


def test_a_process_that_cannot_be_started_is_told(decoder, film, monkeypatch):
    path = film(frames=3)
    pool.close()
    monkeypatch.setattr("vcd.media.pool._MODULE", "vcd.no_such_module")
    with pytest.raises(MediaError, match=r"cannot be started.*isolation none"):
        decoder.probe(path)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(MediaError, match="no process can be started"):
        decoder.probe(path)


def test_where_there_are_no_processes_that_is_said(monkeypatch, caplog):
    monkeypatch.setattr("vcd.media.pool.is_supported", lambda: False)
    assert get_decoder(isolation="process").__class__.__name__ == "PyAVDecoder"
    assert "without isolation" in caplog.text
    assert Engine(isolation="process").decoder == "pyav"


def test_the_engine_tells_one_file_and_goes_on(film, tmp_path):
    good = film("good.mp4", frames=60)
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    errors = []
    for isolation in ("process", "none"):
        engine = Engine(isolation=isolation, streams=["visual"], limits=Limits(max_wall_time=30))
        sources = [vcd.sources.Source(p.stem, p.name, p) for p in (tmp_path / "bad.mp4", good)]
        found = [
            source.video_id for source, _ in engine.describe_all(sources, on_error=errors.append)
        ]
        assert found == ["good"]
    assert str(errors[0]) == str(errors[1])


# What a process says -----------------------------------------------------------------------------


@given(st.binary(max_size=200))
def test_no_bytes_break_the_one_who_asked(data):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.close()
        try:
            message = wire.receive(ours, time.monotonic() + 5, 1000)
        except wire.BrokenMessageError:
            return
        assert message is None or isinstance(message.head, dict)


json_values = (
    st.none()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.integers(-1, 5), max_size=4)
)
NAMES = ["start", "end", "time", "shape", "kind", "duration", "width", "health", "rotation"]


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(NAMES), json_values), st.binary(max_size=64))
def test_nothing_is_believed_unchecked(head, body):
    message = wire.Message(wire.Kind.FRAME, head, bytearray(body))
    for read in (wire.info_of, wire.frame_of, wire.pixels_of, wire.samples_of, wire.ending_of):
        try:
            made = read(message)
        except wire.BrokenMessageError:
            continue
        if read is wire.samples_of:
            assert np.isfinite(made.samples).all()
        if read is wire.frame_of:
            assert np.isfinite([made.start, made.end, made.time]).all()


def test_a_message_larger_than_asked_for_is_refused():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire.send(theirs, wire.Message(wire.Kind.FRAME, {}, bytearray(100)))
        with pytest.raises(wire.BrokenMessageError):
            wire.receive(ours, time.monotonic() + 5, 99)
        with pytest.raises(TimeoutError):
            wire.receive(ours, time.monotonic(), 99)
