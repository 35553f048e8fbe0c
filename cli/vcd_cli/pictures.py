"""Thumbnails for the page of a run."""

from __future__ import annotations

from collections.abc import Sequence

from vcd.engine import Engine
from vcd.report import MediaView

__all__ = ["thumbnails"]

_LONGER_SIDE = 200  # pixels
_QUALITY = 60


def thumbnails(engine: Engine, view: MediaView, times: Sequence[float]) -> list[bytes]:
    """Return one JPEG for each time, empty where there is no picture."""
    from vcd.media.thumbnails import encode_jpeg

    if view.path is None or view.kind == "sound":
        return [b""] * len(times)
    frames = engine.thumbnails(view.path, times, _LONGER_SIDE)
    return [b"" if pixels is None else encode_jpeg(pixels, _QUALITY) for pixels in frames]
