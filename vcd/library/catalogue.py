"""What a library knows of a video besides its descriptor, and what people decided about it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from vcd.errors import ContractError

__all__ = ["Decision", "Entry", "Origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """The file a descriptor was made of.

    Parameters
    ----------
    path : Path or None
        Where it lay when it was last seen, absolute; None where another file lies there now.
    content : str
        Digest of its bytes; files of the same bytes share it.
    size : int
        Bytes.
    modified : int
        Time of its last change, in nanoseconds.
    width, height : int
        Pixels as displayed, 0 without a picture.
    """

    path: Path | None
    content: str
    size: int = 0
    modified: int = 0
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the catalogue.

    `key` is a number that belongs to this state of the video alone: a video that is described anew,
    or of which another part is ignored, gets a higher one. `duration` is in seconds, `warnings`
    counts what was lost or odd, and `settings` tells what described it, as text.
    """

    key: int
    video_id: str
    duration: float
    warnings: int = 0
    settings: str = ""
    origin: Origin | None = None

    @property
    def identity(self) -> str:
        """What decisions go by: the content of the file, or the id where no file is known."""
        return self.origin.content if self.origin is not None else f"id:{self.video_id}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided, and vcd respects from then on.

    Parameters
    ----------
    number : int
        By which it can be taken back.
    kind : {"separate", "ignore"}
        "separate": two videos are no copies of each other, whatever they share. "ignore": a part
        of a video says nothing (an intro, an advert).
    first, second : str
        Identities (`Entry.identity`) of the videos; `second` is empty for "ignore".
    start, end : float
        The part to ignore, in seconds, half-open; the end may be infinite.
    reason : str
    """

    number: int
    kind: str
    first: str
    second: str = ""
    start: float = 0.0
    end: float = math.inf
    reason: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("separate", "ignore"):
            raise ContractError(f'a decision is "separate" or "ignore", got {self.kind!r}')
        if not 0 <= self.start < self.end:
            raise ContractError(
                f"a part to ignore must begin at 0 or later and end after that, "
                f"got {self.start} to {self.end}"
            )
