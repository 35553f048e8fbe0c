"""How long the index of the signal type `vcd` takes for a query, by the number of references.

    python benchmarks/signal_index.py --references 1000

References are made up of the models' background descriptors in random order, 28 s each; one in a
hundred holds eight seconds of the query, with noise. CPU seconds of one thread; ratios are to
comparing the query with every reference.
"""

from __future__ import annotations

import argparse
import pickle
import time

import numpy as np

from vcd.descriptors import load_background
from vcd.integrations.threatexchange import VcdIndex, VcdSignal
from vcd.integrations.threatexchange.hashes import full_hash
from vcd.records import Track, VideoDescriptor

SECONDS, COPIED = 28.0, 8.0
NOISE = 0.03  # a number, of rows of unit length


def made_up(rng, query=None):
    """Return a video of background rows; part of the query's rows where one is given."""
    engine = VcdSignal.engine()
    tracks = []
    for stream, info in engine.models.items():
        step = float(info.input.get("hop", 1 / engine.rate))
        count = round(SECONDS / step)
        starts = np.arange(count) * step
        background = load_background(info)
        rows = background[rng.integers(0, len(background), count)].copy()
        if query is not None:
            part = slice(0, round(COPIED / step))
            own = query.tracks[stream].vectors[part]
            rows[part] = own + rng.normal(0, NOISE, own.shape)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        times = np.stack([starts, starts + step], axis=1)
        tracks.append(Track(stream, info.id, times, rows, np.ones(count, np.float32)))
    return VideoDescriptor("made", SECONDS, tracks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--references", type=int, default=1000)
    parser.add_argument("--queries", type=int, default=5)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    query = made_up(rng)
    texts = [
        full_hash(made_up(rng, query if i % 100 == 0 else None))
        for i in range(arguments.references)
    ]
    start = time.process_time()
    index = VcdIndex.build((text, i) for i, text in enumerate(texts))
    print(f"build        {time.process_time() - start:8.2f} s")
    print(f"pickle       {len(pickle.dumps(index)) / 1e6:8.1f} MB")
    asked = full_hash(query)
    taken = []
    for _ in range(arguments.queries):
        start = time.process_time()
        found = index.query(asked)
        taken.append(time.process_time() - start)
    start = time.process_time()
    some = texts[:: max(1, len(texts) // 50)]
    for text in some:
        VcdSignal.compare_hash(asked, text)
    all_pairs = (time.process_time() - start) / len(some) * len(texts)
    true = {i for i in range(arguments.references) if i % 100 == 0}
    recall = len({match.metadata for match in found} & true) / len(true)
    median = float(np.median(taken))
    print(
        f"query        {median:8.2f} s, {median / all_pairs:.3f} of all pairs; recall {recall:.2f}"
    )


if __name__ == "__main__":
    main()
