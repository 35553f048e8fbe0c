"""The contract of a decoder: a file in; timed frames and sound samples out, as a stream.

Every decoder obeys one sampling rule. At a rate of r frames a second, the file is cut into
intervals ``[k/r, (k+1)/r)`` from its first presented frame or sample; each interval that the
picture reaches gives one frame, the one whose presentation time is nearest the middle of the
interval. An interval in which no frame begins shows the frame that stands on the screen. The last
interval ends with the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from vcd.errors import ContractError, MediaLimitError, PathLike
from vcd.records import FloatArray, Health

__all__ = [
    "SAMPLE_RATE",
    "Decoder",
    "Frame",
    "Isolation",
    "Limits",
    "MediaInfo",
    "Recording",
    "Samples",
    "Sampling",
]

SAMPLE_RATE = 16_000  # Hz, mono; what the audio models expect

Isolation = Literal["none", "process"]
"""Where files are read: in this process, or in another one that they may break."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What to take out of a file.

    Parameters
    ----------
    rate : float
        Frames a second.
    size : (int, int), int or None
        (width, height): exactly this, the aspect is given up. A single number: the longer side at
        most this, the displayed aspect kept. None: as displayed.
    picture, sound : bool
        Whether frames and samples are wanted; a stream not wanted is not decoded.
    exact : bool
        Decode every frame whole. Otherwise frames that no sample needs are skipped where that is
        cheaper: a frame may be up to two frames beside the rule's, and its pixels may differ by
        about one grey level in the mean (three where the film is of very low quality).
    """

    rate: float = 2.0
    size: tuple[int, int] | int | None = None
    picture: bool = True
    sound: bool = True
    exact: bool = False

    def __post_init__(self) -> None:
        if not 0.01 <= self.rate <= 1000:
            raise ContractError(f"rate must lie in [0.01, 1000] frames a second, got {self.rate}")
        sides = (self.size,) if isinstance(self.size, int) else self.size or (1,)
        if any(side < 1 for side in sides):
            raise ContractError(f"size must be at least one pixel, got {self.size}")


@dataclass(frozen=True, slots=True)
class Limits:
    """Where reading stops; a media file beyond a limit raises `MediaLimitError`.

    Parameters
    ----------
    max_pixels : int
        Of a frame.
    max_duration : float
        Seconds, by the container's word or by what is decoded.
    max_streams : int
        In the container.
    max_wall_time : float
        Seconds spent on one file.
    max_frames : int
        Pictures in the file, sampled or not.
    max_metadata : int
        Characters of titles, comments and the like, names included, all streams together.
    max_stall : float
        Seconds in which a file gives neither a frame nor sound. In isolation only, like the next
        two: a process can be stopped anywhere, a thread cannot.
    max_cpu_time : float
        Seconds of a processor spent on reading one file.
    max_memory : int
        Bytes of address space of the process that reads, its libraries included (about 300 MB).
    max_descriptor : int
        Bytes of a descriptor file, unpacked; a larger one raises `DescriptorError`.
    max_hash : int
        Characters of a hash string; a longer one raises `HashStringError`. The default is about
        nine hours, some five where all frames have borders or show two pictures.
    max_segments : int
        Of one match; the most probable are kept, and that is logged as a warning.
    max_matrix : int
        Cells, of four bytes, of a similarity matrix that is made at once; a pair that needs a
        larger one raises `DescriptorError`. Long videos are compared in windows of some minutes,
        which reach the default at some 50 positions a second.

    Raises
    ------
    ContractError
        A limit is negative, or no number.
    """

    max_pixels: int = 8192 * 8192
    max_duration: float = 24 * 3600.0
    max_streams: int = 64
    max_wall_time: float = 3600.0
    max_frames: int = 10_000_000
    max_metadata: int = 16 << 20
    max_stall: float = 300.0
    max_cpu_time: float = 3600.0
    max_memory: int = 4 << 30
    max_descriptor: int = 4 << 30
    max_hash: int = 1 << 26
    max_segments: int = 1000
    max_matrix: int = 1 << 28

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) >= 0:
                raise ContractError(
                    f"{field.name} must not be negative, got {getattr(self, field.name)}"
                )

    def exceeded(self, name: str, problem: str, *, file: PathLike | None = None) -> MediaLimitError:
        """Return the error for a file that goes beyond the limit of that name."""
        return MediaLimitError(
            f"{problem}, more than the limit of {getattr(self, name):g}",
            file=file,
            remedy=f"raise {name} to read it all the same",
        )


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What the container says before anything is decoded.

    `width` and `height` are as displayed (rotation and pixel aspect applied), 0 without picture;
    `duration` in seconds and `frame_rate` in frames a second are 0 where unknown; codecs are ""
    where the stream is missing.
    """

    kind: Literal["video", "picture", "sound"]
    duration: float
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    rotation: int = 0
    video_codec: str = ""
    audio_codec: str = ""

    @property
    def has_picture(self) -> bool:
        """Whether there is a picture stream."""
        return bool(self.video_codec)

    @property
    def has_sound(self) -> bool:
        """Whether there is a sound stream."""
        return bool(self.audio_codec)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One sampled frame: the interval it stands for, its own presentation time, and its pixels.

    `pixels` is RGB uint8 of shape (height, width, 3), upright.
    """

    start: float
    end: float
    time: float
    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """A run of sound: mono float32 samples in [-1, 1] at `SAMPLE_RATE`, from `start` seconds on.

    Runs follow each other without gap or overlap; what the file leaves out is silence.
    """

    start: float
    samples: FloatArray


@runtime_checkable
class Recording(Protocol):
    """One file being read; iterate it once. Memory does not grow with the file's duration.

    `duration` (seconds) and `health` are complete when the iteration has ended.
    """

    info: MediaInfo
    duration: float
    health: Health

    def __iter__(self) -> Iterator[Frame | Samples]:
        """Yield frames and runs of samples, each kind in time order."""
        ...


@runtime_checkable
class Decoder(Protocol):
    """A way to read media files.

    Both methods raise `MediaNotFoundError`, `MediaLimitError` or `MediaError`; `read` may raise
    while it is iterated. A missing stream is no error; a file with neither stream is.
    """

    name: str

    def probe(self, path: PathLike, *, limits: Limits = ...) -> MediaInfo:
        """Read the header only."""
        ...

    def read(self, path: PathLike, sampling: Sampling = ..., *, limits: Limits = ...) -> Recording:
        """Open a file for reading."""
        ...
