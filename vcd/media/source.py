"""Opening a file for demuxing: known formats only, never a second file.

A text that names other files (a playlist, a list of parts, a stream description) can pass for a
video. Three independent bars keep it from being followed: only formats that hold their own data may
open, only data already open may be read, and a request to open anything else is refused.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from typing import Any, NoReturn

import av
import av.error
import av.logging
from av.container import InputContainer

from vcd.errors import MediaError, PathLike
from vcd.media.decoder import Limits
from vcd.media.regular import open_regular

__all__ = ["FILE_PROBLEMS", "PICTURE_FORMATS", "Source", "open_container"]

PICTURE_FORMATS = tuple(
    f"{name}_pipe"
    for name in (
        "png", "jpeg", "jpegls", "webp", "bmp", "tiff", "gif", "j2k", "jpegxl", "qoi", "ppm",
        "pgm", "pbm", "pam",
    )
)  # fmt: skip

# Demuxers that hold their own data. Never image2 (patterns in names), concat, hls, dash, sdp...
FORMATS = (
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "mpegts", "mpeg",
    "mpegvideo", "flv", "asf", "ogg", "gif", "apng", "ivf", "mxf", "wav", "w64", "mp3", "flac",
    "aac", "ac3", "eac3", "aiff", "caf", "amr", "au",
    *PICTURE_FORMATS,
)  # fmt: skip

# What demuxing and decoding raise on data that breaks its format.
FILE_PROBLEMS: tuple[type[Exception], ...] = (
    av.error.FFmpegError,
    ValueError,
    OSError,
    RuntimeError,
)
_OPENING_PROBLEMS: tuple[type[Exception], ...] = (*FILE_PROBLEMS, EOFError, MemoryError)

_quiet_lock = threading.Lock()
_quiet = False


def _silence() -> None:
    """Keep FFmpeg from writing to standard error; what matters is in `Health`."""
    global _quiet  # noqa: PLW0603 - FFmpeg has one log level per process
    with _quiet_lock:
        if not _quiet:
            if av.logging.get_level() is None:
                av.logging.set_libav_level(av.logging.PANIC)
            _quiet = True


class Source:
    """The bytes of a regular file, without its name: FFmpeg judges by content alone."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, none at the end."""
        return os.read(self._fd, size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position and return it."""
        return os.lseek(self._fd, offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return os.lseek(self._fd, 0, os.SEEK_CUR)

    def close(self) -> None:
        """Close the file; harmless when done twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            self.close()


def _refuse(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError(errno.EACCES, "a media file may not open another file")


def open_container(path: PathLike, limits: Limits) -> tuple[InputContainer, Source]:
    """Open a media file for reading.

    Parameters
    ----------
    path : path-like
        May be bytes that are not UTF-8, begin with a dash, or hold a newline, ``%03d`` or ``:``.
    limits : Limits
        `max_pixels` is handed to FFmpeg, so that no larger picture is decoded while opening.

    Returns
    -------
    InputContainer, Source
        Both to be closed by the caller, in this order.

    Raises
    ------
    MediaNotFoundError
        There is no such file.
    MediaError
        It is no regular file, may not be read, is empty, or is in no format that is read.
    """
    _silence()
    source = Source(open_regular(path))
    options: dict[str, Any] = {
        "options": {"max_pixels": str(limits.max_pixels)},
        "container_options": {
            "format_whitelist": ",".join(FORMATS),
            "protocol_whitelist": "file",
        },
        "metadata_errors": "replace",
        "io_open": _refuse,
    }
    try:
        container: InputContainer = av.open(source, "r", **options)
    except _OPENING_PROBLEMS as error:
        source.close()
        if isinstance(error, MemoryError):
            raise MediaError("needs more memory than there is to open", file=path) from None
        raise MediaError(
            "cannot be read as video, picture or sound",
            file=path,
            remedy="it may be cut off, damaged, of another kind, or a playlist, which is not "
            "followed; play it to check",
        ) from None
    return container, source
