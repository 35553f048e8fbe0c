"""What a made haystack consists of: counts, lengths, layouts and edits, read from a TOML file."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vcd.errors import EvaluationError
from vcd_eval.making.picture_edits import PICTURE_EDITS
from vcd_eval.making.sound_edits import SOUND_EDITS

__all__ = [
    "LAYOUTS",
    "LOW_BITRATE",
    "PICTURE_NAMES",
    "Choice",
    "Recipe",
    "read_recipe",
    "recipe_text",
]

LOW_BITRATE = "low_bitrate"
PICTURE_NAMES = (*PICTURE_EDITS, LOW_BITRATE)
"""All edits of the picture; the last is done by the encoder, to a whole file."""

LAYOUTS = {
    "inside": 18.0,
    "whole": 7.0,
    "several": 7.0,
    "joined": 6.0,
    "loop": 3.0,
    "reversed": 3.0,
    "audio_only": 5.0,
    "picture_only": 4.0,
}
"""How a query is put together, and how often.

``inside``: one segment in a longer video; ``whole``: nothing but the segment; ``several``:
segments of one reference in another order; ``joined``: of two or three references; ``loop``: a
segment twice in a row; ``reversed``: backwards, with other sound; ``audio_only``: the sound under
another picture; ``picture_only``: the picture under other sound.
"""

_LONGEST_REFERENCE = 300.0


@dataclass(frozen=True, slots=True)
class Choice:
    """How often an edit is chosen, relative to others, and between which strengths in [0, 1]."""

    weight: float = 1.0
    strength: tuple[float, float] = (0.0, 1.0)


def _frozen(names: tuple[str, ...]) -> Mapping[str, Choice]:
    return MappingProxyType(dict.fromkeys(names, Choice()))


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to make.

    Parameters
    ----------
    queries : int
    distractors : float
        Share of the queries that hold no copy.
    foreign : float
        Share of the sources kept out of the references: they surround copies and make distractors.
    references : int
        At most; 0: as many as the sources give.
    longest_reference : float
        Seconds; what follows in a longer video is left out.
    film_seconds, shot_seconds : (float, float)
        Lengths of a film made of photographs, and of a shot in it.
    lookalikes : float
        Share of the photographs that are cut in two halves, which are shown by themselves, mostly
        in two films: places that resemble each other, and no copies.
    segment_seconds : (float, float)
        Length of a copied segment in the query.
    surround_seconds : (float, float)
        Length of each piece of foreign video around or between copies.
    picture_edits, sound_edits : (int, int)
        How many of each a query gets.
    speed_share, speed : float, (float, float)
        Share of the queries played at another speed, and between which speeds.
    fps_share, fps : float, (float, float)
        Share of the queries with fewer frames a second, and between which rates.
    layouts : mapping of str to float
        Weights of `LAYOUTS`.
    picture, sound : mapping of str to Choice
        The edits to choose from.
    """

    queries: int = 60
    distractors: float = 0.45
    foreign: float = 0.3
    references: int = 0
    longest_reference: float = _LONGEST_REFERENCE
    film_seconds: tuple[float, float] = (12.0, 30.0)
    shot_seconds: tuple[float, float] = (2.5, 6.0)
    lookalikes: float = 0.0
    segment_seconds: tuple[float, float] = (3.0, 20.0)
    surround_seconds: tuple[float, float] = (2.0, 8.0)
    picture_edits: tuple[int, int] = (1, 3)
    sound_edits: tuple[int, int] = (0, 2)
    speed_share: float = 0.3
    speed: tuple[float, float] = (0.5, 2.0)
    fps_share: float = 0.15
    fps: tuple[float, float] = (8.0, 15.0)
    layouts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType(LAYOUTS))
    picture: Mapping[str, Choice] = field(default_factory=lambda: _frozen(PICTURE_NAMES))
    sound: Mapping[str, Choice] = field(default_factory=lambda: _frozen(tuple(SOUND_EDITS)))

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            values = value if isinstance(value, tuple) else (value,)
            if not all(math.isfinite(v) and low <= v <= high for v in values):
                raise _broken(name, f"must lie in [{low}, {high}]", value)
            if isinstance(value, tuple) and value[0] > value[1]:
                raise _broken(name, "must name the lower bound first", value)
        for name in ("layouts", "picture", "sound"):
            weights = [getattr(c, "weight", c) for c in getattr(self, name).values()]
            if name == "layouts" and not sum(weights) > 0:
                raise _broken(name, "needs an entry with a positive weight", dict(self.layouts))


