"""Files into a library: what is new is described, what is known is recognised."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from vcd.descriptors import DESCRIPTION, DescriptorCache
from vcd.engine import Engine, OnDone, OnError
from vcd.errors import DescriptorError, MediaError, VcdError, display_name
from vcd.library import Entry, Library, LibrarySearch, Origin
from vcd.records import VideoDescriptor
from vcd.sources import Given, Source, resolve

__all__ = ["Added", "add_files"]


@dataclass(slots=True)
class Added:
    """How many videos were described, copied from one of the same bytes, moved, left as they are.

    Descriptors that were given as such count as described.
    """

    described: int = 0
    copied: int = 0
    moved: int = 0
    unchanged: int = 0


def add_files(
    engine: Engine,
    library: Library,
    given: Given | Iterable[Given],
    *,
    on_error: OnError,
    on_start: Callable[[int], None] | None = None,
    on_done: OnDone | None = None,
    on_added: Callable[[Source, VideoDescriptor], None] | None = None,
) -> Added:
    """Add all videos of files and folders; each is kept as soon as it is described.

    A file of the same path, size and time of change is left as it is. One of the same bytes is
    recognised: it was moved where the old one is gone, else it is a copy, and is not described
    again. So the same call goes on after an interruption, and brings a library up to date.

    Parameters
    ----------
    engine : Engine
    library : Library
    given : path, folder, descriptor, library, or iterable of these
    on_error : callable
        Told of every input that cannot be used; the rest goes on.
    on_start, on_done, on_added : callable, optional
        Told of the number of inputs, of each that is done with, and of each that was described.

    Raises
    ------
    DescriptorError
        The library holds descriptors of other models than the engine's.
    OutputError
        The library cannot be written.
    """
    _check_models(engine, library)
    sources = [s for s in resolve(given, on_error, engine.limits) if not _is_of(s, library)]
    if on_start is not None:
        on_start(len(sources))
    adding = _Adding(engine, library, on_error, on_done or (lambda _: None))
    for source, descriptor in engine.describe_all(
        adding.to_describe(sources), on_error=on_error, on_done=on_done
    ):
        adding.keep(source, descriptor)
        if on_added is not None:
            on_added(source, descriptor)
    LibrarySearch(library).refresh()
    return adding.added


class _Adding:
    """One run: decides what is to be described, and writes what comes of it."""

    def __init__(
        self, engine: Engine, library: Library, on_error: OnError, on_done: OnDone
    ) -> None:
        self.added = Added()
        self._engine, self._library = engine, library
        self._on_error, self._on_done = on_error, on_done
        self._origins: dict[str, Origin] = {}  # of what is being described, by id
        self._settings = json.dumps(
            {
                "models": {stream: info.id for stream, info in engine.models.items()},
                "rate": engine.rate,
                "exact": engine.exact,
                "description": DESCRIPTION,
            }
        )

    def to_describe(self, sources: Iterable[Source]) -> Iterator[Source]:
        """Yield the files that are new; settle everything else on the way."""
        for source in sources:
            try:
                wanted = self._is_new(source)
            except VcdError as error:
                self._on_error(error)
                wanted = False
            if wanted:
                yield source
            else:
                self._on_done(source)

    def keep(self, source: Source, descriptor: VideoDescriptor) -> None:
        """Write what was described."""
        origin = self._origins.pop(source.video_id)
        if origin.path is not None:
            with suppress(MediaError):  # it could be described; its size is no reason to lose it
                info = self._engine.probe(origin.path)
                origin = replace(origin, width=info.width, height=info.height)
        self._write(source, descriptor, origin)
        self.added.described += 1

    def _is_new(self, source: Source) -> bool:
        held = source.held()
        if held is not None:
            if source.library is not None and source.entry is not None:
                # What is ignored there is a decision of that library, and no part of the video.
                held = source.library.get(source.entry.video_id, whole=True)
            self._take(source, held)
            return False
        origin = _look(source)
        known = self._library.entry_at(origin.path or "")
        if known is not None and self._is_same(known, origin):
            self.added.unchanged += 1
            return False
        content = DescriptorCache.content(origin.path or "")
        origin = replace(origin, content=content)
        for entry in self._library.entries_with(content):
            if entry.settings == self._settings:
                self._recognise(source, entry, origin)
                return False
        self._origins[source.video_id] = origin
        return True

    def _is_same(self, known: Entry, origin: Origin) -> bool:
        was = known.origin
        return (
            was is not None
            and (was.size, was.modified) == (origin.size, origin.modified)
            and known.settings == self._settings
        )

    def _recognise(self, source: Source, entry: Entry, origin: Origin) -> None:
        """Take in a file whose bytes the library knows."""
        was = entry.origin
        if was is not None:
            origin = replace(origin, width=was.width, height=was.height)
        path = None if was is None else was.path
        if path is None or path == origin.path or not os.path.lexists(path):
            self._library.relocate(entry.video_id, origin)
            if path == origin.path:
                self.added.unchanged += 1  # only touched
            else:
                self.added.moved += 1
        else:
            self._write(source, self._library.get(entry.video_id, whole=True), origin)
            self.added.copied += 1

    def _take(self, source: Source, descriptor: VideoDescriptor) -> None:
        """Take in a descriptor that was given as such, with what is known of its file."""
        origin = None if source.entry is None else source.entry.origin
        name, number = source.video_id, 1
        while name in self._library:
            there = self._library.get(name, whole=True)
            if there.to_bytes() == replace(descriptor, video_id=name).to_bytes():
                self.added.unchanged += 1
                return
            number += 1
            name = f"{source.video_id}#{number}"  # another video of the same id: both are kept
        named = replace(descriptor, video_id=name)
        settings = "" if source.entry is None else source.entry.settings
        self._library.add(named, origin=origin, settings=settings)
        self.added.described += 1

    def _write(self, source: Source, descriptor: VideoDescriptor, origin: Origin) -> None:
        named = replace(descriptor, video_id=self._name(source, origin.path))
        self._library.add(named, origin=origin, settings=self._settings)

    def _name(self, source: Source, path: Path | None) -> str:
        """Return the id under which a file is kept: the one it has, or one that is free."""
        known = self._library.entry_at(path or "")
        if known is not None:
            return known.video_id
        name = source.video_id
        number = 1
        while name in self._library:
            name = display_name(path or "") + (f"#{number}" if number > 1 else "")
            number += 1
        return name


def _check_models(engine: Engine, library: Library) -> None:
    for stream, (model, _) in library.models().items():
        info = {str(s): m for s, m in engine.models.items()}.get(stream)
        if info is not None and info.id != model:
            raise DescriptorError(
                f"holds {stream} descriptors of model {model}, not of {info.id}",
                file=library.path,
                remedy=f"choose --model {model}, or build another library",
            )


def _is_of(source: Source, library: Library) -> bool:
    """Whether a source is a video of the library itself, which lies in a folder to add."""
    other = source.library
    return other is not None and other.token() == library.token()


def _look(source: Source) -> Origin:
    """Return where a file lies, how large it is and when it was changed; no digest yet."""
    path = Path(os.path.abspath(source.path or ""))  # noqa: PTH100 - links are left as they are
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        raise MediaError(
            f"cannot be read ({error.strerror or error})", file=path, remedy="check the path"
        ) from error
    return Origin(path, "", status.st_size, status.st_mtime_ns)
