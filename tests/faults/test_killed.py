"""Processes killed at any moment: what was finished is there, and the same call goes on."""

import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from vcd import encoding
from vcd.engine import Engine
from vcd.library import Library
from vcd_eval.haystack import read_haystack, run_haystack

SOUND = ("--streams", "audio", "--jobs", "1", "--isolation", "none")

MOMENT = random.Random()  # another one each time: whatever it is, nothing may be lost


def run(*arguments, environment, kill_after=None):
    """Run the command; kill it without warning some seconds after its first sign of life."""
    command = [sys.executable, "-m", "vcd_cli", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    if kill_after is None:
        out, err = process.communicate(timeout=300)
        assert b"Traceback" not in err, err.decode()
        return process.returncode, out.decode(), err.decode()
    path, seconds = kill_after
    with process:
        while process.poll() is None and not any(path.rglob("*")):
            time.sleep(0.01)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    return process.returncode, "", ""


@pytest.fixture(scope="module")
def expected(films):
    return {
        path.stem: Engine(streams=["audio"]).describe(path).to_bytes() for path in films.iterdir()
    }


def test_describe(films, expected, environment, tmp_path):
    out, cache = tmp_path / "out", tmp_path / "cache"
    out.mkdir()
    command = ("describe", films, "--output-dir", out, "--cache", cache, *SOUND)
    run(*command, environment=environment, kill_after=(cache, MOMENT.uniform(0, 0.1)))
    for path in out.glob("[!.]*"):
        assert encoding.load_one(path).to_bytes() == expected[path.stem]
    for path in cache.rglob("*.vcd"):
        assert encoding.load_one(path)
    code, _, err = run(*command, environment=environment)
    assert (code, err) == (0, "")
    assert {p.stem: p.read_bytes() for p in out.glob("[!.]*")} == expected


def test_library_add(films, expected, environment, tmp_path):
    folder = tmp_path / "library"
    folder.mkdir()
    command = ("library", "add", folder / "refs.vcdlib", films, "--no-cache", *SOUND)
    run(*command, environment=environment, kill_after=(folder, MOMENT.uniform(0.1, 1.0)))
    code, _, err = run(*command, environment=environment)
    assert code == 0, err
    with Library(folder / "refs.vcdlib", create=False) as library:
        assert {video.video_id: video.to_bytes() for video in library} == expected


HAYSTACK = """
import sys
from pathlib import Path
from vcd.engine import Engine
from vcd_eval.haystack import read_haystack, run_haystack
engine = Engine(streams=["audio"], threshold=0.0, isolation="none")
run_haystack(read_haystack(sys.argv[1]), engine, Path(sys.argv[2]), on_error=print)
"""


def test_haystack(films, environment, tmp_path):
    for part in ("queries", "refs", "out", "whole"):
        (tmp_path / part).mkdir()
    for number, path in enumerate(sorted(films.iterdir())):
        for part in ("queries", "refs"):
            (tmp_path / part / f"{part[0]}{number}{path.suffix}").symlink_to(path)
    (tmp_path / "groundtruth.csv").write_text(
        "query_id,ref_id,query_start,query_end,ref_start,ref_end\nq0,r0,0,1,0,1\n"
    )
    haystack = read_haystack(tmp_path)
    engine = Engine(streams=["audio"], threshold=0.0)
    whole = run_haystack(haystack, engine, tmp_path / "whole", on_error=pytest.fail)
    command = [sys.executable, "-c", HAYSTACK, str(tmp_path), str(tmp_path / "out")]
    with subprocess.Popen(command, env=environment) as process:
        progress = tmp_path / "out" / "progress.jsonl"
        while process.poll() is None and not progress.exists():
            time.sleep(0.005)
        time.sleep(0.02)
        process.kill()
    again = run_haystack(haystack, engine, tmp_path / "out", on_error=pytest.fail)
    for name in ("any", "audio"):
        first, second = whole.predictions[name], again.predictions[name]
        assert list(first.query_ids) == list(second.query_ids)
        assert first.scores.tolist() == second.scores.tolist()


def test_two_processes_on_one_cache(films, expected, environment, tmp_path):
    cache, codes = tmp_path / "cache", []

    def describe():
        command = ("describe", films, "--cache", cache, *SOUND)
        codes.append(run(*command, environment=environment)[0])

    threads = [threading.Thread(target=describe) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0, 0]
    engine = Engine(streams=["audio"], cache=cache)
    for path in films.iterdir():
        stored = engine.describe(path)
        assert stored.to_bytes() == expected[path.stem]
    assert len(list(cache.rglob("*.vcd"))) == len(expected)
    assert not list(cache.rglob("*.part"))
