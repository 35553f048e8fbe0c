"""The models vcd knows: `models.json` as frozen records, and where the files are found."""

from __future__ import annotations

import hashlib
import importlib.resources
import importlib.util
import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vcd.errors import ModelChecksumError, ModelError, ModelNotFoundError, PathLike
from vcd.media.decoder import SAMPLE_RATE
from vcd.records import STREAMS, Stream

__all__ = [
    "Manifest",
    "ModelInfo",
    "RefinerInfo",
    "input_problem",
    "load_manifest",
    "models_folder",
    "package_folder",
]

FILE_NAME = "models.json"
ENVIRONMENT = "VCD_MODELS"
_AGAIN = "install vcd-engine again"
_SEE = "see onnx/README.md"
_PIXELS = (8, 9999)
_SECONDS = (0.01, 3600)
# What the input of a model tells, and between which numbers.
_INPUT: dict[Stream, dict[str, tuple[float, float]]] = {
    "visual": {"height": _PIXELS, "width": _PIXELS, "small": _PIXELS},
    "audio": {
        "sample_rate": (SAMPLE_RATE, SAMPLE_RATE),
        "window": _SECONDS,
        "hop": _SECONDS,
    },
}
_MAY_LACK = ("small",)
_TEXTS = ("sha256", "licence", "package", "install", "background", "canonical", "orientations")
_POINT = ("threshold", "precision", "recall", "false_alarms_per_10000_pairs")


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One entry of the manifest.

    Parameters
    ----------
    id : str
        ``<name>-<version>``; descriptors of different ids are never compared.
    file : str
        Path of the ONNX file below the models folder, or inside `package`.
    sha256, licence : str
    bytes : int
    stream : {"visual", "audio"}
    dimensions : int
        Length of a descriptor.
    opset : int
    input : mapping
        visual: `height`, `width` in pixels, 8 to 9999; and `small`, pixels a side, where pictures
        with no side above that are described at that size. audio: `sample_rate` in Hz, 16000;
        `window` and `hop` in seconds, 0.01 to 3600; and `runs` 1 where the model takes several
        windows as one run of samples.
    package : str
        Python package that brings the file; "" for our own models folder.
    install : str
        How to get the package.
    background : str
        Path of the background descriptors below the models folder; "" where there are none.
    canonical : str
        Path of the canonical rows below the models folder, by which `vcd models verify` and hosts
        of the model are checked; "" where there are none.
    orientations : str
        Path of the maps to descriptors of the mirrored and the turned picture below the models
        folder (`vcd.descriptors.load_orientations`); "" where there are none.
    calibration : mapping
        How probable segments found by this model are: `weights` and `intercept` of
        `vcd.localization.Confidence`, and for `still` pictures `slope` and `intercept` of
        `vcd.detection.Calibration`.

    Raises
    ------
    ModelError
        One of these is something else.
    """

    id: str
    file: str
    sha256: str
    bytes: int
    stream: Stream
    dimensions: int
    opset: int
    licence: str
    input: Mapping[str, float]
    folder: Path
    package: str = ""
    install: str = ""
    background: str = ""
    canonical: str = ""
    orientations: str = ""
    calibration: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]+-[0-9]+", self.id):
            raise ModelError(f"model id {self.id!r} is not of the form <name>-<version>")
        if self.stream not in STREAMS:
            raise ModelError(f"model {self.id}: stream {self.stream!r} is not one of {STREAMS}")
        _check_types(self.id, self, texts=_TEXTS, counts=("bytes", "dimensions", "opset"))
        for name in ("input", "calibration"):
            if not isinstance(getattr(self, name), Mapping):
                raise ModelError(f"model {self.id}: {name} is no object", remedy=_SEE)
        if problem := input_problem(self.stream, self.input):
            raise ModelError(f"model {self.id}: {problem}", remedy=_SEE)
        object.__setattr__(self, "input", MappingProxyType(dict(self.input)))
        object.__setattr__(self, "calibration", MappingProxyType(dict(self.calibration)))

    @property
    def path(self) -> Path:
        """Where the ONNX file lies.

        Raises
        ------
        ModelNotFoundError
            The package that brings it is not installed, or the file is not there.
        """
        folder = self.folder
        if self.package:
            found = package_folder(self.package)
            if found is None:
                raise ModelNotFoundError(
                    f"model {self.id} comes with the package {self.package}, which is missing",
                    remedy=self.install,
                )
            folder = found
        path = folder / self.file
        if not path.is_file():
            raise ModelNotFoundError(
                f"the file of model {self.id} is missing",
                file=path,
                remedy="install vcd-engine again, or name another models folder with "
                f"{ENVIRONMENT}",
            )
        return path

    def verify(self) -> Path:
        """Return the path after checking the file's sha256.

        Raises
        ------
        ModelNotFoundError, ModelChecksumError
        """
        return _verified(self.path, self.id, self.sha256, self.install or _AGAIN)


@dataclass(frozen=True, slots=True)
class RefinerInfo:
    """The entry of the refiner: `id`, `file` below the models folder, and what it should hold."""

    id: str
    file: str
    sha256: str
    bytes: int
    opset: int
    licence: str
    folder: Path

    def __post_init__(self) -> None:
        _check_types("the refiner", self, texts=("id", "sha256", "licence"), counts=("bytes",))

    @property
    def path(self) -> Path:
        """Where the ONNX file lies.

        Raises
        ------
        ModelNotFoundError
        """
        path = self.folder / self.file
        if not path.is_file():
            raise ModelNotFoundError(f"the file of {self.id} is missing", file=path, remedy=_AGAIN)
        return path

    def verify(self) -> Path:
        """Return the path after checking the file's sha256.

        Raises
        ------
        ModelNotFoundError, ModelChecksumError
        """
        return _verified(self.path, self.id, self.sha256, _AGAIN)


def _check_types(
    owner: str, entry: ModelInfo | RefinerInfo, *, texts: Iterable[str], counts: Iterable[str]
) -> None:
    """Refuse an entry of which something is no text, or no whole number."""
    for kind, told, names in ((str, "text", ("file", *texts)), (int, "whole number", counts)):
        for name in names:
            value = getattr(entry, name)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise ModelError(f"{owner}: {name} {value!r} is no {told}", remedy=_SEE)
    if not entry.file:
        raise ModelError(f"{owner}: no file is named", remedy=_SEE)


def input_problem(stream: Stream, given: Mapping[str, Any]) -> str:
    """Return what is wrong with the input of a model; "" where nothing is."""
    for name, (least, most) in _INPUT[stream].items():
        value = given.get(name)
        if value is None and name in _MAY_LACK:
            continue
        if value is None:
            return f"its input has no {name}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{name} of its input is {value!r}, no number"
        if not least <= value <= most:
            wanted = f"{least:g} to {most:g}" if least < most else f"{least:g}"
            return f"{name} of its input is {value}, not {wanted}"
    return ""


def _verified(path: Path, name: str, sha256: str, remedy: str) -> Path:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", file=path) from error
    if found != sha256:
        raise ModelChecksumError(
            f"is not the file of model {name}: sha256 {found[:12]}..., expected {sha256[:12]}...",
            file=path,
            remedy=remedy,
        )
    return path


def package_folder(package: str) -> Path | None:
    """Return where an installed package lies; None where there is none of that name."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # of a parent that is not there, or no name at all
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


