"""Every limit has a default, an option, and a message that names it."""

import io
import zipfile
from dataclasses import fields

import av
import pytest
import typer
from making import make_descriptor, make_track

from vcd import encoding
from vcd.detection import Detector
from vcd.engine import Engine
from vcd.errors import ContractError, DescriptorError, HashStringError, VcdError
from vcd.media import Limits, get_decoder
from vcd.records import Segment
from vcd.sources import resolve
from vcd_cli.options import chosen_limits

NAMES = [field.name for field in fields(Limits)]

# What a film of a second, with sound and a title, breaks.
BROKEN_BY_A_FILM = {
    "max_pixels": 1000,
    "max_duration": 0.5,
    "max_streams": 1,
    "max_frames": 10,
    "max_metadata": 100,
    "max_wall_time": 1e-6,
}
# Broken by what tests/vcd/media/test_isolation.py does to a process.
BROKEN_BY_A_PROCESS = {"max_stall", "max_cpu_time", "max_memory"}
OTHERS = {"max_descriptor", "max_hash", "max_matrix", "max_segments"}


def test_no_limit_is_left_out():
    assert {*BROKEN_BY_A_FILM, *BROKEN_BY_A_PROCESS, *OTHERS} == set(NAMES)


@pytest.mark.parametrize("name", BROKEN_BY_A_FILM)
@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_film_beyond_a_limit_is_told(name, isolation, film):
    path = film("film.mkv", frames=30, sound=1.0)
    titled = path.with_name("titled.mkv")
    with av.open(str(path)) as given, av.open(str(titled), "w") as out:
        out.metadata["title"] = "word " * 100
        streams = {s.index: out.add_stream_from_template(s) for s in given.streams}
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
    decoder = get_decoder(isolation=isolation)
    assert list(decoder.read(titled))
    engine = Engine(limits=Limits(**{name: BROKEN_BY_A_FILM[name]}), isolation=isolation)
    with pytest.raises(VcdError, match=rf"titled\.mkv: .*\(raise {name} to read it all the same\)"):
        engine.describe(titled)


def test_descriptor_files_are_limited(tmp_path):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", bytes(10_000_000))
    (tmp_path / "bomb.npz").write_bytes(bomb.getvalue())
    make_descriptor().save(tmp_path / "long.vcd")
    for name, limits in (
        ("bomb.npz", Limits(max_descriptor=10**6)),
        ("long.vcd", Limits(max_descriptor=100)),
    ):
        errors = []
        assert resolve(tmp_path / name, errors.append, limits) == []
        assert "raise max_descriptor" in str(errors[0])
        assert isinstance(errors[0], DescriptorError)
    assert encoding.load(tmp_path / "long.vcd", most=10**6)


def test_hash_strings_are_limited():
    from vcd.integrations.threatexchange.hashes import parse_hash

    with pytest.raises(HashStringError, match="raise max_hash"):
        parse_hash("vcd1:" + "x" * 100, {}, most=100)
    threatexchange = pytest.importorskip("vcd.integrations.threatexchange")

    settings = {"SETTINGS": {"limits": Limits(max_hash=50)}}
    short = type("Short", (threatexchange.VcdSignal,), settings)
    with pytest.raises(HashStringError, match="raise max_hash"):
        short.parse(threatexchange.VcdSignal.get_examples()[0])


def test_segments_are_limited(caplog):
    segments = [
        Segment(10.0 * i, 10.0 * i + 5, 10.0 * i, 10.0 * i + 5, (i + 1) / 10, frozenset({"audio"}))
        for i in range(6)
    ]
    found = Detector(threshold=0.0, max_segments=2).detect("q", "r", {"audio": segments}, {})
    assert [s.score for s in found.segments] == [0.5, 0.6]
    assert "raise max_segments" in caplog.text
    assert Engine(limits=Limits(max_segments=7)).detector.max_segments == 7


@pytest.mark.parametrize("positions", [40, 2100])  # compared whole, and in windows
def test_matrices_are_limited(positions):
    engine = Engine(limits=Limits(max_matrix=1000), streams="visual")
    model = engine.models["visual"]
    videos = [
        make_descriptor(name, tracks=[make_track(positions, model.dimensions, model=model.id)])
        for name in ("first", "second")
    ]
    errors = []
    assert engine.match(*videos, on_error=errors.append) == []
    (error,) = errors
    assert isinstance(error, DescriptorError)
    assert "first with second: needs a matrix of" in str(error)
    assert "raise max_matrix" in error.remedy


def test_limits_are_options():
    assert chosen_limits(None) == Limits()
    chosen = chosen_limits(["max_pixels=1e6", "max_wall_time=2.5"])
    assert chosen == Limits(max_pixels=10**6, max_wall_time=2.5)
    for name in NAMES:
        assert getattr(chosen_limits([f"{name}=7"]), name) == 7
        with pytest.raises(ContractError, match=name):
            Limits(**{name: -1})
    for wrong in (
        "max_pixels",
        "max_pixels=",
        "max_pixels=many",
        "max_pixels=-1",
        "pixels=5",
        "max_pixels=nan",
        "max_pixels=inf",
        "max_duration=nan",
    ):
        with pytest.raises(typer.BadParameter, match=wrong.partition("=")[0]):
            chosen_limits([wrong])
