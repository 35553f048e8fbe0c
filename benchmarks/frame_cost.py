"""What a frame costs to describe once it is decoded: whole, and with the views that it has.

    python benchmarks/frame_cost.py FOLDER... [--model visual_int8 --model visual --model sscd]

Frames of all videos below the folders, two a second, are decoded and scaled to each model's size
before; then every model describes the same ones, one thread, in turns. Frames that repeat the one
before or are flat cost nothing, as in use. Printed are CPU milliseconds of the processor a frame,
medians of the turns, and their ratio to whole frames by the last model named.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from vcd.descriptors import DescriptorModel, load_manifest
from vcd.descriptors import visual as builder
from vcd.media import find_media, get_decoder
from vcd.media.decoder import Frame, Limits, Sampling

RATE = 2.0
TURNS = 3


def frames_of(folders: list[Path], width: int, height: int) -> list[list[Frame]]:
    """Return the frames of each video, at a model's size."""
    sampling = Sampling(rate=RATE, size=(width, height), picture=True, sound=False, exact=False)
    decoder = get_decoder("pyav", isolation="none")
    return [
        [part for part in decoder.read(file, sampling, limits=Limits()) if isinstance(part, Frame)]
        for file in find_media(folders)
    ]


class Counted:
    """A model that knows how many pictures it has described."""

    def __init__(self, model: DescriptorModel) -> None:
        self.model, self.info, self.pictures = model, model.info, 0

    def __call__(self, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Describe pictures."""
        self.pictures += len(batch)
        return self.model(batch)


def cost(model: Counted, videos: list[list[Frame]], *, views: bool) -> tuple[float, int]:
    """Return CPU milliseconds a frame, and how many pictures were described."""
    found = builder.boxes_of
    if not views:
        builder.boxes_of = lambda _: {}
    model.pictures = 0
    began = time.process_time()
    try:
        for frames in videos:
            track = builder.VisualTrackBuilder(model)
            for frame in frames:
                track.add(frame)
            track.finish()
    finally:
        builder.boxes_of = found
    return (time.process_time() - began) / sum(map(len, videos)) * 1000, model.pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", action="append", dest="models")
    options = parser.parse_args()
    names = options.models or ["visual_int8", "visual"]
    models = [Counted(DescriptorModel(load_manifest().get(name))) for name in names]
    sizes = {(int(m.info.input["width"]), int(m.info.input["height"])) for m in models}
    videos = {size: frames_of(options.folders, *size) for size in sizes}
    spent: dict[tuple[str, bool], list[float]] = {}
    described: dict[tuple[str, bool], int] = {}
    for turn in range(TURNS + 1):
        for model in models:
            size = int(model.info.input["width"]), int(model.info.input["height"])
            for views in (False, True):
                one, pictures = cost(model, videos[size], views=views)
                described[model.info.id, views] = pictures
                if turn:  # the first one warms up
                    spent.setdefault((model.info.id, views), []).append(one)
    unit = median(spent[models[-1].info.id, False])
    number = sum(map(len, videos[next(iter(sizes))]))
    print(f"{number} frames")
    for (name, views), each in spent.items():
        title = "with views" if views else "whole"
        rows = described[name, views] / number
        print(
            f"{name}, {title}: {rows:.2f} descriptions a frame, {median(each):.2f} CPU ms, "
            f"{median(each) / unit:.2f}"
        )


if __name__ == "__main__":
    main()