_BOUNDS: dict[str, tuple[float, float]] = {
    "queries": (1, 1_000_000),
    "distractors": (0, 1),
    "foreign": (0, 1),
    "references": (0, 1_000_000),
    "longest_reference": (1, 86_400),
    "film_seconds": (1, 3600),
    "shot_seconds": (0.5, 600),
    "lookalikes": (0, 1),
    "segment_seconds": (0.5, 3600),
    "surround_seconds": (0.5, 600),
    "picture_edits": (0, 10),
    "sound_edits": (0, 10),
    "speed_share": (0, 1),
    "speed": (0.1, 10),
    "fps_share": (0, 1),
    "fps": (1, 60),
}
_NOTES = {
    "distractors": "share of the queries without a copy",
    "foreign": "share of the sources kept out of the references",
    "references": "at most; 0: as many as the sources give",
    "longest_reference": "seconds; the rest of a longer video is left out",
    "film_seconds": "of a film made of photographs",
    "lookalikes": "share of the photographs whose halves are shown as two, which are no copies",
    "segment_seconds": "of a copied segment, in the query",
    "surround_seconds": "of foreign video around copies",
    "picture_edits": "how many of each kind a query gets",
    "speed_share": "share of the queries at another speed",
    "speed": "reference seconds per query second",
    "fps_share": "share of the queries with fewer frames a second",
}
_TABLES: dict[str, tuple[str, ...]] = {
    "layouts": tuple(LAYOUTS),
    "picture": PICTURE_NAMES,
    "sound": tuple(SOUND_EDITS),
}


def _broken(name: str, rule: str, got: object) -> EvaluationError:
    return EvaluationError(f"{name} {rule}, got {got}", remedy="mend the recipe")


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Read a recipe; what it leaves out stays as in `Recipe`.

    A table ``[layouts]``, ``[picture]`` or ``[sound]`` replaces the whole choice: what it does not
    name is not used. An edit is given as its weight, or as
    ``{weight = 2, strength = [0.1, 0.6]}``.

    Raises
    ------
    EvaluationError
        The file cannot be read, is not TOML, names something unknown or holds a value that is not
        allowed.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise EvaluationError(
            f"cannot be read: {error.strerror or error}", file=path, remedy="name a recipe file"
        ) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or nested without end
        raise EvaluationError(
            f"is not TOML: {error}", file=path, remedy="mend it at the place named"
        ) from error
    try:
        return _recipe(content)
    except EvaluationError as error:
        raise EvaluationError(error.problem, file=path, remedy=error.remedy) from None


def _recipe(content: Mapping[str, Any]) -> Recipe:
    defaults = {f.name: getattr(Recipe(), f.name) for f in fields(Recipe)}
    _check_names("the recipe", content, tuple(defaults))
    given: dict[str, Any] = {}
    for name, value in content.items():
        if name in _TABLES:
            given[name] = MappingProxyType(_table(name, value))
        elif isinstance(defaults[name], tuple):
            kind = type(defaults[name][0])
            if not isinstance(value, list) or len(value) != 2:
                raise _broken(name, "must be two numbers, [lowest, highest]", value)
            given[name] = (_number(name, value[0], kind), _number(name, value[1], kind))
        else:
            given[name] = _number(name, value, type(defaults[name]))
    return Recipe(**given)


def _table(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _broken(f"[{name}]", "must be a table of weights", value)
    _check_names(f"[{name}]", value, _TABLES[name])
    if name == "layouts":
        return {key: _weight(f"layouts.{key}", weight) for key, weight in value.items()}
    return {key: _choice(f"{name}.{key}", choice) for key, choice in value.items()}


def _choice(name: str, value: Any) -> Choice:
    if not isinstance(value, dict):
        return Choice(_weight(name, value))
    _check_names(name, value, ("weight", "strength"))
    strength = value.get("strength", [0.0, 1.0])
    if not isinstance(strength, list):
        strength = [strength, strength]
    bounds = [_number(f"{name}.strength", bound, float) for bound in strength]
    if len(bounds) != 2 or not 0 <= bounds[0] <= bounds[1] <= 1:
        raise _broken(f"{name}.strength", "must be [lowest, highest] in [0, 1]", strength)
    return Choice(_weight(f"{name}.weight", value.get("weight", 1)), (bounds[0], bounds[1]))


def _weight(name: str, value: Any) -> float:
    weight = float(_number(name, value, float))
    if not (math.isfinite(weight) and weight >= 0):
        raise _broken(name, "must be a weight of at least 0", value)
    return weight


def _number(name: str, value: Any, kind: type) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _broken(name, "must be a number", repr(value))
    if kind is int and not isinstance(value, int):
        raise _broken(name, "must be a whole number", value)
    return kind(value)


def _check_names(where: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise EvaluationError(
            f"{where} knows no {', '.join(map(repr, unknown))}",
            remedy=f"choose among {', '.join(known)}",
        )


def recipe_text(recipe: Recipe | None = None) -> str:
    """Return a recipe, by default the one used where none is given, as `read_recipe` reads it."""
    recipe = recipe or Recipe()
    lines = []
    for entry in fields(recipe):
        value = getattr(recipe, entry.name)
        if entry.name in _TABLES:
            continue
        value = list(value) if isinstance(value, tuple) else value
        note = _NOTES.get(entry.name)
        lines.append(f"{entry.name} = {value}" + (f"  # {note}" if note else ""))
    lines += [
        "",
        "# A table replaces the whole choice: what it leaves out is not used.",
        "[layouts]",
    ]
    lines += [f"{name} = {weight}" for name, weight in recipe.layouts.items()]
    for table, choices in (("picture", recipe.picture), ("sound", recipe.sound)):
        lines += ["", f"[{table}]"]
        lines += [
            f"{name} = {{weight = {c.weight}, strength = {list(c.strength)}}}"
            for name, c in choices.items()
        ]
    return "\n".join(lines) + "\n"
