"""Makes a haystack: plans it, renders its files in parallel, and writes the truth about them.

A file of the plan that is there already, made by the same plan, is not made again: `made.jsonl` in
the folder holds the digest of each file's plan. The truth is written last, so a folder that has
one is whole.
"""

from __future__ import annotations

import csv
import gc
import io
import json
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

import numpy as np
import numpy.typing as npt

from vcd.encoding import write_whole
from vcd.errors import ContractError, MediaError, OutputError, VcdError
from vcd.media import SAMPLE_RATE, Sampling, find_media, get_decoder
from vcd.media import Frame as SampledFrame
from vcd_eval.formats import Labels, write_labels, write_segments
from vcd_eval.making.editing import change_tempo
from vcd_eval.making.haystack_plan import (
    EditCall,
    Part,
    QueryPlan,
    Take,
    plan_queries,
    truth_of,
)
from vcd_eval.making.material import (
    FOREIGN,
    REFERENCES,
    Clip,
    Footage,
    clip_frames,
    clip_sound,
    digest_of,
    plan_clips,
    probe_sources,
    read_sound,
)
from vcd_eval.making.picture_edits import Frame, fit, prepare_edit
from vcd_eval.making.recipe import Recipe
from vcd_eval.making.recording import write_video
from vcd_eval.making.sound_edits import edit_sound

__all__ = ["MadeHaystack", "Progress", "make_haystack"]

Samples = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
OnError = Callable[[VcdError], None]
Plan = TypeVar("Plan", Clip, QueryPlan)

_FORMAT = "1"  # raise it where the same plan gives another file
_JOURNAL = "made.jsonl"
_TRUTH = ("groundtruth.csv", "labels.csv", "files.csv")
_FOLDERS = (REFERENCES, FOREIGN, "queries")
_CLIP_CRF = 20  # finer than queries, which are made of them
_SEEN = 9.0  # grey levels: deviation in a frame from which on there is something to see
_HEARD = 3e-3  # level from which on there is something to hear
_BLOCK_BYTES = 64 << 20  # of frames held while a stretch is played backwards


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
    journal = _Journal(root)
    work = _Work(root, journal, jobs, progress, _guessed_seconds(clips, recipe))
    with work:
        footage: list[Footage] = []
        for clip, entry in work.render(_render_clip, clips, [digest_of(c, _FORMAT) for c in clips]):
            if isinstance(entry, VcdError):
                on_error(entry)
            else:
                footage.append(_footage(clip, entry))
        footage.sort(key=lambda f: (f.folder, f.name))
        plans = plan_queries(footage, recipe, seed=seed)
        digests = {f.path: f.digest for f in footage}
        keys = [digest_of(p, _FORMAT, *(digests[c] for c in sorted(p.clips()))) for p in plans]
        for _, entry in work.render(_render_query, plans, keys):
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


