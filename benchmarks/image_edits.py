"""How well edited copies of single pictures are found: micro-AP over all pairs, and by edit.

    python benchmarks/image_edits.py PHOTOGRAPHS... [--model visual --model sscd]

PHOTOGRAPHS are tar archives or folders; only those that training leaves aside are used (about every
eighth, by a hash of the file; they calibrate probabilities, on which nothing here depends). A third
of them is asked for and half is listed; the rest asks in vain, and lends the second picture of
compositions. Every picture asked for is edited in each way of `vcd eval make`, strongly, in three
ways at once, and as a small, badly compressed file. The edits are not those of training. Scores are
given for the whole picture alone, and with its further views, where it has some: inside of borders,
halves, an inset; and mirrored and turned, where the model brings maps for that.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from vcd.descriptors import DescriptorModel, load_manifest, load_orientations
from vcd.descriptors.views import SMALL_VIEWS, views_of
from vcd.media.pixels import scale_pixels
from vcd.media.thumbnails import encode_jpeg
from vcd.similarity import OTHERWISE
from vcd.training.visual.pictures import load_photographs
from vcd_eval.making.picture_edits import PICTURE_EDITS, prepare_edit
from vcd_eval.ranking import average_precision, count_by_score

STRENGTH = 0.8
TOGETHER = 3  # edits of a combination
VAIN = 4  # queries of each picture that is not listed
ALIKE = 0.95  # correlation of 16 x 16 grey pictures, from which on two are one
BATCH = 8
NAMES = [*PICTURE_EDITS, "combination", "low quality"]

Pictures = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float32]


def without_repeats(pictures: Pictures) -> Pictures:
    """Return pictures of which no two are nearly the same."""
    small = np.stack([scale_pixels(picture, 16, 16).mean(axis=2).ravel() for picture in pictures])
    small -= small.mean(axis=1, keepdims=True)
    small /= np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-9)
    alike = np.triu(small @ small.T > ALIKE, 1).any(axis=0)
    kept: Pictures = pictures[~alike]
    return kept


def edit(name: str, picture: Pictures, other: Pictures, rng: np.random.Generator) -> Pictures:
    """Return a copy of a picture, edited in a way by name."""
    if name == "low quality":
        share = rng.uniform(0.2, 0.4)
        side = round(picture.shape[0] * share)
        data = encode_jpeg(scale_pixels(picture, side, side), int(rng.integers(5, 16)))
        with av.open(io.BytesIO(data), mode="r") as container:
            frame = next(container.decode(video=0))
            return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
    names = rng.choice(list(PICTURE_EDITS), TOGETHER, False) if name == "combination" else [name]
    for one in names:
        draw = prepare_edit(str(one), picture.shape[:2], STRENGTH, rng)
        picture = draw(picture, 0, other)
    return picture


def make_queries(
    pictures: Pictures, listed: int, rng: np.random.Generator
) -> tuple[list[Pictures], npt.NDArray[np.int64], npt.NDArray[np.str_]]:
    """Return edited pictures, the picture that each is of (or -1), and the name of its edit.

    The first third of the pictures is asked for; those that are not listed ask in vain.
    """
    lent: Callable[[], Pictures] = lambda: pictures[rng.integers(listed, len(pictures))]  # noqa: E731
    asked = len(pictures) // 3
    queries, own, kinds = [], [], []
    for number, picture in enumerate(pictures):
        if number < asked:
            chosen = NAMES
        elif number >= listed:
            chosen = [str(name) for name in rng.choice(NAMES, VAIN, replace=False)]
        else:
            continue
        for name in chosen:
            queries.append(edit(name, picture, lent(), rng))
            own.append(number if number < asked else -1)
            kinds.append(name)
    return queries, np.array(own), np.array(kinds)


def described(
    model: DescriptorModel, pictures: Sequence[Pictures], *, small: bool = False
) -> tuple[Scores, float]:
    """Return descriptors, shape (n, d), and the CPU milliseconds of all, at one of the sizes."""
    width, height = int(model.info.input["width"]), int(model.info.input["height"])
    if small:
        width = height = int(model.info.input.get("small", width))
    scaled = [scale_pixels(picture, width, height) for picture in pictures]
    began = time.process_time()
    vectors = [model(np.stack(scaled[i : i + BATCH])) for i in range(0, len(scaled), BATCH)]
    spent = time.process_time() - began
    return np.concatenate(vectors), 1000 * spent


def with_views(
    model: DescriptorModel, queries: Sequence[Pictures], listing: Scores, vectors: Scores
) -> tuple[Scores, float]:
    """Return scores in which further views of queries count, too, and their CPU milliseconds.

    `vectors` are those of whole pictures.
    """
    width, height = int(model.info.input["width"]), int(model.info.input["height"])
    began = time.process_time()
    found = [
        (n, name in SMALL_VIEWS, view)
        for n, picture in enumerate(queries)
        for name, view in views_of(scale_pixels(picture, width, height)).items()
    ]
    cost = 1000 * (time.process_time() - began)
    owners = np.arange(len(queries))
    for small in (False, True):
        chosen = [(n, view) for n, is_small, view in found if is_small == small]
        if chosen:
            parts, spent = described(model, [view for _, view in chosen], small=small)
            owners = np.append(owners, [n for n, _ in chosen])
            vectors = np.concatenate([vectors, parts])
            cost += spent
    began = time.process_time()
    maps = load_orientations(model.info)
    ways = [] if maps is None else [vectors @ onto[:-1] + onto[-1] for onto in maps]
    ways = [way / np.linalg.norm(way, axis=1, keepdims=True) for way in ways]
    cost += 1000 * (time.process_time() - began)
    scores = np.full((len(queries), len(listing)), -1, np.float32)
    np.maximum.at(scores, owners, vectors @ listing.T)
    for way in ways:
        np.maximum.at(scores, owners, way @ listing.T - np.float32(OTHERWISE))
    return scores, cost


def measure(scores: Scores, own: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Return micro-AP and recall at 90 % precision; `own` is the picture asked for, or -1."""
    right = own[:, None] == np.arange(scores.shape[1])
    _, retrieved, found = count_by_score(scores.ravel().astype(np.float64), right.ravel())
    total = int((own >= 0).sum())
    precise = found[found >= 0.9 * retrieved]
    return average_precision(found, retrieved, total), float(precise.max(initial=0)) / total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", nargs="+", type=Path)
    parser.add_argument("--model", action="append", help="id or name; the default where left out")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    pictures = without_repeats(load_photographs(options.photographs, reserve=True))
    pictures = pictures[rng.permutation(len(pictures))]
    listed = len(pictures) // 2
    queries, of, kind = make_queries(pictures, listed, rng)
    print(
        f"{of.max() + 1} pictures in {len(NAMES)} ways, {(of < 0).sum()} queries in vain, "
        f"{listed} listed"
    )
    manifest = load_manifest()
    for name in options.model or [manifest.default("visual").id]:
        model = DescriptorModel(manifest.get(name))
        listing, _ = described(model, list(pictures[:listed]))
        vectors, spent = described(model, queries)
        whole = vectors @ listing.T
        scores, more = with_views(model, queries, listing, vectors)
        for title, found, cost in (("whole", whole, spent), ("and views", scores, spent + more)):
            uap, recall = measure(found, of)
            print(f"{model.info.id}, {title}: micro-AP {uap:.3f}, ", end="")
            print(f"recall at 90 % precision {recall:.3f}, ", end="")
            print(f"{cost / len(queries):.1f} CPU ms a picture")
        for edit_name in NAMES:
            rows = (kind == edit_name) | (of < 0)
            each = [measure(found[rows], of[rows])[0] for found in (whole, scores)]
            print(f"  {edit_name:12} {each[0]:.3f} {each[1]:.3f}")


if __name__ == "__main__":
    main()
