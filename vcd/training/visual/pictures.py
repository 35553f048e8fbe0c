"""The pictures that training draws from: photographs of archives and folders, and made ones."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from vcd.encoding import write_whole
from vcd.errors import MediaError
from vcd.training.visual.made import make_picture

__all__ = [
    "SIDE",
    "Pictures",
    "gather",
    "load_photographs",
    "load_pictures",
    "open_pictures",
    "write_kept",
]

RESERVE = 8
"""About every eighth photograph is kept from training, for calibration."""

SIDE = 224
"""Pixels a side at which pictures are kept: a quarter of the area still fills a view."""

Pictures = npt.NDArray[np.uint8]
_ENDINGS = (".jpg", ".jpeg", ".png")


def load_photographs(sources: Sequence[Path], *, reserve: bool = False) -> Pictures:
    """Read the pictures of tar archives and folders, squashed to squares.

    Parameters
    ----------
    sources : sequence of Path
    reserve : bool
        Return those kept from training (about every eighth, by a hash of the file, so that a
        file is reserved or not whatever it is listed with) instead of those to train on.

    Returns
    -------
    ndarray of uint8, shape (n, SIDE, SIDE, 3)

    Raises
    ------
    MediaError
        A source cannot be read, or there is no picture in any.
    """
    contents = (data for source in sources for data in _contents(source))
    chosen = (data for data in contents if _is_reserved(data) == reserve)
    pictures = [picture for data in chosen if (picture := _decoded(data)) is not None]
    if not pictures:
        raise MediaError(
            "no picture to train on",
            file=", ".join(map(str, sources)),
            remedy="name tar archives or folders with .jpg or .png files",
        )
    return np.stack(pictures)


def load_pictures(sources: Sequence[Path], made: int, seed: int) -> Pictures:
    """Return what is trained on: photographs and made pictures, shape (n, SIDE, SIDE, 3)."""
    photographs = load_photographs(sources)
    if not made:
        return photographs
    others = np.stack([make_picture(np.random.default_rng((seed, k)), SIDE) for k in range(made)])
    return np.concatenate([photographs, others])


def _is_reserved(data: bytes) -> bool:
    return hashlib.blake2b(data).digest()[0] % RESERVE == 0


def _contents(source: Path) -> Iterator[bytes]:
    try:
        if source.is_dir():
            for path in sorted(source.rglob("*")):
                if path.suffix.lower() in _ENDINGS:
                    yield path.read_bytes()
            return
        with tarfile.open(source) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None and member.name.lower().endswith(_ENDINGS):
                    yield file.read()
    except (OSError, tarfile.TarError) as error:
        raise MediaError(
            f"pictures cannot be read ({error})", file=source, remedy="check the path"
        ) from error


def _decoded(data: bytes) -> Pictures | None:
    try:
        with av.open(io.BytesIO(data), mode="r") as container:
            frame = next(container.decode(video=0))
            small = frame.reformat(SIDE, SIDE, format="rgb24", interpolation="AREA")
            return np.asarray(small.to_ndarray(), dtype=np.uint8)
    except (av.FFmpegError, StopIteration):
        return None


def gather(sources: Sequence[Path], output: Path, *, made: int, seed: int) -> int:
    """Write the pictures to train on, in an order drawn by the seed; return how many they are.

    The first pictures of the file are thereby a fair sample of all kinds.

    Parameters
    ----------
    sources : sequence of Path
        Tar archives and folders with photographs.
    output : Path
        Gets ``uint8 (n, SIDE, SIDE, 3)`` as ``.npy``.
    made : int
        Pictures made by program, beside the photographs.
    seed : int

    Raises
    ------
    MediaError
        As `load_photographs`.
    OutputError
    """
    pictures = load_pictures(sources, made, seed)
    pictures = pictures[np.random.default_rng(seed).permutation(len(pictures))]
    buffer = io.BytesIO()
    np.save(buffer, pictures, allow_pickle=False)
    write_whole(output, buffer.getvalue())
    return len(pictures)


def write_kept(sources: Sequence[Path], folder: Path) -> int:
    """Write the photographs that are kept from training as files; return how many they are.

    Files of the same content are written once.

    Parameters
    ----------
    sources : sequence of Path
        Tar archives and folders with photographs.
    folder : Path
        An existing folder.

    Raises
    ------
    MediaError
        A source cannot be read.
    OutputError
    """
    names = set()
    for data in (data for source in sources for data in _contents(source)):
        if _is_reserved(data) and _decoded(data) is not None:
            ending = ".png" if data.startswith(b"\x89PNG") else ".jpg"
            name = hashlib.blake2b(data, digest_size=8).hexdigest() + ending
            write_whole(folder / name, data)
            names.add(name)
    return len(names)


def open_pictures(path: Path) -> Pictures:
    """Open what `gather` wrote, without reading it whole.

    Raises
    ------
    MediaError
        It cannot be read, or holds something else.
    """
    try:
        pictures: Pictures = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise MediaError(
            f"is no file of pictures ({error})", file=path, remedy="make it with vcd train data"
        ) from error
    if pictures.dtype != np.uint8 or pictures.shape[1:] != (SIDE, SIDE, 3):
        raise MediaError(
            f"holds {pictures.dtype} {pictures.shape}, not uint8 (n, {SIDE}, {SIDE}, 3)",
            file=path,
            remedy="make it with vcd train data",
        )
    return pictures
