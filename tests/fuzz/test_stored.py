"""Every file that vcd reads and that is no medium, damaged in 24 ways and more.

What carries a checksum is never read wrong; what is derived is made anew; everything else is read
or refused by a `VcdError` that names the file.
"""

import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import make_descriptor
from mutations import mutate

from vcd import encoding
from vcd.descriptors import DescriptorCache, load_background, load_manifest, models_folder
from vcd.errors import DescriptorError, VcdError
from vcd.library import Library, LibrarySearch
from vcd.records import Match, Segment
from vcd.training.settings import read_settings, settings_text
from vcd.training.visual.settings import VisualTraining
from vcd_eval import formats
from vcd_eval.fivr_files import read_annotation, read_results, read_video_ids
from vcd_eval.haystack_progress import Progress
from vcd_eval.making.recipe import read_recipe, recipe_text
from vcd_eval.matrices import read_matrices

FORMS = 24

SEGMENTS = (
    "query_id,ref_id,query_start,query_end,ref_start,ref_end,score\n"
    "Q1,R1,0.0,5.0,10.0,15.0,0.9\nQ2,R1,1.0,2.5,0.0,1.5,0.4\n"
)


def whole_files(folder):
    """Write one file of each kind; return it with what reads it."""
    encoding.save(folder / "one.vcd", [make_descriptor("a", n=3)])
    encoding.save(folder / "many.npz", [make_descriptor("a", n=3), make_descriptor("b", n=2)])
    np.savez(folder / "matrices.npz", a_b_sim=np.eye(3, dtype=np.float32), a_b_fps=np.ones(2))
    for name, text in {
        "groundtruth.csv": SEGMENTS.replace(",score", "").replace(",0.9", "").replace(",0.4", ""),
        "predictions.csv": SEGMENTS,
        "candidates.csv": "query_id,ref_id,score\nQ1,R1,0.5\nQ1,R2,0.25\n",
        "subset.csv": "video_id\nQ1\nQ2\n",
        "recipe.toml": recipe_text(),
        "training.toml": settings_text(VisualTraining),
        "annotation.json": json.dumps({"q": {"ND": ["a", "b"], "DS": ["c"]}}),
        "results.json": json.dumps({"q": {"a": 0.5, "b": 0.25}}),
        "ids.txt": "a\nb\nc\n",
    }.items():
        (folder / name).write_text(text)
    shutil.copy(models_folder() / "models.json", folder)
    return {
        "one.vcd": encoding.load,
        "many.npz": encoding.load,
        "matrices.npz": lambda path: list(read_matrices(path, [("a", "b")])),
        "groundtruth.csv": formats.read_groundtruth,
        "predictions.csv": formats.read_predictions,
        "candidates.csv": formats.read_candidates,
        "subset.csv": formats.read_subset,
        "recipe.toml": read_recipe,
        "training.toml": lambda path: read_settings(path, VisualTraining),
        "annotation.json": read_annotation,
        "results.json": lambda path: read_results(path, ["a", "b", "c"]),
        "ids.txt": read_video_ids,
        "models.json": lambda path: load_manifest(path.parent),
    }


ARTEFACTS = [
    "one.vcd", "many.npz", "matrices.npz", "groundtruth.csv", "predictions.csv", "candidates.csv",
    "subset.csv", "recipe.toml", "training.toml", "annotation.json", "results.json", "ids.txt",
    "models.json",
]  # fmt: skip
CHECKED = {"one.vcd"}
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


@pytest.fixture
def whole(tmp_path):
    return tmp_path, whole_files(tmp_path)


def read_or_refuse(path, read):
    """Read a file, whatever it holds; return whether it was read."""
    try:
        read(path)
    except VcdError as error:
        assert error.file is not None
        assert path.name in str(error), error
        return False
    return True


def test_whole_files_are_read(whole):
    folder, readers = whole
    assert list(readers) == ARTEFACTS
    for name, read in readers.items():
        assert read(folder / name) is not None, name


@pytest.mark.parametrize("name", ARTEFACTS)
def test_damaged_files_are_read_or_refused(name, whole):
    folder, readers = whole
    path, read = folder / name, readers[name]
    data = path.read_bytes()
    others = [path.read_bytes() for path in folder.iterdir()]
    for number in range(FORMS):
        damaged, done = mutate(data, number, others)
        path.write_bytes(damaged)
        was_read = read_or_refuse(path, read)
        assert not (was_read and name in CHECKED and damaged != data), done
    for content in HARD.values():
        path.write_bytes(content)
        read_or_refuse(path, read)


TEXTS = [
    "groundtruth.csv",
    "predictions.csv",
    "recipe.toml",
    "training.toml",
    "models.json",
    "results.json",
    "annotation.json",
]
pieces = st.one_of(
    st.binary(max_size=20),
    st.sampled_from(
        [
            b"\n",
            b",",
            b'"',
            b"{",
            b"}",
            b"[",
            b"]",
            b"=",
            b"NaN",
            b"-1",
            b"1e400",
            b"query_id",
            b"models",
            b"defaults",
            b'"models": []',
            b"null",
            b"true",
            b"[picture]",
            b"queries",
        ]
    ),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(TEXTS), st.lists(pieces, max_size=8), st.floats(0, 1), st.floats(0, 1))
