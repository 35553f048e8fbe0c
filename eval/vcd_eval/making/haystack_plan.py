"""The plan of every query of a made haystack: which stretches, which edits. Pure data, by seed.

Conventions
-----------
Times are seconds; a `Take` says what a stretch of a query shows or plays. Frame k of a part of n
frames shows the frame of the clip at ``start + (k + 1/2) / fps * speed``; where `speed` is negative
the stretch begins at its end: ``start + (n - k - 1/2) / fps * -speed``. So the truth follows from
the plan alone, and both intervals are half-open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from vcd.errors import ContractError
from vcd_eval.formats import Labels, SegmentTable
from vcd_eval.making.material import REFERENCES, Footage
from vcd_eval.making.picture_edits import PICTURE_EDITS
from vcd_eval.making.recipe import LOW_BITRATE, Choice, Recipe
from vcd_eval.making.sound_edits import ENDS_THE_COPY, SOUND_EDITS

__all__ = ["EditCall", "Part", "QueryPlan", "Take", "plan_queries", "truth_of"]

_TRIES = 40  # places that are looked at for a segment with something to see and hear in it
_CRF = 25
_WORST_CRF = (32, 44)
_SOME = 0.5  # of the seconds: a stretch in which so much is heard counts as sound
_SEVERAL = (2, 3)

Name = TypeVar("Name", bound=str)


@dataclass(frozen=True, slots=True)
class Take:
    """A stretch of a clip: where it begins, and its speed (negative: backwards).

    `start` is the earliest time of the stretch in the clip. A clip that ends goes on from its
    beginning; no take that counts as a copy does.
    """

    clip: str
    start: float
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class EditCall:
    """An edit, how strong, the seed of its choices, and the other video it shows or plays."""

    name: str
    strength: float
    seed: int
    other: Take | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a query of `frames` frames: its picture, its sound, and what is done to them.

    `visual` and `audio` say whether picture and sound are copied from a reference; `edits` are the
    names for the labels.
    """

    frames: int
    picture: Take
    sound: Take
    picture_edits: tuple[EditCall, ...] = ()
    sound_edits: tuple[EditCall, ...] = ()
    visual: bool = False
    audio: bool = False
    edits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """One query: size is (width, height) in pixels, `crf` the coarseness of its coding."""

    name: str
    size: tuple[int, int]
    fps: float
    crf: int
    layout: str
    is_copy: bool
    parts: tuple[Part, ...]
    edits: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Length."""
        return sum(part.frames for part in self.parts) / self.fps

    @property
    def path(self) -> str:
        """Path below the haystack's folder."""
        return f"queries/{self.name}.mp4"

    def clips(self) -> set[str]:
        """Return the paths of the clips it is made of."""
        takes = [t for part in self.parts for t in (part.picture, part.sound)]
        calls = [c for part in self.parts for c in (*part.picture_edits, *part.sound_edits)]
        return {t.clip for t in (*takes, *(c.other for c in calls)) if t is not None}


def plan_queries(footage: Sequence[Footage], recipe: Recipe, *, seed: int) -> list[QueryPlan]:
    """Plan all queries; the same clips, recipe and seed give the same plan.

    Layouts and edits are dealt out evenly by their weights, to copies and to distractors alike.

    Raises
    ------
    ContractError
        There is no reference, or no foreign clip.
    """
    references = [f for f in footage if f.folder == REFERENCES]
    foreign = [f for f in footage if f.folder != REFERENCES]
    if not references or not foreign:
        raise ContractError(
            "a haystack needs a reference and a foreign clip", remedy="name more sources"
        )
    rng = np.random.default_rng((seed, 1))
    count = recipe.queries
    distractors = set(rng.permutation(count)[: round(recipe.distractors * count)].tolist())
    layouts = _deal(recipe.layouts, count, rng)
    pictures = _Deck({n: c.weight for n, c in recipe.picture.items()}, rng)
    sounds = _Deck({n: c.weight for n, c in recipe.sound.items()}, rng)
    plans = []
    for number in range(count):
        is_copy = number not in distractors
        planner = _Planner(
            copied=references if is_copy else foreign,
            foreign=foreign,
            recipe=recipe,
            rng=np.random.default_rng((seed, 2, number)),
            is_copy=is_copy,
        )
        plans.append(planner.plan(f"Q{number + 1:04d}", layouts[number], pictures, sounds))
    return plans


