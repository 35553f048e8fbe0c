"""What else a frame may show a copy in: inside of its borders, in its halves, in an inset."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vcd.descriptors.borders import inside_borders
from vcd.descriptors.seams import FIRST, INSET, SECOND, parts
from vcd.records import Stream, Track, VideoDescriptor

__all__ = ["INNER_VIEW", "VIEWS", "further_tracks", "views_of"]

INNER_VIEW = "inner"
"""The view of frames without the flat borders around them; only frames that have some are in it."""

VIEWS = (INNER_VIEW, FIRST, SECOND, INSET)
"""All views beside that of whole frames; each has only the frames in which there is such a part."""

Pixels = npt.NDArray[np.uint8]


def views_of(pixels: Pixels) -> dict[str, Pixels]:
    """Return the parts of a frame that are worth a description of their own, by view.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)

    Returns
    -------
    dict of ndarray
        Of some of `VIEWS`: views of the same pixels. Halves and insets are found inside of borders,
        and are given without borders of their own.
    """
    inner = inside_borders(pixels)
    found = {} if inner is None else {INNER_VIEW: inner}
    for view, part in parts(pixels if inner is None else inner).items():
        inside = inside_borders(part)
        found[view] = part if inside is None else inside
    return found


def further_tracks(descriptor: VideoDescriptor, stream: Stream) -> list[Track]:
    """Return the tracks of a stream that are of `VIEWS`; those of other views are a user's own."""
    found = (descriptor.tracks.get(f"{stream}/{view}") for view in VIEWS)
    return [track for track in found if track is not None]
