"""How the work of `vcd duplicates` grows with a collection: pairs compared, of all there are.

    python benchmarks/duplicates.py FOLDER [--cache DIR]

Takes every k-th video of FOLDER into a library, searches it for duplicates with a localizer that
finds nothing (its cost is that of a pair, whatever the size), and prints pairs and CPU seconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from vcd.collection import Policy, find_duplicates
from vcd.engine import Engine
from vcd.library import Library
from vcd.records import Segment, SimilarityMatrix
from vcd.sources import resolve


class Nothing:
    """A localizer that finds nothing."""

    name = "nothing"

    def localize(self, matrix: SimilarityMatrix) -> list[Segment]:
        """Find nothing."""
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    engine = Engine(cache=given.cache, localizer=Nothing())
    videos = [video for _, video in engine.describe_all(resolve(given.folder, print))]
    for step in (8, 4, 2, 1):
        with tempfile.TemporaryDirectory() as folder, Library(Path(folder, "a.vcdlib")) as library:
            for video in videos[::step]:
                library.add(video)
            started = time.process_time()
            found = find_duplicates(engine, library, Policy(0.95), on_error=print)
            seconds = time.process_time() - started
            everything = found.videos * (found.videos - 1) // 2
            print(
                f"{found.videos} videos: {found.compared} of {everything} pairs compared "
                f"({found.compared / everything:.0%}), "
                f"{found.compared / found.videos:.1f} a video; "
                f"{1000 * seconds / found.videos:.0f} CPU ms a video without localization"
            )


if __name__ == "__main__":
    main()
