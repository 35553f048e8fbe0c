"""What the options stand for where they are left out."""

import os

import pytest

from vcd_cli.options import processors


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
