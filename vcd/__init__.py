"""vcd finds and localizes copies in videos, by picture and by sound.

>>> import vcd
>>> for match in vcd.match("query.mp4", "refs/"):
...     print(match.ref_id, sorted(match.segments[0].streams))
mountains ['audio', 'visual']

The names here are the public ones; everything else is imported from its room (`vcd.media`,
`vcd.descriptors`, `vcd.similarity`, `vcd.localization`, `vcd.detection`, `vcd.report`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vcd.engine import Engine, describe, match
    from vcd.errors import VcdError
    from vcd.library import Library
    from vcd.records import Match, Segment, SimilarityMatrix, Track, VideoDescriptor

__version__ = "0.1.0"

__all__ = [
    "Engine",
    "Library",
    "Match",
    "Segment",
    "SimilarityMatrix",
    "Track",
    "VcdError",
    "VideoDescriptor",
    "__version__",
    "describe",
    "match",
]

_HOMES = {
    "Engine": "vcd.engine",
    "describe": "vcd.engine",
    "match": "vcd.engine",
    "VcdError": "vcd.errors",
    "Library": "vcd.library",
    "Match": "vcd.records",
    "Segment": "vcd.records",
    "SimilarityMatrix": "vcd.records",
    "Track": "vcd.records",
    "VideoDescriptor": "vcd.records",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import vcd` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'vcd' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
