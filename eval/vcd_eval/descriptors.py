"""The descriptor files of VSC 2023: one vector a row, with its video and its time.

Conventions
-----------
A `.npz` without pickled objects holds ``video_ids`` (n,) of text or whole numbers, ``timestamps``
(n,) or (n, 2) in seconds (a moment, or start and end), and ``features`` (n, d) float32. Further
arrays are ignored. The scorer takes vectors as they are: nothing is scaled to unit length.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd_eval.archives import open_archive, write_archive

__all__ = [
    "DescriptorTable",
    "descriptor_table",
    "ids_as_text",
    "read_descriptor_arrays",
    "read_descriptors",
    "write_descriptors",
]

StrPath = str | os.PathLike[str]
Strings = npt.NDArray[np.str_]

_ARRAYS = ("video_ids", "timestamps", "features")


@dataclass(frozen=True, slots=True, eq=False)
class DescriptorTable:
    """Descriptors of many videos.

    Parameters
    ----------
    video_ids : sequence of str, length n
    timestamps : array_like, shape (n,) or (n, 2)
        Seconds; kept as float64.
    features : array_like, shape (n, d)
        Kept as float32.

    Raises
    ------
    EvaluationError
        Lengths differ, an id is empty, or a number is not finite (as float32).
    """

    video_ids: Strings
    timestamps: npt.NDArray[np.float64]
    features: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        ids = np.asarray(self.video_ids, dtype=np.str_)
        try:
            times = np.asarray(self.timestamps, dtype=np.float64)
            with np.errstate(over="ignore"):
                features = np.ascontiguousarray(self.features, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise EvaluationError(f"an array does not hold numbers: {error}") from error
        _check_lengths(ids, times, features)
        nameless = np.flatnonzero(ids == "")
        if len(nameless):
            raise EvaluationError(f"row {nameless[0] + 1}: video_id is empty")
        for name, array in (("timestamps", times), ("features", features)):
            with np.errstate(invalid="ignore"):
                sums = array.sum(axis=tuple(range(1, array.ndim)), dtype=np.float64)
            finite = np.isfinite(sums)  # float64 sums of float32 do not overflow
            if not finite.all():
                raise EvaluationError(
                    f"row {int(np.argmin(finite)) + 1}: {name} holds a number that is not finite",
                    remedy="write finite numbers, or leave the row out",
                )
        object.__setattr__(self, "video_ids", ids)
        object.__setattr__(self, "timestamps", times)
        object.__setattr__(self, "features", features)

    def __len__(self) -> int:
        return len(self.video_ids)

    @property
    def starts(self) -> npt.NDArray[np.float64]:
        """Start of each row in seconds, shape (n,)."""
        return self.timestamps if self.timestamps.ndim == 1 else self.timestamps[:, 0]

    def first_scattered(self) -> int | None:
        """Return the first row whose video began earlier and was left in between, or None."""
        changes = np.flatnonzero(self.video_ids[1:] != self.video_ids[:-1]) + 1
        runs = np.concatenate([np.zeros(min(len(self), 1), np.intp), changes])
        _, first, of_run = np.unique(self.video_ids[runs], return_index=True, return_inverse=True)
        again = np.flatnonzero(first[of_run] != np.arange(len(runs)))
        return int(runs[again[0]]) if len(again) else None

    def grouped(self) -> DescriptorTable:
        """Return the rows by video id, then start; equal ones in the order they have."""
        order = np.lexsort((self.starts, self.video_ids))
        return DescriptorTable(self.video_ids[order], self.timestamps[order], self.features[order])

    def check_order(self, file: StrPath | None = None) -> None:
        """Refuse video ids that do not ascend, as the challenge did; `file` is named then.

        Raises
        ------
        EvaluationError
        """
        falls = np.flatnonzero(self.video_ids[1:] < self.video_ids[:-1])
        if len(falls):
            row = int(falls[0]) + 1
            raise EvaluationError(
                f"row {row + 1}: video id {self.video_ids[row]!s} follows "
                f"{self.video_ids[row - 1]!s}; ids must ascend",
                file=file,
                remedy="sort the rows by video id, then time",
            )


def read_descriptors(path: StrPath, *, prefix: str = "") -> DescriptorTable:
    """Read a descriptor file.

    Parameters
    ----------
    path : path-like
    prefix : str
        ``Q`` or ``R`` for the rules of the challenge: whole numbers are formatted as ``Q%06d``, and
        text must begin with the letter. By default any id is taken, numbers as they are written.

    Raises
    ------
    EvaluationError
        Not such an archive, an array is missing or of another kind or length, a number is not
        finite, or an id breaks the rule.
    """
    arrays = read_descriptor_arrays(path)
    try:
        return descriptor_table(arrays, prefix=prefix)
    except EvaluationError as error:
        raise EvaluationError(error.problem, file=path, remedy=error.remedy) from error


def descriptor_table(
    arrays: Mapping[str, npt.NDArray[Any]], *, prefix: str = ""
) -> DescriptorTable:
    """Return the table that stored arrays make; parameters and errors as in `read_descriptors`."""
    times, features = arrays["timestamps"], arrays["features"]
    if features.dtype.kind not in "fiu" or times.dtype.kind not in "fiu":
        raise EvaluationError(
            f"features are {features.dtype}, timestamps {times.dtype}: not numbers",
            remedy="store them as float32",
        )
    return DescriptorTable(ids_as_text(arrays["video_ids"], prefix=prefix), times, features)


def read_descriptor_arrays(
    path: StrPath, names: Sequence[str] = _ARRAYS
) -> dict[str, npt.NDArray[Any]]:
    """Read the three arrays, or some, as they are stored; only their presence is checked.

    Raises
    ------
    EvaluationError
        Not an archive of plain arrays, or one of the names is missing.
    """
    needed = f"the arrays needed are {', '.join(_ARRAYS)}"
    with open_archive(path) as archive:
        return {name: archive.read(name, needed=needed) for name in names}


def write_descriptors(path: StrPath, table: DescriptorTable) -> None:
    """Write what `read_descriptors` reads, under exactly the name given.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    times = table.timestamps
    with np.errstate(over="ignore"):
        short = times.astype(np.float32)  # as the challenge's own files have them
    write_archive(
        path,
        {
            "video_ids": table.video_ids,
            "timestamps": short if np.array_equal(short, times) else times,
            "features": table.features,
        },
    )


