"""The processes that read media: started when needed, lent to one file at a time, kept warm, ended.

A process is a fresh interpreter, never a fork: that is safe whatever threads there are. One pool
serves all engines and threads of a process.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from vcd.errors import MediaError
from vcd.media.messages import BrokenMessageError, Kind, Message, receive, send

__all__ = ["EndedError", "Pool", "Worker", "is_supported", "pool"]

_MOST_FILES = 500  # read by one process before it is replaced: whatever leaks, leaks no further
_START_TIME = 60.0  # seconds
_END_TIME = 5.0  # seconds that a killed process may take to be gone
_MODULE = "vcd.media.worker"


class EndedError(Exception):
    """A process ended while it was asked.

    Attributes
    ----------
    code : int
        As of `subprocess.Popen.returncode`: negative is a signal.
    """

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


def is_supported() -> bool:
    """Whether files can be read in other processes here: POSIX systems, with an interpreter."""
    if sys.platform == "win32" or getattr(sys, "frozen", False) or not sys.executable:
        return False
    return hasattr(socket, "send_fds") and os.path.isdir("/dev/fd")  # noqa: PTH112 - never raises


class Worker:
    """One process that reads; used by one thread at a time.

    Attributes
    ----------
    files : int
        How many it was given.
    cpu_time, memory : float
        Processor seconds it has taken and the most bytes it has held, by its own account.
    """

    def __init__(self) -> None:
        self.files = 0
        self.cpu_time = self.memory = 0.0
        self._ready = False
        ours, theirs = socket.socketpair()
        # Where vcd and its libraries were found here, they are found there; never in the folder
        # that one happens to be in, which may be full of strangers' files.
        paths = [os.path.abspath(path) for path in sys.path if path]  # noqa: PTH100
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(paths),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        with theirs:
            self._channel = ours
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", _MODULE],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=None if os.environ.get("VCD_TRACEBACK") else subprocess.DEVNULL,
                    env=environment,
                )
            except OSError:
                ours.close()
                raise

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def ask(self, head: dict[str, Any], fd: int) -> None:
        """Give it a file, and say what is wanted of it.

        Raises
        ------
        EndedError
            The process is gone.
        """
        if not self._ready:
            self._wait_until_ready()
        self.files += 1
        try:
            send(self._channel, Message(Kind.REQUEST, head))
            socket.send_fds(self._channel, [b"\0"], [fd])
        except OSError:
            raise EndedError(self.end()) from None

    def answer(self, deadline: float, most: int) -> Message:
        """Return the next message about the file.

        Parameters
        ----------
        deadline : float
            Of the monotonic clock.
        most : int
            Bytes of pixels or samples that are accepted.

        Raises
        ------
        EndedError
            The process is gone.
        TimeoutError
            It says nothing.
        BrokenMessageError
            It says what cannot be.
        """
        message = receive(self._channel, deadline, most)
        if message is None:
            raise EndedError(self.end(wait=True))
        with suppress(ValueError, TypeError):
            self.cpu_time = float(message.head.get("cpu_time", self.cpu_time))
            self.memory = float(message.head.get("memory", self.memory))
        return message

    def end(self, *, wait: bool = False) -> int:
        """End the process and return its code; `wait` for one that is ending by itself.

        Harmless when done twice.
        """
        self._channel.close()
        if wait:
            with suppress(subprocess.TimeoutExpired):
                return self._process.wait(_END_TIME)
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_END_TIME)
        return -signal.SIGKILL

    def forget(self) -> None:
        """Let go of a process that belongs to another one, of which this is a fork."""
        self._channel.close()
        self._process.returncode = 0  # it is not ours to wait for

    def _wait_until_ready(self) -> None:
        try:
            message = receive(self._channel, time.monotonic() + _START_TIME)
        except (TimeoutError, BrokenMessageError):
            message = None
        if message is None or message.kind is not Kind.READY:
            code = self.end(wait=message is None)
            raise MediaError(
                f"the process that reads media files cannot be started (code {code})",
                remedy="see why with VCD_TRACEBACK=1; isolation none reads them in this process",
            )
        self._ready = True


class Pool:
    """Processes that read, as many as there are files being read at once. Safe to share by threads.

    Attributes
    ----------
    cpu_time : float
        Processor seconds that its processes have taken so far.
    memory : float
        The most bytes that one of them has held.
    """

    def __init__(self) -> None:
        self._spare = max(4, os.cpu_count() or 1)
        self._gone_cpu_time = self._gone_memory = 0.0
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin_in_fork)
        atexit.register(self.close)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()

    def _begin_in_fork(self) -> None:
        others = self._all
        self._begin()
        for worker in others:
            worker.forget()

    @property
    def cpu_time(self) -> float:
        """Processor seconds that its processes have taken so far."""
        with self._lock:
            return self._gone_cpu_time + sum(worker.cpu_time for worker in self._all)

    @property
    def memory(self) -> float:
        """The most bytes that one of them has held."""
        with self._lock:
            return max([self._gone_memory, *(worker.memory for worker in self._all)])

    def lend(self, *, fresh: bool = False) -> Worker:
        """Return a process to read one file with: a warm one where there is one.

        Raises
        ------
        MediaError
            None can be started.
        """
        with self._lock:
            if self._idle and not fresh:
                return self._idle.pop()
        try:
            worker = Worker()
        except OSError as error:
            raise MediaError(
                f"no process can be started to read media files ({error.strerror or error})",
                remedy="end other processes, or lower --jobs; isolation none needs none",
            ) from None
        with self._lock:
            self._all.add(worker)
        return worker

    def give_back(self, worker: Worker) -> None:
        """Take back a process that has answered all it was asked."""
        with self._lock:
            if worker in self._all and worker.files < _MOST_FILES and len(self._idle) < self._spare:
                self._idle.append(worker)
                return
        self.drop(worker)

    def drop(self, worker: Worker) -> None:
        """End a process that is of no more use."""
        with self._lock:
            ours = worker in self._all
            self._all.discard(worker)
            if ours:
                self._gone_cpu_time += worker.cpu_time
                self._gone_memory = max(self._gone_memory, worker.memory)
        if ours:
            worker.end()

    def close(self) -> None:
        """End all processes; the next file starts new ones."""
        with self._lock:
            workers = list(self._all)
            self._idle.clear()
        for worker in workers:
            self.drop(worker)


pool = Pool()
