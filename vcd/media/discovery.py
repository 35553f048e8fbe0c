"""Finding media files: the paths a user names, folders gone through."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from vcd.errors import MediaError, PathLike

__all__ = ["MEDIA_SUFFIXES", "find_media"]

VIDEO_SUFFIXES = frozenset(
    {
        ".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".ivf", ".m1v", ".m2t", ".m2ts",
        ".m2v", ".m4v", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf",
        ".ogm", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv",
    }
)  # fmt: skip
PICTURE_SUFFIXES = frozenset(
    {
        ".apng", ".avif", ".bmp", ".gif", ".heic", ".heif", ".j2k", ".jfif", ".jp2", ".jpe",
        ".jpeg", ".jpg", ".jxl", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tif", ".tiff",
        ".webp",
    }
)  # fmt: skip
SOUND_SUFFIXES = frozenset(
    {
        ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".au", ".caf", ".eac3", ".flac", ".m4a",
        ".m4b", ".mka", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma",
    }
)  # fmt: skip
MEDIA_SUFFIXES = VIDEO_SUFFIXES | PICTURE_SUFFIXES | SOUND_SUFFIXES


def find_media(
    paths: Iterable[PathLike],
    *,
    extra_suffixes: Iterable[str] = (),
    on_error: Callable[[MediaError], None] | None = None,
) -> Iterator[Path]:
    """Yield the media files that paths name.

    A path that is no folder is yielded as it is, whatever its name, and whether it exists or not:
    reading it will tell. A folder is gone through, in order of name: files whose suffix is that of
    a video, picture or sound, and its folders in turn; what begins with a dot is left out. No
    folder is entered twice, so a link that leads back ends there.

    Parameters
    ----------
    paths : iterable of path-like
    extra_suffixes : iterable of str
        Further suffixes to take, such as ``".vcd"``; upper and lower case are the same.
    on_error : callable, optional
        Called with an error for each folder that cannot be listed. The search goes on.

    Yields
    ------
    Path
        Each file once, by the first path that leads to it.
    """
    suffixes = MEDIA_SUFFIXES | {suffix.lower() for suffix in extra_suffixes}
    seen: set[Path] = set()
    entered: set[tuple[int, int]] = set()
    for path in map(Path, map(os.fsdecode, paths)):
        found = _walk(path, suffixes, entered, on_error) if path.is_dir() else (path,)
        for file in found:
            if file not in seen:
                seen.add(file)
                yield file


def _walk(
    top: Path,
    suffixes: frozenset[str],
    entered: set[tuple[int, int]],
    on_error: Callable[[MediaError], None] | None,
) -> Iterator[Path]:
    """Yield the media files below a folder; a stack, as folders may lie deeper than calls may."""
    waiting = [top]
    while waiting:
        path = waiting.pop()
        try:
            if not path.is_dir():
                yield path
                continue
            status = path.stat()
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                names = sorted(e.name for e in entries if not e.name.startswith("."))
        except OSError as error:
            if on_error is not None:
                reason = error.strerror or str(error)
                on_error(
                    MediaError(
                        f"the folder cannot be listed: {reason}",
                        file=path,
                        remedy="change its permissions or name another",
                    )
                )
            continue
        waiting += (
            child
            for name in reversed(names)
            if (child := path / name).suffix.lower() in suffixes or child.is_dir()
        )
