"""Every file that vcd reads and that is no medium, damaged in 24 ways and more.

What carries a checksum is never read wrong; what is derived is made anew; everything else is read
or refused by a `VcdError` that names the file.
"""

import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import make_descriptor, make_track
from mutations import mutate
from stored import HARD, read_or_refuse, whole_files

from vcd import encoding
from vcd.descriptors import DescriptorCache, load_background, load_manifest, models_folder
from vcd.engine import Engine
from vcd.errors import ContractError, DescriptorError, VcdError
from vcd.library import Library, LibrarySearch
from vcd.records import Match, Segment
from vcd_eval.haystack_progress import Progress

FORMS = 24

ARTEFACTS = [
    "one.vcd", "many.npz", "features.npz", "matrices.npz", "groundtruth.csv", "predictions.csv",
    "candidates.csv", "labels.csv", "metadata.csv", "subset.csv", "pairs.csv", "boxes.json",
    "sets.json", "topic.txt", "recipe.toml", "training.toml", "annotation.json", "results.json",
    "ids.txt", "models.json", "canonical.json",
]  # fmt: skip
CHECKED = {"one.vcd"}


@pytest.fixture(scope="module")
def engine():
    return Engine(streams="visual")


@pytest.fixture
def whole(tmp_path):
    return tmp_path, whole_files(tmp_path)


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
    others = [path.read_bytes() for path in folder.iterdir() if path.is_file()]
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


# What no file says, but a descriptor or a hash string may -----------------------------------------


def strange_times(n):
    """Return by name when n positions may be said to be."""
    k = np.arange(n, dtype=np.float64)
    starts_and_lengths = {
        "one moment": (0 * k, 0),
        "one second": (0 * k, 1),
        "close": (1e-9 * k, 1e-9),
        "closer than numbers": (5e-324 * k, 5e-324),
        "apart": (9e7 / n * k, 1),
        "all at the end": (100 * np.minimum(k, n // 2), 1),
        "before the beginning": (0.5 * k - 9e7, 0.5),
        "one far away": (np.where(k == n - 1, 1e8, 0.5 * k), 0),
        "one without end": (0.5 * k, np.where(k == 0, 9e7, 0.5)),
    }
    return {
        name: np.stack((starts, starts + length), axis=1)
        for name, (starts, length) in starts_and_lengths.items()
    }


@pytest.mark.parametrize("n", [2, 60, 2050])  # the last are compared in windows
@pytest.mark.parametrize("name", strange_times(2))
def test_strange_times_cost_neither_memory_nor_a_traceback(name, n, engine):
    model = engine.models["visual"]

    def video(name, n, **changes):
        track = make_track(n, model.dimensions, model=model.id, **changes)
        return make_descriptor(name, tracks=[track])

    strange, plain = video("q", n, times=strange_times(n)[name]), video("r", 2050, seed=1)
    errors = []
    engine.match(strange, plain, on_error=errors.append)
    engine.match(plain, strange, on_error=errors.append)
    engine.match(strange, strange, on_error=errors.append)
    assert errors == []


def test_no_file_lasts_for_ever():
    for times in ([[0, 1e9]], [[-1e300, 0]], [[0, np.inf]]):
        with pytest.raises(ContractError, match="within 1e\\+08 seconds"):
            make_track(1, times=np.array(times, np.float64))
    with pytest.raises(ContractError, match="duration"):
        make_descriptor(duration=1e9)
