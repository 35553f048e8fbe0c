"""Regions of frames beside whole frames: what a second look at 3 x 3 places of each adds.

    python benchmarks/regions.py pictures PHOTOGRAPHS...
    python benchmarks/regions.py haystack HAYSTACK --photographs PHOTOGRAPHS... [--cache FOLDER]

The last feature map of the default model is pooled over 3 x 3 overlapping places, each as the
whole is (generalised mean) or by its maximum, and mapped by the model's own linear map, or by
whitening that is fitted on photographs not asked for; nothing else is trained. Two frames are as
alike as each region of one is, in the mean, to its best region of the other (Chamfer similarity, as
in ViSiL: Kordopatis-Zilos et al. 2019), from the query, from the reference, or both; or as regions
at the same places are; or as the two that are most alike. That takes the place
of a part of what the network says of whole frames; what the layout says stays as it is.

`pictures` prints micro-AP on edited pictures, as image_edits.py does, for every way and weight, and
by edit for those given; `haystack` what regions cost, and the pair and segment micro-AP of the
visual rows by whole frames and with regions, among the 16 references of each query with the nearest
frames. What chance reaches is taken from PHOTOGRAPHS there, without those that are kept from
training; `pictures` asks for none but those.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from image_edits import NAMES, make_queries, measure, without_repeats
from onnx import checker, helper, load, save

from vcd.descriptors import DescriptorModel, ModelInfo, load_manifest
from vcd.descriptors.views import views_of
from vcd.engine import Engine, PreparedVideo
from vcd.media.pixels import scale_pixels
from vcd.records import FloatArray, Match, SimilarityMatrix
from vcd.similarity import PreparedTrack
from vcd.similarity.background import BackgroundStatistics
from vcd.similarity.evidence import normalise
from vcd.sources import resolve
from vcd.training.visual.background import background_frames
from vcd.training.visual.pictures import load_photographs
from vcd_eval.bootstrap import paired_difference
from vcd_eval.formats import SegmentTable
from vcd_eval.haystack import read_haystack
from vcd_eval.measures import segment_uap
from vcd_eval.vsc import pair_ap

SIDE = 3  # regions a side
STRIDE = 32  # pixels of a picture to one of its feature map
BATCH = 8
WEIGHTS = (0.25, 0.5, 1.0)  # of the regions in what the network says
LEARNT, DIMENSIONS = 400, 128  # photographs that whitening is fitted on, and what it leaves
AT_ONCE = 64  # frames of a query whose regions are compared
NEAREST = 16  # references of each query that are compared
TIMED = 200  # frames of which the cost is measured

Pixels = npt.NDArray[np.uint8]


# The model, with regions beside its descriptor ----------------------------------------------------


def with_regions(
    info: ModelInfo, folder: Path, pooling: str = "AveragePool", *, mapped: bool = True
) -> tuple[ModelInfo, Shape]:
    """Write a models folder whose model gives regions after the descriptor, each of unit length.

    `pooling` is "AveragePool", before which features are raised to the model's power, or "MaxPool".
    Regions that are not mapped are features as they are.
    """
    model = load(info.verify())
    graph = model.graph
    maker = {name: node for node in graph.node for name in node.output}
    (head,) = (node for node in graph.node if node.op_type == "Gemm")
    root = maker[head.input[0]]
    mean = maker[root.input[0]]
    if (root.op_type, mean.op_type) != ("Pow", "ReduceMean"):
        raise SystemExit(f"{info.id} does not pool by a generalised mean")
    names = {head.input[1], *(maker[head.input[1]].input if head.input[1] in maker else ())}
    (weight,) = (array.dims for array in graph.initializer if array.name in names)
    dimensions = weight[0] if mapped else weight[1]
    window = [int(info.input["height"]) // STRIDE - SIDE + 1] * 2
    result = graph.output[0].name
    for node in graph.node:
        node.output[:] = ["whole" if name == result else name for name in node.output]
        node.input[:] = ["whole" if name == result else name for name in node.input]
    shape = helper.make_tensor("regions_shape", 7, [2], [-1, SIDE * SIDE * dimensions])
    graph.initializer.append(shape)
    make = helper.make_node
    linear = make("Gemm", ["places", *head.input[1:]], ["mapped"])
    linear.attribute.extend(head.attribute)
    graph.node.extend(
        [
            make(pooling, [mean.input[0]], ["pooled"], kernel_shape=window),
            make("Pow", ["pooled", root.input[1]], ["rooted"]),
            make("Transpose", ["rooted"], ["beside"], perm=[0, 2, 3, 1]),
            make("Flatten", ["beside"], ["places"], axis=3),
            *([linear] if mapped else []),
            make("LpNormalization", ["mapped" if mapped else "places"], ["unit"], axis=1, p=2),
            make("Reshape", ["unit", "regions_shape"], ["regions"]),
            make("Concat", ["whole", "regions"], [result], axis=1),
        ]
    )
    total = info.dimensions + SIDE * SIDE * dimensions
    graph.output[0].type.tensor_type.shape.dim[1].dim_value = total
    checker.check_model(model)
    path = folder / f"{pooling.lower()}.onnx"
    save(model, path)
    entry = {
        "id": f"regions_{pooling.lower()}-1",
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "stream": "visual",
        "dimensions": total,
        "opset": info.opset,
        "licence": info.licence,
        "input": dict(info.input),
        "calibration": dict(info.calibration),
    }
    content = {"defaults": {"visual": entry["id"]}, "models": [entry]}
    (folder / "models.json").write_text(json.dumps(content))
    return load_manifest(folder).default("visual"), Shape(info.dimensions, weight[0])


@dataclass(frozen=True)
class Shape:
    """Numbers in the descriptor of a whole frame, and how many of them are the network's."""

    whole: int
    network: int