def truth_of(plans: Sequence[QueryPlan]) -> Labels:
    """Return one row for each part that shows or plays a reference.

    Of a backwards copy, query_start goes with ref_end.
    """
    rows = []
    for plan in plans:
        first = 0
        for part in plan.parts:
            if part.visual or part.audio:
                take = part.picture if part.visual else part.sound
                span = part.frames / plan.fps * abs(take.speed)
                rows.append((plan, first, take, span, part))
            first += part.frames
    begin = np.array([first / plan.fps for plan, first, *_ in rows])
    end = np.array([(first + part.frames) / plan.fps for plan, first, _, _, part in rows])
    start = np.array([take.start for _, _, take, *_ in rows])
    until = start + np.array([span for *_, span, _ in rows])
    return Labels(
        segments=SegmentTable(
            query_ids=[plan.name for plan, *_ in rows],
            ref_ids=[_clip_name(take.clip) for _, _, take, *_ in rows],
            query_times=np.stack([begin, end], axis=1).round(6).reshape(-1, 2),
            ref_times=np.stack([start, until], axis=1).round(6).reshape(-1, 2),
        ),
        visual=np.array([part.visual for *_, part in rows], np.bool_),
        audio=np.array([part.audio for *_, part in rows], np.bool_),
        edits=[(*part.edits, plan.layout) for plan, *_, part in rows],
        speed=np.array([take.speed for _, _, take, *_ in rows], np.float64),
    )


def _clip_name(path: str) -> str:
    return path.removeprefix(f"{REFERENCES}/").removesuffix(".mp4")


class _Deck:
    """Names dealt out so that each comes as often as its weight says, in a random order."""

    def __init__(self, weights: Mapping[str, float], rng: np.random.Generator) -> None:
        self._weights = {name: w for name, w in weights.items() if w > 0}
        self._rng = rng
        self._cards: list[str] = []

    def draw(self, count: int, avoid: frozenset[str] = frozenset()) -> list[str]:
        """Return different names; fewer than `count` where there are not so many."""
        usable = [name for name in self._weights if name not in avoid]
        drawn: list[str] = []
        while len(drawn) < min(count, len(usable)):
            fits = [i for i, c in enumerate(self._cards) if c in usable and c not in drawn]
            if fits:
                drawn.append(self._cards.pop(fits[0]))
            else:
                self._cards += _deal(self._weights, 4 * len(self._weights), self._rng)
        return drawn


def _deal(weights: Mapping[str, float], count: int, rng: np.random.Generator) -> list[str]:
    """Return `count` names in random order, each as often as its weight says, rounded."""
    names = [name for name, weight in weights.items() if weight > 0]
    shares = np.array([weights[name] for name in names], np.float64)
    quotas = shares / shares.sum() * count
    numbers = np.floor(quotas).astype(int)
    left = count - int(numbers.sum())
    # What rounding leaves goes by chance, or the rarest would never come in a small set.
    rest = quotas - numbers
    if left:
        chosen = rng.choice(len(names), left, replace=False, p=rest / rest.sum())
        numbers[chosen] += 1
    dealt = [name for name, number in zip(names, numbers, strict=True) for _ in range(number)]
    return [dealt[int(i)] for i in rng.permutation(len(dealt))]


