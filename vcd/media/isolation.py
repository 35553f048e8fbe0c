"""Reading media in another process: a decoder around a decoder, for files nobody vouches for.

The file is opened here and handed over open. What the other process says of it is checked; where
it ends, says nothing for too long, or says what cannot be, it is ended, and the file has a reason.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from vcd.errors import (
    ContractError,
    MediaCrashError,
    MediaError,
    MediaLimitError,
    MissingExtraError,
    PathLike,
)
from vcd.media.decoder import Frame, Limits, MediaInfo, Samples, Sampling
from vcd.media.messages import (
    BrokenMessageError,
    Kind,
    Message,
    ending_of,
    frame_of,
    info_of,
    pixels_of,
    samples_of,
    text_of,
)
from vcd.media.pool import EndedError, Worker, pool
from vcd.media.regular import open_regular
from vcd.records import Health

__all__ = ["IsolatedDecoder", "IsolatedRecording", "isolated_thumbnail"]

_Made = TypeVar("_Made")

_GRACE = 2.0  # seconds for the other process to notice by itself that its time is over
_MOST_SOUND = 64 << 20  # bytes of one run of samples
_REASONS: dict[str, type[MediaError] | type[ContractError] | type[MissingExtraError]] = {
    error.__name__: error for error in (MediaLimitError, ContractError, MissingExtraError)
}


class _Exchange:
    """One file given to a process, and its answers one after the other.

    A process that has read other files before may have been left broken by one of them: where it
    ends, the file is given to a fresh one, once, and what was answered already is passed over.
    """

    def __init__(self, path: PathLike, limits: Limits, request: Mapping[str, Any]) -> None:
        self._path, self._limits = path, limits
        self._request = {**request, "limits": asdict(limits)}
        self._most = max(3 * limits.max_pixels, _MOST_SOUND)
        self._deadline = 0.0
        self._answers = 0
        self._worker: Worker | None = None
        self._fd = open_regular(path)
        try:
            self._start(fresh=False)
        except BaseException:
            self.close()
            raise

    def _start(self, *, fresh: bool) -> None:
        try:
            self._worker = pool.lend(fresh=fresh)
            self._worker.ask(self._request, self._fd)
            # Starting a process is no fault of the file.
            self._deadline = time.monotonic() + self._limits.max_wall_time + _GRACE
        except EndedError as ended:
            self._ended(ended)
        except MediaError as error:
            raise MediaError(error.problem, file=self._path, remedy=error.remedy) from None

    def next(self) -> Message:
        """Return the next answer.

        Raises
        ------
        MediaError
            The file cannot be read, breaks a limit, or ends the process that reads it.
        """
        message = self._next()
        self._answers += 1
        if message.kind is Kind.ERROR:
            raise self._error(message)
        return message

    def believe(self, read: Callable[[Message], _Made], message: Message) -> _Made:
        """Return what is made of an answer.

        Raises
        ------
        MediaCrashError
            It says what cannot be.
        """
        try:
            return read(message)
        except BrokenMessageError as error:
            raise self._broken(str(error)) from None

    def _next(self) -> Message:
        while True:
            if self._worker is None:
                raise ContractError("the file is closed", file=self._path)
            now = time.monotonic()
            stalled = now + self._limits.max_stall
            try:
                if now > self._deadline:  # however fast the answers come
                    raise TimeoutError
                return self._worker.answer(min(self._deadline, stalled), self._most)
            except TimeoutError:
                self.close()
                raise self._too_slow() from None
            except BrokenMessageError as error:
                raise self._broken(str(error)) from None
            except EndedError as ended:
                self._ended(ended)

    def _ended(self, ended: EndedError) -> None:
        """Begin anew in a fresh process, or raise what ended this one."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        first = worker.files <= 1
        pool.drop(worker)
        if first or ended.code == -signal.SIGXCPU:
            raise self._death(ended.code)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._start(fresh=True)
        answered, self._answers = self._answers, 0
        for _ in range(answered):
            self.next()

    def _too_slow(self) -> MediaLimitError:
        if time.monotonic() >= self._deadline:
            return self._limits.exceeded("max_wall_time", "takes too long to read", file=self._path)
        return self._limits.exceeded("max_stall", "gives nothing for too long", file=self._path)

    def _death(self, code: int) -> MediaError:
        if code == -signal.SIGXCPU:
            return self._limits.exceeded(
                "max_cpu_time", "takes too much processor time to read", file=self._path
            )
        how = f"with code {code}"
        with suppress(ValueError):
            how = f"by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            return MediaCrashError(
                "the process that reads it was killed",
                file=self._path,
                remedy="by the system where memory is short: lower max_memory or --jobs",
            )
        return MediaCrashError(
            f"ends the process that reads it {how}",
            file=self._path,
            remedy="it is damaged or hostile: do not open it elsewhere, and report it to FFmpeg",
        )

    def _error(self, message: Message) -> Exception:
        head = message.head
        name, problem, remedy = (text_of(head.get(k, "")) for k in ("name", "problem", "remedy"))
        if head.get("last"):
            self.close()
        else:
            self.finish()
        if not name:
            return MediaError(
                f"cannot be read ({problem})",
                file=self._path,
                remedy="play it to see whether it is whole, and report this if it is",
            )
        return _REASONS.get(name, MediaError)(problem, file=self._path, remedy=remedy)

    def _broken(self, what: str) -> MediaError:
        self.close()
        return MediaCrashError(
            f"makes the process that reads it say what cannot be ({text_of(what)})",
            file=self._path,
            remedy="it is damaged or hostile: do not open it elsewhere",
        )

    def _drop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            pool.drop(worker)

    def finish(self) -> None:
        """Give the process back: all it was asked is answered."""
        worker, self._worker = self._worker, None
        if worker is not None:
            pool.give_back(worker)
        self.close()

    def close(self) -> None:
        """Close the file, and end a process that is still at it; harmless when done twice."""
        self._drop()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.close()


