"""Canonical rows: what a model gives for inputs that anyone can make, so that a host is checked."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from vcd.descriptors.manifest import ModelInfo
from vcd.descriptors.runtime import DescriptorModel
from vcd.errors import ModelError
from vcd.records import FloatArray, Stream

__all__ = [
    "CANONICAL_NAME",
    "canonical_inputs",
    "canonical_picture",
    "canonical_sound",
    "canonical_text",
    "check_canonical",
    "read_canonical",
]

CANONICAL_NAME = "canonical.json"
_TOLERANCE = 1e-3
_FIRST = 6  # values of an input that a person can compare by eye
_INPUTS = 5
_AGAIN = "install vcd-engine again, or enter the model again"
_FORMULAS: dict[Stream, str] = {
    "visual": "All numbers are whole, // rounds down. Input k is a picture; in row y, column x and "
    "channel c (0 red, 1 green, 2 blue), u = x // (6 + 5 k), v = y // (21 - 4 k), "
    "t = (37 u u + 59 v v + (11 + k) u v + 83 c (u + v) + x + 2 y) modulo 512, "
    "and the value is the smaller of t and 511 - t. Bytes by row, column, channel.",
    "audio": "All numbers are whole, // rounds down. Input k is a sound; of sample i, "
    "t = (i i (k + 1) // 16) modulo 65536, and the sample is (the smaller of t and 65535 - t) "
    "- 16384, divided by 32768 as float32. i i (k + 1) exceeds 32 bits.",
}
_CHECKSUM = (
    "Adler-32 of the input's bytes (float32: little-endian): a = 1, b = 0; for each byte "
    "a = (a + byte) modulo 65521, b = (b + a) modulo 65521; the checksum is 65536 b + a."
)


def canonical_picture(k: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return picture `k` in [0, 5), uint8 (height, width, 3): tiles of many colours, shaded."""
    y, x, c = np.ogrid[:height, :width, :3]
    u, v = x // (6 + 5 * k), y // (21 - 4 * k)
    t = (37 * u * u + 59 * v * v + (11 + k) * u * v + 83 * c * (u + v) + x + 2 * y) % 512
    return np.asarray(np.minimum(t, 511 - t), np.uint8)


def canonical_sound(k: int, length: int) -> FloatArray:
    """Return sound `k`, float32 (length,): a rising triangle wave in [-0.5, 0.5)."""
    i = np.arange(length, dtype=np.int64)
    t = i * i * (k + 1) // 16 % 65536
    return np.asarray((np.minimum(t, 65535 - t) - 16384) / 32768, np.float32)


def canonical_inputs(info: ModelInfo) -> list[npt.NDArray[Any]]:
    """Return the inputs of a model, each a batch of one.

    Four of the size that the model works at, or three and one of its smaller size; and one of
    another: a wider picture, or, where the model takes runs of sound, one of three windows.
    """
    given = info.input
    last = _INPUTS - 1
    if info.stream == "visual":
        height, width = int(given["height"]), int(given["width"])
        sizes = [(height, width)] * last + [(height * 3 // 4, width * 5 // 4)]
        if small := int(given.get("small", 0)):
            sizes[last - 1] = small, small
        return [canonical_picture(k, *size)[None] for k, size in enumerate(sizes)]
    rate, window, hop = given["sample_rate"], given["window"], given["hop"]
    further = 2 * hop if given.get("runs") else 0
    lengths = [window] * last + [window + further]
    return [canonical_sound(k, round(length * rate))[None] for k, length in enumerate(lengths)]


def canonical_text(model: DescriptorModel) -> str:
    """Return what a model's file of canonical rows holds, as JSON: the rows it gives now.

    Raises
    ------
    ModelError
        The model cannot be used.
    """
    info = model.info
    batches = canonical_inputs(info)
    facts = {
        "model": info.id,
        "formula": _FORMULAS[info.stream],
        "checksum": _CHECKSUM,
        "type": str(batches[0].dtype),
        "tolerance": _TOLERANCE,
    }
    inputs = [
        json.dumps(
            _described(k, batch)
            | {
                "first": batch.ravel()[:_FIRST].tolist(),
                "rows": model(batch).astype(np.float64).round(6).tolist(),
            }
        )
        for k, batch in enumerate(batches)
    ]
    head = json.dumps(facts, indent=2).removesuffix("\n}")
    return head + ',\n  "inputs": [\n    ' + ",\n    ".join(inputs) + "\n  ]\n}\n"


def read_canonical(info: ModelInfo) -> list[FloatArray]:
    """Return the rows that a model must give for each of its canonical inputs.

    Returns
    -------
    list of ndarray of float32, shape (windows, dimensions)

    Raises
    ------
    ModelError
        The file is missing, damaged or of other inputs.
    """
    path = info.folder / info.canonical
    try:
        entries = json.loads(path.read_text("utf-8"))["inputs"]
        listed = [{name: entry[name] for name in _NAMES} for entry in entries]
        rows = [np.array(entry["rows"], np.float32) for entry in entries]
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
        raise ModelError(
            f"the canonical rows of model {info.id} cannot be read ({error})",
            file=path,
            remedy=_AGAIN,
        ) from error
    if listed != [_described(k, batch) for k, batch in enumerate(canonical_inputs(info))]:
        raise ModelError(
            f"the canonical rows of model {info.id} are those of other inputs",
            file=path,
            remedy=_AGAIN,
        )
    return rows


def check_canonical(model: DescriptorModel) -> int:
    """Compare a model with its canonical rows; return how many there are, 0 where it brings none.

    Raises
    ------
    ModelError
        The file is missing, damaged or of other inputs, or the model gives other rows.
    """
    info = model.info
    if not info.canonical:
        return 0
    expected = read_canonical(info)
    for k, (batch, rows) in enumerate(zip(canonical_inputs(info), expected, strict=True)):
        found = model(batch)
        apart = np.abs(found - rows).max() if rows.shape == found.shape else np.inf
        if not apart <= _TOLERANCE:
            raise ModelError(
                f"model {info.id} gives other rows than its canonical ones: for input {k} they "
                f"differ by {apart:.2g}, allowed is {_TOLERANCE:g}",
                file=info.folder / info.canonical,
                remedy="its file and this one are not of one model, or this machine's ONNX "
                "Runtime computes wrongly: try another version",
            )
    return sum(map(len, expected))


_NAMES = ("k", "shape", "adler32")


def _described(k: int, batch: npt.NDArray[Any]) -> dict[str, Any]:
    """Return what a file says of an input, by which it is known again."""
    little = batch.astype(batch.dtype.newbyteorder("<"), copy=False)
    return {"k": k, "shape": list(batch.shape), "adler32": zlib.adler32(little.tobytes())}
