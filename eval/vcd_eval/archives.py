"""Archives of plain arrays (`.npz`): opened without trust, read by name, written whole."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vcd.encoding import write_whole
from vcd.errors import EvaluationError

__all__ = ["Archive", "open_archive", "write_archive"]

StrPath = str | os.PathLike[str]


class Archive:
    """An open archive; arrays are read when they are asked for, and never as Python objects.

    Attributes
    ----------
    names : frozenset of str
        Of the arrays it holds.
    """

    def __init__(self, path: StrPath, content: Any) -> None:
        self._path = path
        self._content = content
        self.names = frozenset(content.files)

    def read(self, name: str, *, needed: str) -> npt.NDArray[Any]:
        """Return an array; `needed` tells the user what such an archive must hold.

        Raises
        ------
        EvaluationError
            There is no such array, or it is damaged or holds Python objects.
        """
        if name not in self.names:
            raise EvaluationError(f"no array {name}", file=self._path, remedy=needed)
        try:
            return np.asarray(self._content[name])
        except Exception as error:  # damage shows in zipfile, zlib, tokenize and NumPy's own parser
            raise EvaluationError(
                f"the array {name} cannot be read: {error}",
                file=self._path,
                remedy="write the file anew, with plain numbers and text, not objects",
            ) from error


@contextmanager
def open_archive(path: StrPath) -> Iterator[Archive]:
    """Open an archive for reading.

    Raises
    ------
    EvaluationError
        The file cannot be read, or is no archive of arrays.
    """
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise EvaluationError(
            f"cannot be read: {error.strerror or error}",
            file=path,
            remedy="check the name and the access rights",
        ) from error
    with file:
        try:
            content = np.load(file, allow_pickle=False)
            archive = Archive(path, content)  # a lone array has no names
        except Exception as error:  # damage shows in zipfile and NumPy's own parser
            raise EvaluationError(
                f"not an archive of plain arrays: {error}",
                file=path,
                remedy="write it with numpy.savez",
            ) from error
        with content:
            yield archive


def write_archive(path: StrPath, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write an archive under exactly the name given.

    Raises
    ------
    OutputError
        The file cannot be written; what stood there before is left as it was.
    """
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    write_whole(path, content.getvalue())
