"""What a person does to a copy: edits of frames and of sound, with exact times.

Frames are uint8 RGB, shape (height, width, 3); samples mono float32. Nothing given is changed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vcd_eval.making.canvas import Image, resize
from vcd_eval.making.lettering import write_text

__all__ = ["caption", "change_tempo", "crop", "inset"]

Frame = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]

_GRAIN = 0.04  # s, length of the pieces that a change of tempo lays over each other
_SEARCH = 0.008  # s, how far a piece may shift to fit its neighbour


def crop(frame: Frame, left: float, top: float, width: float) -> Frame:
    """Cut out a window (shares of the frame, its shape kept) and enlarge it to the whole."""
    tall, wide = frame.shape[:2]
    y, x = round(top * tall), round(left * wide)
    part = frame[y : y + round(width * tall), x : x + round(width * wide)]
    return _to_bytes(resize(part.astype(np.float32), (tall, wide)))


def inset(frame: Frame, other: Frame, left: float, top: float, width: float) -> Frame:
    """Lay another picture over a part of the frame, with a white border."""
    tall, wide = frame.shape[:2]
    size = round(width * tall), round(width * wide)
    y, x = round(top * tall), round(left * wide)
    result = frame.copy()
    result[max(y - 2, 0) : y + size[0] + 2, max(x - 2, 0) : x + size[1] + 2] = 255
    room = result[y : y + size[0], x : x + size[1]]
    room[:] = _to_bytes(resize(other.astype(np.float32), size))[: room.shape[0], : room.shape[1]]
    return result


def caption(frame: Frame, text: str, *, height: float, y: float) -> Frame:
    """Write a line of capitals across the frame, centred at the share `y` of its height."""
    tall, wide = frame.shape[:2]
    top, bottom = max(0, round(y * tall - height)), min(tall, round(y * tall + height))
    result = frame.copy()
    strip: Image = result[top:bottom] * np.float32(0.55 / 255)
    write_text(
        strip, text, wide / 2, y * tall - top, height=height, colour=(1.0, 0.95, 0.3), shadow=0.8
    )
    result[top:bottom] = _to_bytes(strip * np.float32(255))
    return result


def change_tempo(samples: Samples, speed: float, sample_rate: int) -> Samples:
    """Play sound faster or slower at the same pitch; the result has len(samples) / speed samples.

    Overlapping pieces are shifted a little so that each continues the one before: W. Verhelst and
    M. Roelands, "An overlap-add technique based on waveform similarity (WSOLA)", ICASSP 1993.
    """
    length = round(len(samples) / speed)
    half = round(_GRAIN * sample_rate / 2)
    search = round(_SEARCH * sample_rate)
    window = np.hanning(2 * half + 1)[:-1].astype(np.float32)
    padded = np.pad(samples, (half + search, 4 * half + 2 * search))
    result = np.zeros(length + 4 * half, np.float32)
    wanted = padded[search : search + 2 * half]  # what would follow the last piece
    for at in range(0, length + half, half):
        centre = min(round(at * speed), len(samples)) + search
        around = padded[centre - search : centre + search + 2 * half]
        shift = int(np.argmax(np.correlate(around, wanted, "valid")))
        start = centre - search + shift
        result[at : at + 2 * half] += window * padded[start : start + 2 * half]
        wanted = padded[start + half : start + 3 * half]
    return result[half : half + length]


def _to_bytes(picture: npt.NDArray[np.float32]) -> Frame:
    return np.asarray(np.clip(picture + 0.5, 0, 255), np.uint8)
