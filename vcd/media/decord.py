"""The alternative decoder: decord (or decord2), which reads a picture stream by frame number.

The file is first opened by PyAV, which refuses what is no media file, sets the clock and reads the
sound. Where decord's account of the picture differs from the container's, that is an error here,
not a wrong number: the default decoder reads those files.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vcd.errors import ContractError, MediaError, MissingExtraError, PathLike
from vcd.media.decoder import Frame, Limits, MediaInfo, Samples, Sampling
from vcd.media.opened import OpenMedia
from vcd.media.pixels import scale_pixels, target_size
from vcd.media.pyav import PyAVDecoder, PyAVRecording
from vcd.media.regular import open_regular
from vcd.media.sampling import IntervalPicker, Pick
from vcd.records import Health

__all__ = ["DecordDecoder", "DecordRecording"]

_BATCH = 8  # frames asked for in one call
_ROW = 64  # pixels
_NO_INDEX = ("mpegts", "mpeg", "mpegvideo")
_OFF = 0.002  # seconds by which a frame may differ from the container's account
_SHORT = 0.5  # seconds that may be missing at the end
_REMEDY = "use the default decoder"


def _library() -> Any:
    try:
        import decord
    except ImportError as error:
        raise MissingExtraError(
            "decord is not installed", remedy='pip install "vcd-engine[decord]"'
        ) from error
    decord.logging.set_level(decord.logging.QUIET)
    return decord


@contextlib.contextmanager
def _nameless(path: PathLike) -> Iterator[str]:
    """Give a name for the file that says nothing: decord guesses formats from names too."""
    fd = open_regular(path)
    try:
        name = Path(f"/proc/self/fd/{fd}")
        yield str(name) if name.exists() else os.path.abspath(os.fsdecode(path))  # noqa: PTH100
    finally:
        os.close(fd)


class DecordRecording:
    """One file whose picture is read with decord and whose sound is read with PyAV."""

    def __init__(self, path: PathLike, sampling: Sampling, limits: Limits) -> None:
        self._decord = _library()
        self._path = path
        self._sampling = sampling
        self._limits = limits
        self._started = False
        self._media = OpenMedia(path, limits)
        self.info: MediaInfo = self._media.info
        self.duration = self.info.duration
        self.health = Health()

    def __iter__(self) -> Iterator[Frame | Samples]:
        """Yield the frames in time order, then the runs of samples; once."""
        if self._started:
            raise ContractError("a recording is read once", remedy="open the file again")
        self._started = True
        return self._read()

    def _problem(self, problem: str) -> MediaError:
        return MediaError(f"decord {problem}", file=self._path, remedy=_REMEDY)

    def _read(self) -> Iterator[Frame | Samples]:
        frames, end = 0, 0.0
        try:
            if self._sampling.picture and self._media.video is not None:
                for pick, pixels in self._pictures():
                    frames, end = frames + 1, pick.end
                    self._media.check_time(pick.time)
                    yield Frame(pick.start, pick.end, pick.time, pixels)
        finally:
            self._media.close()
        rest = replace(self._sampling, picture=False)
        sound = PyAVRecording(self._path, rest, self._limits)
        yield from sound
        self.duration = max(end, sound.duration)
        self.health = replace(sound.health, frames_decoded=frames, frames_expected=frames)

    def _pictures(self) -> Iterator[tuple[Pick[int], Any]]:
        """Yield the picks, whose items are frame numbers, with their pixels."""
        media = self._media
        if self.info.kind == "picture":
            raise self._problem("does not read still pictures")
        if media.container.format.name in _NO_INDEX:
            raise self._problem("does not find frames by number in this format")
        if media.orientation.mirrored:
            raise self._problem("does not mirror the picture as the file asks for")
        shape = target_size((self.info.width, self.info.height), self._sampling.size)
        # decord turns the picture itself, but fails where rows need padding: scale the rest of the
        # way here.
        width, height = -(-shape[0] // _ROW) * _ROW, shape[1] + shape[1] % 2
        try:
            with _nameless(self._path) as name:
                reader = self._decord.VideoReader(
                    name, self._decord.cpu(0), width, height, num_threads=1
                )
                picks = self._picks(reader)
                for at in range(0, len(picks), _BATCH):
                    batch = picks[at : at + _BATCH]
                    pixels = reader.get_batch([pick.item for pick in batch]).asnumpy()
                    if pixels.shape[1:] != (height, width, 3):
                        raise self._problem("gives frames of another size than asked for")
                    for pick, one in zip(batch, pixels, strict=True):
                        yield pick, scale_pixels(one, *shape)
        except MediaError:
            raise
        # decord raises its own error, but also AssertionError, RuntimeError and IndexError.
        except Exception as error:
            words = str(error).strip().splitlines()
            raise self._problem(f"cannot read it: {words[0] if words else error!r}") from None

    def _picks(self, reader: Any) -> list[Pick[int]]:
        """Apply the sampling rule to the file's time stamps, after comparing them with decord's."""
        media = self._media
        stream = media.video
        spans = np.asarray(reader.get_frame_timestamp(range(len(reader))), np.float64)
        if stream is None:
            return []
        packets = [p for p in media.packets() if p.stream_index == stream.index]
        if any(p.is_discard or p.pts is None for p in packets):
            raise self._problem("cannot follow the time stamps of this file")
        times = np.sort([media.seconds(stream, p.pts) for p in packets if p.pts is not None])
        decord_times = spans[:, 0]
        if len(times) != len(spans) or bool((np.diff(times) <= 0).any()):
            raise self._problem("does not count the frames as the file does")
        # decord counts from the first stamp of the picture, in single precision.
        off = np.abs((decord_times - decord_times[0]) - (times - times[0]))
        if float(off.max()) > _OFF + 1e-6 * float(times[-1]):
            raise self._problem("gives other time stamps than the file")
        promised = media.declared(stream)
        end = float(times[-1] + max(0.0, spans[-1, 1] - spans[-1, 0]))
        if promised is not None and promised[1] - end > max(_SHORT, 0.02 * promised[1]):
            raise self._problem("does not report that the file ends early")
        picker: IntervalPicker[int] = IntervalPicker(self._sampling.rate)
        picks: list[Pick[int]] = []
        for number, time in enumerate(times):
            picks += picker.offer(max(0.0, float(time)), number)
        return picks + picker.finish(end)


class DecordDecoder:
    """Reads the picture with decord; needs the extra ``vcd-engine[decord]``.

    For plain, undamaged files. Edit lists, transport streams that start late, and damage raise
    `MediaError`.
    """

    name = "decord"

    def __init__(self) -> None:
        _library()

    def probe(self, path: PathLike, *, limits: Limits | None = None) -> MediaInfo:
        """Read the header, with PyAV.

        Raises
        ------
        MediaNotFoundError, MediaLimitError, MediaError
        """
        return PyAVDecoder().probe(path, limits=limits)

    def read(
        self,
        path: PathLike,
        sampling: Sampling | None = None,
        *,
        limits: Limits | None = None,
    ) -> DecordRecording:
        """Open a file for reading.

        Raises
        ------
        MediaNotFoundError, MediaLimitError, MediaError
        """
        return DecordRecording(path, sampling or Sampling(), limits or Limits())
