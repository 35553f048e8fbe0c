"""The process that reads media for another one: ``python -m vcd.media.worker``, its socket on 0.

It is given one open file after the other and sends back frames, samples and reasons. It may open
few further files, write none, and take no more memory and processor time than it is told. It ends
with the process that started it.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vcd.errors import VcdError
from vcd.media import get_decoder
from vcd.media.decoder import Decoder, Frame, Limits, Sampling
from vcd.media.messages import Kind, Message, pack_frame, pack_samples, receive, send

__all__ = ["main"]

_NO_LIMIT = 1 << 60
_OPEN_FILES = 16  # ours, the one to read, and what a library opens when it is first used


def main() -> None:
    """Serve until the other side leaves."""
    # A key pressed in the terminal is meant for the process that started this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = socket.socket(fileno=0)
    decoders = {"pyav": get_decoder("pyav")}
    _confine()
    threading.Thread(target=_leave_with, args=(channel,), daemon=True).start()
    _tell(channel, Message(Kind.READY))
    while (request := receive(channel)) is not None:
        fd = _receive_file(channel)
        if fd is None:
            break
        answer = _serve(channel, decoders, request.head, fd)
        os.close(fd)
        _tell(channel, answer)


def _confine() -> None:
    """Give up what reading does not need."""
    for name, most in (("CORE", 0), ("FSIZE", 0), ("NOFILE", _OPEN_FILES)):
        with suppress(OSError, ValueError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def _leave_with(channel: socket.socket) -> None:
    """End the process when the other side is gone, whatever the decoder is at."""
    watch = select.poll()
    watch.register(channel, 0)  # only that it was hung up, which is told in any case
    watch.poll()
    os._exit(0)


def _tell(channel: socket.socket, message: Message) -> None:
    try:
        send(channel, message)
    except OSError:
        os._exit(0)  # nobody listens any more


def _receive_file(channel: socket.socket) -> int | None:
    _, fds, _, _ = socket.recv_fds(channel, 1, 1)
    return fds[0] if fds else None


def _limit(limits: Limits) -> None:
    """Bound what the next file may take; the hard limits stay, so that each file has its own."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = used.ru_utime + used.ru_stime
    for what, most in (
        (resource.RLIMIT_AS, limits.max_memory),
        (resource.RLIMIT_CPU, spent + limits.max_cpu_time + 1),
    ):
        hard = resource.getrlimit(what)[1]
        soft = int(min(most, _NO_LIMIT if hard == resource.RLIM_INFINITY else hard))
        with suppress(OSError, ValueError):  # some systems know a limit and do not let it be set
            resource.setrlimit(what, (soft, hard))


def _serve(
    channel: socket.socket, decoders: dict[str, Decoder], asked: dict[str, Any], fd: int
) -> Message:
    """Do what is asked, and return the last message about the file."""
    limits = Limits(**asked["limits"])
    try:
        _limit(limits)
        return _do(channel, decoders, asked, Path(f"/dev/fd/{fd}"), limits)
    except MemoryError as error:
        return _no_memory(limits, error)
    except VcdError as error:
        if isinstance(error.__context__, MemoryError):
            return _no_memory(limits, error)
        return _error(type(error).__name__, error.problem, error.remedy)
    except Exception as error:  # decoders meet files that nobody foresaw
        return _error("", f"{type(error).__name__}: {error}", "")


def _do(
    channel: socket.socket,
    decoders: dict[str, Decoder],
    asked: dict[str, Any],
    path: Path,
    limits: Limits,
) -> Message:
    if asked["task"] == "thumbnails":
        return _thumbnails(channel, path, asked, limits)
    name = asked["decoder"]
    decoder = decoders.get(name) or decoders.setdefault(name, get_decoder(name))
    if asked["task"] == "probe":
        return Message(Kind.INFO, asdict(decoder.probe(path, limits=limits)))
    return _read(channel, decoder, path, asked, limits)


def _read(
    channel: socket.socket, decoder: Decoder, path: Path, asked: dict[str, Any], limits: Limits
) -> Message:
    wanted = dict(asked["sampling"])
    if isinstance(wanted["size"], list):
        wanted["size"] = tuple(wanted["size"])
    recording = decoder.read(path, Sampling(**wanted), limits=limits)
    _tell(channel, Message(Kind.INFO, asdict(recording.info)))
    for part in recording:
        _tell(channel, pack_frame(part) if isinstance(part, Frame) else pack_samples(part))
    return Message(
        Kind.DONE,
        {"duration": recording.duration, "health": asdict(recording.health)} | _spent(),
    )


def _thumbnails(
    channel: socket.socket, path: Path, asked: dict[str, Any], limits: Limits
) -> Message:
    from vcd.media.thumbnails import thumbnail

    for pixels in thumbnail(path, asked["times"], asked["longer_side"], limits=limits):
        if pixels is None:
            _tell(channel, Message(Kind.FRAME))
        else:
            _tell(channel, pack_frame(Frame(0.0, 0.0, 0.0, pixels)))
    return Message(Kind.DONE, _spent())


def _spent() -> dict[str, float]:
    """Return what this process has cost so far: processor seconds, and its peak in bytes."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024
    return {"cpu_time": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss * unit}


def _no_memory(limits: Limits, error: BaseException) -> Message:
    # Where it failed, pieces of it may still be held.
    error.__traceback__ = error.__context__ = None
    told = limits.exceeded("max_memory", "needs too much memory")
    return _error(type(told).__name__, told.problem, told.remedy, last=True)


def _error(name: str, problem: str, remedy: str, *, last: bool = False) -> Message:
    return Message(
        Kind.ERROR, {"name": name, "problem": problem, "remedy": remedy, "last": last} | _spent()
    )


if __name__ == "__main__":
    main()
