"""Renders one file of a made haystack: a clip from its material, or a query from clips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vcd.errors import MediaError
from vcd.media import SAMPLE_RATE, Sampling, get_decoder
from vcd.media import Frame as SampledFrame
from vcd_eval.making.editing import change_tempo
from vcd_eval.making.haystack_plan import EditCall, Part, QueryPlan, Take
from vcd_eval.making.material import Clip, clip_frames, clip_sound, read_sound
from vcd_eval.making.picture_edits import Frame, fit, prepare_edit
from vcd_eval.making.recording import write_video
from vcd_eval.making.sound_edits import edit_sound

__all__ = ["render_clip", "render_query"]

Samples = npt.NDArray[np.float32]

_CLIP_CRF = 20  # finer than queries, which are made of them
_SEEN = 9.0  # grey levels: deviation in a frame from which on there is something to see
_HEARD = 3e-3  # level from which on there is something to hear
_BLOCK_BYTES = 64 << 20  # of frames held while a stretch is played backwards


def render_clip(root: Path, clip: Clip, digest: str) -> dict[str, Any]:
    """Make a clip; its entry says how long it came out, and where there is something in it."""
    path = root / clip.path
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
        "file": clip.path,
        "digest": digest,
        "bytes": path.stat().st_size,
        "frames": count,
        "seen": seen,
        "heard": heard,
    }


def render_query(root: Path, plan: QueryPlan, digest: str) -> dict[str, Any]:
    """Make a query of clips that are there already, and return its entry."""
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
