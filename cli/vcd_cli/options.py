"""Options that several commands share, and the engine they ask for."""

from __future__ import annotations

import os
import sys
from dataclasses import fields
from enum import StrEnum
from math import ceil
from pathlib import Path
from typing import Annotated, Any

import typer

from vcd.descriptors.cache import default_cache_folder
from vcd.engine import Engine
from vcd.errors import OutputError
from vcd.localization import Localizer
from vcd.media import Limits
from vcd.records import STREAMS, Stream

__all__ = [
    "Cache",
    "Decoder",
    "Exact",
    "Isolation",
    "Jobs",
    "Limit",
    "Models",
    "NoCache",
    "Quiet",
    "Rate",
    "Streams",
    "check_writable",
    "chosen_limits",
    "chosen_streams",
    "make_engine",
    "make_folder",
    "probability_or_name",
    "processors",
]


class IsolationName(StrEnum):
    """Where media files are read."""

    process = "process"
    none = "none"


class DecoderName(StrEnum):
    """Decoders to choose from."""

    pyav = "pyav"
    decord = "decord"


Streams = Annotated[
    str,
    typer.Option(metavar="LIST", help="Streams to use: visual, audio, or visual,audio."),
]
Rate = Annotated[
    float, typer.Option(min=0.01, max=60, help="Frames a second to describe.", metavar="FPS")
]
Exact = Annotated[
    bool,
    typer.Option(
        "--exact",
        help="Decode every frame. By default frames that no sample needs are skipped, and a "
        "sampled frame may lie up to two frames beside its time.",
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Model to use for its stream; may be given for each stream. See: vcd models list.",
    ),
]
Refine = Annotated[
    bool,
    typer.Option(
        "--refine",
        help="Let a small network tell where to look in a matrix; nearly twice the cost.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        metavar="N",
        help="Files worked on at once (default: all cores).",
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Where descriptors are kept (default: the user's cache folder)."
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Let a Ray cluster do the work (auto, host:6379, ray://host:10001); files lie under "
        "the same paths on all of its nodes. --jobs is then the number of its workers.",
    ),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Keep no descriptors.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no warnings; failures are told.")
]
Decoder = Annotated[DecoderName, typer.Option(help="What reads the media files.")]
Isolation = Annotated[
    IsolationName,
    typer.Option(
        help="Read media files in other processes, which a hostile file may break, or in this one."
    ),
]
Limit = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME=NUMBER",
        help="Where reading a file stops; may be given for each of "
        + ", ".join(field.name for field in fields(Limits))
        + ", in pixels, seconds, bytes or counts.",
    ),
]


def chosen_streams(text: str) -> tuple[Stream, ...]:
    """Return the streams of a comma-separated list.

    Raises
    ------
    typer.BadParameter
        A name is unknown, or there is none.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    chosen = tuple(stream for stream in STREAMS if stream in names)
    if not chosen or len(chosen) != len(set(names)):
        raise typer.BadParameter(
            f"{text!r} is not visual, audio, or visual,audio", param_hint="--streams"
        )
    return chosen


def probability_or_name(text: str) -> float | str:
    """Return a threshold: a number in [0, 1], or the name of an operating point.

    Raises
    ------
    typer.BadParameter
        A number lies outside, or there is no text.
    """
    try:
        number = float(text)
    except ValueError:
        if text.isidentifier():
            return text
        number = -1.0
    if not 0 <= number <= 1:
        raise typer.BadParameter(
            f"{text!r} is neither a probability from 0 to 1 nor a name", param_hint="--threshold"
        )
    return number


def chosen_limits(texts: list[str] | None) -> Limits:
    """Return the limits that texts such as ``max_duration=3600`` name; the others stay.

    Raises
    ------
    typer.BadParameter
        A name is unknown, or a number is none or negative.
    """
    known = {field.name: type(getattr(Limits(), field.name)) for field in fields(Limits)}
    chosen: dict[str, Any] = {}
    for text in texts or []:
        name, _, number = text.partition("=")
        if name not in known:
            raise typer.BadParameter(
                f"there is no limit {name!r}, only {', '.join(known)}", param_hint="--limit"
            )
        try:
            chosen[name] = known[name](float(number))
            Limits(**{name: chosen[name]})
        except (ValueError, OverflowError):
            raise typer.BadParameter(
                f"{text!r} is not {name}= and a number from 0 on", param_hint="--limit"
            ) from None
    return Limits(**chosen)


def make_engine(
    *,
    streams: str,
    rate: float,
    exact: bool,
    models: list[str] | None,
    jobs: int | None,
    cache: Path | None,
    no_cache: bool,
    decoder: DecoderName,
    isolation: IsolationName,
    limit: list[str] | None,
    threshold: float | str = 0.5,
    min_length: float = 2.5,
    localizer: Localizer | None = None,
    refine: bool = False,
    cluster: str | None = None,
) -> Engine:
    """Return the engine that a command's options ask for."""
    from vcd.descriptors import load_manifest

    named: dict[Stream, str] = {}
    for name in models or []:
        info = load_manifest().get(name)
        named[info.stream] = info.id
    settings: dict[str, Any] = {
        "visual": named.get("visual"),
        "audio": named.get("audio"),
        "streams": chosen_streams(streams),
        "rate": rate,
        "exact": exact,
        "threshold": threshold,
        "min_length": min_length,
        "localizer": localizer,
        "refine": refine,
        "cache": None if no_cache else cache or default_cache_folder(),
        "decoder": decoder.value,
        "isolation": isolation.value,
        "limits": chosen_limits(limit),
    }
    if cluster is not None:
        from vcd.integrations.cluster import ClusterEngine

        return ClusterEngine(cluster, workers=jobs, **settings)
    return Engine(**settings, jobs=jobs or processors())


def processors(cpu_max: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return the number of processors this process may use; `cpu_max` is a container's quota."""
    if sys.version_info >= (3, 13):
        count = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    try:
        quota, period = map(int, cpu_max.read_text().split())
    except (OSError, ValueError):  # no container, or "max": no quota
        return count
    return max(1, min(count, ceil(quota / period)))


def check_writable(path: Path | None) -> None:
    """Refuse a place that cannot be written before any work is done.

    Raises
    ------
    OutputError
    """
    if path is None:
        return
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113 - never raise
        writable = not os.path.isdir(path) and os.access(path, os.W_OK)  # noqa: PTH112
    else:  # a link is followed when it is written
        folder = os.path.dirname(os.path.realpath(path))  # noqa: PTH120
        writable = os.access(folder, os.W_OK | os.X_OK)
    if not writable:
        raise OutputError(
            "cannot be written",
            file=path,
            remedy="name a file in a folder that exists and allows writing",
        )


def make_folder(path: Path) -> None:
    """Make a folder for results.

    Raises
    ------
    OutputError
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder cannot be made ({error.strerror or error})",
            file=path,
            remedy="choose another place",
        ) from error
