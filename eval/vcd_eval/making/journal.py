"""Which files of a made haystack are finished, and by which plan: one JSON line a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vcd.errors import OutputError
from vcd.media import find_media

__all__ = ["Journal"]

_FILE = "made.jsonl"


class Journal:
    """Which files of a folder were made, by which plan.

    Parameters
    ----------
    root : Path
    folders : sequence of str
        Names below it that hold media; made where they are missing.
    truth : sequence of str
        Names of the files that say what the media are.

    Raises
    ------
    OutputError
        The folder cannot be used, or holds media that were not made here.
    """

    def __init__(self, root: Path, *, folders: Sequence[str], truth: Sequence[str]) -> None:
        self.root, self._folders, self._truth = root, folders, truth
        self._file = root / _FILE
        self._entries: dict[str, dict[str, Any]] = {}
        try:
            for name in self._folders:
                (root / name).mkdir(parents=True, exist_ok=True)
            lines = self._file.read_text("utf-8").splitlines() if self._file.exists() else []
        except (OSError, ValueError) as error:
            raise OutputError(
                f"cannot be used as a folder for results: {error}",
                file=root,
                remedy="choose another folder",
            ) from error
        for line in lines:
            try:
                entry = json.loads(line)
                self._entries[entry["file"]] = entry
            except (ValueError, KeyError, TypeError):  # cut off when it was written
                continue
        strange = [
            path
            for name in self._folders
            for path in find_media([root / name])
            if path.relative_to(root).as_posix() not in self._entries
        ]
        if strange:
            raise OutputError(
                f"holds {len(strange)} media files that were not made here, such as {strange[0]}",
                file=root,
                remedy="choose an empty folder",
            )

    def finished(self, file: str, digest: str) -> dict[str, Any] | None:
        """Return the entry of a file that was made by this plan and is there as it was made."""
        entry = self._entries.get(file)
        if entry is None or entry.get("digest") != digest:
            return None
        try:
            size = (self.root / file).stat().st_size
        except OSError:
            return None
        return entry if size == entry.get("bytes") else None

    def add(self, *entries: dict[str, Any]) -> None:
        """Keep that files are made, or, where an entry has no digest, that they will be."""
        self._entries |= {entry["file"]: entry for entry in entries}
        try:
            with self._file.open("a", encoding="utf-8") as file:
                # On lines of their own, even where the last one was cut off.
                file.write("".join("\n" + json.dumps(entry) for entry in entries) + "\n")
        except OSError as error:
            raise OutputError(
                f"cannot be written: {error.strerror}", file=self._file, remedy="check its room"
            ) from error

    def forget_truth(self) -> None:
        """Remove the truth, which no longer fits once a file is made anew."""
        for name in self._truth:
            _remove(self.root / name)

    def remove_others(self, planned: set[str]) -> None:
        """Remove what an earlier plan left."""
        for name in self._folders:
            for path in list(find_media([self.root / name])):
                if path.relative_to(self.root).as_posix() not in planned:
                    _remove(path)
            for part in (self.root / name).glob(".vcd-*.part.mp4"):  # of a run that was killed
                _remove(part)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"is of an earlier run and cannot be removed: {error.strerror}",
            file=path,
            remedy="change the folder's permissions, or choose another",
        ) from error
