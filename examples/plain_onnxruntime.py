"""Describes raw pixels and raw sound with vcd's models and ONNX Runtime alone; needs no vcd.

    python plain_onnxruntime.py ../onnx 128 128 frames.rgb sound.f32 > descriptors.json

frames.rgb holds RGB pixels, one frame after the other, and sound.f32 mono float32 samples at
16 kHz, as FFmpeg writes them:

    ffmpeg -i video.mp4 -r 2 -vf scale=128:128:flags=area -pix_fmt rgb24 -f rawvideo frames.rgb
    ffmpeg -i video.mp4 -ac 1 -ar 16000 -f f32le sound.f32
"""

import json
import sys
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
        self.sessions = {
            stream: onnxruntime.InferenceSession(
                str(folder / info["file"]), providers=["CPUExecutionProvider"]
            )
            for stream, info in self.info.items()
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


def similarity(query, reference):
    """Return the cosine of every row of the query with every row of the reference."""
    return query @ reference.T


def main(models, width, height, frames, sound):
    models = Models(models)
    pixels = np.fromfile(frames, np.uint8).reshape(-1, int(height), int(width), 3)
    found = {
        "visual": models.frames(pixels).tolist(),
        "audio": models.sound(np.fromfile(sound, np.float32)).tolist(),
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
