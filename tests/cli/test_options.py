"""What the options stand for where they are left out."""

import os
from pathlib import Path

import pytest

from vcd.errors import OutputError
from vcd_cli.options import check_writable, processors


def test_places_that_can_be_written_are_known_before_the_work(tmp_path):
    reader, writer = os.pipe()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "nowhere" / "out.csv")
    for path in (None, Path("/dev/null"), Path(f"/proc/self/fd/{writer}"), tmp_path / "new.csv"):
        check_writable(path)
    for path in (tmp_path, link, tmp_path / "gone" / "out.csv"):
        with pytest.raises(OutputError, match="cannot be written"):
            check_writable(path)
    os.close(reader)
    os.close(writer)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no processor can be kept away")
def test_processors_are_those_this_process_may_use(tmp_path):
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        assert processors(tmp_path / "none") == 1
    finally:
        os.sched_setaffinity(0, mine)
    assert processors(tmp_path / "none") == len(mine)


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("100000 100000", 1),
        ("20000 100000", 1),
        ("100000000 100000", None),
        ("max 100000", None),
        ("", None),
    ],
)
def test_quota_of_a_container_is_kept(tmp_path, quota, expected):
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert processors(tmp_path / "cpu.max") == (expected or processors(tmp_path / "none"))
