"""The errors vcd raises on purpose; every message names the file, what is wrong, and the remedy.

::

    VcdError
    ├── MediaError                 a file that cannot be read as video, picture or sound
    │   ├── MediaNotFoundError     it is not there            (also FileNotFoundError)
    │   ├── MediaLimitError        it is larger than a limit allows
    │   └── MediaCrashError        it ends the process that reads it
    ├── ModelError                 a model that cannot be used
    │   ├── ModelNotFoundError     unknown id, or its file is not there
    │   └── ModelChecksumError     its bytes are not those of the manifest
    ├── DescriptorError            a descriptor that cannot be read, or does not fit another
    │   └── HashStringError        a hash string that cannot be read         (also ValueError)
    ├── OutputError                a result that cannot be written
    ├── EvaluationError            an evaluation file that breaks its format
    ├── MissingExtraError          an optional part is not installed (also ImportError)
    └── ContractError              a record made with values it does not allow (also ValueError)
"""

from __future__ import annotations

import os

__all__ = [
    "ContractError",
    "DescriptorError",
    "EvaluationError",
    "HashStringError",
    "MediaCrashError",
    "MediaError",
    "MediaLimitError",
    "MediaNotFoundError",
    "MissingExtraError",
    "ModelChecksumError",
    "ModelError",
    "ModelNotFoundError",
    "OutputError",
    "VcdError",
    "display_name",
]

PathLike = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def display_name(path: PathLike) -> str:
    r"""Return a path as one printable line of text.

    Bytes that are not UTF-8 and control characters (a newline in a file name) are written as
    escapes, so a message stays one line and any terminal can print it.

    Examples
    --------
    >>> display_name("new\nline.mp4")
    'new\\nline.mp4'
    """
    text = os.fsdecode(path)
    raw = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in raw)


class VcdError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    problem : str
        What is wrong, without the file name and without a full stop.
    file : path-like, optional
        The file concerned.
    remedy : str, optional
        What the reader can do about it.

    Attributes
    ----------
    problem, remedy : str
    file : str or None
        Printable form of the path.

    Examples
    --------
    >>> import vcd
    >>> try:
    ...     vcd.describe("missing.mp4")
    ... except vcd.VcdError as error:
    ...     print(error.file, error.problem, sep=" | ")
    missing.mp4 | there is no such file
    """

    def __init__(self, problem: str, *, file: PathLike | None = None, remedy: str = "") -> None:
        self.problem = " ".join(problem.split())
        self.file = None if file is None else display_name(file)
        self.remedy = " ".join(remedy.split())
        super().__init__(self.problem)

    def __str__(self) -> str:
        message = self.problem if self.file is None else f"{self.file}: {self.problem}"
        return f"{message} ({self.remedy})" if self.remedy else message


class MediaError(VcdError):
    """A file cannot be read as video, picture or sound."""


class MediaNotFoundError(MediaError, FileNotFoundError):
    """A media file is not there."""


class MediaLimitError(MediaError):
    """A media file is larger than a limit allows."""


class MediaCrashError(MediaError):
    """A media file ends the process that reads it, or makes it say what cannot be."""


class ModelError(VcdError):
    """A model cannot be used."""


class ModelNotFoundError(ModelError):
    """A model id is unknown, or its file is not there."""


class ModelChecksumError(ModelError):
    """A model file does not hold the bytes that the manifest promises."""


class DescriptorError(VcdError):
    """A descriptor cannot be read, or does not fit another one."""


class HashStringError(DescriptorError, ValueError):
    """A hash string is cut short, altered, or of another format or model."""


class OutputError(VcdError):
    """A result cannot be written."""


class EvaluationError(VcdError):
    """An evaluation file breaks its format."""


class MissingExtraError(VcdError, ImportError):
    """An optional part of vcd is not installed."""


class ContractError(VcdError, ValueError):
    """A record was made with values that its contract does not allow."""
