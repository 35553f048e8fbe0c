"""Many machines: an engine whose describing and comparing is done by the nodes of a Ray cluster.

Needs the extra `cluster`. Files, models folder and cache lie under the same paths on every node.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from queue import Queue
from typing import Any

from vcd.engine import Engine, PreparedVideo
from vcd.errors import ContractError, MediaError, MissingExtraError, PathLike, VcdError
from vcd.records import Match, Stream, VideoDescriptor
from vcd.similarity import PreparedTrack

__all__ = ["ClusterEngine"]

logger = logging.getLogger("vcd")

_TRIES = 3  # workers that may die over one piece of work, before it is taken for the cause
_REPLACED_WITHIN = 60.0  # seconds in which the cluster must give a worker for one that died


class ClusterEngine(Engine):
    """An `Engine` of which each core of a Ray cluster does a share.

    Whatever takes an engine takes this one: `match`, `add_files`, `find_duplicates`. Each worker
    is a process that holds the models. One that dies is replaced where the cluster has room, and
    what it was at is given to another. A library keeps every video as soon as it is described, and
    so is the list of what is done: the same call again goes on after an interruption.

    Parameters
    ----------
    address : str
        Of the cluster, as `ray.init` takes it: "auto", "host:6379", "ray://host:10001"; "local"
        starts one on this machine.
    workers : int, optional
        Processes; one for each CPU that the cluster has where left out.
    threads : int
        CPUs of a worker, and threads inside one run of a model.
    **settings
        Of `Engine`, but for `jobs`, which follows from `workers`.

    Raises
    ------
    MissingExtraError
        Ray is not installed.
    ContractError
        There is no such cluster, or it has no CPU to spare.
    """

    def __init__(
        self, address: str, *, workers: int | None = None, threads: int = 1, **settings: Any
    ) -> None:
        self._ray = _connected(address)
        count = workers or int(self._ray.cluster_resources().get("CPU", 0)) // threads
        if count < 1:
            raise ContractError(
                f"the cluster at {address} has no {threads} CPUs for a worker",
                remedy="start a node: ray start --address HOST:PORT",
            )
        super().__init__(**settings, threads=threads, jobs=count)
        self._worker = self._ray.remote(num_cpus=threads, max_concurrency=1)(_Worker)
        self._settings = {**settings, "threads": threads}
        self._free: Queue[Any] = Queue()
        self._count = count
        self._lock = threading.Lock()
        for _ in range(count):
            self._free.put(self._worker.remote(self._settings))

    def describe(
        self, path: PathLike, *, video_id: str | None = None, cached: bool = True
    ) -> VideoDescriptor:
        """Describe one file on some node; see `Engine.describe`."""
        described: VideoDescriptor = self._done(
            path, lambda worker: worker.describe.remote(path, video_id, cached)
        )
        return described

    def prepare(self, descriptor: VideoDescriptor) -> PreparedVideo:
        """Return a descriptor ready for comparison; its tracks are worked out if asked for."""
        work = super().prepare
        return PreparedVideo(descriptor, _OnDemand(lambda: work(descriptor).tracks))

    def compare(
        self, query: PreparedVideo, reference: PreparedVideo, *, threshold: float | None = None
    ) -> Match | None:
        """Compare a pair on some node; see `Engine.compare`."""
        pair = query.descriptor, reference.descriptor
        match: Match | None = self._done(
            reference.descriptor.video_id, lambda worker: worker.compare.remote(*pair, threshold)
        )
        return match

    def close(self) -> None:
        """End the workers; the cluster goes on."""
        while not self._free.empty():
            self._ray.kill(self._free.get())

    def _done(self, name: PathLike, work: Callable[[Any], Any]) -> Any:
        """Return what a free worker makes of some work; another one does it where one dies."""
        for _ in range(_TRIES):
            worker = self._free.get()
            try:
                outcome = self._ray.get(work(worker))
            except self._ray.exceptions.RayActorError as error:
                logger.warning("a worker died and is replaced (%s)", _first_line(error))
                self._replace()
                continue
            except BaseException:
                self._free.put(worker)
                raise
            self._free.put(worker)
            if isinstance(outcome, VcdError):
                raise outcome
            return outcome
        raise MediaError(
            f"{_TRIES} workers died over it",
            file=name,
            remedy="play it to see whether it is whole; if it is, look at the memory of the nodes",
        )

    def _replace(self) -> None:
        """Start another worker; go on with the others where the cluster has no room for it."""
        worker = self._worker.remote(self._settings)
        try:
            self._ray.get(worker.ready.remote(), timeout=_REPLACED_WITHIN)
        except (self._ray.exceptions.RayActorError, self._ray.exceptions.GetTimeoutError):
            self._ray.kill(worker)
            with self._lock:
                self._count -= 1
                if self._count < 1:
                    self._count = 1
                    self._free.put(self._worker.remote(self._settings))  # waits for a node
                    logger.warning("no worker is left: waiting for a node")
        else:
            self._free.put(worker)


class _Worker:
    """What a process of the cluster does. Errors on purpose are answers, others end a task."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._engine = Engine(**settings)

    def ready(self) -> bool:
        return True

    def describe(
        self, path: PathLike, video_id: str | None, cached: bool
    ) -> VideoDescriptor | VcdError:
        try:
            return self._engine.describe(path, video_id=video_id, cached=cached)
        except VcdError as error:
            return error

    def compare(
        self, query: VideoDescriptor, reference: VideoDescriptor, threshold: float | None
    ) -> Match | VcdError | None:
        try:
            return self._engine.compare(
                self._engine.prepare(query), self._engine.prepare(reference), threshold=threshold
            )
        except VcdError as error:
            return error


@dataclass(eq=False)
class _OnDemand(Mapping[Stream, PreparedTrack]):
    """Tracks that are prepared when the first one is asked for."""

    make: Callable[[], Mapping[Stream, PreparedTrack]]

    @cached_property
    def _tracks(self) -> Mapping[Stream, PreparedTrack]:
        return self.make()

    def __getitem__(self, stream: Stream) -> PreparedTrack:
        return self._tracks[stream]

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._tracks)

    def __len__(self) -> int:
        return len(self._tracks)


def _connected(address: str) -> Any:
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(
            "Ray is not installed", remedy='pip install "vcd-engine[cluster]"'
        ) from error
    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ContractError(
                f"there is no cluster at {address} ({_first_line(error)})",
                remedy="start one: ray start --head",
            ) from error
    return ray


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
