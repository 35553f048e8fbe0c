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

from vcd.descriptors import load_background
from vcd.engine import Engine
from vcd.errors import HashStringError
from vcd.integrations.threatexchange import TX_MANIFEST, VcdIndex, VcdMatchInfo, VcdSignal
from vcd.integrations.threatexchange.hashes import full_hash
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
    with pytest.raises(ValueError, match="begins with|fields|checksum"):
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


# The real command ----------------------------------------------------------------------------


def tx(state, *arguments, code=0):
    command = shutil.which("tx", path=str(Path(sys.executable).parent))
    assert command, "threatexchange is installed without its command"
    run = subprocess.run(
        [command, *map(str, arguments)],
        env={**os.environ, "TX_STATEDIR": str(state), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code, run.stderr
    assert "Traceback" not in run.stderr
    return run.stdout


def test_tx_from_a_clean_state(demo, tmp_path, hashes, engine):
    state = tmp_path / "state"
    assert "vcd - VcdSignal" in tx(
        state, "config", "extensions", "add", "vcd.integrations.threatexchange"
    )
    city = demo.folder / "refs" / "city.mp4"
    lines = tx(state, "hash", "-S", "vcd", "video", city).splitlines()
    assert lines == [f"vcd {hashes['refs']['city']}"]
    compact = subprocess.run(
        [sys.executable, "-m", "vcd.integrations.threatexchange"],
        input="\n".join([f"vcd {hashes['refs']['reef']}", "vcd torn"]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert compact.returncode == 3
    assert "line 2" in compact.stderr
    assert len(compact.stdout) <= 2500
    references = tmp_path / "refs.txt"
    references.write_text("\n".join([*lines, "vcd torn", compact.stdout]))
    tx(state, "config", "collab", "edit", "local_file", "-C", "refs", "--filename", references)
    tx(state, "fetch")

    query = demo.folder / "queries" / "cropped_with_overlay_and_text.mp4"
    bare = tmp_path / "upload"
    shutil.copy(query, bare)
    [line] = tx(state, "match", "-S", "vcd", "-A", "video", bare).splitlines()
    name, text, collaboration, *_ = line.split()
    assert (name, collaboration) == ("vcd", "(refs)")
    [expected] = engine.match(query, city)
    found = VcdMatchInfo.parse(text)
    assert (pytest.approx(found.score, abs=1e-6), found.segments) == record(expected)
    assert found.reference == hashes["refs"]["city"].split(":")[4]

    asked = tmp_path / "asked.txt"
    asked.write_text(hashes["queries"]["other_sound"])
    [line] = tx(state, "match", "-S", "vcd", "--hashes", "video", asked).splitlines()
    assert VcdMatchInfo.parse(line.split()[1]).reference == compact.stdout.split(":")[4]
    nothing = tmp_path / "nothing"
    nothing.write_bytes(b"no video")
    assert tx(state, "match", "-S", "vcd", "video", nothing) == ""


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
