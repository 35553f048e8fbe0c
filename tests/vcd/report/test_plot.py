from __future__ import annotations

import struct
import sys

import pytest

from vcd.errors import MissingExtraError, OutputError
from vcd.records import Segment
from vcd.report import plot_file_name, plot_pair

pytest.importorskip("matplotlib")


def _png_size(data: bytes) -> tuple[int, int]:
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


@pytest.mark.parametrize(
    ("streams", "size"),
    [
        ((), (720, 672)),
        (("fused",), (720, 672)),
        (("visual",), (720, 672)),
        (("visual", "audio", "fused"), (1440, 672)),
    ],
)
def test_one_panel_a_stream(tmp_path, make_pair, streams, size) -> None:
    path = tmp_path / "plot.png"
    plot_pair(make_pair(streams=streams), path)
    assert _png_size(path.read_bytes()) == size


def test_hostile_names_and_a_picture(tmp_path, make_pair) -> None:
    still = (Segment(0, 0, 3, 8, 0.5),)
    pair = make_pair("$\\frac{a}$\n漢字.png", "r" * 200, still, (0.0, 30.0), streams=("visual",))
    plot_pair(pair, tmp_path / "plot.png")


def test_no_global_state_is_touched(tmp_path, make_pair) -> None:
    plot_pair(make_pair(streams=("visual",)), tmp_path / "plot.png")
    assert "matplotlib.pyplot" not in sys.modules


def test_an_unwritable_place_is_an_output_error(tmp_path, make_pair) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        plot_pair(make_pair(), tmp_path / "missing" / "plot.png")


def test_without_matplotlib_the_remedy_is_named(tmp_path, make_pair, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r'pip install "vcd-engine\[report\]"'):
        plot_pair(make_pair(), tmp_path / "plot.png")


def test_file_names_are_safe_and_differ(make_pair) -> None:
    name = plot_file_name(make_pair("../../etc/pass wd", "b/<x>.mp4"))
    assert name.startswith("pass_wd--x_.mp4--")
    assert name.endswith(".png")
    assert "/" not in name
    assert plot_file_name(make_pair("a/v.mp4")) != plot_file_name(make_pair("b/v.mp4"))
