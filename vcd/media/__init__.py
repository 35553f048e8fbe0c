"""Media: a file in; timed frames and waveform out."""

from __future__ import annotations

from vcd.errors import ContractError
from vcd.media.decoder import (
    SAMPLE_RATE,
    Decoder,
    Frame,
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
    "Limits",
    "MediaInfo",
    "Recording",
    "Samples",
    "Sampling",
    "find_media",
    "get_decoder",
]


def get_decoder(name: str = "pyav") -> Decoder:
    """Return the decoder of that name.

    Parameters
    ----------
    name : {"pyav", "decord"}
        The default reads everything; decord needs the extra of that name.

    Raises
    ------
    ContractError
        There is no decoder of that name.
    MissingExtraError
        The decoder is not installed.
    """
    # Imported here: neither library is loaded before a file is to be read.
    if name == "pyav":
        from vcd.media.pyav import PyAVDecoder

        return PyAVDecoder()
    if name == "decord":
        from vcd.media.decord import DecordDecoder

        return DecordDecoder()
    raise ContractError(f"there is no decoder {name!r}", remedy='use "pyav" or "decord"')