class _Journal:
    """Which files of a folder were made, by which plan."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._file = root / _JOURNAL
        self._entries: dict[str, dict[str, Any]] = {}
        try:
            for name in _FOLDERS:
                (root / name).mkdir(parents=True, exist_ok=True)
            lines = self._file.read_text("utf-8").splitlines() if self._file.exists() else []
        except (OSError, ValueError) as error:
            raise OutputError(
                f"cannot be used as a folder for results: {error}",
                file=root,
                remedy="choose another folder",
            ) from error
        for line in lines:
            try:
                entry = json.loads(line)
                self._entries[entry["file"]] = entry
            except (ValueError, KeyError, TypeError):  # cut off when it was written
                continue
        strange = [
            path
            for name in _FOLDERS
            for path in find_media([root / name])
            if path.relative_to(root).as_posix() not in self._entries
        ]
        if strange:
            raise OutputError(
                f"holds {len(strange)} media files that were not made here, such as {strange[0]}",
                file=root,
                remedy="choose an empty folder",
            )

    def finished(self, file: str, digest: str) -> dict[str, Any] | None:
        """Return the entry of a file that was made by this plan and is there as it was made."""
        entry = self._entries.get(file)
        if entry is None or entry.get("digest") != digest:
            return None
        try:
            size = (self.root / file).stat().st_size
        except OSError:
            return None
        return entry if size == entry.get("bytes") else None

    def add(self, *entries: dict[str, Any]) -> None:
        """Keep that files are made, or, where an entry has no digest, that they will be."""
        self._entries |= {entry["file"]: entry for entry in entries}
        try:
            with self._file.open("a", encoding="utf-8") as file:
                # On lines of their own, even where the last one was cut off.
                file.write("".join("\n" + json.dumps(entry) for entry in entries) + "\n")
        except OSError as error:
            raise OutputError(
                f"cannot be written: {error.strerror}", file=self._file, remedy="check its room"
            ) from error

    def forget_truth(self) -> None:
        """Remove the truth, which no longer fits once a file is made anew."""
        for name in _TRUTH:
            _remove(self.root / name)

    def remove_others(self, planned: set[str]) -> None:
        """Remove what an earlier plan left."""
        for name in _FOLDERS:
            for path in list(find_media([self.root / name])):
                if path.relative_to(self.root).as_posix() not in planned:
                    _remove(path)
            for part in (self.root / name).glob(".vcd-*.part.mp4"):  # of a run that was killed
                _remove(part)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"is of an earlier run and cannot be removed: {error.strerror}",
            file=path,
            remedy="change the folder's permissions, or choose another",
        ) from error


class _Work:
    """Renders plans, some at once; counts what was made."""

    def __init__(
        self, root: Path, journal: _Journal, jobs: int, progress: Progress | None, total: float
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
            file = _file_of(plan)
            entry = self._journal.finished(file, digest)
            if entry is None:
                waiting.append((plan, digest))
            else:
                self.kept += 1
                self._tell(plan)
                yield plan, entry
        if waiting:
            self._journal.forget_truth()
            self._journal.add(*({"file": _file_of(plan)} for plan, _ in waiting))
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
                        file=self._root / _file_of(plan),
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


def _file_of(plan: Clip | QueryPlan) -> str:
    return plan.path if isinstance(plan, QueryPlan) else f"{plan.folder}/{plan.name}.mp4"


# -- rendering one file ---------------------------------------------------------------------


def _render_clip(root: Path, clip: Clip, digest: str) -> dict[str, Any]:
    """Make a clip; its entry says how long it came out, and where there is something in it."""
    path = root / _file_of(clip)
    samples = clip_sound(clip)
    seen: list[int] = []
    count = 0

    def counted() -> Iterator[Frame]:
        nonlocal count
        for frame in clip_frames(clip):
            if int((count + 0.5) / clip.fps + 0.5) == len(seen):  # the middle of each second
                seen.append(int(frame[::4, ::4].std() > _SEEN))
            count += 1
            yield frame

    write_video(path, counted(), clip.fps, samples, SAMPLE_RATE, crf=_CLIP_CRF)
    if not count:
        path.unlink(missing_ok=True)
        raise MediaError("shows no frame", file=clip.video or path, remedy="leave it out")
    heard = []
    for start in range(0, 0 if samples is None else len(samples), SAMPLE_RATE):
        second = np.asarray(samples)[start : start + SAMPLE_RATE]
        heard.append(int(np.sqrt(np.mean(second**2)) > _HEARD))
    return {
        "file": _file_of(clip),
        "digest": digest,
        "bytes": path.stat().st_size,
        "frames": count,
        "seen": seen,
        "heard": heard,
    }


def _render_query(root: Path, plan: QueryPlan, digest: str) -> dict[str, Any]:
    path = root / plan.path
    frames = (frame for part in plan.parts for frame in _part_frames(root, part, plan))
    write_video(path, frames, plan.fps, _query_sound(root, plan), SAMPLE_RATE, crf=plan.crf)
    return {"file": plan.path, "digest": digest, "bytes": path.stat().st_size}


def _part_frames(root: Path, part: Part, plan: QueryPlan) -> Iterator[Frame]:
    size = plan.size[1], plan.size[0]
    draws = [
        prepare_edit(call.name, size, call.strength, np.random.default_rng(call.seed))
        for call in part.picture_edits
    ]
    others = [
        None if call.other is None else _take_frames(root, call.other, part.frames, plan.fps)
        for call in part.picture_edits
    ]
    shown = _take_frames(root, part.picture, part.frames, plan.fps)
    for number, frame in enumerate(shown):
        edited = fit(frame, size)
        for draw, other in zip(draws, others, strict=True):
            edited = draw(edited, number, edited if other is None else next(other))
        yield edited


def _take_frames(root: Path, take: Take, count: int, fps: float) -> Iterator[Frame]:
    """Yield the `count` frames that a take shows at a rate."""
    path = root / take.clip
    info = get_decoder().probe(path)
    rate, total = info.frame_rate, max(1, round(info.duration * info.frame_rate))
    times = take.start + (np.arange(count) + 0.5) / fps * abs(take.speed)
    wanted = np.floor(times * rate + 1e-6).astype(int)
    if take.speed > 0:
        yield from _frames_at(path, rate, wanted, total)
        return
    # The frames of a block are held, and decoded anew from the beginning for each block.
    block = max(1, _BLOCK_BYTES // max(1, 3 * info.width * info.height))
    for end in range(count, 0, -block):
        held = list(_frames_at(path, rate, wanted[max(0, end - block) : end], total))
        yield from reversed(held)


def _frames_at(
    path: Path, rate: float, wanted: npt.NDArray[np.int_], total: int
) -> Iterator[Frame]:
    """Yield the frames with ascending numbers; beyond the end, from the beginning again."""
    at, turn = -1, int(wanted[0]) // total
    frames = _all_frames(path, rate)
    frame: Frame | None = None
    for number in wanted:
        if int(number) // total > turn:
            turn, at, frames = int(number) // total, -1, _all_frames(path, rate)
        while at < int(number) % total:
            following = next(frames, None)
            if following is None:  # the container promised more than it holds
                break
            frame, at = following, at + 1
        if frame is None:
            raise MediaError("shows no frame", file=path, remedy="remove it and make it again")
        yield frame


def _all_frames(path: Path, rate: float) -> Iterator[Frame]:
    for part in get_decoder().read(path, Sampling(rate, sound=False, exact=True)):
        if isinstance(part, SampledFrame):
            yield part.pixels


def _query_sound(root: Path, plan: QueryPlan) -> Samples | None:
    """Return the sound of a query; None where none of its parts has a sound stream."""
    ends = np.rint(np.cumsum([p.frames for p in plan.parts]) / plan.fps * SAMPLE_RATE).astype(int)
    sounds: list[Samples] = []
    any_stream = False
    begin = 0
    for part, end in zip(plan.parts, ends.tolist(), strict=True):
        length, begin = end - begin, end
        samples, has_stream = _take_sound(root, part.sound, length)
        any_stream = any_stream or has_stream
        for call in part.sound_edits:
            samples, has_stream = _edited_sound(root, call, samples)
            any_stream = any_stream or has_stream
        sounds.append(samples)
    return np.concatenate(sounds) if any_stream else None


def _edited_sound(root: Path, call: EditCall, samples: Samples) -> tuple[Samples, bool]:
    other, has_stream = None, False
    if call.other is not None:
        other, has_stream = _take_sound(root, call.other, len(samples))
    rng = np.random.default_rng(call.seed)
    return edit_sound(
        call.name, samples, SAMPLE_RATE, strength=call.strength, rng=rng, other=other
    ), has_stream


def _take_sound(root: Path, take: Take, length: int) -> tuple[Samples, bool]:
    """Return `length` samples of a take, and whether its clip has a sound stream."""
    path = root / take.clip
    info = get_decoder().probe(path)
    if not info.has_sound:
        return np.zeros(length, np.float32), False
    speed = abs(take.speed)
    seconds = length / SAMPLE_RATE * speed
    parts = [read_sound(path, take.start, min(seconds, max(0.0, info.duration - take.start)))]
    while sum(map(len, parts)) < seconds * SAMPLE_RATE - 1:  # from the beginning again
        left = seconds - sum(map(len, parts)) / SAMPLE_RATE
        parts.append(read_sound(path, 0.0, min(left, info.duration)))
        if not len(parts[-1]):
            break
    samples = np.concatenate(parts)
    if speed != 1:
        samples = change_tempo(samples, speed, SAMPLE_RATE)
    if take.speed < 0:
        samples = samples[::-1]
    result = np.zeros(length, np.float32)
    result[: len(samples)] = samples[:length]
    return result, True
