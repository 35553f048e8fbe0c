"""Opening a file to read: regular files only, never waiting, and why it cannot be in words."""

from __future__ import annotations

import errno
import os
import stat

from vcd.errors import MediaError, MediaNotFoundError, PathLike

__all__ = ["open_regular"]


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
