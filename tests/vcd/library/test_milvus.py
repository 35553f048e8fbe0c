"""Milvus, embedded, answers as the exact index does, and a library finds its way to it."""

import numpy as np
import pytest
from making import make_descriptor, unit_rows

pytest.importorskip("pymilvus")
pytest.importorskip("milvus_lite")

from vcd.library import Library, LibrarySearch
from vcd.library.index import NOTHING, ExhaustiveIndex, Index, pack
from vcd.library.milvus import MilvusIndex
from vcd.similarity import prepare

pytestmark = pytest.mark.filterwarnings("ignore")  # of its packages


def test_it_finds_what_the_exact_index_finds(tmp_path):
    rows = unit_rows(np.random.default_rng(0), 200, 16)
    codes = np.rint(rows * 127).astype(np.int8)
    ids = pack(3, np.arange(200.0))
    exact = ExhaustiveIndex(ids, codes)
    index = MilvusIndex.build(str(tmp_path / "one.db"), "positions", exact, 16)
    assert isinstance(index, Index)
    assert len(index) == 200
    cosines, found = index.search(rows[:70], 5)
    wanted, expected = exact.search(rows[:70], 5)
    assert np.array_equal(found[:, 0], ids[:70])
    assert (found == expected).mean() > 0.99
    np.testing.assert_allclose(cosines, wanted, atol=1e-5)
    cosines, found = index.search(rows[:1], 300)
    assert (found[0, 200:] == NOTHING).all()
    assert (cosines[0, 200:] == -1).all()
    index.drop()
    with pytest.raises(FileNotFoundError):
        MilvusIndex(str(tmp_path / "one.db"), "positions")


def test_a_library_keeps_its_index_there(tmp_path):
    address = str(tmp_path / "two.db")
    with Library(tmp_path / "refs.vcdlib") as library:
        for number in range(4):
            library.add(make_descriptor(f"v{number}", seed=number))
        tracks = {stream: prepare(track) for stream, track in library.get("v2").tracks.items()}
        here = LibrarySearch(library).candidates(tracks)
        there = LibrarySearch(library, milvus=address)
        there.rebuild()
        names = {index.kept.name for index in there.refresh()[0].values()}
        assert names == {"Milvus"}
        found = LibrarySearch(library).candidates(tracks)  # told by the folder beside the library
        assert [c.key for c in found] == [c.key for c in here]
        assert [c.votes for c in found] == pytest.approx([c.votes for c in here], abs=1e-5)
        assert library.entry_of(found[0].key).video_id == "v2"
        library.remove("v2")
        assert "v2" not in {
            library.entry_of(c.key).video_id for c in LibrarySearch(library).candidates(tracks)
        }
