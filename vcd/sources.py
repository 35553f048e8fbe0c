"""What is given on one side of a match becomes a list of named videos."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vcd import encoding
from vcd.errors import MediaError, VcdError, display_name
from vcd.library import SUFFIX as LIBRARY_SUFFIX
from vcd.library import Entry, Library
from vcd.media import Limits, find_media
from vcd.records import VideoDescriptor

__all__ = ["Given", "Source", "resolve", "source_of"]

Given = str | bytes | os.PathLike[str] | VideoDescriptor | Library
"""A file, a folder, a descriptor file, a descriptor, or a library."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One video by name: a media file still to describe, a descriptor, or a video of a library.

    `name` is what a person calls it (the path as given), `video_id` what tables of results call
    it (the file name without its ending, where that is unique). `entry` is its line in `library`,
    which holds its descriptor; `path` then is where its file lay when it was added.
    """

    video_id: str
    name: str
    path: Path | None = None
    descriptor: VideoDescriptor | None = None
    library: Library | None = None
    entry: Entry | None = None

    def held(self) -> VideoDescriptor | None:
        """Return the descriptor where there is one, None where the file is still to describe.

        Raises
        ------
        DescriptorError
            That in the library is damaged, or was removed since.
        """
        if self.library is not None and self.entry is not None:
            return self.library.get(self.entry.video_id)
        return self.descriptor


def source_of(library: Library, entry: Entry) -> Source:
    """Return a video of a library, under the name of its file where that is known."""
    path = None if entry.origin is None else entry.origin.path
    name = display_name(entry.video_id if path is None else path)
    return Source(entry.video_id, name, path, library=library, entry=entry)


def resolve(
    given: Given | Iterable[Given],
    on_error: Callable[[VcdError], None],
    limits: Limits | None = None,
) -> list[Source]:
    """List the videos of one side, in the order given, folders in the order of their names.

    Parameters
    ----------
    given : path, descriptor, or iterable of these
        Folders are searched for media files and descriptor files, whatever depth they lie at.
    on_error : callable
        Told of everything that cannot be used; the rest goes on.
    limits : Limits, optional
        On descriptor files.
    """
    most = (limits or Limits()).max_descriptor
    items: Sequence[Given]
    if isinstance(given, (str, bytes, os.PathLike, VideoDescriptor, Library)):
        items = [given]
    else:
        items = list(given)
    sources: list[Source] = []
    roots: list[Path | None] = []
    for item in items:
        if isinstance(item, (VideoDescriptor, Library)):
            if isinstance(item, Library):
                held = _of_library(item, on_error)
            else:
                held = [Source(item.video_id, display_name(item.video_id), descriptor=item)]
            sources += held
            roots += [None] * len(held)
            continue
        root = Path(os.fsdecode(item))
        for path in _files(root, on_error):
            new = _of_file(path, on_error, most)
            sources += new
            roots += [root if path != root else root.parent] * len(new)
    return _with_unique_ids(sources, roots)


def _files(root: Path, on_error: Callable[[VcdError], None]) -> list[Path]:
    if not os.path.isdir(root):  # noqa: PTH112 - unlike pathlib, it never raises
        return [root]
    found = list(
        find_media(
            [root], on_error=on_error, extra_suffixes=(encoding.SUFFIX, ".npz", LIBRARY_SUFFIX)
        )
    )
    if not found:
        on_error(
            MediaError(
                "holds no video, picture or sound file",
                file=root,
                remedy="name a folder with media files; hidden files are skipped",
            )
        )
    return found


def _of_file(path: Path, on_error: Callable[[VcdError], None], most: int) -> list[Source]:
    try:
        if path.suffix.lower() == LIBRARY_SUFFIX:
            return _of_library(Library(path, create=False), on_error)
        if encoding.is_descriptor_file(path):
            described = encoding.load(path, most=most)
        else:
            return [Source(display_name(path.stem), display_name(path), path=path)]
    except VcdError as error:
        on_error(error)
        return []
    return [Source(d.video_id, display_name(d.video_id), descriptor=d) for d in described]


def _of_library(library: Library, on_error: Callable[[VcdError], None]) -> list[Source]:
    try:
        return [source_of(library, entry) for entry in library.entries()]
    except VcdError as error:
        on_error(error)
        return []


def _with_unique_ids(sources: Sequence[Source], roots: Sequence[Path | None]) -> list[Source]:
    """Give files that share a name an id that tells them apart: their path below what was given."""
    counts = Counter(source.video_id for source in sources)
    named: list[Source] = []
    taken: set[str] = set()
    for source, root in zip(sources, roots, strict=True):
        video_id = source.video_id
        if counts[video_id] > 1 and source.path is not None and root is not None:
            video_id = display_name(os.path.relpath(source.path, root))
        if video_id in taken:
            video_id = source.name
        number = 2
        while video_id in taken:
            video_id = f"{source.name}#{number}"
            number += 1
        taken.add(video_id)
        named.append(replace(source, video_id=video_id))
    return named
