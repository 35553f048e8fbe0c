"""What an ONNX file of another maker takes and gives: all that its manifest entry says of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vcd.descriptors.canonical import canonical_picture, canonical_sound
from vcd.descriptors.manifest import input_problem
from vcd.descriptors.runtime import open_session
from vcd.errors import ModelError
from vcd.media.decoder import SAMPLE_RATE
from vcd.records import FloatArray, Stream

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["inspect_model"]

_TYPES: dict[Stream, str] = {"visual": "tensor(uint8)", "audio": "tensor(float)"}
_LAYOUTS: dict[Stream, str] = {
    "visual": "uint8 [batch, height, width, 3], RGB",
    "audio": "float32 [batch, samples], mono at 16 kHz",
}
_HOP = 0.25  # seconds, where nobody says otherwise
_ALIKE = 1e-3
_SAME_ROW = 0.9999  # cosine


def inspect_model(
    path: Path,
    stream: Stream,
    *,
    size: tuple[int, int] | None = None,
    window: float | None = None,
    hop: float | None = None,
) -> dict[str, Any]:
    """Load a model, try it, and return `dimensions`, `opset`, the `licence` it names, and `input`.

    What is not given is taken from the graph's own axes, then from its metadata.

    Parameters
    ----------
    path : Path
    stream : {"visual", "audio"}
    size : (int, int), optional
        Height and width in pixels at which pictures are shown to it.
    window, hop : float, optional
        Seconds of sound that a row is about, and from one row to the next.

    Raises
    ------
    ModelError
        The file cannot be loaded, or the model does not fit: it takes another layout or type, or
        gives something else than one row of unit length for each item of a batch.
    """
    session = open_session(path)
    told = session.get_modelmeta().custom_metadata_map
    shape = _input_shape(path, session, stream)
    if stream == "visual":
        height, width = _size(path, shape, size, told)
        inputs: dict[str, float] = {"height": height, "width": width}
        if small := _number(told, "small"):
            inputs["small"] = small
        _check(path, stream, inputs)
        batch: npt.NDArray[Any] = np.stack([canonical_picture(k, height, width) for k in range(3)])
    else:
        inputs = _timing(path, shape, window, hop, told)
        _check(path, stream, inputs)
        length = round(inputs["window"] * SAMPLE_RATE)
        batch = np.stack([canonical_sound(k, length) for k in range(3)])
    rows = _rows(path, session, batch)
    if stream == "audio" and not isinstance(shape[1], int) and _takes_runs(session, inputs):
        inputs["runs"] = 1
    return {
        "dimensions": rows.shape[1],
        "opset": _opset(path),
        "licence": told.get("licence", ""),
        "input": inputs,
    }


def _input_shape(path: Path, session: InferenceSession, stream: Stream) -> list[Any]:
    """Return the axes of the one input, numbers or names, once it is what vcd can give."""
    wanted = f"let the graph take {_LAYOUTS[stream]}, with what it does to them inside"
    ports = session.get_inputs()
    if len(ports) != 1:
        names = ", ".join(port.name for port in ports)
        raise ModelError(f"takes {len(ports)} inputs ({names}), not one", file=path, remedy=wanted)
    shape = list(ports[0].shape)
    if stream == "audio":
        fits = len(shape) == 2
    else:  # an axis without a number may be that of colours, but not beside one of 3
        fits = len(shape) == 4 and (
            shape[3] == 3 or (not isinstance(shape[3], int) and shape[1] != 3)
        )
    if not fits or ports[0].type != _TYPES[stream]:
        kind = ports[0].type.removeprefix("tensor(").removesuffix(")")
        kind = "float32" if kind == "float" else kind
        axes = ", ".join(map(str, shape))
        raise ModelError(f"takes {kind} [{axes}]", file=path, remedy=wanted)
    if isinstance(shape[0], int):
        raise ModelError(
            f"takes batches of {shape[0]} only",
            file=path,
            remedy="export it with a symbolic first axis",
        )
    return shape


def _size(
    path: Path, shape: list[Any], size: tuple[int, int] | None, told: Mapping[str, str]
) -> tuple[int, int]:
    """Return height and width."""
    found = []
    for axis, name in ((1, "height"), (2, "width")):
        own = shape[axis] if isinstance(shape[axis], int) else None
        asked = None if size is None else size[axis - 1]
        if own is not None and asked not in (None, own):
            raise ModelError(f"takes pictures of {name} {own} only, not {asked}", file=path)
        length = own or asked or int(_number(told, name))
        if length < 1:
            raise ModelError(
                "takes pictures of any size, and nothing says which is best",
                file=path,
                remedy="name the size it was trained at: --size WIDTHxHEIGHT",
            )
        found.append(length)
    return found[0], found[1]


def _timing(
    path: Path,
    shape: list[Any],
    window: float | None,
    hop: float | None,
    told: Mapping[str, str],
) -> dict[str, float]:
    """Return sample rate, window and hop."""
    rate = _number(told, "sample_rate") or SAMPLE_RATE
    if rate != SAMPLE_RATE:
        raise ModelError(
            f"takes sound at {rate:g} Hz; vcd gives {SAMPLE_RATE}",
            file=path,
            remedy="let the graph resample",
        )
    own = shape[1] / SAMPLE_RATE if isinstance(shape[1], int) else None
    if own is not None and window is not None and not math.isclose(own, window):
        raise ModelError(f"takes windows of {own:g} s only, not {window:g}", file=path)
    window = own or window or _number(told, "window")
    if not window:
        raise ModelError(
            "takes sound of any length, and nothing says how much of it a row is about",
            file=path,
            remedy="name the seconds: --window SECONDS",
        )
    hop = hop or _number(told, "hop") or min(_HOP, window)
    if hop > window:
        raise ModelError(
            f"a hop of {hop:g} s leaves out sound between windows of {window:g} s",
            file=path,
            remedy="name a shorter one: --hop SECONDS",
        )
    return {"sample_rate": SAMPLE_RATE, "window": window, "hop": hop}


def _check(path: Path, stream: Stream, inputs: Mapping[str, float]) -> None:
    """Refuse an input that vcd cannot give, before it is made."""
    if problem := input_problem(stream, inputs):
        options = "--size" if stream == "visual" else "--window and --hop"
        raise ModelError(problem, file=path, remedy=f"name what it was trained at: {options}")


def _number(told: Mapping[str, str], name: str) -> float:
    """Return a number of the metadata, 0 where there is none."""
    try:
        number = float(told.get(name, 0))
    except ValueError:
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


def _rows(path: Path, session: InferenceSession, batch: npt.NDArray[Any]) -> FloatArray:
    """Return the rows of a batch, once they are what a descriptor must be."""
    try:
        together = _run(session, batch)
        alone = [_run(session, one[None]) for one in batch]
    except Exception as error:  # onnxruntime raises its own classes, all plain exceptions
        shape = "x".join(map(str, batch.shape[1:]))
        raise ModelError(
            f"fails on a batch of {shape} ({error})",
            file=path,
            remedy="check the size or window that it was trained for",
        ) from error
    if together.ndim != 2 or len(together) != len(batch) or together.shape[1] < 2:
        raise ModelError(
            f"gives shape {together.shape} for a batch of {len(batch)}, not a row for each",
            file=path,
            remedy="let its first output be float32 [batch, dimensions]",
        )
    lengths = np.linalg.norm(together, axis=1)
    if not np.allclose(lengths, 1, atol=_ALIKE):  # also where one is no number
        raise ModelError(
            f"gives rows of length {lengths.min():.3g} to {lengths.max():.3g}, not unit rows",
            file=path,
            remedy="end the graph with a division by the length (LpNormalization)",
        )
    apart = np.abs(together - np.concatenate(alone)).max()
    if apart > _ALIKE:
        raise ModelError(
            f"gives an item in a batch another row than alone (they differ by {apart:.2g})",
            file=path,
            remedy="export it for inference, without batch statistics or dynamic quantisation",
        )
    cosines = together @ together.T
    if cosines.min() > _SAME_ROW:
        raise ModelError(
            "gives the same row whatever it is shown",
            file=path,
            remedy="check the range it takes: grey levels 0 to 255, samples -1 to 1",
        )
    return together


def _takes_runs(session: InferenceSession, inputs: Mapping[str, float]) -> bool:
    """Whether a longer row of sound gives the rows of each of its windows."""
    window, hop = (round(inputs[name] * SAMPLE_RATE) for name in ("window", "hop"))
    sound = canonical_sound(3, window + 2 * hop)
    windows = np.lib.stride_tricks.sliding_window_view(sound, window)[::hop]
    try:
        run, rows = _run(session, sound[None]), _run(session, windows)
    except Exception:  # onnxruntime raises its own classes, all plain exceptions
        return False
    return run.shape == rows.shape and bool(np.abs(run - rows).max() <= _ALIKE)


def _run(session: InferenceSession, batch: npt.NDArray[Any]) -> FloatArray:
    name = session.get_inputs()[0].name
    return np.asarray(session.run(None, {name: np.ascontiguousarray(batch)})[0], np.float32)


def _opset(path: Path) -> int:
    """Return the version of ONNX's own operators, 0 where the file does not say.

    ONNX Runtime does not tell it, and the package `onnx` is no part of vcd: of the file, a protobuf
    message, field 8 holds a domain (1) and its version (2), once for each.
    """
    with suppress(IndexError):  # of another format that ONNX Runtime reads
        for number, value in _fields(path.read_bytes()):
            imported = dict(_fields(value)) if number == 8 and isinstance(value, bytes) else {}
            if imported.get(1, b"") in (b"", b"ai.onnx"):
                version = imported.get(2)
                if isinstance(version, int):
                    return version
    return 0


def _fields(message: bytes) -> list[tuple[int, bytes | int]]:
    """Return number and value of every field of a protobuf message."""
    fields: list[tuple[int, bytes | int]] = []
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        number, wire = divmod(varint(), 8)
        if wire == 0:
            fields.append((number, varint()))
        else:
            length = {1: 8, 5: 4}.get(wire) or varint()
            fields.append((number, message[at : at + length]))
            at += length
    return fields