@dataclass(frozen=True)
class Described:
    """Frames: whole, unit rows (n, d), of which `network` is what the network says (n, c).

    `regions` are unit vectors (n, 9, k).
    """

    whole: FloatArray
    network: FloatArray
    regions: FloatArray

    @classmethod
    def of(cls, rows: FloatArray, shape: Shape) -> Described:
        """Take apart what the model gives."""
        whole = unit(rows[:, : shape.whole])
        regions = rows[:, shape.whole :].reshape(len(rows), SIDE * SIDE, -1)
        return cls(whole, whole[:, : shape.network], unit(regions))

    def rows(self, chosen: slice) -> Described:
        """Return some frames."""
        return Described(self.whole[chosen], self.network[chosen], self.regions[chosen])

    def whitened(self, mean: FloatArray, directions: FloatArray) -> Described:
        """Return the frames with their regions mapped to fewer dimensions."""
        return Described(self.whole, self.network, unit((self.regions - mean) @ directions))

    def __len__(self) -> int:
        return len(self.whole)


def unit(vectors: npt.NDArray[np.floating[Any]]) -> FloatArray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(length, 1e-9)).astype(np.float32)  # type: ignore[no-any-return]


# How alike two frames are by their regions --------------------------------------------------------


def cells(query: Described, reference: Described) -> FloatArray:
    """Return the cosines of all regions, shape (n, 9, m, 9)."""
    n, k, d = query.regions.shape
    product = query.regions.reshape(-1, d) @ reference.regions.reshape(-1, d).T
    return product.reshape(n, k, len(reference), k)


def from_query(cosines: FloatArray) -> FloatArray:
    return cosines.max(axis=3).mean(axis=1)  # type: ignore[no-any-return]


def from_reference(cosines: FloatArray) -> FloatArray:
    return cosines.max(axis=1).mean(axis=2)  # type: ignore[no-any-return]


def from_both(cosines: FloatArray) -> FloatArray:
    return (from_query(cosines) + from_reference(cosines)) / np.float32(2)


def in_place(cosines: FloatArray) -> FloatArray:
    return np.einsum("ikjk->ij", cosines) / SIDE**2  # type: ignore[no-any-return]


def best(cosines: FloatArray) -> FloatArray:
    return cosines.max(axis=3).max(axis=1)  # type: ignore[no-any-return]


WAYS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "Chamfer from the query": from_query,
    "Chamfer from the reference": from_reference,
    "Chamfer, mean of both": from_both,
    "same places": in_place,
    "best two regions": best,
}
WHOLE = "whole frames"
TRIES = [WHOLE, *(f"{way}, {weight}" for way in WAYS for weight in WEIGHTS)]