@dataclass(frozen=True, slots=True)
class Manifest:
    """All models of one folder, and which of them is the default of its stream.

    `fusion` holds the calibration of picture and sound fused, by ``"<visual id>+<audio id>"``;
    `operating_points`, by the same or one id alone, the `threshold` of each name, and the
    `precision`, `recall` and `false_alarms_per_10000_pairs` that were measured there; `refiner` is
    the network that looks for copies in matrices, where there is one.
    """

    folder: Path
    models: tuple[ModelInfo, ...]
    defaults: Mapping[Stream, str]
    fusion: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    operating_points: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    refiner: RefinerInfo | None = None

    def threshold(self, models: Iterable[ModelInfo], name: str) -> float:
        """Return the threshold of a named operating point of models that are used together.

        Raises
        ------
        ModelError
            None was measured for these models, or it has another name.
        """
        models = tuple(models)
        point = self.operating_point(models, name)
        if point is None:
            pair = "+".join(model.id for model in models)
            points = self.operating_points.get(pair, {})
            known = ", ".join(points) or f"none was measured for {pair}"
            raise ModelError(
                f"there is no operating point {name!r}",
                remedy=f"name a probability, or one of these: {known}",
            )
        return float(point["threshold"])

    def operating_point(self, models: Iterable[ModelInfo], name: str) -> Mapping[str, float] | None:
        """Return what was measured at a named operating point of models; None where nothing was."""
        pair = "+".join(model.id for model in models)
        return self.operating_points.get(pair, {}).get(name)

    def get(self, name: str) -> ModelInfo:
        """Return a model by id (``visual-8``) or by name alone (``visual``: newest version).

        Raises
        ------
        ModelNotFoundError
            There is no such model; the message lists those there are.
        """
        named = [m for m in self.models if name in (m.id, m.id.rpartition("-")[0])]
        if not named:
            known = ", ".join(m.id for m in self.models) or "none"
            raise ModelNotFoundError(f"there is no model {name!r}", remedy=f"known models: {known}")
        return max(named, key=lambda m: int(m.id.rpartition("-")[2]))

    def default(self, stream: Stream) -> ModelInfo:
        """Return the default model of a stream."""
        if stream not in self.defaults:
            raise ModelNotFoundError(
                f"there is no default {stream} model", file=self.folder / FILE_NAME
            )
        return self.get(self.defaults[stream])


