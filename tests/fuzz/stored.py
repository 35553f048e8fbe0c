"""One file of each kind that vcd reads and that is no medium, and what reads it."""

import json
import shutil
from dataclasses import replace

import numpy as np
from making import make_descriptor

from vcd import encoding
from vcd.descriptors import load_manifest, models_folder
from vcd.descriptors.canonical import read_canonical
from vcd.errors import VcdError
from vcd.training.settings import read_settings, settings_text
from vcd.training.visual.settings import VisualTraining
from vcd_eval import formats
from vcd_eval.descriptors import read_descriptors
from vcd_eval.fivr_files import read_annotation, read_results, read_video_ids
from vcd_eval.making.recipe import read_recipe, recipe_text
from vcd_eval.matrices import read_matrices
from vcd_eval.vcdb import read_annotation as read_vcdb

__all__ = ["HARD", "read_or_refuse", "whole_files"]

HARD = {
    "nothing": b"",
    "a null": b"\0",
    "no text": b"\xff\xfe\x00\xd8" * 9,
    "deep": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "deep table": b"a = " + b"[" * 100_000,
    "long number": b'{"models": ' + b"9" * 6000 + b"}",
    "huge number": b"video_id,ref_id\n1e999,1e999\n",
    "no number": b'{"models": NaN, "defaults": Infinity}',
    "one long line": b"a" * 300_000,
    "quotes": b'"' * 999,
}

_SEGMENTS = (
    "query_id,ref_id,query_start,query_end,ref_start,ref_end,score\n"
    "Q1,R1,0.0,5.0,10.0,15.0,0.9\nQ2,R1,1.0,2.5,0.0,1.5,0.4\n"
)
_PAIRS = [("Q1", "R1"), ("Q1", "R2")]


def whole_files(folder):
    """Write one file of each kind; return by name what reads it."""
    encoding.save(folder / "one.vcd", [make_descriptor("a", n=3)])
    encoding.save(folder / "many.npz", [make_descriptor("a", n=3), make_descriptor("b", n=2)])
    shutil.copy(folder / "many.npz", folder / "features.npz")
    np.savez(folder / "matrices.npz", a_b_sim=np.eye(3, dtype=np.float32), a_b_fps=np.ones(2))
    for name, text in {
        "groundtruth.csv": _SEGMENTS.replace(",score", "").replace(",0.9", "").replace(",0.4", ""),
        "predictions.csv": _SEGMENTS,
        "candidates.csv": "query_id,ref_id,score\nQ1,R1,0.5\nQ1,R2,0.25\n",
        "labels.csv": _SEGMENTS.replace("score", "visual,audio,edits,speed")
        .replace("0.9\n", "1,0,crop|text,1.5\n")
        .replace("0.4\n", "0,1,,-1\n"),
        "metadata.csv": "video_id,duration_sec,frames_per_sec,width,height\nQ1,9.5,25,64,48\n",
        "subset.csv": "video_id\nQ1\nQ2\n",
        "pairs.csv": "query_id,reference_id\nQ1,R1\nQ1,R2\n",
        "boxes.json": json.dumps({"Q1-R1": [[0, 1.5, 2, 3.5]], "Q1-R2": []}),
        "sets.json": json.dumps({"test": {"Q1": ["Q1-R1", "Q1-R2"]}}),
        "topic.txt": "Q1.mp4,R1.mp4,00:00:01,00:00:05,00:01:01,00:01:05\n",
        "recipe.toml": recipe_text(),
        "training.toml": settings_text(VisualTraining),
        "annotation.json": json.dumps({"q": {"ND": ["a", "b"], "DS": ["c"]}}),
        "results.json": json.dumps({"q": {"a": 0.5, "b": 0.25}}),
        "ids.txt": "a\nb\nc\n",
    }.items():
        (folder / name).write_text(text)
    topics = folder / "topics"  # read as a folder
    topics.mkdir()
    (topics / "topic.txt").symlink_to(folder / "topic.txt")
    shutil.copy(models_folder() / "models.json", folder)
    model = load_manifest().default("audio")
    shutil.copy(models_folder() / model.canonical, folder / "canonical.json")
    model = replace(model, folder=folder, canonical="canonical.json")
    return {
        "one.vcd": encoding.load,
        "many.npz": encoding.load,
        "features.npz": read_descriptors,
        "matrices.npz": lambda path: list(read_matrices(path, [("a", "b")])),
        "groundtruth.csv": formats.read_groundtruth,
        "predictions.csv": formats.read_predictions,
        "candidates.csv": formats.read_candidates,
        "labels.csv": formats.read_labels,
        "metadata.csv": formats.read_metadata,
        "subset.csv": formats.read_subset,
        "pairs.csv": formats.read_pair_list,
        "boxes.json": formats.read_boxes,
        "sets.json": lambda path: formats.read_query_sets(path, _PAIRS),
        "topic.txt": lambda path: read_vcdb(topics),
        "recipe.toml": read_recipe,
        "training.toml": lambda path: read_settings(path, VisualTraining),
        "annotation.json": read_annotation,
        "results.json": lambda path: read_results(path, ["a", "b", "c"]),
        "ids.txt": read_video_ids,
        "models.json": lambda path: load_manifest(path.parent),
        "canonical.json": lambda path: read_canonical(model),
    }


def read_or_refuse(path, read):
    """Read a file, whatever it holds; return whether it was read."""
    try:
        read(path)
    except VcdError as error:
        assert error.file is not None
        assert path.name in str(error), error
        return False
    return True
