"""Records made for tests: seeded tracks and descriptors."""

import numpy as np

from vcd.records import Health, Track, VideoDescriptor


def unit_rows(rng, n, d):
    """Return n random unit rows of d numbers, float32."""
    rows = rng.standard_normal((n, d)).astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def grid(n, step=0.5, start=0.0):
    """Return n intervals of equal length one after the other."""
    edges = start + step * np.arange(n + 1, dtype=np.float64)
    return np.stack([edges[:-1], edges[1:]], axis=1)


def make_track(n=10, d=16, *, stream="visual", model="made-1", seed=0, step=0.5, **changes):
    rng = np.random.default_rng(seed)
    values = {
        "stream": stream,
        "model": model,
        "times": grid(n, step),
        "vectors": unit_rows(rng, n, d),
        "weight": np.ones(n, np.float32),
    }
    return Track(**(values | changes))


def make_descriptor(video_id="video", *, n=10, seed=0, streams=("visual", "audio"), **changes):
    tracks = [make_track(n, stream=s, seed=seed + i) for i, s in enumerate(streams)]
    values = {
        "video_id": video_id,
        "duration": n * 0.5,
        "tracks": tracks,
        "health": Health(n, n, 0, 0, ("a warning",)),
    }
    return VideoDescriptor(**(values | changes))
