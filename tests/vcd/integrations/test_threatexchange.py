"""The signal type keeps ThreatExchange's contract, in its own command and past its traps."""

import io
import json
import logging
import os
import pickle
import runpy
import shutil
import subprocess
import sys
import types
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("threatexchange")

from threatexchange.content_type.video import VideoContent
from threatexchange.extensions.manifest import ThreatExchangeExtensionManifest
from threatexchange.interface_validation import SignalTypeMapping
from threatexchange.signal_type.index import SignalTypeIndex

from vcd.descriptors import DescriptorModel, load_background
from vcd.descriptors.audio import AudioTrackBuilder
from vcd.engine import Engine
from vcd.errors import HashStringError
from vcd.integrations.threatexchange import TX_MANIFEST, VcdIndex, VcdMatchInfo, VcdSignal
from vcd.integrations.threatexchange.hashes import full_hash
from vcd.media import SAMPLE_RATE, Samples, Sampling, get_decoder
from vcd.records import Track, VideoDescriptor

ROOT = Path(__file__).resolve().parents[3]


class StrictVcdSignal(VcdSignal):
    SETTINGS = {"threshold": 0.9999999}  # noqa: RUF012 - as an integrator writes it


@pytest.fixture(scope="module")
def engine(cache_folder):
    return Engine(cache=cache_folder)


@pytest.fixture(scope="module")
def hashes(engine, demo):
    """Return the hash of each of the demo's videos by name, those of queries and references."""
    return {
        side: {
            path.stem: full_hash(engine.describe(path))
            for path in sorted((demo.folder / side).iterdir())
        }
        for side in ("queries", "refs")
    }


def record(match):
    return match.score, [segment.to_dict() for segment in match.segments]


# What ThreatExchange's own bases assert of every signal type ---------------------------------


def test_name_and_content():
    assert VcdSignal.get_name() == "vcd"
    assert VcdSignal.get_content_types() == [VideoContent]
    assert StrictVcdSignal.get_name() == "strict_vcd"
    SignalTypeMapping([VideoContent], [VcdSignal, StrictVcdSignal])


def test_examples_are_valid_and_match_themselves_and_each_other():
    examples = VcdSignal.get_examples()
    assert len(examples) == 2
    assert len(examples[1]) <= 2500
    for first in examples:
        assert VcdSignal.validate_signal_str(f" {first}\n") == first
        for second in examples:
            assert VcdSignal.compare_hash(first, second).match


@pytest.mark.parametrize("text", ["", " ", "a", "vcd1:", "vcd1c:::::", "0" * 64])
def test_invalid_strings_are_value_errors(text):
    with pytest.raises(ValueError, match=r"begins with|fields|checksum"):
        VcdSignal.validate_signal_str(text)
    with pytest.raises(HashStringError):
        VcdSignal.compare_hash(text, VcdSignal.get_examples()[0])


def test_manifest_loads_by_its_module():
    loaded = ThreatExchangeExtensionManifest.load_from_module_name(
        "vcd.integrations.threatexchange"
    )
    assert loaded is TX_MANIFEST
    assert loaded.signal_types == (VcdSignal,)


# Comparing -----------------------------------------------------------------------------------


def test_hashes_compare_as_the_files_do(engine, demo, hashes):
    for query in ("faster", "other_sound", "no_copy"):
        expected = engine.match(
            engine.describe(demo.folder / "queries" / f"{query}.mp4"), demo.folder / "refs"
        )
        index = VcdIndex.build((text, name) for name, text in hashes["refs"].items())
        found = index.query(hashes["queries"][query])
        assert [(m.metadata, m.similarity_info.score) for m in found] == [
            (m.ref_id, pytest.approx(m.score, abs=1e-6)) for m in expected
        ]
        for match, wanted in zip(found, expected, strict=True):
            assert match.similarity_info.segments == [s.to_dict() for s in wanted.segments]


@pytest.mark.parametrize("side", ["query", "reference", "both"])
def test_compact_hashes_find_the_same_place(hashes, side):
    query, reference = hashes["queries"]["inside_a_longer_video"], hashes["refs"]["newsroom"]
    full = VcdSignal.compare_hash(query, reference).distance
    if side != "reference":
        query = VcdSignal.compact(query)
    if side != "query":
        reference = VcdSignal.compact(reference)
    match, info = VcdSignal.compare_hash(query, reference)
    assert match
    for key in ("query_start", "query_end", "ref_start", "ref_end"):
        assert info.segments[0][key] == pytest.approx(full.segments[0][key], abs=1.0)
    assert not VcdSignal.compare_hash(hashes["queries"]["no_copy"], reference).match