class IsolatedRecording:
    """One file being read in another process; see `Recording`."""

    def __init__(self, decoder: str, path: PathLike, sampling: Sampling, limits: Limits) -> None:
        request = {"task": "read", "decoder": decoder, "sampling": asdict(sampling)}
        self._exchange = _Exchange(path, limits, request)
        self._started = False
        self.info: MediaInfo = self._exchange.believe(info_of, self._exchange.next())
        self.duration = self.info.duration
        self.health = Health()

    def __iter__(self) -> Iterator[Frame | Samples]:
        """Yield frames and runs of samples, each kind in time order; once."""
        if self._started:
            raise ContractError("a recording is read once", remedy="open the file again")
        self._started = True
        return self._read()

    def _read(self) -> Iterator[Frame | Samples]:
        exchange = self._exchange
        try:
            while (message := exchange.next()).kind is not Kind.DONE:
                if message.kind is Kind.FRAME:
                    yield exchange.believe(frame_of, message)
                else:
                    yield exchange.believe(samples_of, message)
            self.duration, self.health = exchange.believe(ending_of, message)
            exchange.finish()
        finally:
            exchange.close()


class IsolatedDecoder:
    """Has a decoder read in another process.

    Parameters
    ----------
    name : {"pyav", "decord"}
        The decoder; its name is that of this one.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def probe(self, path: PathLike, *, limits: Limits | None = None) -> MediaInfo:
        """Read the header, and as much as it takes to know how the picture is held.

        Raises
        ------
        MediaNotFoundError, MediaLimitError, MediaCrashError, MediaError
        """
        exchange = _Exchange(path, limits or Limits(), {"task": "probe", "decoder": self.name})
        try:
            info = exchange.believe(info_of, exchange.next())
            exchange.finish()
            return info
        finally:
            exchange.close()

    def read(
        self,
        path: PathLike,
        sampling: Sampling | None = None,
        *,
        limits: Limits | None = None,
    ) -> IsolatedRecording:
        """Open a file for reading.

        Raises
        ------
        MediaNotFoundError, MediaLimitError, MediaCrashError, MediaError
        """
        return IsolatedRecording(self.name, path, sampling or Sampling(), limits or Limits())


def isolated_thumbnail(
    path: PathLike,
    times: Iterable[float],
    longer_side: int = 160,
    *,
    limits: Limits | None = None,
) -> list[npt.NDArray[np.uint8] | None]:
    """Return what `vcd.media.thumbnails.thumbnail` does, read in another process.

    Raises
    ------
    MediaNotFoundError, MediaLimitError, MediaCrashError, MediaError
    """
    request = {
        "task": "thumbnails",
        "times": [float(time) for time in times],
        "longer_side": longer_side,
    }
    exchange = _Exchange(path, limits or Limits(), request)
    pictures: list[npt.NDArray[np.uint8] | None] = []
    try:
        while (message := exchange.next()).kind is not Kind.DONE:
            pictures.append(exchange.believe(pixels_of, message) if message.head else None)
        exchange.finish()
        return pictures
    finally:
        exchange.close()
