"""What is given on one side of a match becomes a list of named videos."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vcd import encoding
from vcd.errors import MediaError, VcdError, display_name
from vcd.library import SUFFIX as LIBRARY_SUFFIX
from vcd.library import Library
from vcd.media import find_media
from vcd.records import VideoDescriptor

__all__ = ["Given", "Source", "resolve"]

Given = str | bytes | os.PathLike[str] | VideoDescriptor | Library
"""A file, a folder, a descriptor file, a descriptor, or a library."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One video by name: a media file still to describe, or a descriptor.

    `name` is what a person calls it (the path as given), `video_id` what tables of results call
    it (the file name without its ending, where that is unique).
    """

    video_id: str
    name: str
    path: Path | None = None
    descriptor: VideoDescriptor | None = None


def resolve(given: Given | Iterable[Given], on_error: Callable[[VcdError], None]) -> list[Source]:
    """List the videos of one side, in the order given, folders in the order of their names.

    Parameters
    ----------
    given : path, descriptor, or iterable of these
        Folders are searched for media files and descriptor files, whatever depth they lie at.
    on_error : callable
        Told of everything that cannot be used; the rest goes on.
    """
    items: Sequence[Given]
    if isinstance(given, (str, bytes, os.PathLike, VideoDescriptor, Library)):
        items = [given]
    else:
        items = list(given)
    sources: list[Source] = []
    roots: list[Path | None] = []
    for item in items:
        if isinstance(item, (VideoDescriptor, Library)):
            described = [item] if isinstance(item, VideoDescriptor) else _of_library(item, on_error)
            sources += [
                Source(d.video_id, display_name(d.video_id), descriptor=d) for d in described
            ]
            roots += [None] * len(described)
            continue
        root = Path(os.fsdecode(item))
        for path in _files(root, on_error):
            new = _of_file(path, on_error)
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


def _of_file(path: Path, on_error: Callable[[VcdError], None]) -> list[Source]:
    try:
        if path.suffix.lower() == LIBRARY_SUFFIX:
            with Library(path, create=False) as library:
                described = _of_library(library, on_error)
        elif encoding.is_descriptor_file(path):
            described = encoding.load(path)
        else:
            return [Source(display_name(path.stem), display_name(path), path=path)]
    except VcdError as error:
        on_error(error)
        return []
    return [Source(d.video_id, display_name(d.video_id), descriptor=d) for d in described]


def _of_library(library: Library, on_error: Callable[[VcdError], None]) -> list[VideoDescriptor]:
    """Read a library; a video that is damaged does not cost the others."""
    try:
        video_ids = library.video_ids()
    except VcdError as error:
        on_error(error)
        return []
    described: list[VideoDescriptor] = []
    for video_id in video_ids:
        try:
            described.append(library.get(video_id))
        except VcdError as error:
            on_error(error)
    return described


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
        named.append(Source(video_id, source.name, source.path, source.descriptor))
    return named