def test_what_is_said_of_a_match_can_be_read_back(hashes):
    reference = hashes["refs"]["mountains"]
    info = VcdSignal.compare_hash(hashes["queries"]["faster"], reference).distance
    text = info.pretty_str()
    assert text == "".join(text.split())
    assert VcdMatchInfo.parse(text) == info
    assert info.reference == reference.split(":")[4]
    assert json.loads(json.dumps(asdict(info)))["segments"] == info.segments
    nothing = VcdSignal.compare_hash(hashes["queries"]["no_copy"], reference)
    assert not nothing.match
    assert VcdMatchInfo.parse(nothing.distance.pretty_str()) == nothing.distance
    assert info < nothing.distance
    for foreign in ("", "-", "31", "0.9|abc|1-2"):
        with pytest.raises(HashStringError, match="not what vcd says"):
            VcdMatchInfo.parse(foreign)


# Traps ---------------------------------------------------------------------------------------


def test_an_empty_index_and_an_empty_query():
    index = VcdSignal.get_index_cls().build([])
    text = VcdSignal.get_examples()[0]
    assert index.query(text) == []
    assert index.query("") == []
    index.add(text, "later")
    assert [m.metadata for m in index.query(text)] == ["later"]


def test_one_match_a_reference_and_each_of_its_entries():
    full, compact = VcdSignal.get_examples()
    index = VcdIndex.build([(full, 1), (full, 2), (compact, 3)])
    assert len(index) == 3
    assert [m.metadata for m in index.query(full)] == [1, 2, 3]


def test_a_bad_line_costs_only_itself(caplog):
    full = VcdSignal.get_examples()[0]
    with caplog.at_level(logging.WARNING, "vcd"):
        index = VcdIndex.build([("nonsense", 1), (full[:-9], 2), (full, 3)])
    assert [m.metadata for m in index.query(full)] == [3]
    assert len(caplog.records) == 2
    with pytest.raises(HashStringError):
        index.query("nonsense")


@pytest.mark.parametrize("signal_type", [VcdSignal, StrictVcdSignal])
def test_an_index_is_read_by_the_base_class_as_hma_does(signal_type):
    full = VcdSignal.get_examples()[0]
    index = signal_type.get_index_cls().build([(full, 7)])
    stream = io.BytesIO()
    index.serialize(stream)
    stream.seek(0)
    again = SignalTypeIndex.deserialize(stream)
    assert type(again) is signal_type.get_index_cls()
    assert again.query(full) == index.query(full)
    assert pickle.loads(pickle.dumps(type(index).build([]))).query(full) == []


def test_settings_of_a_subclass_hold():
    full = VcdSignal.get_examples()[0]
    assert VcdSignal.compare_hash(full, full).match
    assert not StrictVcdSignal.compare_hash(full, full).match
    assert list(StrictVcdSignal.get_index_cls().build([(full, 1)]).query(full)) == []


def test_a_file_without_ending_is_hashed(demo, tmp_path, hashes):
    bare = tmp_path / "upload"
    shutil.copy(demo.folder / "queries" / "other_sound.mp4", bare)
    assert VcdSignal.hash_from_file(bare) == hashes["queries"]["other_sound"]


@pytest.mark.parametrize("content", [b"", b"no video", bytes(5000), b"#EXTM3U\n/etc/passwd\n"])
def test_what_is_no_video_is_an_empty_hash_with_a_reason(content, tmp_path, caplog):
    bad = tmp_path / "upload"
    bad.write_bytes(content)
    with caplog.at_level(logging.WARNING, "vcd"):
        assert VcdSignal.hash_from_file(bad) == ""
        assert VcdSignal.hash_from_file(tmp_path / "missing") == ""
    assert "upload" in caplog.text
    assert "missing" in caplog.text


def test_copies_are_found_among_many(hashes):
    """Three hundred made-up references do not hide the true one, nor change its score."""
    info = VcdSignal.engine().models["visual"]
    rows = load_background(info)
    rng = np.random.default_rng(0)
    starts = np.arange(24) / 2
    times, weight = np.stack([starts, starts + 0.5], axis=1), np.ones(24, np.float32)
    entries = []
    for i in range(300):
        made = Track("visual", info.id, times, rows[rng.permutation(len(rows))[:24]], weight)
        entries.append((full_hash(VideoDescriptor("x", 12.0, [made])), i))
    reference = hashes["refs"]["mountains"]
    index = VcdIndex.build([*entries, (reference, "true")])
    query = hashes["queries"]["faster"]
    best = index.query(query)[0]
    assert best.metadata == "true"
    assert best.similarity_info == VcdSignal.compare_hash(query, reference).distance


