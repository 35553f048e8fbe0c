"""Makes a haystack: plans it, renders its files in parallel, and writes the truth about them.

A file of the plan that is there already, made by the same plan, is not made again: `made.jsonl` in
the folder holds the digest of each file's plan. The truth is written last, so a folder that has
one is whole.
"""

from __future__ import annotations

import csv
import gc
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from typing import Any, TypeVar

from vcd.encoding import write_whole
from vcd.errors import ContractError, MediaError, OutputError, VcdError
from vcd.media import find_media
from vcd_eval.formats import Labels, write_labels, write_segments
from vcd_eval.making.haystack_plan import QueryPlan, plan_queries, truth_of
from vcd_eval.making.journal import Journal
from vcd_eval.making.material import (
    FOREIGN,
    REFERENCES,
    Clip,
    Footage,
    digest_of,
    plan_clips,
    probe_sources,
)
from vcd_eval.making.recipe import Recipe
from vcd_eval.making.rendering import render_clip, render_query

__all__ = ["MadeHaystack", "Progress", "make_haystack"]

Progress = Callable[[int, int], None]
OnError = Callable[[VcdError], None]
Plan = TypeVar("Plan", Clip, QueryPlan)

_FORMAT = "1"  # raise it where the same plan gives another file
_TRUTH = ("groundtruth.csv", "labels.csv", "files.csv")
_FOLDERS = (REFERENCES, FOREIGN, "queries")


@dataclass(frozen=True, slots=True, eq=False)
class MadeHaystack:
    """What was made: where, how much, and the truth.

    `made` and `kept` count files made now and found finished; `seconds` is the length of all.
    """

    folder: Path
    references: Sequence[Footage]
    foreign: Sequence[Footage]
    queries: Sequence[QueryPlan]
    labels: Labels
    made: int
    kept: int

    @property
    def seconds(self) -> float:
        """Length of all files."""
        clips = sum(clip.seconds for clip in (*self.references, *self.foreign))
        return clips + sum(query.seconds for query in self.queries)


def make_haystack(
    sources: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    size: tuple[int, int] = (320, 180),
    fps: float | None = None,
    jobs: int = 1,
    on_error: OnError,
    progress: Progress | None = None,
) -> MadeHaystack:
    """Make references, queries and truth from videos, photographs and sound files.

    Parameters
    ----------
    sources : sequence of path-like
        Files, and folders at whatever depth.
    folder : path-like
        Gets `queries/`, `refs/`, `foreign/` (what surrounds copies), the truth, and `files.csv`.
    recipe : Recipe, optional
    seed : int
        Equal sources, recipe, seed, size and rate give the same plan and truth.
    size : (int, int)
        Width and height of frames in pixels, even.
    fps : float, optional
        Frames a second of all clips; by default the videos' own, 24 for films of photographs.
    jobs : int
        Processes; with 1, all is done in this one.
    on_error : callable
        Told of sources that cannot be used; the rest goes on.
    progress : callable, optional
        Called as ``progress(done, total)`` with seconds of video.

    Raises
    ------
    ContractError
        No source can be read, or the sources give no clip.
    OutputError
        A file cannot be written, or the folder holds media that this did not make.
    """
    recipe = recipe or Recipe()
    root = Path(folder)
    # What an earlier run made is no source, even where the folder lies among the sources.
    own = root.resolve()
    files = [
        path
        for path in find_media([os.fspath(s) for s in sources], on_error=on_error)
        if own not in path.resolve().parents
    ]
    found = probe_sources(files, on_error)
    if not found:
        raise ContractError(
            "no source can be read", remedy="name videos, photographs or sound files"
        )
    clips = plan_clips(found, recipe, seed=seed, size=size, fps=fps, on_error=on_error)
    journal = Journal(root, folders=_FOLDERS, truth=_TRUTH)
    work = _Work(root, journal, jobs, progress, _guessed_seconds(clips, recipe))
    with work:
        footage: list[Footage] = []
        for clip, entry in work.render(render_clip, clips, [digest_of(c, _FORMAT) for c in clips]):
            if isinstance(entry, VcdError):
                on_error(entry)
            else:
                footage.append(_footage(clip, entry))
        footage.sort(key=lambda f: (f.folder, f.name))
        plans = plan_queries(footage, recipe, seed=seed)
        digests = {f.path: f.digest for f in footage}
        keys = [digest_of(p, _FORMAT, *(digests[c] for c in sorted(p.clips()))) for p in plans]
        for _, entry in work.render(render_query, plans, keys):
            if isinstance(entry, VcdError):
                raise entry
    journal.remove_others({*digests, *(plan.path for plan in plans)})
    labels = truth_of(plans)
    _write_truth(root, clips, footage, plans, labels)
    if progress is not None:
        progress(1, 1)
    return MadeHaystack(
        folder=root,
        references=[f for f in footage if f.folder == REFERENCES],
        foreign=[f for f in footage if f.folder == FOREIGN],
        queries=plans,
        labels=labels,
        made=work.made,
        kept=work.kept,
    )


def _guessed_seconds(clips: Sequence[Clip], recipe: Recipe) -> float:
    a_query = sum(recipe.segment_seconds) / 2 + sum(recipe.surround_seconds)
    return sum(clip.seconds for clip in clips) + recipe.queries * a_query


