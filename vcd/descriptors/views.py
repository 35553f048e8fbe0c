"""What else may be a copy: what borders surround, turned too; halves, an inset; sound sped up."""

from __future__ import annotations

import numpy as np

from vcd.descriptors.borders import inside_borders
from vcd.descriptors.boxes import Box, Pixels
from vcd.descriptors.faster import FASTER_VIEW
from vcd.descriptors.seams import FIRST, INSET, SECOND, parts
from vcd.records import Stream, Track, VideoDescriptor

__all__ = [
    "INNER_VIEW",
    "LEFT_VIEW",
    "PICTURE_VIEWS",
    "RIGHT_VIEW",
    "SMALL_VIEWS",
    "VIEWS",
    "boxes_of",
    "further_tracks",
    "shown",
    "views_of",
]

INNER_VIEW = "inner"
"""The view of frames without the flat borders around them; only frames that have some are in it."""

LEFT_VIEW, RIGHT_VIEW = "left", "right"
"""Views of a strip between borders left and right, turned by a quarter: it may lie on its side."""

PICTURE_VIEWS = (INNER_VIEW, LEFT_VIEW, RIGHT_VIEW, FIRST, SECOND, INSET)
"""Views beside that of whole frames; each has only the frames in which there is such a part."""

SMALL_VIEWS = (FIRST, SECOND, INSET)
"""Those of which a frame holds few pixels: a model with a smaller size describes them at that."""

VIEWS = (*PICTURE_VIEWS, FASTER_VIEW)
"""All views of either stream beside that of all there is."""

_STRIP = 0.6  # of the frame's width, for each of its height, is the most that a strip takes


def boxes_of(pixels: Pixels) -> dict[str, Box]:
    """Return where the parts of a frame lie that are worth a description of their own, by view.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)

    Returns
    -------
    dict of Box
        Of some of `PICTURE_VIEWS`. Halves and insets are found inside of borders, and are given
        without borders of their own.
    """
    inner = inside_borders(pixels)
    found = {} if inner is None else {INNER_VIEW: inner}
    if inner is not None and _is_strip(inner, pixels):
        found |= {LEFT_VIEW: inner, RIGHT_VIEW: inner}
    around = inner or Box.around(pixels)
    for view, part in parts(around.cut(pixels)).items():
        box = part.within(around)
        inside = inside_borders(box.cut(pixels))
        found[view] = box if inside is None else inside.within(box)
    return found


def shown(pixels: Pixels, view: str, box: Box) -> Pixels:
    """Return the part of a frame that a view shows, upright: a view of the same pixels."""
    part = box.cut(pixels)
    turns = {LEFT_VIEW: 1, RIGHT_VIEW: -1}.get(view, 0)
    return np.rot90(part, turns) if turns else part


def views_of(pixels: Pixels) -> dict[str, Pixels]:
    """Return the parts of a frame that are worth a description of their own, by view.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)

    Returns
    -------
    dict of ndarray
        Views of the same pixels, those of `boxes_of`.
    """
    return {view: shown(pixels, view, box) for view, box in boxes_of(pixels).items()}


def _is_strip(inner: Box, frame: Pixels) -> bool:
    """Whether what borders surround is narrow: a wide picture that lies on its side may be."""
    (height, width), (whole_height, whole_width) = inner.cut(frame).shape[:2], frame.shape[:2]
    return bool(width / whole_width <= _STRIP * height / whole_height)


def further_tracks(descriptor: VideoDescriptor, stream: Stream) -> list[Track]:
    """Return the tracks of a stream that are of `VIEWS`; those of other views are a user's own."""
    found = (descriptor.tracks.get(f"{stream}/{view}") for view in VIEWS)
    return [track for track in found if track is not None]
