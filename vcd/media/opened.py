"""An opened file: its streams chosen, its limits checked, its clock set, its packets in order."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vcd.errors import MediaError, MediaLimitError, PathLike
from vcd.media.decoder import Limits, MediaInfo
from vcd.media.pixels import Orientation, displayed_size, orientation_of
from vcd.media.source import FILE_PROBLEMS, PICTURE_FORMATS, open_container

__all__ = ["OpenMedia"]

# What is read ahead to set the clock: enough to see past reordering, and the other stream's start.
_LEAD_PICTURES = 32
_LEAD_PACKETS = 5000
_LEAD_BYTES = 32 << 20
_LEAD_DECODED = 8

_ANY_SIZE = (1 << 31) - 1
_SIZE_FIRST = frozenset({"png", "apng", "mjpeg"})  # their size is read without decoding

_STILL_BRANDS = frozenset({"avif", "heic", "heix", "heif", "mif1"})
_DEFAULT_BONUS = 5_000_000  # pixels: what being marked as default is worth, as in FFmpeg's choice
# Smoothing B-frames is a tenth of the work in H.264. Left out, pixels change by about one grey
# level in the mean. "all" would save as much again, but there the change builds up to three levels
# and more within a group. In HEVC nearly all frames are B-frames and build on each other.
_UNSMOOTHED = "bidir"
_MAX_FRAME_RATE = 100_000
_JUMP = 10.0  # seconds: a stamp this far beyond the declared end is an error of the file
_MAX_READ_ERRORS = 16

# Formats whose duration is a guess from size and bit rate, not a statement of the file.
_GUESSED_DURATION = frozenset({"mp3", "aac", "ac3", "eac3", "amr", "mpegts", "mpeg", "mpegvideo"})


class OpenMedia:
    """A media file opened for one reading.

    Parameters
    ----------
    path : path-like
    limits : Limits
    rate : float, optional
        Frames a second that are wanted, where sparing work is worth a grey level.

    Attributes
    ----------
    info : MediaInfo
    video : VideoStream or None
    audio : AudioStream or None
        The streams chosen: the largest picture that is no cover art, the first sound.
    origin : float
        Stamp in seconds of the first presented frame or sample, time 0 of the file's clock.
    still : VideoFrame or None
        The picture, where the file is a still picture.
    orientation : Orientation
        How the first frame is held.
    interlaced : bool
        Whether the first frame consists of two fields.
    problems : list of str
        What went wrong while packets were read.

    Raises
    ------
    MediaNotFoundError, MediaLimitError, MediaError
    """

    def __init__(self, path: PathLike, limits: Limits, *, rate: float | None = None) -> None:
        self.path = path
        self.limits = limits
        self.problems: list[str] = []
        self._deadline = time.monotonic() + limits.max_wall_time
        self._demuxer: Iterator[Packet[Any]] = iter(())
        self._lead: deque[Packet[Any]] = deque()
        self.container, self._source = open_container(path, limits)
        try:
            self._prepare(rate)
        except BaseException:
            self.close()
            raise

    def _prepare(self, rate: float | None) -> None:
        streams = self.container.streams
        if len(streams) > self.limits.max_streams:
            raise self.limit(f"holds {len(streams)} streams", "max_streams")
        self._check_metadata()
        self.video = self._choose_picture()
        self.audio = next((s for s in streams.audio if s.codec_context is not None), None)
        chosen = [s for s in (self.video, self.audio) if s is not None]
        if not chosen:
            known = any(s.codec_context is None for s in (*streams.video, *streams.audio))
            raise MediaError(
                "is coded in a way that cannot be decoded here"
                if known
                else "holds neither picture nor sound",
                file=self.path,
                remedy="give a video, picture or sound file",
            )
        for stream in streams:
            if stream not in chosen:
                stream.discard = Discard.all
        if self.video is not None:
            self._check_size(self.video)
            self.video.codec_context.thread_count = 1
            options = dict(self.video.codec_context.options)
            options["max_pixels"] = str(self.limits.max_pixels)
            if (
                rate is not None
                and self.is_sparse(rate)
                and self.video.codec_context.name == "h264"
            ):
                options["skip_loop_filter"] = _UNSMOOTHED
            self.video.codec_context.options = options
        if self.audio is not None:
            self.audio.codec_context.thread_count = 1
        self._demuxer = self.container.demux(*chosen)
        bases = {s.index: s.time_base or Fraction(1, 1) for s in chosen}
        self._bases = {i: (base.numerator, base.denominator) for i, base in bases.items()}
        self._astray_from = math.inf
        self._exhausted = False
        self._errors = 0
        self._pictures = 0
        self._picture_index = -1 if self.video is None else self.video.index
        self.interlaced = False
        self.orientation = Orientation()
        self.still: VideoFrame | None = None
        self._read_lead(chosen)
        self.origin = self._find_origin()
        self.info = self._describe()
        if self.duration_is_stated and self.declared_end > 0:
            self._astray_from = self.declared_end + _JUMP
        if self.info.duration > self.limits.max_duration:
            raise self.limit(f"lasts {self.info.duration:.0f} s", "max_duration")

    def _check_size(self, stream: VideoStream) -> None:
        """Check the size before anything is decoded."""
        context = stream.codec_context
        self.check_pixels(context.width, context.height)
        if (context.width and context.height) or context.name not in _SIZE_FIRST:
            return
        # The size is not known, perhaps because it exceeds the limit that FFmpeg was given: look
        # again without.
        again, source = open_container(self.path, replace(self.limits, max_pixels=_ANY_SIZE))
        with contextlib.closing(source), again:
            for other in again.streams.video:
                self.check_pixels(other.codec_context.width, other.codec_context.height)

    # -- what the header says ----------------------------------------------------------------

    def _choose_picture(self) -> VideoStream | None:
        not_a_film = Disposition.attached_pic | Disposition.timed_thumbnails
        candidates = [
            s
            for s in self.container.streams.video
            if s.codec_context is not None and not s.disposition & not_a_film
        ]

        def worth(stream: VideoStream) -> tuple[int, int]:
            context = stream.codec_context
            default = _DEFAULT_BONUS if stream.disposition & Disposition.default else 0
            return context.width * context.height + default, -stream.index

        return max(candidates, key=worth, default=None)

    def declared(self, stream: VideoStream | AudioStream) -> tuple[float, float] | None:
        """Return when the stream starts and ends by the container's word, in seconds of the clock.

        None where the container does not say so of this stream.
        """
        base = stream.time_base or Fraction(1, 1)
        start = self.start(stream)
        if stream.duration is not None and stream.duration > 0:
            return start - self.origin, start - self.origin + float(stream.duration * base)
        tag = _clock_seconds(stream.metadata.get("DURATION", ""))
        # Matroska counts a stream's duration from time 0, not from the stream's start.
        return (start - self.origin, tag - self.origin) if tag > max(0.0, start) else None

    @property
    def declared_end(self) -> float:
        """Seconds of the clock at which the file ends by the container's word; 0 if unknown."""
        ends = [d[1] for s in self.chosen if (d := self.declared(s)) is not None]
        if ends:
            return max(0.0, *ends)
        if self.container.duration is None:
            return 0.0
        return max(0.0, self.container.duration / 1e6 - max(0.0, self.origin - self._base()))

    def _base(self) -> float:
        start = self.container.start_time
        return 0.0 if start is None else start / 1e6

    @property
    def chosen(self) -> list[VideoStream | AudioStream]:
        """The streams that are read."""
        return [s for s in (self.video, self.audio) if s is not None]

    @property
    def duration_is_stated(self) -> bool:
        """Whether the container states a duration, so that a shorter content is a loss."""
        return self.container.format.name not in _GUESSED_DURATION

    def start(self, stream: VideoStream | AudioStream) -> float:
        """Return the stamp in seconds at which a stream starts by the container's word."""
        base = stream.time_base or Fraction(1, 1)
        return 0.0 if stream.start_time is None else float(stream.start_time * base)

    def _describe(self) -> MediaInfo:
        video, audio = self.video, self.audio
        name = "" if audio is None else audio.codec_context.name
        if video is None:
            return MediaInfo("sound", self.declared_end, audio_codec=name)
        kind: Literal["video", "picture"] = "picture" if self._is_still() else "video"
        frame = self._first_frame(keep=kind == "picture")
        orientation = Orientation() if frame is None else orientation_of(frame)
        self.orientation = orientation
        context = video.codec_context
        width = context.width if frame is None else frame.width
        height = context.height if frame is None else frame.height
        self.check_pixels(width, height)
        width, height = displayed_size(
            width, height, self.aspect, orientation, self.limits.max_pixels
        )
        self.interlaced = frame is not None and frame.interlaced_frame
        return MediaInfo(
            kind,
            0.0 if kind == "picture" else self.declared_end,
            width,
            height,
            self.frame_rate if kind == "video" else 0.0,
            orientation.rotation,
            context.name,
            name,
        )

    @property
    def aspect(self) -> Fraction | None:
        """Width of a pixel divided by its height; None if unknown."""
        aspect = None if self.video is None else self.video.sample_aspect_ratio
        return aspect if aspect else None

    @property
    def frame_rate(self) -> float:
        """Frames a second by the container's word; 0 if unknown."""
        if self.video is None:
            return 0.0
        for rate in (self.video.average_rate, self.video.guessed_rate, self.video.base_rate):
            if rate is not None and 0 < rate <= _MAX_FRAME_RATE:
                return float(rate)
        return 0.0

    def is_sparse(self, rate: float) -> bool:
        """Say whether so many frames a second are few enough that some can be passed over."""
        return rate * 2 < self.frame_rate

    # -- limits ------------------------------------------------------------------------------

    def limit(self, problem: str, name: str) -> MediaLimitError:
        """Return the error for a file that breaks a limit."""
        return self.limits.exceeded(name, problem, file=self.path)

    def _check_metadata(self) -> None:
        texts = [self.container.metadata, *(s.metadata for s in self.container.streams)]
        count = sum(len(name) + len(text) for part in texts for name, text in part.items())
        if count > self.limits.max_metadata:
            raise self.limit(f"holds {count} characters of metadata", "max_metadata")

    def check_pixels(self, width: int, height: int) -> None:
        """Raise `MediaLimitError` where a frame is larger than allowed."""
        if width * height > self.limits.max_pixels:
            raise self.limit(f"shows frames of {width}x{height} pixels", "max_pixels")

    def check_time(self, seconds: float) -> None:
        """Raise `MediaLimitError` where the content or the reading of it takes too long."""
        if seconds > self.limits.max_duration:
            raise self.limit("does not end", "max_duration")
        if time.monotonic() > self._deadline:
            raise self.limit("takes too long to read", "max_wall_time")

    # -- packets -----------------------------------------------------------------------------

    def packets(self) -> Iterator[Packet[Any]]:
        """Yield the packets of the chosen streams in the order of the file, each once."""
        while self._lead:
            yield self._lead.popleft()
        while (packet := self._next()) is not None:
            yield packet

    def read_only(self, indices: set[int]) -> None:
        """Let the packets of all other streams be passed over while the file is read."""
        for stream in self.chosen:
            if stream.index not in indices:
                stream.discard = Discard.all

    def _next(self) -> Packet[Any] | None:
        """Return the next packet that holds data; None at the end of the file."""
        while not self._exhausted:
            if time.monotonic() > self._deadline:
                raise self.limit("takes too long to read", "max_wall_time")
            try:
                packet = next(self._demuxer)
            except StopIteration:
                self._exhausted = True
            except FILE_PROBLEMS:
                self._errors += 1
                if self._errors == 1:
                    self.problems.append("parts of the file cannot be read")
                if self._errors >= _MAX_READ_ERRORS:
                    self._exhausted = True
                else:
                    self._demuxer = self.container.demux(*self.chosen)
            else:
                if packet.size:
                    self._pictures += packet.stream_index == self._picture_index
                    if self._pictures > self.limits.max_frames:
                        raise self.limit("holds too many pictures", "max_frames")
                    return packet
        return None

    def _read_lead(self, chosen: list[VideoStream | AudioStream]) -> None:
        missing = {s.index for s in chosen}
        pictures = size = 0
        while missing or (self.video is not None and pictures < _LEAD_PICTURES):
            if len(self._lead) >= _LEAD_PACKETS or size >= _LEAD_BYTES:
                break
            packet = self._next()
            if packet is None:
                break
            self._lead.append(packet)
            size += packet.size
            shown = packet.pts is not None and not packet.is_discard
            if self.video is not None and packet.stream_index == self.video.index:
                pictures += not packet.is_discard
            if shown:
                missing.discard(packet.stream_index)

    def lead_of(self, stream: VideoStream | AudioStream) -> list[Packet[Any]]:
        """Return the packets of a stream that were read ahead."""
        return [p for p in self._lead if p.stream_index == stream.index]

    def _is_still(self) -> bool:
        name = self.container.format.name
        if name in PICTURE_FORMATS:
            return True
        brand = self.container.metadata.get("major_brand", "").strip()
        if self.video is None or not (name in ("gif", "apng") or brand in _STILL_BRANDS):
            return False
        return self._exhausted and len(self.lead_of(self.video)) == 1

    # -- the clock ---------------------------------------------------------------------------

    def _find_origin(self) -> float:
        starts = []
        if self.video is not None:
            # By the packets, not by what can be decoded: damage must not move the clock.
            base = self.video.time_base or Fraction(1, 1)
            stamps = [
                p.pts for p in self.lead_of(self.video) if p.pts is not None and not p.is_discard
            ]
            starts.append(float(min(stamps) * base) if stamps else self.start(self.video))
        if self.audio is not None:
            starts.append(self._first_sample(self.audio))
        return min(starts, default=0.0)

    def _first_sample(self, stream: AudioStream) -> float:
        """Return the stamp of the first sample that is heard; the codec's priming is not."""
        context = stream.codec_context
        base = stream.time_base or Fraction(1, 1)
        decoded = 0
        first: float | None = None
        for packet in self.lead_of(stream):
            decoded += not packet.is_discard
            if decoded > _LEAD_DECODED:
                break
            with contextlib.suppress(*FILE_PROBLEMS):
                frames: list[AudioFrame] = context.decode(packet)
                stamps = [f.pts for f in frames if f.pts is not None and f.samples]
                if stamps:
                    first = float(stamps[0] * base)
                    break
        context.flush_buffers()
        return self.start(stream) if first is None else first

    def _first_frame(self, *, keep: bool) -> VideoFrame | None:
        """Decode one frame, to learn how it is held; the packets stay to be read."""
        if self.video is None:
            return None
        context = self.video.codec_context
        found: VideoFrame | None = None
        started = False
        for packet in self.lead_of(self.video):
            started = started or packet.is_keyframe
            if not started:
                continue
            with contextlib.suppress(*FILE_PROBLEMS):
                frames: list[VideoFrame] = context.decode(packet)
                if not frames and not packet.is_discard:
                    frames = context.decode(None)
                found = next(iter(frames), None)
            if found is not None:
                break
            if not packet.is_discard:
                context.flush_buffers()
                started = False
        context.flush_buffers()
        if keep:
            self.still = found
        return found

    def seconds(self, stream: VideoStream | AudioStream, stamp: int) -> float:
        """Return a time stamp of a stream as seconds of the file's clock."""
        # Called for every packet: a Fraction for each would cost more than decoding sound does.
        numerator, denominator = self._bases[stream.index]
        return stamp * numerator / denominator - self.origin

    def is_astray(self, seconds: float) -> bool:
        """Say whether a time lies so far beyond the declared end that it must be damaged."""
        return seconds > self._astray_from

    def close(self) -> None:
        """Close the file; harmless when done twice."""
        self._demuxer = iter(())
        self._lead = deque()
        self.container.close()
        self._source.close()

    def __del__(self) -> None:
        if hasattr(self, "_source"):  # else opening failed
            self.close()


def _clock_seconds(text: str) -> float:
    """Return the seconds that a tag such as ``00:00:05.007000000`` says; 0 where it says none."""
    parts = text.split(":")
    if len(parts) != 3:
        return 0.0
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return 0.0
    total = hours * 3600 + minutes * 60 + seconds
    return total if 0 < total < 1e9 else 0.0