def alike(
    query: Described, reference: Described, tries: Sequence[str] = TRIES
) -> dict[str, FloatArray]:
    """Return how alike frames are, shape (n, m): whole, and by each try, a way and its weight."""
    whole = query.whole @ reference.whole.T
    split = [(name, *name.rpartition(", ")[::2]) for name in tries if name != WHOLE]
    ways = {way for _, way, _ in split}
    regional = {way: np.empty_like(whole) for way in ways}
    for start in range(0, len(query) if ways else 0, AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        cosines = cells(query.rows(rows), reference)
        for way in ways:
            regional[way][rows] = WAYS[way](cosines)
    network = query.network @ reference.network.T
    share = float(np.square(query.network).sum(axis=1).max(initial=0))
    found = {WHOLE: whole}
    for name, way, weight in split:
        found[name] = whole + np.float32(weight) * (share * regional[way] - network)
    return found


# Single pictures ----------------------------------------------------------------------------------


def pictures(sources: Sequence[Path], shown: Sequence[str]) -> None:
    """Print micro-AP on edited pictures."""
    rng = np.random.default_rng(0)
    photographs = without_repeats(load_photographs(sources, reserve=True))
    photographs = photographs[rng.permutation(len(photographs))]
    listed = len(photographs) // 2
    queries, own, kind = make_queries(photographs, listed, rng)
    print(f"{len(queries)} queries, {listed} listed")
    info = load_manifest().default("visual")
    size = int(info.input["width"]), int(info.input["height"])
    scaled = [scale_pixels(query, *size) for query in queries]
    views = [(n, v) for n, query in enumerate(scaled) for v in views_of(query).values()]
    of_view = np.array([n for n, _ in views], np.intp)
    groups = (
        [scale_pixels(photograph, *size) for photograph in photographs[:listed]],
        scaled,
        [scale_pixels(view, *size) for _, view in views],
    )
    learnt = [scale_pixels(photo, *size) for photo in load_photographs(sources)[:LEARNT]]
    kept: dict[str, list[Described]] = {}
    for pooling, mapped in (("AveragePool", True), ("MaxPool", False)):
        with tempfile.TemporaryDirectory() as folder:
            regional, shape = with_regions(info, Path(folder), pooling, mapped=mapped)
            model = DescriptorModel(regional)
            found = [described(model, group, shape) for group in groups]
            if not mapped:
                white = whitening(described(model, learnt, shape).regions)
                found = [group.whitened(*white) for group in found]
        how = "the model's map" if mapped else f"whitened to {DIMENSIONS} numbers"
        kept[f"{pooling}, {how}"] = found
    for title, (listing, asked, parts) in kept.items():
        tables = {}
        alone, by_view = alike(asked, listing), alike(parts, listing)
        for name, scores in alone.items():
            highest = scores.copy()
            np.maximum.at(highest, of_view, by_view[name])
            tables[name] = scores, highest
        print(f"\n{info.id}, {title}: micro-AP and recall at 90 % precision, alone and with views")
        for name, both in tables.items():
            figures = "".join("{:9.3f}{:6.3f}".format(*measure(each, own)) for each in both)
            print(f"{name:40}{figures}", flush=True)
        print("by edit, with views: whole frames; " + "; ".join(shown))
        for edit in NAMES:
            rows = (kind == edit) | (own < 0)
            line = (tables[name][1][rows] for name in (WHOLE, *shown))
            print(f"  {edit:12}" + "".join(f"{measure(each, own[rows])[0]:8.3f}" for each in line))


def whitening(regions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean of regions (n, 9, k), and the directions (k, d) in which they vary most."""
    vectors = regions.reshape(-1, regions.shape[2])
    values, directions = np.linalg.eigh(np.cov(vectors.T))
    chosen = slice(-DIMENSIONS, None)
    return vectors.mean(axis=0), (directions[:, chosen] / np.sqrt(values[chosen])).astype(
        np.float32
    )


def described(model: DescriptorModel, frames: Sequence[Pixels], shape: Shape) -> Described:
    rows = [model(np.stack(frames[i : i + BATCH])) for i in range(0, len(frames), BATCH)]
    return Described.of(np.concatenate(rows), shape)


# Videos -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Video:
    """A video with its frames in all views, each with the positions it has."""

    prepared: PreparedVideo
    track: PreparedTrack
    views: tuple[tuple[npt.NDArray[np.intp], Described], ...]

    @classmethod
    def of(cls, video: PreparedVideo, shape: Shape) -> Video:
        """Take apart the vectors of a video."""
        track = video.tracks["visual"]
        everything = np.arange(len(track.vectors))
        views = [
            (rows, Described.of(vectors, shape))
            for rows, vectors in ((everything, track.vectors), *track.views)
        ]
        return cls(video, track, tuple(views))


def haystack(
    folder: Path, sources: Sequence[Path], cache: Path | None, tries: Sequence[str]
) -> None:
    """Print micro-AP over the visual rows of a haystack."""
    info = load_manifest().default("visual")
    truth = read_haystack(folder).truth("visual")
    with tempfile.TemporaryDirectory() as models:
        regional, shape = with_regions(info, Path(models))
        engine = Engine(models=models, streams=["visual"], threshold=0.0, cache=cache)
        frames = [
            frame
            for batch in background_frames(sources, int(info.input["height"]))
            for frame in batch
        ]
        background = described(DescriptorModel(regional), frames, shape)
        sides = [
            {
                source.video_id: Video.of(video, shape)
                for source, video in engine.prepare_all(resolve(folder / side, print))
                if "visual" in video.tracks
            }
            for side in ("queries", "refs")
        ]
    cost(info, background)
    first = SegmentTable([], [], np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    for name in tries:
        began = time.process_time()
        statistics = [
            {key: against(video, background, name) for key, video in videos.items()}
            for videos in sides
        ]
        matches = [
            match
            for query, video in sides[0].items()
            for ref, other in nearest(video, sides[1])
            if (
                match := compared(
                    engine,
                    (query, video, statistics[0][query]),
                    (ref, other, statistics[1][ref]),
                    name,
                )
            )
        ]
        spent = time.process_time() - began
        found = table(matches)
        first = found if name == WHOLE else first
        change = paired_difference(truth, first, found, sorted(sides[0]))
        print(
            f"{name:40} pair {pair_ap(truth, found).ap:.3f}, segment "
            f"{segment_uap(truth, found):.3f} ({change.value:+.3f}, 95 % of draws "
            f"{change.low:+.3f} to {change.high:+.3f}), {spent:.0f} CPU s",
            flush=True,
        )


Side = tuple[str, Video, BackgroundStatistics]


def nearest(query: Video, references: Mapping[str, Video]) -> list[tuple[str, Video]]:
    """Return the references with the frames that are most alike, which are worth a second look."""
    best = {key: likeness(query, video, WHOLE).max(initial=-1) for key, video in references.items()}
    return [(key, references[key]) for key in sorted(best, key=lambda k: -best[k])[:NEAREST]]


def likeness(query: Video, reference: Video, name: str) -> FloatArray:
    """Return the matrix of two videos: that of the two views that are most alike, by cell."""
    shape = len(query.track.vectors), len(reference.track.vectors)
    values = np.full(shape, -1, np.float32)
    for rows, one in query.views:
        for columns, other in reference.views:
            place = np.ix_(rows, columns)
            values[place] = np.maximum(values[place], alike(one, other, [name])[name])
    return values


def against(video: Video, background: Described, name: str) -> BackgroundStatistics:
    """Return what unrelated pictures reach, as `vcd.similarity.prepare` does."""
    result = np.full((3, len(video.track.vectors)), -1, np.float32)
    for rows, frames in video.views:
        values = np.sort(alike(frames, background, [name])[name], axis=1)
        found = [values.mean(axis=1), values[:, -10:].mean(axis=1), values[:, -1]]
        result[:, rows] = np.maximum(result[:, rows], found)
    return BackgroundStatistics(*result)


def compared(engine: Engine, query: Side, reference: Side, name: str) -> Match | None:
    (query_id, video, of_query), (ref_id, other, of_reference) = query, reference
    one, two = video.track.track, other.track.track
    values = likeness(video, other, name)
    matrix = normalise(
        SimilarityMatrix(np.clip(values, -1, 1), one.times, two.times, "visual"),
        query_background=of_query,
        ref_background=of_reference,
        query_weight=one.weight,
        ref_weight=two.weight,
    )
    matrices = {"visual": matrix}
    lengths = video.prepared.descriptor.duration, other.prepared.descriptor.duration
    passes = engine.passes(matrices)
    return engine.detector.detect(query_id, ref_id, passes, matrices, durations=lengths)


def table(matches: Iterable[Match]) -> SegmentTable:
    rows = [(match, segment) for match in matches for segment in match.segments]
    return SegmentTable(
        query_ids=[match.query_id for match, _ in rows],
        ref_ids=[match.ref_id for match, _ in rows],
        query_times=np.array([[s.query_start, s.query_end] for _, s in rows]).reshape(-1, 2),
        ref_times=np.array([[s.ref_start, s.ref_end] for _, s in rows]).reshape(-1, 2),
        scores=np.array([s.score for _, s in rows], np.float64),
    )


def cost(info: ModelInfo, frames: Described) -> None:
    """Print what regions cost."""
    some = frames.rows(slice(TIMED))
    for name in (WHOLE, *(f"{way}, 1.0" for way in WAYS)):
        began = time.process_time()
        alike(some, some, [name])
        spent = (time.process_time() - began) / len(some) ** 2
        print(f"{name:40}{1e6 * spent:8.2f} CPU us a pair of frames")
    print(f"{info.dimensions} bytes a frame, {frames.regions[0].size} of its regions")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    single = commands.add_parser("pictures")
    single.add_argument("photographs", nargs="+", type=Path)
    videos = commands.add_parser("haystack")
    videos.add_argument("haystack", type=Path)
    videos.add_argument("--photographs", nargs="+", type=Path, required=True)
    videos.add_argument("--cache", type=Path)
    for command in (single, videos):
        command.add_argument(
            "--way",
            action="append",
            default=[],
            metavar="WAY",
            choices=TRIES,
            help='such as "Chamfer from the query, 0.5"',
        )
    given = parser.parse_args()
    if given.command == "pictures":
        pictures(given.photographs, given.way)
        return
    haystack(given.haystack, given.photographs, given.cache, [WHOLE, *given.way])


if __name__ == "__main__":
    main()
