"""Whether memory and open files stay flat over many files, whole and damaged ones.

::

    python benchmarks/soak.py HAYSTACK [--minutes 15]

Matches the queries of a haystack against its references, and between them describes small damaged
files, over and over, without a cache, in one process. Printed are its memory as the system counts
it and as much of that as is in use (a line through all that was seen after the first fifth of the
time, and the mean of each tenth of that), the open files, and the processes that read. What is held
and not in use is kept by the C library for the next file: it follows the largest files met so far.
"""

from __future__ import annotations

import argparse
import ctypes
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

import fuzz  # the script beside this one
import numpy as np

from vcd.engine import Engine
from vcd.errors import VcdError
from vcd.media import find_media, reading_cost
from vcd.media.pool import pool

DAMAGED = 20  # for each query
AT_ONCE = 4  # references a query is matched against
WARM = 0.2  # share of the time after which memory counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("haystack", type=Path)
    parser.add_argument("--minutes", type=float, default=15)
    options = parser.parse_args()
    engine = Engine(limits=fuzz.LIMITS, jobs=2)
    queries, references = (
        list(find_media([options.haystack / part])) for part in ("queries", "refs")
    )
    chance = random.Random(0)
    ends: Counter[str] = Counter()
    seen: list[tuple[float, float, float, float]] = []
    pids: set[int] = set()
    with tempfile.TemporaryDirectory() as folder:
        others = list(fuzz.make_corpus(Path(folder)).values())
        path = Path(folder) / "damaged"
        started, files = time.monotonic(), 0
        while (passed := time.monotonic() - started) < 60 * options.minutes:
            chosen = chance.sample(references, AT_ONCE)
            found = engine.match(chance.choice(queries), chosen, on_error=lambda _: None)
            ends["matched" if found else "no match"] += 1
            for _ in range(DAMAGED):
                data, number = chance.choice(others), chance.getrandbits(40)
                path.write_bytes(fuzz.mutate(data, number, others)[0])
                try:
                    engine.describe(path)
                    ends["damaged, described"] += 1
                except VcdError:
                    ends["damaged, refused"] += 1
            files += 1 + AT_ONCE + DAMAGED
            pids |= {worker.pid for worker in pool._all}
            if passed > 60 * options.minutes * WARM:
                memory = fuzz.own_memory(trim=False), in_use()
                seen.append((files, *memory, fuzz.open_files()))
    print(f"{files} files in {options.minutes:g} minutes: {dict(ends)}")
    rows = np.array(seen)
    for name, megabytes in (("memory", rows[:, 1]), ("of it in use", rows[:, 2])):
        line, spread = np.polyfit(rows[:, 0] / 1000, megabytes, 1, cov=True)
        print(f"{name}: {line[0]:+.2f} MB per 1000 files, standard error {spread[0, 0] ** 0.5:.2f}")
        print("MB by tenths:", *(f"{part.mean():.1f}" for part in np.array_split(megabytes, 10)))
    print(f"open files: {rows[0, 3]:.0f} at first, {rows[:, 3].max():.0f} at most")
    print(f"{len(pids)} processes read, the largest with {reading_cost()[1] / 1e6:.0f} MB")
    pool.close()
    print(f"processes left over: {len(pids & fuzz.running())}")


class _Mallinfo(ctypes.Structure):
    """What glibc says of its memory; see mallinfo2(3)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def in_use() -> float:
    """Return the MB that the C library has given out; needs glibc 2.33."""
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = _Mallinfo
    told = ask()
    return float(told.uordblks + told.hblkhd) / 1e6


if __name__ == "__main__":
    main()
