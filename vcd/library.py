"""Many described videos in one file: a library of references."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from vcd.encoding import from_bytes, to_bytes
from vcd.errors import DescriptorError, OutputError, PathLike, VcdError
from vcd.records import VideoDescriptor

__all__ = ["Library"]

SUFFIX = ".vcdlib"
_VERSION = 1
_APPLICATION_ID = 0x56434C31  # "VCL1": tells our files from other SQLite databases
_SCHEMA = "CREATE TABLE videos (video_id TEXT PRIMARY KEY, descriptor BLOB NOT NULL) WITHOUT ROWID"


class Library:
    """Descriptors by video id, in one SQLite file: one writer beside many readers.

    Parameters
    ----------
    path : path-like
        Made where it is missing, unless `create` is False.
    create : bool

    Raises
    ------
    DescriptorError
        The file is missing (with `create` False), no library, damaged, or of a newer version.

    Examples
    --------
    >>> import vcd
    >>> with vcd.Library("library.vcdlib") as library:
    ...     library.add(vcd.describe("refs/mountains.mp4"))
    ...     [match.ref_id for match in vcd.match("query.mp4", library)]
    ['mountains']
    """

    def __init__(self, path: PathLike, *, create: bool = True) -> None:
        self.path = Path(os.fsdecode(path))
        if not create and not os.path.isfile(self.path):  # noqa: PTH113 - unlike pathlib, it never raises
            raise DescriptorError("no such library", file=path, remedy="check the path")
        with self._guarded():
            # Each statement is its own transaction unless one is opened; threads take turns.
            self._database = sqlite3.connect(
                self._address(), isolation_level=None, check_same_thread=False, timeout=30, uri=True
            )
        try:
            self._open(create=create)
        except VcdError:
            self._database.close()
            raise

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        with self._guarded():
            return int(self._database.execute("SELECT count(*) FROM videos").fetchone()[0])

    def __contains__(self, video_id: str) -> bool:
        with self._guarded():
            rows = self._database.execute("SELECT 1 FROM videos WHERE video_id = ?", (video_id,))
            return rows.fetchone() is not None

    def __iter__(self) -> Iterator[VideoDescriptor]:
        """Yield every descriptor, in the order of the ids."""
        for video_id in self.video_ids():
            yield self.get(video_id)

    def video_ids(self) -> list[str]:
        """Return all ids, sorted."""
        with self._guarded():
            rows = self._database.execute("SELECT video_id FROM videos ORDER BY video_id")
            return [row[0] for row in rows]

    def get(self, video_id: str) -> VideoDescriptor:
        """Return one descriptor.

        Raises
        ------
        DescriptorError
            There is none of that id, or it is damaged.
        """
        try:
            with self._guarded():
                row = self._database.execute(
                    # Damage may turn a blob into text, which SQLite would hand out as such.
                    "SELECT CAST(descriptor AS BLOB) FROM videos WHERE video_id = ?",
                    (video_id,),
                ).fetchone()
            if row is not None:
                return from_bytes(row[0], file=self.path)
        except DescriptorError as error:
            raise DescriptorError(
                f"video {video_id!r}: {error.problem}", file=self.path, remedy=error.remedy
            ) from error
        raise DescriptorError(f"holds no video {video_id!r}", file=self.path)

    def add(self, descriptor: VideoDescriptor) -> None:
        """Add a video, in the place of one of the same id.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        with self._guarded():
            self._database.execute(
                "INSERT OR REPLACE INTO videos VALUES (?, ?)",
                (descriptor.video_id, to_bytes(descriptor)),
            )

    def remove(self, video_id: str) -> bool:
        """Remove a video; return whether it was there."""
        with self._guarded():
            cursor = self._database.execute("DELETE FROM videos WHERE video_id = ?", (video_id,))
            return cursor.rowcount > 0

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _address(self) -> str:
        """Return the URI of the file, which is read as it lies where the folder is read-only."""
        # Even to read, SQLite makes files of its own beside a library. Where it may not, and no
        # writer has made them, nothing changes while we read, and it can do without.
        still = (
            os.path.isfile(self.path)  # noqa: PTH113 - unlike pathlib, it never raises
            and not os.access(self.path.parent, os.W_OK)
            and not os.path.exists(f"{self.path}-wal")  # noqa: PTH110
        )
        return self.path.absolute().as_uri() + ("?immutable=1" if still else "")

    def _open(self, *, create: bool) -> None:
        with self._guarded():
            version = self._database.execute("PRAGMA user_version").fetchone()[0]
            tables = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            application = self._database.execute("PRAGMA application_id").fetchone()[0]
            if not tables and create:
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("BEGIN IMMEDIATE")
                self._database.execute(_SCHEMA)
                self._database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                self._database.execute(f"PRAGMA user_version = {_VERSION}")
                self._database.execute("COMMIT")
                return
        if application != _APPLICATION_ID:
            raise DescriptorError("is no vcd library", file=self.path, remedy="check the path")
        if version > _VERSION:
            raise DescriptorError(
                f"is of library version {version}, this vcd reads up to {_VERSION}",
                file=self.path,
                remedy="update vcd",
            )

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise OutputError(
                f"the library cannot be used ({error})",
                file=self.path,
                remedy="check that the folder exists, has room, and allows writing",
            ) from error
        except sqlite3.DatabaseError as error:
            raise DescriptorError(
                f"is not a readable library ({error})",
                file=self.path,
                remedy="restore it from a copy, or build it again",
            ) from error