def test_any_text_is_read_or_refused(whole, name, parts, begin, end):
    folder, readers = whole
    path = folder / name
    kept = folder / f"{name}.whole"
    if not kept.exists():
        shutil.copy(path, kept)
    data = kept.read_bytes()
    first, last = sorted((round(begin * len(data)), round(end * len(data))))
    path.write_bytes(data[:first] + b"".join(parts) + data[last:])
    read_or_refuse(path, readers[name])


@settings(max_examples=100)
@given(st.binary(max_size=300), st.integers(0, 300))
def test_no_bytes_are_a_descriptor_by_chance(data, at):
    whole = make_descriptor(n=2).to_bytes()
    for given_bytes in (data, whole[:at] + data, b"VCDD\1\0\0\0" + data):
        if given_bytes != whole:
            with pytest.raises(DescriptorError):
                encoding.from_bytes(given_bytes)


# What is kept beside ------------------------------------------------------------------------------


def test_a_damaged_cache_entry_is_never_read(tmp_path):
    cache = DescriptorCache(tmp_path)
    cache.put("content", {"model": "m"}, make_descriptor("a", n=3))
    (entry,) = tmp_path.rglob("*.vcd")
    data = entry.read_bytes()
    for number in range(FORMS):
        entry.write_bytes(mutate(data, number, [data])[0])
        if entry.read_bytes() != data:
            with pytest.raises(DescriptorError, match=entry.name):
                cache.get("content", {"model": "m"})
    cache.put("content", {"model": "m"}, make_descriptor("a", n=3))
    assert entry.read_bytes() == data


def test_damaged_progress_is_done_again(tmp_path):
    path, settings_, stamps = tmp_path / "progress.jsonl", {"a": 1}, {"q0": [1], "q1": [2]}
    segment = Segment(1.0, 4.0, 2.0, 5.0, 0.75, frozenset({"audio"}))
    progress = Progress(path, settings_, stamps)
    for query in stamps:
        found = {"any": Match(query, "r", 0.75, (segment,))}
        progress.add(query, [found], {"audio": {"r": 0.5}})
    data = path.read_bytes()
    expected = {query: row["found"] for query, row in progress._done.items()}
    kept = 0
    for number in range(FORMS):
        path.write_bytes(mutate(data, number, [data])[0])
        again = Progress(path, settings_, stamps)
        kept += len(again.queries)
        for query in again.queries:
            assert again._done[query]["found"] == expected[query]
        assert len(again.segments("any")) == len(again.queries)
    assert kept


def test_a_damaged_model_is_never_loaded(tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(models_folder(), folder)
    info = load_manifest(folder).default("audio")
    path = folder / info.file
    data = path.read_bytes()
    for number in range(FORMS):
        damaged = mutate(data, number, [data])[0]
        path.write_bytes(damaged)
        if damaged != data:
            with pytest.raises(VcdError, match=path.name):
                info.verify()


def test_a_damaged_background_is_read_or_refused(tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(models_folder(), folder)
    info = load_manifest(folder).default("audio")
    path = folder / info.background
    data = path.read_bytes()
    for number in range(FORMS):
        path.write_bytes(mutate(data, number, [data])[0])
        load_background.__globals__["_load"].cache_clear()
        read_or_refuse(path, lambda _: load_background(info))


def test_a_damaged_library_is_refused_or_read_right(tmp_path):
    path = tmp_path / "refs.vcdlib"
    with Library(path) as library:
        for number in range(6):
            library.add(make_descriptor(f"v{number}", n=30, seed=number))
    data = path.read_bytes()
    expected = {f"v{n}": make_descriptor(f"v{n}", n=30, seed=n).to_bytes() for n in range(6)}
    for number in range(FORMS):
        for rest in tmp_path.glob("refs.vcdlib-*"):
            shutil.rmtree(rest) if rest.is_dir() else rest.unlink()
        path.write_bytes(mutate(data, number, [data])[0])
        try:
            with Library(path, create=False) as library:
                for name in library.video_ids():
                    try:
                        found = library.get(name)
                    except DescriptorError as error:
                        assert error.file == str(path)
                    else:
                        assert found.to_bytes() == expected.get(name, found.to_bytes())
        except VcdError as error:
            assert path.name in str(error)


def test_a_damaged_index_is_built_again(tmp_path, monkeypatch):
    monkeypatch.setattr("vcd.library.searching._FRESH", 30)
    with Library(tmp_path / "refs.vcdlib") as library:
        for number in range(6):
            library.add(make_descriptor(f"v{number}", n=40, seed=number))
        search = LibrarySearch(library)
        search.rebuild()
        for number in range(FORMS):
            files = sorted(path for path in search.folder.iterdir() if path.is_file())
            path = files[number % len(files)]
            path.write_bytes(mutate(path.read_bytes(), number, [b"other"])[0])
            streams, _ = LibrarySearch(library).refresh()
            assert len(streams["visual"]) == 240
