"""What is given becomes named videos; what cannot be used costs only itself."""

import sqlite3
from contextlib import closing

import pytest
from making import make_descriptor

from vcd.errors import DescriptorError
from vcd.library import Library
from vcd.sources import resolve


def test_damaged_video_of_a_library_does_not_cost_the_others(tmp_path):
    path = tmp_path / "refs.vcdlib"
    with Library(path) as library:
        for name in ("a", "b", "c"):
            library.add(make_descriptor(name))
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("UPDATE videos SET descriptor = x'00' WHERE video_id = 'b'")
        for given in (path, library):
            first, second, third = resolve(given, pytest.fail)
            assert [first.held().video_id, third.held().video_id] == ["a", "c"]
            with pytest.raises(DescriptorError, match="video 'b'") as caught:
                second.held()
            assert caught.value.file == str(path)
            assert caught.value.remedy


def test_library_that_cannot_be_read_does_not_cost_the_rest(tmp_path):
    library = Library(tmp_path / "refs.vcdlib")
    library.close()
    told = []
    sources = resolve([library, make_descriptor("a")], told.append)
    assert [s.video_id for s in sources] == ["a"]
    assert [error.file for error in told] == [str(library.path)]
