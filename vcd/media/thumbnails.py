"""Single small pictures out of a file, and pictures as JPEG or PNG bytes, for reports."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from vcd.errors import ContractError, PathLike
from vcd.media.decoder import Limits
from vcd.media.opened import OpenMedia
from vcd.media.pixels import PixelMaker
from vcd.media.source import FILE_PROBLEMS

__all__ = ["encode_jpeg", "encode_png", "thumbnail"]

Pixels = npt.NDArray[np.uint8]

_MAX_DECODED = 1000  # frames after a key frame that are decoded for one thumbnail
_COARSEST, _FINEST = 31, 2  # the quantisers of Motion JPEG


def thumbnail(
    path: PathLike,
    times: Iterable[float],
    longer_side: int = 160,
    *,
    limits: Limits | None = None,
) -> list[Pixels | None]:
    """Return the frames that are on the screen at given times.

    Parameters
    ----------
    path : path-like
    times : iterable of float
        Seconds of the file's clock, in any order.
    longer_side : int
        Largest width or height in pixels.
    limits : Limits, optional

    Returns
    -------
    list of (ndarray of uint8, shape (height, width, 3)) or None
        RGB, upright, one for each time; None where no frame can be read.

    Raises
    ------
    MediaNotFoundError, MediaLimitError, MediaError
        The file cannot be opened at all.
    """
    media = OpenMedia(path, limits or Limits())
    try:
        maker = PixelMaker(longer_side, media.aspect, media.limits)
        pictures: list[Pixels | None] = []
        for time in times:
            frame = media.still
            if frame is None:
                with contextlib.suppress(*FILE_PROBLEMS):
                    frame = _frame_at(media, time)
            pictures.append(None if frame is None else maker.make(frame))
        return pictures
    finally:
        media.close()


def _frame_at(media: OpenMedia, time: float) -> VideoFrame | None:
    stream = media.video
    if stream is None or stream.time_base is None:
        return None
    media.check_time(time)
    tolerance = 0.25 / media.frame_rate if media.frame_rate else 0.0
    media.container.seek(round((time + media.origin) / stream.time_base), stream=stream)
    context = stream.codec_context
    context.flush_buffers()
    found: VideoFrame | None = None
    decoded = 0
    for packet in media.container.demux(stream):
        with contextlib.suppress(*FILE_PROBLEMS):
            for frame in context.decode(packet if packet.size else None):
                decoded += 1
                if frame.pts is None:
                    continue
                late = media.seconds(stream, frame.pts) > time + tolerance
                if late and found is not None:
                    return found
                found = frame
                if late:
                    return found
        if decoded > _MAX_DECODED:
            break
    return found


def encode_jpeg(pixels: Pixels, quality: int = 80) -> bytes:
    """Return RGB pixels, shape (height, width, 3), as a JPEG file; `quality` from 1 to 100.

    Raises
    ------
    ContractError
        The pixels are no RGB uint8 picture.
    """
    lost = 1 - (min(100, max(1, quality)) - 1) / 99
    step = round(_FINEST + (_COARSEST - _FINEST) * lost**1.5)
    return _encode(pixels, "mjpeg", "yuvj420p", {"qmin": str(step), "qmax": str(step)})


def encode_png(pixels: Pixels) -> bytes:
    """Return RGB pixels, shape (height, width, 3), as a PNG file.

    Raises
    ------
    ContractError
        The pixels are no RGB uint8 picture.
    """
    return _encode(pixels, "png", "rgb24", {})


def _encode(pixels: Pixels, codec: str, layout: Any, options: dict[str, str]) -> bytes:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ContractError(
            f"a picture must be uint8 of shape (height, width, 3), got {pixels.dtype} "
            f"{pixels.shape}"
        )
    context = VideoCodecContext.create(codec, "w")
    if not isinstance(context, VideoCodecContext):
        raise ContractError(f"{codec} is no picture codec")
    context.height, context.width = pixels.shape[:2]
    context.pix_fmt = layout
    context.time_base = Fraction(1, 1)
    context.options = options
    context.thread_count = 1
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    frame = frame.reformat(format=layout, dst_color_range="JPEG")
    frame.pts = 0
    packets = [*context.encode(frame), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
