"""The default decoder: PyAV (FFmpeg's libraries), one streaming pass, one thread a file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from av.packet import Packet
from av.video.frame import VideoFrame

from vcd.errors import ContractError, MediaError, PathLike, VcdError
from vcd.media.decoder import (
    SAMPLE_RATE,
    Frame,
    Limits,
    MediaInfo,
    Samples,
    Sampling,
)
from vcd.media.opened import OpenMedia
from vcd.media.pixels import PixelMaker
from vcd.media.sampling import IntervalPicker, Pick, interval_count
from vcd.media.skipping import GroupPlanner, Step, safe_codec
from vcd.media.sound import SoundReader
from vcd.media.source import FILE_PROBLEMS
from vcd.records import Health

__all__ = ["PyAVDecoder", "PyAVRecording"]

_EARLY_SECONDS, _EARLY_SHARE = 0.5, 0.02  # how much may be missing before it is worth a warning
_BACK = 1.0  # seconds by which times may go back before it is worth a warning
_PROGRESSIVE = (0, 1)  # FFmpeg's field orders "unknown" and "progressive"


class _Picture:
    """Reads the picture stream: packets in, sampled frames out."""

    def __init__(self, media: OpenMedia, sampling: Sampling) -> None:
        if media.video is None:
            raise ContractError("there is no picture stream")
        self._media = media
        self._stream = media.video
        self._context = media.video.codec_context
        self._picker: IntervalPicker[VideoFrame] = IntervalPicker(sampling.rate)
        self._maker = PixelMaker(sampling.size, media.aspect, media.limits)
        self._converted: tuple[VideoFrame, Any] | None = None
        self._spacing = 1 / media.frame_rate if media.frame_rate else 1 / sampling.rate
        self._tick = float(media.video.time_base or 0)
        self._rate = sampling.rate
        self._planner = None if sampling.exact else self._plan()
        self.end = 0.0  # seconds at which what was read, or passed over, ends
        self.first: float | None = None  # seconds from which on frames can be read
        self.packets = self.damaged = self.count = self.astray = 0
        self.starved = False  # some of the damage was want of memory

    def _plan(self) -> GroupPlanner | None:
        name = self._context.name
        interlaced = (
            self._media.interlaced or getattr(self._context, "field_order", 0) not in _PROGRESSIVE
        )
        sparse = self._media.is_sparse(self._rate)
        if not sparse or not safe_codec(name) or (interlaced and name == "h264"):
            return None
        return GroupPlanner(
            self._rate,
            partial(self._media.seconds, self._stream),
            name,
            self._context.extradata,
        )

    def feed(self, packet: Packet[Any]) -> Iterator[Frame]:
        self.packets += 1
        if self._planner is None:
            yield from self._decode(packet)
            return
        if packet.pts is not None and not packet.is_discard:
            at = self._media.seconds(self._stream, packet.pts)
            if not self._media.is_astray(at):
                self._reach(at, packet.duration)
                if packet.is_keyframe and self.first is None:
                    self.first = max(0.0, at)  # from here on, what is not decoded was not wanted
        for step in self._planner.feed(packet):
            yield from self._do(step)

    def finish(self) -> Iterator[Frame]:
        if self._planner is None:
            yield from self._decode(None)
        else:
            for step in self._planner.finish(self.end):
                yield from self._do(step)
        for pick in self._picker.finish(self.end):
            yield self._frame(pick)

    def _do(self, step: Step) -> Iterator[Frame]:
        if step.decode is not None:
            yield from self._decode(step.decode)
        elif step.skip is None:
            yield from self._decode(None)
            self._context.flush_buffers()

    def _decode(self, packet: Any) -> Iterator[Frame]:
        try:
            frames: list[VideoFrame] = self._context.decode(packet)
        except EOFError:
            return
        except FILE_PROBLEMS as error:
            self.starved = self.starved or isinstance(error, MemoryError)
            self.damaged += packet is not None
            return
        for frame in frames:
            self.damaged += frame.is_corrupt
            yield from self._take(frame)

    def _take(self, frame: VideoFrame) -> Iterator[Frame]:
        media = self._media
        media.check_pixels(frame.width, frame.height)
        before = self._picker.last_time
        if frame.pts is None:
            at = 0.0 if before is None else before + self._spacing
        else:
            at = media.seconds(self._stream, frame.pts)
        if media.is_astray(at):
            self.astray += 1
            return
        media.check_time(at)
        if at < -self._spacing / 2 or (before is not None and at <= before):
            # Two frames of one time are no loss; a clock that jumps back is.
            self.astray += before is not None and at < before - _BACK
            return
        at = max(at, 0.0)
        if self.first is None:
            self.first = at
        self._reach(at, frame.duration)
        for pick in self._picker.offer(at, frame):
            yield self._frame(pick)

    def _reach(self, at: float, duration: int | None) -> None:
        shown = duration * self._tick if duration and duration > 0 else self._spacing
        end = at + shown
        if self._media.is_astray(end):  # a frame is not shown for longer than the file lasts
            end = max(at, self._media.declared_end)
        self._media.check_time(end)
        self.end = max(self.end, end)

    def _frame(self, pick: Pick[VideoFrame]) -> Frame:
        if self._converted is None or self._converted[0] is not pick.item:
            self._converted = (pick.item, self._maker.make(pick.item))
        self.count += 1
        return Frame(pick.start, pick.end, pick.time, self._converted[1])


class _Sound:
    """Reads the sound stream: packets in, runs of samples out."""

    def __init__(self, media: OpenMedia) -> None:
        if media.audio is None:
            raise ContractError("there is no sound stream")
        self._media = media
        self._stream = media.audio
        self.reader = SoundReader()
        self.packets = self.damaged = self.astray = 0

    def feed(self, packet: Packet[Any]) -> Iterator[Samples]:
        self.packets += 1
        yield from self._decode(packet)

    def finish(self) -> Iterator[Samples]:
        yield from self._decode(None)
        yield from self.reader.finish()

    def _decode(self, packet: Packet[Any] | None) -> Iterator[Samples]:
        try:
            frames = self._stream.codec_context.decode(packet)
        except EOFError:
            return
        except FILE_PROBLEMS:
            self.damaged += packet is not None
            return
        for frame in frames:
            self.damaged += frame.is_corrupt
            at = None if frame.pts is None else self._media.seconds(self._stream, frame.pts)
            if at is not None and self._media.is_astray(at):
                self.astray += 1
                continue
            self._media.check_time(at or 0.0)
            yield from self.reader.feed(frame, at)


class PyAVRecording:
    """One file being read with PyAV; see `Recording`."""

    def __init__(self, path: PathLike, sampling: Sampling, limits: Limits) -> None:
        rate = None if sampling.exact else sampling.rate
        self._media = OpenMedia(path, limits, rate=rate)
        self._sampling = sampling
        self._started = False
        self.info: MediaInfo = self._media.info
        self.duration = self.info.duration
        self.health = Health()

    def __iter__(self) -> Iterator[Frame | Samples]:
        """Yield frames and runs of samples, each kind in time order; once."""
        if self._started:
            raise ContractError("a recording is read once", remedy="open the file again")
        self._started = True
        return self._read()

    def _read(self) -> Iterator[Frame | Samples]:
        media = self._media
        try:
            yield from self._read_still() if self.info.kind == "picture" else self._read_streams()
        except VcdError as error:
            if error.file is not None:
                raise
            raise type(error)(error.problem, file=media.path, remedy=error.remedy) from None
        except MemoryError:
            raise MediaError("needs more memory than there is", file=media.path) from None
        finally:
            media.close()

    def _read_still(self) -> Iterator[Frame]:
        media, sampling = self._media, self._sampling
        self.duration = 1 / sampling.rate
        if not sampling.picture:
            return
        if media.still is None:
            raise self._nothing()
        pixels = PixelMaker(sampling.size, media.aspect, media.limits).make(media.still)
        warnings = ("the picture is damaged",) if media.still.is_corrupt else ()
        self.health = Health(1, 1, warnings=warnings)
        yield Frame(0.0, self.duration, 0.0, pixels)

    def _nothing(self) -> MediaError:
        return MediaError(
            "nothing in it can be decoded",
            file=self._media.path,
            remedy="it is damaged, protected, or larger than max_pixels; play it to check",
        )

    def _read_streams(self) -> Iterator[Frame | Samples]:
        media = self._media
        picture = (
            _Picture(media, self._sampling) if media.video and self._sampling.picture else None
        )
        sound = _Sound(media) if media.audio and self._sampling.sound else None
        readers: dict[int, _Picture | _Sound] = {}
        if media.video and picture:
            readers[media.video.index] = picture
        if media.audio and sound:
            readers[media.audio.index] = sound
        media.read_only(set(readers))
        for packet in media.packets():
            reader = readers.get(packet.stream_index)
            if reader is not None:
                yield from reader.feed(packet)
        if picture is not None:
            yield from picture.finish()
        if sound is not None:
            yield from sound.finish()
        self._conclude(picture, sound)

    def _conclude(self, picture: _Picture | None, sound: _Sound | None) -> None:
        media, rate = self._media, self._sampling.rate
        warnings = list(media.problems)
        frames = frames_expected = samples = samples_expected = 0
        ends = []
        if picture is not None and media.video is not None:
            ends.append(picture.end)
            frames = picture.count
            short = self._missing("picture", media.declared(media.video), picture.end, warnings)
            frames_expected = max(frames, interval_count(short, rate) if short else 0)
            if picture.first is not None and picture.first > _EARLY_SECONDS:
                start = media.declared(media.video)
                late = picture.first - max(0.0, start[0] if start else 0.0)
                if late > _EARLY_SECONDS:
                    warnings.append(f"the first {late:.1f} s of picture could not be read")
                    frames_expected += interval_count(late, rate)
            warnings += _damage("picture", picture.damaged, picture.packets, picture.astray)
        if sound is not None and media.audio is not None:
            ends.append(sound.reader.end)
            samples = sound.reader.decoded
            short = self._missing("sound", media.declared(media.audio), sound.reader.end, warnings)
            start_of_sound = sound.reader.start or 0.0
            samples_expected = max(
                samples, sound.reader.count, round((short - start_of_sound) * SAMPLE_RATE)
            )
            if sound.reader.left_out > _BACK * SAMPLE_RATE:
                lost = sound.reader.left_out / SAMPLE_RATE
                warnings.append(f"{lost:.1f} s of sound go back in time and were left out")
            warnings += _damage("sound", sound.damaged, sound.packets, sound.astray)
        if picture is not None and picture.starved and not frames:
            raise MemoryError
        if (picture or sound) and not frames and not samples:
            raise self._nothing()
        if picture is not None and not frames:
            warnings.append("no frame of the picture could be decoded")
        if sound is not None and not samples:
            warnings.append("nothing of the sound could be decoded")
        for stream in media.chosen:
            unread = stream is media.video and picture is None
            unread = unread or (stream is media.audio and sound is None)
            declared = media.declared(stream) if unread else None
            if declared is not None:
                ends.append(declared[1])
        self.duration = max(ends, default=self.info.duration)
        self.health = Health(frames, frames_expected, samples, samples_expected, tuple(warnings))

    def _missing(
        self,
        what: str,
        declared: tuple[float, float] | None,
        end: float,
        warnings: list[str],
    ) -> float:
        """Return where the stream should have ended if it ends early, else 0; and warn."""
        if declared is None or not self._media.duration_is_stated:
            return 0.0
        start, promised = declared
        if promised - end <= max(_EARLY_SECONDS, _EARLY_SHARE * promised):
            return 0.0
        start = max(0.0, start)
        warnings.append(
            f"the file ends early: {max(0.0, end - start):.1f} of {promised - start:.1f} s "
            f"of {what} could be read"
        )
        return promised


def _damage(what: str, damaged: int, packets: int, astray: int) -> list[str]:
    """Return the warnings for damaged packets and impossible times."""
    warnings = []
    if damaged:
        are = "is" if damaged == 1 else "are"
        warnings.append(f"{damaged} of {packets} {what} packets {are} damaged")
    if astray:
        warnings.append(f"{astray} {what} packets have impossible times and were left out")
    return warnings


class PyAVDecoder:
    """Reads every format that FFmpeg's libraries read and that holds its own data.

    Examples
    --------
    >>> from vcd.media import Sampling, get_decoder
    >>> recording = get_decoder().read("film.mp4", Sampling(rate=1))  # doctest: +SKIP
    """

    name = "pyav"

    def probe(self, path: PathLike, *, limits: Limits | None = None) -> MediaInfo:
        """Read the header, and as much as it takes to know how the picture is held.

        Raises
        ------
        MediaNotFoundError, MediaLimitError, MediaError
        """
        media = OpenMedia(path, limits or Limits())
        media.close()
        return media.info

    def read(
        self,
        path: PathLike,
        sampling: Sampling | None = None,
        *,
        limits: Limits | None = None,
    ) -> PyAVRecording:
        """Open a file for reading.

        Raises
        ------
        MediaNotFoundError, MediaLimitError, MediaError
        """
        return PyAVRecording(path, sampling or Sampling(), limits or Limits())