def models_folder(folder: PathLike | None = None) -> Path:
    """Return the folder of `models.json`.

    In order: the argument, the environment variable ``VCD_MODELS``, the installed package
    `vcd_models`, the folder ``onnx/`` of a checkout.

    Raises
    ------
    ModelNotFoundError
        None of these holds a manifest.
    """
    chosen = folder or os.environ.get(ENVIRONMENT)
    if chosen:
        candidates = [Path(os.fsdecode(chosen))]
    else:
        candidates = [Path(__file__).resolve().parents[2] / "onnx"]
        # Neither error is rare: a checkout has no such package, an editable install no such folder.
        with suppress(ModuleNotFoundError, NotADirectoryError):
            candidates.insert(0, Path(str(importlib.resources.files("vcd_models"))))
    for candidate in candidates:
        if (candidate / FILE_NAME).is_file():
            return candidate
    raise ModelNotFoundError(
        f"there is no {FILE_NAME}",
        file=candidates[0],
        remedy=f"install vcd-engine again, or set {ENVIRONMENT} to a models folder",
    )


def load_manifest(folder: PathLike | None = None) -> Manifest:
    """Read `models.json`.

    Raises
    ------
    ModelNotFoundError
        There is none.
    ModelError
        It is not valid.
    """
    root = models_folder(folder)
    path = root / FILE_NAME
    try:
        data = json.loads(path.read_text("utf-8"))
        models = tuple(ModelInfo(**entry, folder=root) for entry in data["models"])
        refiner = data.get("refiner")
        return Manifest(
            folder=root,
            refiner=None if refiner is None else RefinerInfo(**refiner, folder=root),
            models=models,
            defaults=dict(data["defaults"]),
            fusion=dict(data.get("fusion", {})),
            operating_points={
                ids: {name: _point(point) for name, point in points.items()}
                for ids, points in data.get("operating_points", {}).items()
            },
        )
    except ModelError as error:
        raise ModelError(error.problem, file=path, remedy=error.remedy) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"is not a valid model manifest ({error})", file=path, remedy=_SEE
        ) from error


def _point(values: Mapping[str, Any]) -> dict[str, float]:
    point = {name: float(values[name]) for name in _POINT}
    if not 0 <= point["threshold"] <= 1:
        raise ValueError(f"a threshold of {point['threshold']} is no probability")
    return point