class _Planner:
    """Plans one query: of `copied` clips, surrounded by `foreign` ones."""

    def __init__(
        self,
        *,
        copied: Sequence[Footage],
        foreign: Sequence[Footage],
        recipe: Recipe,
        rng: np.random.Generator,
        is_copy: bool,
    ) -> None:
        self.copied, self.foreign = copied, foreign
        self.recipe, self.rng, self.is_copy = recipe, rng, is_copy
        self.fps = 24.0

    def plan(self, name: str, layout: str, pictures: _Deck, sounds: _Deck) -> QueryPlan:
        """Return the plan; a layout that the clips do not allow becomes ``inside``."""
        rng, recipe = self.rng, self.recipe
        heard = [clip for clip in self.copied if any(clip.heard)]
        if layout == "audio_only" and not heard:
            layout = "inside"
        main = self._one(heard if layout == "audio_only" else self.copied)
        rate = float(np.round(rng.uniform(*recipe.fps)))
        slowed = rng.random() < recipe.fps_share and rate < main.fps
        self.fps = rate if slowed else main.fps
        speed = 1.0
        if rng.random() < recipe.speed_share:
            low, high = np.log(recipe.speed)
            speed = round(float(np.exp(rng.uniform(low, high))), 2)
        picture_names = pictures.draw(int(rng.integers(*recipe.picture_edits, endpoint=True)))
        sound_names = self._sound_names(layout, sounds)
        crf = _CRF
        if LOW_BITRATE in picture_names:
            strength = self._strength(recipe.picture[LOW_BITRATE])
            crf = round(_WORST_CRF[0] + (_WORST_CRF[1] - _WORST_CRF[0]) * strength)
        in_time = (*(("speed",) if speed != 1 else ()), *(("fps",) if slowed else ()))
        copies = self._copies(main, layout, -speed if layout == "reversed" else speed)
        picture_calls = self._calls([n for n in picture_names if n != LOW_BITRATE], recipe.picture)
        sound_calls = self._calls(sound_names, recipe.sound)
        copies = [
            self._edited(
                part, layout, (picture_calls, sound_calls), names=picture_names, in_time=in_time
            )
            for part in copies
        ]
        everywhere = picture_calls if rng.random() < 0.5 else ()
        return QueryPlan(
            name=name,
            size=main.size,
            fps=self.fps,
            crf=crf,
            layout=layout,
            is_copy=self.is_copy,
            parts=tuple(self._surrounded(copies, layout, everywhere)),
            edits=(*picture_names, *sound_names, *in_time),
        )

    def _one(self, clips: Sequence[Footage]) -> Footage:
        return clips[int(self.rng.integers(len(clips)))]

    def _strength(self, choice: Choice) -> float:
        return round(float(self.rng.uniform(*choice.strength)), 3)

    def _sound_names(self, layout: str, sounds: _Deck) -> list[str]:
        if layout in ("picture_only", "reversed"):
            return ["sound_replaced"]
        avoid = ENDS_THE_COPY if layout == "audio_only" else frozenset()
        names = sounds.draw(int(self.rng.integers(*self.recipe.sound_edits, endpoint=True)), avoid)
        ending = [name for name in names if name in ENDS_THE_COPY]
        return ending[:1] or names

    def _calls(self, names: Sequence[str], choices: Mapping[str, Choice]) -> tuple[EditCall, ...]:
        return tuple(
            EditCall(
                name,
                self._strength(choices.get(name, Choice())),
                int(self.rng.integers(2**31)),
                self._foreign_take() if _needs_other(name) else None,
            )
            for name in names
        )

    def _foreign_take(self, avoid: str = "") -> Take:
        clips = [c for c in self.foreign if c.path != avoid] or self.foreign
        clip = self._one(clips)
        latest = max(0.0, clip.seconds - self.recipe.segment_seconds[0])
        return Take(clip.path, self._on_grid(float(self.rng.uniform(0, latest)), clip))

    @staticmethod
    def _on_grid(time: float, clip: Footage) -> float:
        return round(round(time * clip.fps) / clip.fps, 9)

    # -- copied segments ---------------------------------------------------------------------

    def _copies(self, main: Footage, layout: str, speed: float) -> list[Part]:
        if layout == "loop":
            return [self._segment(main, speed, layout)] * 2
        if layout == "several":
            count = int(self.rng.integers(*_SEVERAL, endpoint=True))
            count = max(1, min(count, int(main.seconds / (self._shortest() * abs(speed)))))
            length = main.seconds / count
            parts = [
                self._segment(main, speed, layout, (i * length, (i + 1) * length))
                for i in range(count)
            ]
            return [parts[int(i)] for i in self.rng.permutation(count)]
        if layout == "joined":
            others = [clip for clip in self.copied if clip is not main]
            count = min(int(self.rng.integers(1, _SEVERAL[1])), len(others))
            chosen = self.rng.permutation(len(others))[:count]
            clips = [main, *(others[int(i)] for i in chosen)]
            return [self._segment(clip, speed, layout) for clip in clips]
        return [self._segment(main, speed, layout)]

    def _shortest(self) -> float:
        return self.recipe.segment_seconds[0]

    def _segment(
        self,
        clip: Footage,
        speed: float,
        layout: str,
        within: tuple[float, float] | None = None,
    ) -> Part:
        """Choose a stretch of a clip, at a speed, in which there is something to see and hear."""
        low, high = within or (0.0, clip.seconds)
        room = (high - low) / abs(speed)
        shortest, longest = self.recipe.segment_seconds
        seconds = float(self.rng.uniform(min(shortest, room), min(longest, room)))
        frames = max(1, int(seconds * self.fps + 1e-6))
        span = frames / self.fps * abs(speed)
        wanted = clip.heard if layout == "audio_only" else clip.seen
        best, place = -1.0, 0.0
        for _ in range(_TRIES):
            start = float(self.rng.uniform(low, max(low, high - span)))
            start = min(self._on_grid(start, clip), max(0.0, clip.seconds - span))
            share = _share(wanted, start, start + span)
            if share > best:
                best, place = share, start
            if share == 1:
                break
        take = Take(clip.path, place, speed)
        heard = _share(clip.heard, place, place + span) >= _SOME
        return Part(frames, take, take, visual=self.is_copy, audio=self.is_copy and heard)

    def _edited(
        self,
        part: Part,
        layout: str,
        calls: tuple[tuple[EditCall, ...], tuple[EditCall, ...]],
        *,
        names: Sequence[str],
        in_time: tuple[str, ...],
    ) -> Part:
        """Return a copied part with its edits, and with labels of what is left of the copy."""
        picture, visual, audio = part.picture, part.visual, part.audio
        picture_calls, sound_calls = calls
        if layout == "audio_only":
            picture, visual = self._foreign_take(part.sound.clip), False
            audio = self.is_copy
        ended = [call.name for call in sound_calls if call.name in ENDS_THE_COPY]
        audio = audio and not ended
        sound_names = [call.name for call in sound_calls]
        seen = tuple(names) if visual else ("picture_replaced",)
        return replace(
            part,
            picture=picture,
            picture_edits=picture_calls,
            sound_edits=sound_calls,
            visual=visual,
            audio=audio,
            edits=(*seen, *(sound_names if audio else ended), *in_time),
        )

    # -- what surrounds them -----------------------------------------------------------------

    def _surrounded(
        self, copies: Sequence[Part], layout: str, everywhere: tuple[EditCall, ...]
    ) -> list[Part]:
        if layout == "whole":
            return list(copies)
        around = layout != "loop" or self.rng.random() < 0.5
        parts: list[Part] = []
        for number, part in enumerate(copies):
            between = number > 0 and layout != "loop" and self.rng.random() < 0.7
            if between or (number == 0 and around and self.rng.random() < 0.85):
                parts.append(self._foreign_part(everywhere))
            parts.append(part)
        if around and (len(parts) == len(copies) or self.rng.random() < 0.7):
            parts.append(self._foreign_part(everywhere))
        return parts

    def _foreign_part(self, picture_edits: tuple[EditCall, ...]) -> Part:
        seconds = float(self.rng.uniform(*self.recipe.surround_seconds))
        take = self._foreign_take()
        return Part(max(1, round(seconds * self.fps)), take, take, picture_edits)


def _needs_other(name: str) -> bool:
    edit = PICTURE_EDITS.get(name) or SOUND_EDITS.get(name)
    return edit is not None and edit.needs_other


def _share(seconds: Sequence[bool], start: float, end: float) -> float:
    """Return the share of the seconds of a stretch that are marked."""
    part = seconds[int(start) : max(int(np.ceil(end)), int(start) + 1)]
    return sum(part) / len(part) if part else 0.0
