"""The store: catalogue, descriptors and decisions of many videos in one SQLite file."""

from __future__ import annotations

import math
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from vcd.encoding import from_bytes, to_bytes
from vcd.errors import DescriptorError, OutputError, PathLike, VcdError
from vcd.library.catalogue import Decision, Entry, Origin
from vcd.records import Track, VideoDescriptor

__all__ = ["SUFFIX", "Library"]

SUFFIX = ".vcdlib"
_VERSION = 2
_APPLICATION_ID = 0x56434C31  # "VCL1": tells our files from other SQLite databases
_SCHEMA = (
    """
    CREATE TABLE videos (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        video_id TEXT NOT NULL UNIQUE,
        duration REAL NOT NULL,
        warnings INTEGER NOT NULL,
        settings TEXT NOT NULL,
        path BLOB UNIQUE,
        content TEXT,
        size INTEGER,
        modified INTEGER,
        width INTEGER,
        height INTEGER,
        descriptor BLOB NOT NULL
    )
    """,
    "CREATE INDEX videos_by_content ON videos (content)",
    """
    CREATE TABLE models (
        stream TEXT PRIMARY KEY, model TEXT NOT NULL, dimensions INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE decisions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        first TEXT NOT NULL,
        second TEXT NOT NULL,
        start REAL NOT NULL,
        end REAL NOT NULL,
        reason TEXT NOT NULL
    )
    """,
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)
_ENTRY = "key, video_id, duration, warnings, settings, path, content, size, modified, width, height"
_DECISION = "number, kind, first, second, start, end, reason"
_AT_ONCE = 64  # descriptors read between two looks at what a writer may have changed


