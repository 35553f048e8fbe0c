"""A models folder, written: the entries of its manifest, and the files that go with a model."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vcd.descriptors.canonical import CANONICAL_NAME, canonical_text
from vcd.descriptors.manifest import FILE_NAME, load_manifest
from vcd.descriptors.runtime import DescriptorModel
from vcd.encoding import write_whole
from vcd.records import FloatArray

__all__ = ["enter", "model_folder", "write_background", "write_canonical", "write_orientations"]

_BESIDE = ("calibration", "background", "canonical", "orientations")


def model_folder(folder: Path, model_id: str) -> Path:
    """Return where the files of a model lie: ``<folder>/<name>/<version>``."""
    name, _, version = model_id.rpartition("-")
    return folder / name / version


def enter(folder: Path, entry: Mapping[str, Any]) -> None:
    """Enter a model in ``models.json``, which is made where there is none, as default.

    Of an earlier entry of that id the calibration stays; where file and input are the same, also
    its background, canonical rows and orientations.

    Raises
    ------
    ModelError
        The manifest that is there is not valid.
    OutputError
        It cannot be written.
    """
    path = folder / FILE_NAME
    manifest: dict[str, Any] = {"defaults": {}, "models": []}
    if path.is_file():
        load_manifest(folder)
        manifest = json.loads(path.read_text("utf-8"))
    kept = [m for m in manifest["models"] if m["id"] != entry["id"]]
    old: dict[str, Any] = next((m for m in manifest["models"] if m["id"] == entry["id"]), {})
    same = all(old.get(name) == entry[name] for name in ("sha256", "input"))
    stays = _BESIDE if same else ("calibration",)
    new = {**{name: old[name] for name in stays if name in old}, **entry}
    manifest["models"] = sorted([*kept, new], key=lambda m: str(m["id"]))
    manifest["defaults"][entry["stream"]] = entry["id"]
    write_whole(path, (json.dumps(manifest, indent=2) + "\n").encode())


def write_background(folder: Path, model_id: str, vectors: FloatArray) -> str:
    """Write rows of unrelated material, float32 (k, dimensions); return what its entry names."""
    factor = 127 / np.maximum(np.abs(vectors).max(axis=1, keepdims=True), 1e-9)
    out = io.BytesIO()
    np.save(out, np.rint(vectors * factor).astype(np.int8), allow_pickle=False)
    return _written(folder, model_id, "background.npy", out.getvalue())


def write_orientations(folder: Path, model_id: str, maps: FloatArray) -> str:
    """Write maps to other orientations, float32 (k, d + 1, d); return what its entry names."""
    out = io.BytesIO()
    np.save(out, maps.astype(np.float16), allow_pickle=False)
    return _written(folder, model_id, "orientations.npy", out.getvalue())


def write_canonical(folder: Path, model: DescriptorModel) -> str:
    """Write the rows that a model gives now for its canonical inputs; return what its entry names.

    Raises
    ------
    ModelError
        The model cannot be used.
    """
    return _written(folder, model.info.id, CANONICAL_NAME, canonical_text(model).encode())


def _written(folder: Path, model_id: str, name: str, data: bytes) -> str:
    """Write a file of a model; return its path below the models folder."""
    file = model_folder(folder, model_id) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, data)
    return file.relative_to(folder).as_posix()
