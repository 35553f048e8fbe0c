"""Descriptors kept by the content of the file they describe, so that nothing is described twice."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from vcd import encoding
from vcd.descriptors.describe import DESCRIPTION
from vcd.errors import MediaError, MediaNotFoundError, OutputError, PathLike
from vcd.records import VideoDescriptor

__all__ = ["DescriptorCache", "default_cache_folder"]


def default_cache_folder() -> Path:
    """Return where the cache lies unless told otherwise: the user's cache folder of the system."""
    return Path(platformdirs.user_cache_dir("vcd-engine"))


@dataclass(frozen=True, slots=True)
class DescriptorCache:
    """A folder of byte strings, one a (content, settings).

    Entries appear whole or not at all, so several processes may share one folder and an
    interrupted run goes on where it stopped.
    """

    folder: Path

    @staticmethod
    def content(path: PathLike) -> str:
        """Return the digest of a file's bytes.

        Raises
        ------
        MediaNotFoundError, MediaError
            The file cannot be read.
        """
        try:
            # A pipe would hang here.
            if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - bytes paths are welcome
                raise OSError(errno.EINVAL, "is no regular file")
            with open(path, "rb") as file:  # noqa: PTH123 - bytes paths are welcome
                digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20))
        except FileNotFoundError as error:
            raise MediaNotFoundError("no such file", file=path, remedy="check the path") from error
        except OSError as error:
            raise MediaError(
                f"cannot be read ({error.strerror or error})",
                file=path,
                remedy="check the file and its permissions",
            ) from error
        return digest.hexdigest()

    def get(self, content: str, settings: Mapping[str, object]) -> VideoDescriptor | None:
        """Return an entry, or None where there is none.

        Raises
        ------
        DescriptorError
            The entry is damaged.
        """
        path = self._path(content, settings)
        if not os.path.isfile(path):  # noqa: PTH113 - unlike pathlib, it never raises
            return None
        return encoding.load_one(path)

    def put(
        self, content: str, settings: Mapping[str, object], descriptor: VideoDescriptor
    ) -> None:
        """Keep a descriptor.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        path = self._path(content, settings)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"the cache folder cannot be made ({error.strerror or error})",
                file=path.parent,
                remedy="choose another one with --cache, or none with --no-cache",
            ) from error
        encoding.write_whole(path, encoding.to_bytes(descriptor))

    def _path(self, content: str, settings: Mapping[str, object]) -> Path:
        text = json.dumps([DESCRIPTION, content, dict(settings)], sort_keys=True)
        name = hashlib.blake2b(text.encode(), digest_size=20).hexdigest()
        return self.folder / name[:2] / f"{name}{encoding.SUFFIX}"
