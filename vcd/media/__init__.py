"""Media: a file in; timed frames and waveform out."""

from __future__ import annotations

import importlib.util
import logging
import sys

from vcd.errors import ContractError, MissingExtraError
from vcd.media.decoder import (
    SAMPLE_RATE,
    Decoder,
    Frame,
    Isolation,
    Limits,
    MediaInfo,
    Recording,
    Samples,
    Sampling,
)
from vcd.media.discovery import find_media

__all__ = [
    "SAMPLE_RATE",
    "Decoder",
    "Frame",
    "Isolation",
    "Limits",
    "MediaInfo",
    "Recording",
    "Samples",
    "Sampling",
    "find_media",
    "get_decoder",
    "is_isolated",
    "reading_cost",
]

logger = logging.getLogger("vcd")


def get_decoder(name: str = "pyav", *, isolation: Isolation = "none") -> Decoder:
    """Return the decoder of that name.

    Parameters
    ----------
    name : {"pyav", "decord"}
        The default reads everything; decord needs the extra of that name.
    isolation : {"none", "process"}
        "process" reads in another process, which a file may break, with limits of its own on memory
        and time. Where a system has no such processes, that is logged as a warning, and files are
        read in this one.

    Raises
    ------
    ContractError
        There is no decoder of that name, or no such isolation.
    MissingExtraError
        The decoder is not installed.
    """
    # Imported here: neither library is loaded before a file is to be read.
    if name not in ("pyav", "decord"):
        raise ContractError(f"there is no decoder {name!r}", remedy='use "pyav" or "decord"')
    if is_isolated(isolation):
        if name == "decord" and importlib.util.find_spec("decord") is None:
            raise MissingExtraError(
                "decord is not installed", remedy='pip install "vcd-engine[decord]"'
            )
        from vcd.media.isolation import IsolatedDecoder

        return IsolatedDecoder(name)
    if name == "pyav":
        from vcd.media.pyav import PyAVDecoder

        return PyAVDecoder()
    from vcd.media.decord import DecordDecoder

    return DecordDecoder()


def is_isolated(isolation: Isolation) -> bool:
    """Say whether files are to be read in other processes, and can be; log where they cannot.

    Raises
    ------
    ContractError
        There is no such isolation.
    """
    if isolation not in ("none", "process"):
        raise ContractError(
            f"there is no isolation {isolation!r}", remedy='use "process" or "none"'
        )
    if isolation == "none":
        return False
    from vcd.media.pool import is_supported

    if not is_supported():
        logger.warning(
            "files are read without isolation: this system cannot hand them to other processes"
        )
    return is_supported()


def reading_cost() -> tuple[float, float]:
    """Return what reading in other processes has cost so far.

    Returns
    -------
    cpu_time : float
        Processor seconds, of all processes together.
    memory : float
        The most bytes that one of them has held.
    """
    if "vcd.media.pool" not in sys.modules:
        return 0.0, 0.0
    from vcd.media.pool import pool

    return pool.cpu_time, pool.memory
