"""Opening a file for demuxing: regular files only, known formats only, never a second file.

A text that names other files (a playlist, a list of parts, a stream description) can pass for a
video. Three independent bars keep it from being followed: only formats that hold their own data may
open, only data already open may be read, and a request to open anything else is refused.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from typing import Any, NoReturn

import av
import av.error
import av.logging
from av.container import InputContainer

from vcd.errors import MediaError, MediaNotFoundError, PathLike
from vcd.media.decoder import Limits

__all__ = ["FILE_PROBLEMS", "PICTURE_FORMATS", "Source", "open_container", "open_regular"]

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


def _file_error(path: PathLike, error: OSError) -> MediaError:
    """Turn the reason why a file cannot be opened into words."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return MediaNotFoundError("there is no such file", file=path)
    if error.errno == errno.ELOOP:
        return MediaError("is a symbolic link that leads back to itself", file=path)
    if error.errno in (errno.EACCES, errno.EPERM):
        return MediaError(
            "may not be read by this user", file=path, remedy="change its permissions"
        )
    return MediaError(f"cannot be opened: {error.strerror or error}", file=path)


def open_regular(path: PathLike) -> int:
    """Return a descriptor of a regular file that is not empty; never wait for a pipe."""
    remedy = "give a video, picture or sound file"
    try:
        name = os.fspath(path)
        if not stat.S_ISREG(os.stat(name).st_mode):  # noqa: PTH116 - the path may be bytes
            kind = "folder" if os.path.isdir(name) else "device, pipe or socket"  # noqa: PTH112
            raise MediaError(f"is a {kind}, not a file", file=path, remedy=remedy)
        # Between the two looks the file may have been replaced by a pipe: never block on opening.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        fd = os.open(name, flags)
    except OSError as error:
        raise _file_error(path, error) from None
    except ValueError:  # a null byte
        raise MediaNotFoundError("there is no such file", file=path) from None
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode) and status.st_size > 0:
        return fd
    os.close(fd)
    problem = "is empty" if stat.S_ISREG(status.st_mode) else "is not a regular file"
    raise MediaError(problem, file=path, remedy=remedy)


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
