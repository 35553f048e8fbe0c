"""Whether memory and open files stay flat over many files, whole and damaged ones.

::

    python benchmarks/soak.py HAYSTACK [--minutes 15]

Matches the queries of a haystack against its references, and between them describes small damaged
files, over and over, without a cache, in one process. Printed are its memory as the system counts
it (a line through all that was seen after the first fifth of the time, and the mean of each tenth
of that), the open files, and the processes that read.
"""

from __future__ import annotations

import argparse
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
    seen: list[tuple[float, float, float]] = []
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
                seen.append((files, fuzz.own_memory(trim=False), fuzz.open_files()))
    print(f"{files} files in {options.minutes:g} minutes: {dict(ends)}")
    rows = np.array(seen)
    line, spread = np.polyfit(rows[:, 0] / 1000, rows[:, 1], 1, cov=True)
    print(f"memory: {line[0]:+.2f} MB per 1000 files, standard error {spread[0, 0] ** 0.5:.2f}")
    print("MB by tenths:", *(f"{part.mean():.0f}" for part in np.array_split(rows[:, 1], 10)))
    print(f"open files: {rows[0, 2]:.0f} at first, {rows[:, 2].max():.0f} at most")
    print(f"{len(pids)} processes read, the largest with {reading_cost()[1] / 1e6:.0f} MB")
    pool.close()
    print(f"processes left over: {len(pids & fuzz.running())}")


if __name__ == "__main__":
    main()