class Library:
    """Descriptors by video id, in one SQLite file: one writer beside many readers.

    All descriptors of a stream are of one model. Each change is a transaction: a process that is
    killed leaves every finished video.

    Parameters
    ----------
    path : path-like
        Made where it is missing, unless `create` is False.
    create : bool

    Raises
    ------
    DescriptorError
        The file is missing (with `create` False), no library, damaged, or of another version.

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
        self._turn = threading.RLock()
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

    def __del__(self) -> None:
        if hasattr(self, "_database"):
            self._database.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # Reading ------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return int(self._one("SELECT count(*) FROM videos")[0])

    def __contains__(self, video_id: str) -> bool:
        return bool(self._all("SELECT 1 FROM videos WHERE video_id = ?", video_id))

    def __iter__(self) -> Iterator[VideoDescriptor]:
        """Yield every descriptor, in the order of the ids."""
        for video_id in self.video_ids():
            yield self.get(video_id)

    def video_ids(self) -> list[str]:
        """Return all ids, sorted."""
        return [row[0] for row in self._all("SELECT video_id FROM videos ORDER BY video_id")]

    def token(self) -> str:
        """Return what tells this library from any other, even one built in its place."""
        return str(self._one("SELECT value FROM about WHERE name = 'token'")[0])

    def models(self) -> dict[str, tuple[str, int]]:
        """Return the id of the model of each stream that is held, and its number of dimensions."""
        rows = self._all("SELECT stream, model, dimensions FROM models ORDER BY stream DESC")
        return {stream: (model, dimensions) for stream, model, dimensions in rows}

    def entries(self) -> list[Entry]:
        """Return the catalogue, in the order of the ids."""
        return [_entry(r) for r in self._all(f"SELECT {_ENTRY} FROM videos ORDER BY video_id")]

    def entry(self, video_id: str) -> Entry | None:
        """Return the line of a video, or None where there is none."""
        return self._find("video_id = ?", video_id)

    def entry_at(self, path: PathLike) -> Entry | None:
        """Return the video whose file lies, or lay, at an absolute path."""
        return self._find("path = ?", os.fsencode(path))

    def entry_of(self, key: int) -> Entry | None:
        """Return the video of a key, or None where it was removed or replaced since."""
        return self._find("key = ?", key)

    def entries_with(self, content: str) -> list[Entry]:
        """Return the videos made of files of some bytes, in the order of the ids."""
        rows = self._all(
            f"SELECT {_ENTRY} FROM videos WHERE content = ? ORDER BY video_id", content
        )
        return [_entry(row) for row in rows]

    def get(self, video_id: str, *, whole: bool = False) -> VideoDescriptor:
        """Return one descriptor.

        Parameters
        ----------
        video_id : str
        whole : bool
            Also what was decided to be ignored; by default its positions have weight 0.

        Raises
        ------
        DescriptorError
            There is none of that id, or it is damaged.
        """
        try:
            rows = self._all(
                # Damage may turn a blob into text, which SQLite would hand out as such.
                "SELECT content, CAST(descriptor AS BLOB) FROM videos WHERE video_id = ?",
                video_id,
            )
            if rows:
                ((content, data),) = rows
                return self._read(data, content or f"id:{video_id}", whole=whole)
        except DescriptorError as error:
            raise DescriptorError(
                f"video {video_id!r}: {error.problem}", file=self.path, remedy=error.remedy
            ) from error
        raise DescriptorError(f"holds no video {video_id!r}", file=self.path)

    def keys(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the keys of all videos, ascending."""
        rows = self._all("SELECT key FROM videos ORDER BY key")
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def after(self, key: int) -> Iterator[tuple[int, VideoDescriptor]]:
        """Yield the videos of higher keys, ascending; those that are damaged are left out."""
        while True:
            rows = self._all(
                "SELECT key, video_id, content, CAST(descriptor AS BLOB) FROM videos "
                f"WHERE key > ? ORDER BY key LIMIT {_AT_ONCE}",
                key,
            )
            for key, video_id, content, data in rows:  # noqa: PLR1704 - goes on behind it
                try:
                    yield key, self._read(data, content or f"id:{video_id}", whole=False)
                except DescriptorError:
                    continue  # `vcd library verify` names it
            if len(rows) < _AT_ONCE:
                return

    def problems(self) -> list[DescriptorError]:
        """Return what SQLite finds wrong with the file itself."""
        rows = self._all("PRAGMA integrity_check(10)")
        return [
            DescriptorError(
                f"is damaged ({row[0]})",
                file=self.path,
                remedy="restore it from a copy, or build it again",
            )
            for row in rows
            if row[0] != "ok"
        ]

    def state(self) -> tuple[int, int]:
        """Return numbers that change with every change of the file, whoever made it."""
        return int(self._one("PRAGMA data_version")[0]), self._database.total_changes

    # Writing ------------------------------------------------------------------------------------

    def add(
        self, descriptor: VideoDescriptor, *, origin: Origin | None = None, settings: str = ""
    ) -> None:
        """Add a video, in the place of one of the same id, or of the same file.

        Parameters
        ----------
        descriptor : VideoDescriptor
        origin : Origin, optional
            The file it was made of.
        settings : str
            What described it.

        Raises
        ------
        DescriptorError
            It was made by another model than the descriptors that are there.
        OutputError
            The file cannot be written.
        """
        data = to_bytes(descriptor)
        with self._transaction():
            for track in descriptor.tracks.values():
                self._admit(track)
            self._run(
                f"INSERT OR REPLACE INTO videos ({_ENTRY}, descriptor) "
                "VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                descriptor.video_id,
                descriptor.duration,
                len(descriptor.health.warnings),
                settings,
                *_columns(origin),
                data,
            )

    def relocate(self, video_id: str, origin: Origin) -> None:
        """Note that the file of a video lies elsewhere now, or was touched; nothing else changes.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        with self._transaction():
            columns = _columns(origin)
            self._run(
                "UPDATE videos SET path = NULL WHERE path = ? AND video_id != ?",
                columns[0],
                video_id,
            )
            self._run(
                "UPDATE videos SET path = ?, content = ?, size = ?, modified = ?, width = ?, "
                "height = ? WHERE video_id = ?",
                *columns,
                video_id,
            )

    def remove(self, video_id: str) -> bool:
        """Remove a video; return whether it was there. Decisions about it are kept."""
        with self._transaction():
            removed = self._run("DELETE FROM videos WHERE video_id = ?", video_id)
            if not self._one("SELECT count(*) FROM videos")[0]:
                self._run("DELETE FROM models")  # an empty library takes descriptors of any
        return removed > 0

    # Deciding -----------------------------------------------------------------------------------

    def separate(self, first: str, second: str, *, reason: str = "") -> Decision:
        """Decide that two videos are no copies of each other, whatever they share.

        Raises
        ------
        DescriptorError
            The library holds no video of one of the ids.
        """
        one, other = sorted((self._known(first).identity, self._known(second).identity))
        return self._decide(Decision(0, "separate", one, other, reason=reason))

    def ignore(
        self, video_id: str, start: float = 0.0, end: float = math.inf, *, reason: str = ""
    ) -> Decision:
        """Decide that a part of a video says nothing: an intro, an advert, a test card.

        Parameters
        ----------
        video_id : str
        start, end : float
            Seconds, half-open.
        reason : str

        Raises
        ------
        DescriptorError
            The library holds no video of the id.
        ContractError
            The part is empty or begins before 0.
        """
        identity = self._known(video_id).identity
        return self._decide(Decision(0, "ignore", identity, "", start, end, reason))

    def decisions(self) -> list[Decision]:
        """Return what was decided, the oldest first."""
        rows = self._all(f"SELECT {_DECISION} FROM decisions ORDER BY number")
        return [Decision(*row) for row in rows]

    def forget(self, number: int) -> bool:
        """Take a decision back; return whether it was there."""
        with self._transaction():
            rows = self._all("SELECT first FROM decisions WHERE number = ?", number)
            self._run("DELETE FROM decisions WHERE number = ?", number)
            for (identity,) in rows:
                self._renew(identity)
        return bool(rows)

    def separated(self) -> frozenset[tuple[str, str]]:
        """Return the pairs of identities that are no copies of each other, each pair in order."""
        rows = self._all("SELECT first, second FROM decisions WHERE kind = 'separate'")
        return frozenset((first, second) for first, second in rows)

    # Inside -------------------------------------------------------------------------------------

    def _decide(self, decision: Decision) -> Decision:
        with self._transaction():
            self._run(
                f"INSERT INTO decisions ({_DECISION}) VALUES (NULL, ?, ?, ?, ?, ?, ?)",
                decision.kind,
                decision.first,
                decision.second,
                decision.start,
                decision.end,
                decision.reason,
            )
            number = int(self._one("SELECT last_insert_rowid()")[0])
            if decision.kind == "ignore":
                self._renew(decision.first)
        return replace(decision, number=number)

    def _renew(self, identity: str) -> None:
        """Give new keys to the videos of an identity: what is derived from them is out of date."""
        highest = self._one("SELECT seq FROM sqlite_sequence WHERE name = 'videos'")
        for number, (key,) in enumerate(
            self._all(
                "SELECT key FROM videos WHERE content = ? OR (content IS NULL AND video_id = ?)",
                identity,
                identity.removeprefix("id:"),
            ),
            start=1,
        ):
            self._run("UPDATE videos SET key = ? WHERE key = ?", highest[0] + number, key)
            self._run(
                "UPDATE sqlite_sequence SET seq = ? WHERE name = 'videos'", highest[0] + number
            )

    def _known(self, video_id: str) -> Entry:
        entry = self.entry(video_id)
        if entry is None:
            raise DescriptorError(
                f"holds no video {video_id!r}",
                file=self.path,
                remedy="vcd library list shows what it holds",
            )
        return entry

    def _admit(self, track: Track) -> None:
        """Take the first model of a stream as that of the library, and refuse any other."""
        dimensions = track.vectors.shape[1]
        self._run(
            "INSERT OR IGNORE INTO models VALUES (?, ?, ?)", track.stream, track.model, dimensions
        )
        ((model, width),) = self._all(
            "SELECT model, dimensions FROM models WHERE stream = ?", track.stream
        )
        if (model, width) != (track.model, dimensions):
            raise DescriptorError(
                f"holds {track.stream} descriptors of model {model} ({width} dimensions), "
                f"and takes none of {track.model} ({dimensions})",
                file=self.path,
                remedy="build another library for that model, or describe the video with this one",
            )

    def _read(self, data: bytes, identity: str, *, whole: bool) -> VideoDescriptor:
        descriptor = from_bytes(data, file=self.path)
        if whole:
            return descriptor
        parts = self._all(
            "SELECT start, end FROM decisions WHERE kind = 'ignore' AND first = ?", identity
        )
        return _without(descriptor, parts) if parts else descriptor

    def _find(self, condition: str, value: object) -> Entry | None:
        rows = self._all(f"SELECT {_ENTRY} FROM videos WHERE {condition}", value)
        return _entry(rows[0]) if rows else None

    def _all(self, statement: str, *values: object) -> list[Any]:
        with self._guarded():
            return self._database.execute(statement, values).fetchall()

    def _one(self, statement: str, *values: object) -> Any:
        with self._guarded():
            return self._database.execute(statement, values).fetchone()

    def _run(self, statement: str, *values: object) -> int:
        """Change something inside a transaction; return how many rows were."""
        return self._database.execute(statement, values).rowcount

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Make all changes of the body, or none."""
        with self._turn, self._guarded():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

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
        version, tables, application = self._state_of_file()
        with self._guarded():
            # What was committed survives the end of the process, if not that of the machine.
            self._database.execute("PRAGMA synchronous = NORMAL")
        if not tables and create:
            self._create()
            version, tables, application = self._state_of_file()
        if application != _APPLICATION_ID:
            raise DescriptorError("is no vcd library", file=self.path, remedy="check the path")
        if version > _VERSION:
            raise DescriptorError(
                f"is of library version {version}, this vcd reads up to {_VERSION}",
                file=self.path,
                remedy="update vcd",
            )
        if version < _VERSION:
            raise DescriptorError(
                f"is of library version {version}, this vcd reads {_VERSION}",
                file=self.path,
                remedy="remove it, or name another file, and build it again: vcd library add",
            )

    def _state_of_file(self) -> tuple[int, int, int]:
        return (
            self._one("PRAGMA user_version")[0],
            self._one("SELECT count(*) FROM sqlite_master")[0],
            self._one("PRAGMA application_id")[0],
        )

    def _create(self) -> None:
        with self._guarded():
            self._database.execute("PRAGMA journal_mode = WAL")
        with self._transaction():
            if self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return  # another process was faster
            for statement in _SCHEMA:
                self._run(statement)
            self._run("INSERT INTO about VALUES ('token', ?)", uuid.uuid4().hex)
            self._run(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._run(f"PRAGMA user_version = {_VERSION}")

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
        except (sqlite3.DatabaseError, sqlite3.ProgrammingError) as error:
            raise DescriptorError(
                f"is not a readable library ({error})",
                file=self.path,
                remedy="check the path; if it is a library, restore a copy or build it again",
            ) from error


def _columns(origin: Origin | None) -> tuple[object, ...]:
    if origin is None:
        return (None,) * 6
    return (
        None if origin.path is None else os.fsencode(origin.path),
        origin.content,
        origin.size,
        origin.modified,
        origin.width,
        origin.height,
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    key, video_id, duration, warnings, settings, path, content, *rest = row
    origin = None
    if content is not None:
        origin = Origin(None if path is None else Path(os.fsdecode(path)), content, *rest)
    return Entry(key, video_id, duration, warnings, settings, origin)


def _without(descriptor: VideoDescriptor, parts: list[tuple[float, float]]) -> VideoDescriptor:
    """Return a descriptor whose positions inside some parts say nothing."""
    tracks = {}
    for name, track in descriptor.tracks.items():
        # A window counts where its middle lies: two seconds of sound reach into the part beside.
        middle = track.times.mean(axis=1)
        silent = np.zeros(len(track), np.bool_)
        for start, end in parts:
            silent |= (middle >= start) & (middle < end)
        tracks[name] = replace(track, weight=np.where(silent, np.float32(0), track.weight))
    return replace(descriptor, tracks=tracks)