def _footage(clip: Clip, entry: dict[str, Any]) -> Footage:
    return Footage(
        name=clip.name,
        folder=clip.folder,
        size=clip.size,
        fps=clip.fps,
        frames=entry["frames"],
        seen=tuple(map(bool, entry["seen"])),
        heard=tuple(map(bool, entry["heard"])),
        digest=entry["digest"],
    )


def _write_truth(
    root: Path,
    clips: Sequence[Clip],
    footage: Sequence[Footage],
    plans: Sequence[QueryPlan],
    labels: Labels,
) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("file", "kind", "seconds", "fps", "edits", "sources"))
    planned = {(clip.folder, clip.name): clip for clip in clips}
    for f in footage:
        clip = planned[f.folder, f.name]
        names = "|".join(stamp[0] for stamp in clip.stamps)
        table.writerow((f.path, clip.kind, f"{f.seconds:.3f}", f"{f.fps:g}", "", names))
    for plan in plans:
        kind = "query:copy" if plan.is_copy else "query:distractor"
        edits = "|".join((*plan.edits, plan.layout))
        table.writerow((plan.path, kind, f"{plan.seconds:.3f}", f"{plan.fps:g}", edits, ""))
    write_whole(root / "files.csv", text.getvalue().encode("utf-8", "backslashreplace"))
    write_segments(root / "groundtruth.csv", labels.segments)
    write_labels(root / "labels.csv", labels)


class _Work:
    """Renders plans, some at once; counts what was made."""

    def __init__(
        self, root: Path, journal: Journal, jobs: int, progress: Progress | None, total: float
    ) -> None:
        self._root, self._journal, self._jobs = root, journal, jobs
        self._progress, self._total, self._done = progress, total, 0.0
        self._pool: ProcessPoolExecutor | None = None
        self._others = set(active_children())
        self.made = self.kept = 0

    def __enter__(self) -> _Work:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._pool is None:
            return
        if kind is not None:  # what is being made is given up at once
            self._pool.shutdown(wait=False, cancel_futures=True)
            for child in set(active_children()) - self._others:
                child.terminate()
        self._pool.shutdown()
        self._pool = None
        gc.collect()  # its semaphores; at an abrupt end Python would complain of them

    def render(
        self,
        render: Callable[[Path, Any, str], dict[str, Any]],
        plans: Sequence[Plan],
        digests: Sequence[str],
    ) -> Iterator[tuple[Plan, dict[str, Any] | VcdError]]:
        """Yield each plan with the journal's entry of its file, or the error it met."""
        waiting = []
        for plan, digest in zip(plans, digests, strict=True):
            file = plan.path
            entry = self._journal.finished(file, digest)
            if entry is None:
                waiting.append((plan, digest))
            else:
                self.kept += 1
                self._tell(plan)
                yield plan, entry
        if waiting:
            self._journal.forget_truth()
            self._journal.add(*({"file": plan.path} for plan, _ in waiting))
        for plan, result in self._all(render, waiting):
            if not isinstance(result, VcdError):
                self.made += 1
                self._journal.add(result)
            self._tell(plan)
            yield plan, result

    def _tell(self, plan: Clip | QueryPlan) -> None:
        self._done += plan.seconds
        if self._progress is not None:
            self._progress(round(self._done), round(max(self._total, self._done)) + 1)

    def _all(
        self,
        render: Callable[[Path, Any, str], dict[str, Any]],
        waiting: Sequence[tuple[Plan, str]],
    ) -> Iterator[tuple[Plan, dict[str, Any] | VcdError]]:
        if self._jobs == 1 or len(waiting) < 2:
            for plan, digest in waiting:
                yield plan, _guarded(render, self._root, plan, digest)
            return
        if self._pool is None:
            # Fresh processes: one that was forked beside threads may hang on their locks.
            self._pool = ProcessPoolExecutor(
                self._jobs, get_context("spawn"), initializer=_follow_the_parent
            )
        futures: dict[Future[dict[str, Any] | VcdError], Plan] = {
            self._pool.submit(_guarded, render, self._root, plan, digest): plan
            for plan, digest in waiting
        }
        while futures:
            finished, _ = wait(futures, return_when=FIRST_COMPLETED)
            for future in finished:
                plan = futures.pop(future)
                try:
                    yield plan, future.result()
                except BrokenProcessPool as error:
                    raise OutputError(
                        "a process that made it ended unexpectedly",
                        file=self._root / plan.path,
                        remedy="use fewer --jobs: memory may have run out",
                    ) from error


def _follow_the_parent() -> None:
    """Leave an interruption to the parent, and end when it has ended, however that came."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no half file is left
    parent = parent_process()

    def end() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end, daemon=True).start()


def _guarded(
    render: Callable[[Path, Any, str], dict[str, Any]], root: Path, plan: Any, digest: str
) -> dict[str, Any] | VcdError:
    """Return errors as values: between processes they would lose their file and remedy."""
    try:
        return render(root, plan, digest)
    except MediaError as error:
        return MediaError(error.problem, file=error.file, remedy=error.remedy)
    except OutputError as error:
        return OutputError(error.problem, file=error.file, remedy=error.remedy)