def ids_as_text(ids: npt.NDArray[Any], *, prefix: str = "") -> Strings:
    """Return video ids as `read_descriptors` names them.

    Raises
    ------
    EvaluationError
        They are no ids, or break the rule of the prefix.
    """
    if ids.ndim != 1 or ids.dtype.kind not in "USiu":
        raise EvaluationError(
            f"video_ids are {ids.dtype} of shape {ids.shape}, not text or whole numbers",
            remedy="store one name a row, as text",
        )
    if ids.dtype.kind in "iu":
        names = [f"{prefix}{i:06d}" if prefix else str(i) for i in ids.tolist()]
        return np.array(names, dtype=np.str_)
    try:
        text = ids.astype(np.str_)
    except UnicodeDecodeError as error:
        raise EvaluationError("a video id is not ASCII", remedy="store ids as text") from error
    if prefix:
        wrong = np.flatnonzero(~np.char.startswith(text, prefix))
        if len(wrong):
            name = str(text[wrong[0]])
            raise EvaluationError(
                f"row {wrong[0] + 1}: video id {name!r} does not begin with {prefix}",
                remedy="name the videos as the challenge does, or score without its rules",
            )
    return text


def _check_lengths(
    ids: npt.NDArray[Any], times: npt.NDArray[Any], features: npt.NDArray[Any]
) -> None:
    if ids.ndim != 1 or features.ndim != 2:
        raise EvaluationError(
            f"video_ids must be (n,) and features (n, d), got {ids.shape} and {features.shape}"
        )
    if times.ndim != 1 and times.shape[1:] != (2,):
        raise EvaluationError(f"timestamps must be (n,) or (n, 2), got {times.shape}")
    if not len(ids) == len(times) == len(features):
        raise EvaluationError(
            f"{len(ids)} video_ids, {len(times)} timestamps and {len(features)} features",
            remedy="give each row all three",
        )
