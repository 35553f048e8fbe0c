"""How times, probabilities, speeds and streams are put into words, the same in every report."""

from __future__ import annotations

from collections.abc import Callable

from vcd.records import Segment

__all__ = ["clock", "percent", "shorten", "stream_words"]

_STREAM_WORDS = {"visual": "picture", "audio": "sound"}
_NAMES_TAIL = 0.6  # the end of a file name (number, ending) tells more than its start


def clock(seconds: float) -> str:
    """Return a time as ``m:ss.s``, from one hour on as ``h:mm:ss``.

    Examples
    --------
    >>> clock(83.46), clock(59.97), clock(3725)
    ('1:23.5', '1:00.0', '1:02:05')
    """
    tenths = round(seconds * 10)
    if tenths >= 36_000:
        minutes, whole = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{whole:02d}"
    minutes, tenths = divmod(tenths, 600)
    return f"{minutes}:{tenths / 10:04.1f}"


def percent(share: float) -> str:
    """Return a probability as whole percent that says 100 % (0 %) only where nothing is left out.

    Examples
    --------
    >>> percent(0.734), percent(0.9999), percent(1.0), percent(0.001)
    ('73 %', '>99 %', '100 %', '<1 %')
    """
    if 0.995 <= share < 1:
        return ">99 %"
    if 0 < share < 0.005:
        return "<1 %"
    return f"{share:.0%}".replace("%", " %")


def stream_words(segment: Segment) -> tuple[str, ...]:
    """Return the streams that bear a segment out as words: "picture", "sound"."""
    return tuple(word for stream, word in _STREAM_WORDS.items() if stream in segment.streams)


def shorten(text: str, width: int, measure: Callable[[str], int] = len) -> str:
    """Shorten a name in its middle, so that its start and its ending stay readable.

    Parameters
    ----------
    text : str
    width : int
        Most columns the result may take, at least 1.
    measure : callable
        How many columns a string takes.

    Examples
    --------
    >>> shorten("holiday_in_the_mountains_2019.mp4", 16)
    'holida…_2019.mp4'
    """
    if measure(text) <= width:
        return text
    head, tail = "", ""
    for_tail = round((width - 1) * _NAMES_TAIL)
    while measure(text[len(text) - len(tail) - 1 :]) <= for_tail:
        tail = text[len(text) - len(tail) - 1 :]
    while measure(text[: len(head) + 1] + "…" + tail) <= width:
        head = text[: len(head) + 1]
    return f"{head}…{tail}"
