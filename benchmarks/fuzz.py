"""What becomes of damaged files: a table by cause.

::

    python benchmarks/fuzz.py [--files 10000] [--seed 0] [--isolation process|none] [--keep DIR]

Small files of some twenty kinds of container and codec are made, damaged by number (truncated,
flipped, spliced, headers swapped, lengths changed, ...), and described, one after the other. A
traceback ends the run and names the number. ``--keep`` keeps each file that ended a process or
broke a limit. Printed are also the slowest file, and how memory and open files of this process
grew; what was freed is given back to the system before memory is looked at, for a file that lasts
an hour leaves holes, and holes are no leak.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fuzz"))

from corpus import make_corpus
from mutations import mutate

from vcd.engine import Engine
from vcd.errors import MediaCrashError, MediaLimitError, VcdError
from vcd.media import Limits, reading_cost
from vcd.media.pool import pool

LIMITS = Limits(
    max_wall_time=30, max_stall=15, max_cpu_time=30, max_memory=1 << 30, max_duration=3600
)
EVERY = 100  # files after which memory is looked at
WARM = 500  # files after which memory counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--isolation", choices=["process", "none"], default="process")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    engine = Engine(rate=1, limits=LIMITS, isolation=options.isolation)
    causes: Counter[str] = Counter()
    kinds_of: Counter[str] = Counter()
    slowest = (0.0, 0, "")
    memory: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        corpus = make_corpus(Path(folder))
        kinds, others = list(corpus), list(corpus.values())
        started, pids = time.monotonic(), set[int]()
        for count in range(options.files):
            number, kind = options.seed + count, kinds[count % len(kinds)]
            data, done = mutate(corpus[kind], number, others)
            path = Path(folder) / "damaged"
            path.write_bytes(data)
            began = time.monotonic()
            cause, telling = describe(engine, path)
            slowest = max(slowest, (time.monotonic() - began, number, f"{kind}, {done}"))
            causes[cause] += 1
            kinds_of[kind] += 1
            pids |= {worker.pid for worker in pool._all}
            if telling:
                print(f"{number} {kind}, {done}: {cause}", flush=True)
                if options.keep is not None:
                    options.keep.mkdir(exist_ok=True)
                    (options.keep / f"{number}-{kind}").write_bytes(data)
            if count % EVERY == 0:
                memory.append((count, own_memory()))
                if count == WARM:
                    files_at_first = open_files()
        seconds = time.monotonic() - started
        print(f"{options.files} files of {len(kinds_of)} kinds, isolation {options.isolation}")
        for cause, times in causes.most_common():
            print(f"{times:7d}  {cause}")
        cpu = time.process_time() + reading_cost()[0]
        print(f"{seconds:.0f} s, {cpu:.0f} CPU s; {len(pids)} processes one after the other")
        print(f"slowest: {slowest[0]:.1f} s, number {slowest[1]} ({slowest[2]})")
        if options.files > 2 * WARM:
            late = np.array([one for one in memory if one[0] >= WARM])
            slope = np.polyfit(late[:, 0] / 1000, late[:, 1], 1)[0]
            print(f"memory of this process: {slope:+.2f} MB per 1000 files, {late[-1, 1]:.0f} MB")
            print(
                "MB at every tenth:", *(f"{mb:.0f}" for mb in late[:: max(1, len(late) // 10), 1])
            )
            print(f"open files: {files_at_first} at first, {open_files()} at last")
    pool.close()
    print(f"processes left over: {len(pids & running())}")


def describe(engine: Engine, path: Path) -> tuple[str, bool]:
    """Return what became of a file, and whether that is worth telling."""
    try:
        found = engine.describe(path)
    except MediaCrashError as error:
        return f"refused: {error.problem}", True
    except MediaLimitError as error:
        return f"refused: more than {error.remedy.split()[1]}", "max_wall" in error.remedy
    except VcdError as error:
        return f"refused: {error.problem.partition('(')[0].strip()[:60]}", False
    return f"described, {'with damage told' if found.health.damaged else 'as if whole'}", False


def own_memory(*, trim: bool = True) -> float:
    """Return the resident MB of this process; `trim` gives back free memory first, if it can."""
    if trim:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_files() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/dev/fd").iterdir()))


def running() -> set[int]:
    """Return the processes there are."""
    return {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()}


if __name__ == "__main__":
    main()
