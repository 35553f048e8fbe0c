"""Describes raw pixels and raw sound with vcd's models and ONNX Runtime alone; needs no vcd.

    python plain_onnxruntime.py ../onnx 128 128 frames.rgb sound.f32 > descriptors.json
    python plain_onnxruntime.py ../onnx 128 128 frames.rgb sound.f32 other.rgb other.f32 > both.json
    python plain_onnxruntime.py ../onnx  # are the rows of this host the right ones? (1 if not)

With a second video, also the matrices of both: by how much each cell exceeds chance ("excess"), and
how probably a copy runs through it ("copied").

frames.rgb holds RGB pixels, one frame after the other, and sound.f32 mono float32 samples at
16 kHz, as FFmpeg writes them:

    ffmpeg -i video.mp4 -r 2 -vf scale=128:128:flags=area -pix_fmt rgb24 -f rawvideo frames.rgb
    ffmpeg -i video.mp4 -ac 1 -ar 16000 -f f32le sound.f32
"""

import json
import sys
import zlib
from pathlib import Path

import numpy as np
import onnxruntime


class Models:
    """The default models of the folder `onnx`, each with its entry of models.json."""

    def __init__(self, folder):
        folder = Path(folder)
        manifest = json.loads((folder / "models.json").read_text("utf-8"))
        self.info = {
            m["stream"]: m for m in manifest["models"] if m["id"] in manifest["defaults"].values()
        }
        self.sessions = {stream: session(folder, info) for stream, info in self.info.items()}
        self.refiner = session(folder, manifest["refiner"]) if "refiner" in manifest else None
        self.background = {
            stream: unit(np.load(folder / info["background"]))
            for stream, info in self.info.items()
            if info.get("background")
        }

    def frames(self, pixels):
        """Return float32 (n, 256) of uint8 pixels (n, height, width, 3), RGB, of any size."""
        return self.sessions["visual"].run(["descriptor"], {"frames": pixels})[0]

    def sound(self, samples):
        """Return float32 (n, 128), one row every quarter second, of float32 samples at 16 kHz."""
        given = self.info["audio"]["input"]
        window = round(given["window"] * given["sample_rate"])
        hop = round(given["hop"] * given["sample_rate"])
        samples = np.pad(samples, (0, max(0, window - len(samples))))
        windows = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
        return self.sessions["audio"].run(["descriptor"], {"samples": windows.copy()})[0]

    def excess(self, stream, query, reference):
        """Return by how much each cell exceeds what unrelated material reaches there, (n, m).

        0 is chance and 1 full evidence. Of the rows (n, d) and (m, d) of both videos; leave out
        black frames and silence first.
        """
        mean_q, level_q = chance(query, self.background[stream])
        mean_r, level_r = chance(reference, self.background[stream])
        mean = (mean_q[:, None] + mean_r) / 2
        values = (similarity(query, reference) - mean) / (1 - mean)
        # The matrix tells, too: two videos of one studio resemble each other throughout.
        step = max(1, round((values.size / 250_000) ** 0.5))  # some cells of many will do
        some = values[::step, ::step]
        row, column = median(values[:, ::step], axis=1), median(values[::step], axis=0)
        own = np.minimum(row + column - median(some), np.maximum(row, column))
        own += np.maximum(1.4826 * median(abs(some - own[::step, ::step])), 0.03)
        level = (level_q[:, None] + level_r) / 2
        shorter = min(values.shape)
        level += np.maximum(own - level, 0) * shorter / (shorter + 25)
        return (values - level) / 0.3

    def copied(self, excess):
        """Return how probably a copy runs through each cell; None where there is no refiner."""
        if self.refiner is None:
            return None
        return self.refiner.run(["copied"], {"excess": excess.astype(np.float32)})[0]


def session(folder, info):
    """Return a model of the folder, ready to run."""
    return onnxruntime.InferenceSession(
        str(folder / info["file"]), providers=["CPUExecutionProvider"]
    )


def unit(rows):
    """Return rows of int8 as float32 rows of unit length."""
    rows = rows.astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def similarity(query, reference):
    """Return the cosine of every row of the query with every row of the reference."""
    return query @ reference.T


def chance(descriptors, background):
    """Return the mean of each row's cosines with unrelated material, and the level of its best.

    Of more than a thousand rows the best reach higher: that is taken off.
    """
    cosines = similarity(descriptors, background)
    rows, dimensions = background.shape
    mean = np.clip(cosines.mean(axis=1), -0.9, 0.9)
    best = np.sort(cosines, axis=1)[:, -10:].mean(axis=1)
    best -= 0.56 * np.log(max(rows, 1000) / 1000) / np.sqrt(dimensions)
    return mean, (best - mean) / (1 - mean)


def median(values, axis=None):
    """Return the median, of two in the middle the lower one."""
    return np.quantile(values, 0.5, axis=axis, method="lower", keepdims=True)


def canonical_picture(k, height, width):
    """Return the picture of canonical.json: uint8 (1, height, width, 3)."""
    y, x, c = np.ogrid[:height, :width, :3]
    u, v = x // (6 + 5 * k), y // (21 - 4 * k)
    t = (37 * u * u + 59 * v * v + (11 + k) * u * v + 83 * c * (u + v) + x + 2 * y) % 512
    return np.minimum(t, 511 - t).astype(np.uint8)[None]


def canonical_sound(k, length):
    """Return the sound of canonical.json: float32 (length,)."""
    i = np.arange(length, dtype=np.int64)
    t = i * i * (k + 1) // 16 % 65536
    return ((np.minimum(t, 65535 - t) - 16384) / 32768).astype("<f4")


def check(folder, models):
    """Return by how much rows of this host differ from the canonical ones, by model.

    None of a model that brings no canonical rows.
    """
    apart = {}
    for stream, info in models.info.items():
        if not info.get("canonical"):
            apart[info["id"]] = None
            continue
        canonical = json.loads((folder / info["canonical"]).read_text("utf-8"))
        differences = []
        for one in canonical["inputs"]:
            made = canonical_picture if stream == "visual" else canonical_sound
            made = made(one["k"], *(one["shape"][1:3]))
            if zlib.adler32(made.tobytes()) != one["adler32"]:
                raise SystemExit(f"input {one['k']} of {info['id']} is not made by the formula")
            rows = models.frames(made) if stream == "visual" else models.sound(made)
            differences.append(abs(rows - one["rows"]).max())
        apart[info["id"]] = float(np.max(differences))
    return apart


def main(folder, width=None, height=None, *files):
    models = Models(folder)
    if not files:
        wrong = False
        for name, apart in check(Path(folder), models).items():
            if apart is None:
                print(f"{name}: brings no canonical rows")
            elif apart < 1e-3:
                print(f"{name}: canonical rows to {apart:.1g}")
            else:  # also where it is no number
                print(f"{name}: canonical rows to {apart:.1g} - WRONG")
                wrong = True
        sys.exit(wrong)
    videos = [
        {
            "visual": models.frames(
                np.fromfile(frames, np.uint8).reshape(-1, int(height), int(width), 3)
            ),
            "audio": models.sound(np.fromfile(sound, np.float32)),
        }
        for frames, sound in zip(files[::2], files[1::2], strict=True)
    ]
    found = dict(videos[0])
    if len(videos) > 1:
        query, reference = videos
        found["excess"] = {s: models.excess(s, query[s], reference[s]) for s in query}
        found["copied"] = {s: models.copied(cells) for s, cells in found["excess"].items()}
    json.dump(found, sys.stdout, default=np.ndarray.tolist)


if __name__ == "__main__":
    main(*sys.argv[1:])
