"""A model of one's own becomes one of a models folder, with its background."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from vcd.descriptors.describe import DescribeSettings, describe_file
from vcd.descriptors.entries import enter, model_folder, write_background
from vcd.descriptors.inspection import inspect_model
from vcd.descriptors.manifest import (
    FILE_NAME,
    Manifest,
    ModelInfo,
    load_manifest,
    models_folder,
    package_folder,
)
from vcd.descriptors.runtime import DescriptorModel, open_session
from vcd.encoding import write_whole
from vcd.errors import MediaError, ModelError, OutputError
from vcd.media import Limits, find_media, get_decoder
from vcd.records import FloatArray, Stream

__all__ = ["add_model"]

_OF_A_FILE = 20  # rows, so that one long video is not most of what is unrelated
_MOST = 4000  # rows
_LEAST = 50  # rows: of ten of fewer the best tell nothing about chance


def add_model(
    path: Path,
    folder: Path,
    *,
    model_id: str,
    stream: Stream,
    package: str = "",
    size: tuple[int, int] | None = None,
    window: float | None = None,
    hop: float | None = None,
    licence: str = "",
    background: Iterable[Path] = (),
    on_error: Callable[[MediaError], None] | None = None,
    on_file: Callable[[int, int], None] | None = None,
) -> ModelInfo:
    """Enter an ONNX file in a models folder, as default of its stream.

    Nothing is written before the model was tried and its background described.

    Parameters
    ----------
    path : Path
        The file, which is copied; with `package`, its path inside that installed package, where it
        stays.
    folder : Path
        The models folder. One that is not there yet, or empty, begins as a copy of the models in
        use.
    model_id : str
        ``<name>-<version>``.
    size, window, hop
        See `inspect_model`.
    licence : str
        For people; by default what the file's metadata say.
    background : iterable of Path
        Unrelated pictures, videos or sounds, and folders of these; none leaves the model without a
        background.
    on_error : callable, optional
        Called with the error of each of these that cannot be used.
    on_file : callable, optional
        Called after each with how many of how many are done.

    Raises
    ------
    ModelError
        The model does not fit, another one has its id or that id with other inputs, the folder
        holds something else, or the background is too small.
    OutputError
        The folder cannot be written.
    """
    path, data = _file(path, package)
    if not package:
        _check_whole(path, data)
    facts = inspect_model(path, stream, size=size, window=window, hop=hop)
    entry: dict[str, Any] = {
        "id": model_id,
        "file": "",
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "stream": stream,
        **facts,
        "licence": licence or facts["licence"],
    }
    # As it lies there now; the id is checked by this, too.
    info = ModelInfo(**entry | {"file": path.name}, folder=path.parent)
    known = _known(folder, info)
    if not entry["licence"]:
        entry["licence"] = known.licence if known else "not told"
    rows = _unrelated(info, background, on_error, on_file)
    try:
        with _prepared(folder) as place:
            if package:
                root = _package_folder(package)
                entry |= {"file": path.relative_to(root).as_posix(), "package": package}
                told = known.install if known else ""
                entry["install"] = told or f"pip install {_distribution(package)}"
            else:
                copy = model_folder(place, model_id) / "model.onnx"
                copy.parent.mkdir(parents=True, exist_ok=True)
                write_whole(copy, data)
                entry["file"] = copy.relative_to(place).as_posix()
            if rows is not None:
                entry["background"] = write_background(place, model_id, rows)
            enter(place, entry)  # last, and at once
    except OutputError as error:  # of a file that is not in its place yet
        raise OutputError(error.problem, file=folder, remedy=error.remedy) from error
    except OSError as error:
        raise OutputError(
            f"the models folder cannot be written ({error.strerror or error})",
            file=folder,
            remedy="choose another place",
        ) from error
    return load_manifest(folder).get(model_id)


def _file(path: Path, package: str) -> tuple[Path, bytes]:
    """Return where the model lies, and its bytes."""
    if package:
        if path.is_absolute() or ".." in path.parts:
            raise ModelError(
                f"is no path inside the package {package}",
                file=path,
                remedy="name it from that package's folder on, such as model.onnx",
            )
        path = _package_folder(package) / path
    try:
        return path, path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot be read ({error.strerror or error})",
            file=path,
            remedy=f"name a file inside {package}" if package else "check the path",
        ) from error


def _check_whole(path: Path, data: bytes) -> None:
    """Refuse a file that can be loaded only beside others, which a copy would not be."""
    open_session(path)
    # From memory it would be loaded with what lies in the current folder.
    with tempfile.TemporaryDirectory(prefix="vcd-") as empty:
        alone = Path(empty) / "model.onnx"
        alone.write_bytes(data)
        try:
            open_session(alone)
        except ModelError as error:
            raise ModelError(
                "keeps its weights in other files",
                file=path,
                remedy="save it as one: onnx.save(onnx.load(path), path)",
            ) from error


def _package_folder(package: str) -> Path:
    found = package_folder(package)
    if found is None:
        raise ModelError(
            f"there is no installed package {package!r}",
            remedy="name it as it is imported, not as it is installed",
        )
    return found


def _distribution(package: str) -> str:
    """Return the name by which a package is installed."""
    names = importlib.metadata.packages_distributions().get(package, [])
    return names[0] if names else package


def _known(folder: Path, info: ModelInfo) -> ModelInfo | None:
    """Return the entry that a model has already, here or among what the folder begins with."""
    if not (folder / FILE_NAME).is_file():
        if folder.exists() and (not folder.is_dir() or any(map(_foreign, folder.iterdir()))):
            raise ModelError(
                f"is no models folder: it holds no {FILE_NAME}",
                file=folder,
                remedy="name one that is new or empty",
            )
        folder = models_folder()
    manifest = load_manifest(folder)
    known = next((m for m in manifest.models if m.id == info.id), None)
    name, _, version = info.id.rpartition("-")
    another = f"give this one another id, such as {name}-{int(version) + 1}"
    if known is not None and known.sha256 != info.sha256:
        raise ModelError(
            f"there is a model {info.id} already, of another file, and a model is never changed",
            file=folder / FILE_NAME,
            remedy=another,
        )
    if known is not None and known.input != info.input:
        told = ", ".join(f"{key} {value:g}" for key, value in known.input.items())
        raise ModelError(
            f"there is a model {info.id} already, with {told}, and a model is never changed",
            file=folder / FILE_NAME,
            remedy=another,
        )
    if manifest.refiner is not None and manifest.refiner.id == info.id:
        raise ModelError(
            f"{info.id} is the refiner",
            file=folder / FILE_NAME,
            remedy="give this one another name",
        )
    taken = _taken(manifest, info.id)
    for file in ("model.onnx", "background.npy"):
        if (owner := taken.get(model_folder(Path(), info.id) / file)) is not None:
            raise ModelError(
                f"a model {info.id} would overwrite {file} of {owner}",
                file=folder / FILE_NAME,
                remedy="give this one another name",
            )
    return known


def _foreign(path: Path) -> bool:
    """Whether something in a folder is more than what a killed process left."""
    return not (path.name.startswith(".vcd-") and path.name.endswith(".part"))


def _taken(manifest: Manifest, model_id: str) -> dict[Path, str]:
    """Return whose each file of a models folder is, without those of one model."""
    owners: dict[str, str] = {}
    for model in manifest.models:
        if model.id != model_id:
            beside = (model.background, model.canonical, model.orientations)
            owners |= dict.fromkeys(("" if model.package else model.file, *beside), model.id)
    if manifest.refiner is not None:
        owners[manifest.refiner.file] = manifest.refiner.id
    return {Path(os.path.normpath(file)): owner for file, owner in owners.items()}


@contextmanager
def _prepared(folder: Path) -> Iterator[Path]:
    """Give the place to write in: a new folder is made beside, and takes its place when whole."""
    if (folder / FILE_NAME).is_file():
        yield folder
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    empty = folder.is_dir()  # which stays the same one: it may be mounted, or somebody's current
    part = (folder if empty else folder.parent) / f".vcd-{uuid.uuid4().hex}.part"
    try:
        part.mkdir()
        mode = stat.S_IMODE(part.stat().st_mode)
        ignored = shutil.ignore_patterns("__pycache__", ".vcd-*")
        shutil.copytree(models_folder(), part, ignore=ignored, dirs_exist_ok=True)
        part.chmod(mode)  # the models in use may be an installed package, read-only
        yield part
        if empty:
            for file in sorted(part.iterdir(), key=lambda file: file.name == FILE_NAME):
                file.replace(folder / file.name)  # the manifest last, with which it is one
        else:
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _unrelated(
    info: ModelInfo,
    background: Iterable[Path],
    on_error: Callable[[MediaError], None] | None,
    on_file: Callable[[int, int], None] | None,
) -> FloatArray | None:
    """Return rows of unrelated material, float32 (k, dimensions); None where none is given."""
    given = list(background)
    if not given:
        return None
    files = list(find_media(given, on_error=on_error))
    model = DescriptorModel(info)
    decoder = get_decoder("pyav", isolation="process")
    found = []
    for done, file in enumerate(files, 1):
        try:
            track = describe_file(
                file,
                video_id=file.name,
                visual=model if info.stream == "visual" else None,
                audio=model if info.stream == "audio" else None,
                decoder=decoder,
                settings=DescribeSettings(),
                limits=Limits(),
            ).tracks.get(info.stream)
        except MediaError as error:
            if on_error is not None:
                on_error(error)
        else:
            if track is not None:
                found.append(_some(track.unit_vectors()[track.weight > 0], _OF_A_FILE))
        if on_file is not None:
            on_file(done, len(files))
    rows = np.concatenate([np.zeros((0, info.dimensions), np.float32), *found])
    if len(rows) < _LEAST:
        raise ModelError(
            f"the background gives {len(rows)} rows, too few to tell what is chance",
            remedy=f"name at least {_LEAST} unrelated pictures or sounds, better some hundred",
        )
    return _some(rows, _MOST)


def _some(rows: FloatArray, most: int) -> FloatArray:
    """Return rows, at most so many, taken evenly."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.intp)]