@pytest.mark.parametrize(("name", "speed"), [("newsroom", 0.8), ("mountains", 1.25)])
def test_sound_of_another_speed_is_found_in_the_index(name, speed, demo, hashes):
    source = get_decoder().read(demo.folder / "refs" / f"{name}.mp4", Sampling(picture=False))
    sound = np.concatenate([run.samples for run in source if isinstance(run, Samples)])
    played = np.interp(np.arange(0, len(sound) - 1, speed), np.arange(len(sound)), sound)
    builder = AudioTrackBuilder(DescriptorModel(VcdSignal.engine().models["audio"]))
    builder.add(Samples(0.0, played.astype(np.float32)))
    made = VideoDescriptor("x", len(played) / SAMPLE_RATE, builder.finish())
    index = VcdIndex.build([(text, ref) for ref, text in hashes["refs"].items()])
    assert [match.metadata for match in index.query(full_hash(made))] == [name]


# The real command ----------------------------------------------------------------------------


def shell(folder, command, code=0):
    scripts = str(Path(sys.executable).parent)
    path = os.pathsep.join([scripts, os.environ["PATH"]])
    run = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "TX_STATEDIR": str(folder / "state")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code, run.stderr
    assert "Traceback" not in run.stderr
    return run.stdout


def readme_commands():
    """Return the commands that the README shows, without those that install."""
    text = (ROOT / "README.md").read_text("utf-8").partition("## In ThreatExchange / HMA")[2]
    block = text.partition("```console\n")[2].partition("```")[0]
    commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    return [command for command in commands if not command.startswith("pip ")]


def test_tx_from_a_clean_state_as_the_readme_says(demo, tmp_path, hashes, engine):
    (tmp_path / "refs").mkdir()
    city = shutil.copy(demo.folder / "refs" / "city.mp4", tmp_path / "refs")
    query = demo.folder / "queries" / "cropped_with_overlay_and_text.mp4"
    shutil.copy(query, tmp_path / "upload")
    *before, fetch, match = readme_commands()
    assert "vcd - VcdSignal" in shell(tmp_path, before[0])
    for command in before[1:]:
        shell(tmp_path, command)
    lines = (tmp_path / "hashes.txt").read_text().split("\n")
    assert lines[0] == f"vcd {hashes['refs']['city']}"
    compact = shell(
        tmp_path,
        "printf 'vcd %s\\nvcd torn\\n' $(cut -d' ' -f2 hashes.txt) |"
        f" {sys.executable} -m vcd.integrations.threatexchange",
        code=3,
    )
    assert len(compact) <= 2500
    (tmp_path / "hashes.txt").write_text("\n".join([lines[0], "vcd torn", compact]))
    shell(tmp_path, fetch)
    found = [line.split() for line in shell(tmp_path, match).splitlines()]
    assert {(name, collaboration) for name, _, collaboration, *_ in found} == {("vcd", "(refs)")}
    infos = {info.reference: info for info in (VcdMatchInfo.parse(line[1]) for line in found)}
    full = infos.pop(hashes["refs"]["city"].split(":")[4])
    [expected] = engine.match(query, city)
    assert (pytest.approx(full.score, abs=1e-6), full.segments) == record(expected)
    assert list(infos) == [compact.split(":")[4]]
    (tmp_path / "upload").write_bytes(b"no video")
    assert shell(tmp_path, match) == ""


def test_omm_config_example(monkeypatch):
    """HMA executes its configuration as a file; its store takes these three lists by name."""

    class Store:
        def __init__(self, *, signal_types, content_types, exchange_types):
            SignalTypeMapping(content_types, signal_types)
            assert VcdSignal in signal_types
            assert exchange_types

    module = types.ModuleType("OpenMediaMatch.storage.postgres.impl")
    module.DefaultOMMStore = Store
    parts = module.__name__.split(".")
    for i in range(1, len(parts)):
        name = ".".join(parts[:i])
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    settings = runpy.run_path(str(ROOT / "examples" / "omm_config.py"))
    assert isinstance(settings["STORAGE_IFACE_INSTANCE"], Store)
    assert settings["DATABASE_URI"].startswith("postgresql")
