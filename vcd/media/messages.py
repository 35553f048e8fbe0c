"""What a process that reads media and the one that asked for it say to each other.

A message is a kind, a head in JSON, and a body of raw bytes (pixels or samples)::

    uint8 kind   uint32 length of head   uint64 length of body   head   body

The reading process may have been taken over by the file it reads: nothing it says is believed
unchecked, and nothing it sends is ever unpickled.
"""

from __future__ import annotations

import functools
import json
import math
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from vcd.errors import display_name
from vcd.media.decoder import Frame, MediaInfo, Samples
from vcd.records import Health

__all__ = [
    "BrokenMessageError",
    "Kind",
    "Message",
    "ending_of",
    "frame_of",
    "info_of",
    "pack_frame",
    "pack_samples",
    "pixels_of",
    "receive",
    "samples_of",
    "send",
    "text_of",
]

Pixels = npt.NDArray[np.uint8]
_Made = TypeVar("_Made")

_HEADER = struct.Struct("<BIQ")
_MOST_HEAD = 1 << 20  # bytes
_LONGEST_WAIT = 1e6  # seconds; no system waits for ever when asked to
_MOST_TEXT = 500  # characters of a name or a reason


class Kind(IntEnum):
    """What a message is about."""

    REQUEST = 1
    READY = 2
    INFO = 3
    FRAME = 4
    SAMPLES = 5
    DONE = 6
    ERROR = 7


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One message; its body is of bytes not yet looked at."""

    kind: Kind
    head: dict[str, Any] = field(default_factory=dict)
    body: bytearray | memoryview = field(default_factory=bytearray)


class BrokenMessageError(Exception):
    """What was received is no message."""


def send(channel: socket.socket, message: Message) -> None:
    """Send a message whole; `OSError` where nobody listens any more."""
    head = json.dumps(message.head).encode()
    start = _HEADER.pack(message.kind, len(head), len(message.body)) + head
    channel.sendall(start)
    if len(message.body):
        channel.sendall(message.body)


def receive(channel: socket.socket, deadline: float | None = None, most: int = 0) -> Message | None:
    """Receive a message whole; None where the other side has left.

    Parameters
    ----------
    channel : socket
    deadline : float, optional
        Of the monotonic clock.
    most : int
        Bytes of body that are accepted.

    Raises
    ------
    TimeoutError
        The message was not there in time.
    BrokenMessageError
        It is no message, or larger than allowed.
    """
    start = _take(channel, _HEADER.size, deadline)
    if start is None:
        return None
    kind, head_length, body_length = _HEADER.unpack(start)
    if head_length > _MOST_HEAD or body_length > most:
        raise BrokenMessageError(f"a message of {head_length} and {body_length} bytes")
    head = _take(channel, head_length, deadline)
    body = _take(channel, body_length, deadline)
    if head is None or body is None:
        return None
    try:
        values = json.loads(head)
        if not isinstance(values, dict):
            raise TypeError("no object")
        return Message(Kind(kind), values, body)
    except (ValueError, TypeError, RecursionError) as error:
        raise BrokenMessageError(str(error)) from None


def _take(channel: socket.socket, count: int, deadline: float | None) -> bytearray | None:
    taken = bytearray(count)
    rest = memoryview(taken)
    while rest:
        # What has come is taken even when it is late.
        left = None if deadline is None else deadline - time.monotonic()
        channel.settimeout(None if left is None else min(max(left, 1e-3), _LONGEST_WAIT))
        try:
            received = channel.recv_into(rest)
        except (ConnectionError, BrokenPipeError):
            received = 0
        if not received:
            return None
        rest = rest[received:]
    return taken


# What the reading process sends ----------------------------------------------------------------


def pack_frame(frame: Frame) -> Message:
    """Return a frame as a message."""
    head = {"start": frame.start, "end": frame.end, "time": frame.time, "shape": frame.pixels.shape}
    return Message(Kind.FRAME, head, np.ascontiguousarray(frame.pixels).data.cast("B"))


def pack_samples(run: Samples) -> Message:
    """Return a run of samples as a message."""
    samples = np.ascontiguousarray(run.samples, np.float32)
    return Message(Kind.SAMPLES, {"start": run.start}, samples.data.cast("B"))


# What is made of it ----------------------------------------------------------------------------


def _checked(read: Callable[[Message], _Made]) -> Callable[[Message], _Made]:
    """Turn whatever a message that says what cannot be raises into `BrokenMessageError`."""

    @functools.wraps(read)
    def reading(message: Message) -> _Made:
        try:
            return read(message)
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise BrokenMessageError(f"{message.kind.name}: {error}") from None

    return reading


@_checked
def info_of(message: Message) -> MediaInfo:
    """Return what the container says."""
    head = message.head
    kind = head["kind"]
    if kind not in ("video", "picture", "sound"):
        raise ValueError(kind)
    return MediaInfo(
        kind,
        _number(head["duration"], least=0.0),
        _count(head["width"]),
        _count(head["height"]),
        _number(head["frame_rate"], least=0.0),
        _count(head["rotation"]),
        text_of(head["video_codec"]),
        text_of(head["audio_codec"]),
    )


@_checked
def pixels_of(message: Message) -> Pixels:
    """Return the pixels of a frame, shape (height, width, 3)."""
    height, width, colours = (_count(side) for side in message.head["shape"])
    if colours != 3 or not height * width:
        raise ValueError("no picture")
    return np.frombuffer(message.body, np.uint8).reshape(height, width, 3)


@_checked
def frame_of(message: Message) -> Frame:
    """Return a frame."""
    start, end, moment = (_number(message.head[name]) for name in ("start", "end", "time"))
    return Frame(start, end, moment, pixels_of(message))


@_checked
def samples_of(message: Message) -> Samples:
    """Return a run of samples."""
    samples = np.frombuffer(message.body, np.float32)
    if not np.abs(samples).max(initial=0) <= 1:  # what is not a number fails this, too
        raise ValueError("no sound")
    return Samples(_number(message.head["start"]), samples)


@_checked
def ending_of(message: Message) -> tuple[float, Health]:
    """Return the duration and the health of a file that was read to its end."""
    told = dict(message.head["health"])
    warnings = tuple(text_of(warning) for warning in told.pop("warnings"))
    counts = {name: _count(value) for name, value in told.items()}
    return _number(message.head["duration"], least=0.0), Health(**counts, warnings=warnings)


def text_of(value: object) -> str:
    """Return a text as one printable line."""
    return display_name(str(value)[:_MOST_TEXT])


def _number(value: Any, *, least: float = -math.inf) -> float:
    number = float(value)
    if not (math.isfinite(number) and number >= least):
        raise ValueError(f"{number} is out of range")
    return number


def _count(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value
