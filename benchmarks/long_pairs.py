"""How the cost of comparing two long videos grows with their length, and what is found.

    python benchmarks/long_pairs.py [MINUTES ...]

Both sides are made: scenes of random descriptors at the rates of vcd (picture 2, sound 4 a second),
with a copy of 8 to 40 seconds every two minutes. Each length runs in a process of its own. The last
column is the cost of a pair too short to be looked at in two steps, times the ratio of the cells:
what the whole matrices would take, if they fit into memory.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

import numpy as np

from vcd import Engine, Track, VideoDescriptor
from vcd.descriptors.faster import FASTER_VIEW
from vcd.records import Health

_RATES = {"visual": 2, "audio": 4}
_WINDOW = {"visual": 0.5, "audio": 2.0}
_SHORT = 6


def _video(engine: Engine, minutes: float, seed: int, source: VideoDescriptor | None):
    """Return a made video; of a query, also the places where it copies the source."""
    rng = np.random.default_rng(seed)
    places = [
        (start, int(rng.integers(8, 41)), int(rng.integers(0, minutes * 60 - 60)))
        for start in range(30, int(minutes * 60) - 60, 120)
    ]
    tracks = []
    for stream, info in engine.models.items():
        rate = _RATES[stream]
        n = int(minutes * 60 * rate)
        scenes = np.cumsum(rng.random(n) < 0.2 / rate * 2)
        rows = rng.standard_normal((scenes[-1] + 1, info.dimensions))[scenes]
        rows += 0.8 * rng.standard_normal(rows.shape)
        if source is not None:
            vectors = source.tracks[stream].vectors * np.sqrt(info.dimensions)
            for start, length, ref in places:
                part = vectors[ref * rate : (ref + length) * rate]
                rows[start * rate : start * rate + len(part)] = part
                rows[start * rate : start * rate + len(part)] += 0.6 * rng.standard_normal(
                    part.shape
                )
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        starts = np.arange(n) / rate
        times = np.stack((starts, starts + _WINDOW[stream]), axis=1)
        ones = np.ones(n, np.float32)
        tracks.append(Track(stream, info.id, times, rows.astype(np.float32), ones))
        if stream == "audio":  # what it would be played faster: unlike the sound as it is
            some = np.arange(n) % 6 < 5
            other = rng.permutation(rows[some]).astype(np.float32)
            tracks.append(Track(stream, info.id, times[some], other, ones[some], FASTER_VIEW))
    video = VideoDescriptor("made", minutes * 60 + 2.0, tracks, Health(1, 1, 0, 0))
    return video, places


def _measure(minutes: float) -> dict[str, float]:
    engine = Engine()
    ref, _ = _video(engine, minutes, 1, None)
    query, places = _video(engine, minutes, 2, ref)
    sides = engine.prepare(query), engine.prepare(ref)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    match = engine.compare(*sides)
    seconds = time.process_time() - start
    segments = match.segments if match else ()
    found = sum(
        any(abs(s.query_start - a) < 2 and abs(s.ref_start - r) < 2 for s in segments)
        for a, _, r in places
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": seconds,
        "more_mb": (peak - before) / 1024,
        "copies": len(places),
        "found": found,
        "segments": len(segments),
    }


def main() -> None:
    """Print one line a length."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(_measure(float(sys.argv[2]))))
        return
    lengths = [float(value) for value in sys.argv[1:]] or [10, 20, 40, 60, 120]
    results = {}
    for minutes in [_SHORT, *lengths]:
        command = [sys.executable, __file__, "--one", str(minutes)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        results[minutes] = json.loads(output)
    print("minutes  CPU s  more MB  copies  found  segments  over the whole matrices")
    for minutes, row in results.items():
        whole = results[_SHORT]["seconds"] * (minutes / _SHORT) ** 2
        print(
            f"{minutes:7g} {row['seconds']:6.1f} {row['more_mb']:8.0f} {row['copies']:7d}"
            f" {row['found']:6d} {row['segments']:9d} {row['seconds'] / whole:10.2f}"
        )


if __name__ == "__main__":
    main()
