"""Descriptors survive the way to disk and back; damage is always noticed."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import make_descriptor, make_track

from vcd import encoding
from vcd.errors import ContractError, DescriptorError, OutputError
from vcd.records import VideoDescriptor


def assert_same(a, b):
    assert (a.video_id, a.duration, a.health) == (b.video_id, b.duration, b.health)
    assert list(a.tracks) == list(b.tracks)
    for key, track in a.tracks.items():
        other = b.tracks[key]
        assert (track.stream, track.model, track.view) == (other.stream, other.model, other.view)
        assert np.array_equal(track.times, other.times)
        assert np.array_equal(track.weight, other.weight)
        assert np.array_equal(track.quantised().vectors, other.quantised().vectors)


@settings(max_examples=30)
@given(st.text(min_size=1, max_size=20), st.integers(0, 12), st.integers(0, 99))
def test_bytes_round_trip(name, n, seed):
    descriptor = make_descriptor(name, n=n, seed=seed)
    assert_same(descriptor, VideoDescriptor.from_bytes(descriptor.to_bytes()))


@pytest.mark.parametrize("name", ["one.vcd", "one.npz", "ONE.NPZ", "no-ending"])
def test_file_round_trip(tmp_path, name):
    descriptor = make_descriptor("é 視頻")
    descriptor.save(tmp_path / name)
    assert_same(descriptor, VideoDescriptor.load(tmp_path / name))


@pytest.mark.parametrize("name", ["many.vcd", "many.npz"])
def test_several_videos_in_one_file(tmp_path, name):
    many = [make_descriptor(f"v{i}", seed=i, n=3 + i) for i in range(3)]
    many.append(make_descriptor("silent", streams=("visual",)))
    encoding.save(tmp_path / name, many)
    for a, b in zip(many, encoding.load(tmp_path / name), strict=True):
        assert_same(a, b)
    with pytest.raises(DescriptorError, match="holds 4 descriptors"):
        VideoDescriptor.load(tmp_path / name)


def test_npz_is_what_the_challenge_reads(tmp_path):
    encoding.save(tmp_path / "q.npz", [make_descriptor("Q1"), make_descriptor("Q2", seed=5)])
    with np.load(tmp_path / "q.npz", allow_pickle=False) as arrays:
        ids, stamps, features = (arrays[k] for k in ("video_ids", "timestamps", "features"))
    assert ids.tolist() == ["Q1"] * 10 + ["Q2"] * 10
    assert stamps.shape == (20, 2)
    assert features.dtype == np.float32


def test_plain_npz_of_another_program_is_read(tmp_path):
    np.savez(
        tmp_path / "x.npz",
        video_ids=np.array([7, 7, 3]),
        timestamps=np.array([1.0, 0.0, 0.0]),
        features=np.array([[3, 4], [0, 2], [0, 0]], np.float32),
    )
    seven, three = encoding.load(tmp_path / "x.npz")
    assert (seven.video_id, three.video_id) == ("Q000007", "Q000003")
    assert seven.tracks["visual"].times.tolist() == [[0, 1], [1, 2]]
    assert np.allclose(seven.tracks["visual"].vectors, [[0, 1], [0.6, 0.8]])
    assert three.tracks["visual"].weight.tolist() == [0]


def test_every_flipped_byte_is_noticed():
    data = make_descriptor(n=2).to_bytes()
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x41
        with pytest.raises(DescriptorError):
            VideoDescriptor.from_bytes(bytes(damaged))


def test_every_truncation_is_noticed():
    data = make_descriptor(n=2).to_bytes()
    for length in range(len(data)):
        with pytest.raises(DescriptorError):
            VideoDescriptor.from_bytes(data[:length])


def test_newer_version_is_named():
    data = bytearray(make_descriptor().to_bytes())
    data[4] = 99
    with pytest.raises(DescriptorError, match="version 99"):
        VideoDescriptor.from_bytes(bytes(data))


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04"])
def test_broken_npz_names_the_file(tmp_path, content):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(DescriptorError, match=r"broken\.npz"):
        encoding.load(path)


def test_npz_without_the_arrays_says_which(tmp_path):
    np.savez(tmp_path / "x.npz", video_ids=np.array(["a"]))
    with pytest.raises(DescriptorError, match="features"):
        encoding.load(tmp_path / "x.npz")


def resealed(header):
    """Return a byte string with another header, lengths and checksum in order."""
    data = make_descriptor().to_bytes()
    magic, version, flags, length, total = encoding._PREFIX.unpack_from(data)
    text = json.dumps(header(json.loads(data[encoding._PREFIX.size :][:length]))).encode()
    rest = data[encoding._PREFIX.size + length : -encoding._CHECKSUM_BYTES]
    total += len(text) - length
    body = encoding._PREFIX.pack(magic, version, flags, len(text), total) + text + rest
    return body + encoding._checksum(body)


@pytest.mark.parametrize(
    "change",
    [
        {"duration": 10**400},
        {"duration": "long"},
        {"video_id": 7},
        {"video_id": ""},
        {"health": []},
        {"tracks": [{"stream": "visual", "model": "m", "view": "full", "shape": [10**30, 2]}]},
        {"tracks": 3},
    ],
)
def test_sealed_nonsense_is_refused(change):
    assert encoding.from_bytes(resealed(lambda header: header)).video_id
    with pytest.raises(DescriptorError):
        encoding.from_bytes(resealed(lambda header: header | change))


@pytest.mark.parametrize(
    "arrays",
    [
        {"timestamps": np.zeros((2, 0))},
        {"timestamps": np.zeros((2, 3))},
        {"features": np.zeros((1, 4), np.float32)},
        {"video_ids": np.array(0)},
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays, own):
    path = tmp_path / "x.npz"
    make_descriptor(n=2).save(path)
    with np.load(path) as archive:
        whole = {name: archive[name] for name in archive.files if own or name != "vcd"}
    np.savez(path, **(whole | arrays))
    with pytest.raises(DescriptorError, match=r"x\.npz"):
        encoding.load(path)


def test_pickles_are_never_opened(tmp_path):
    np.savez(
        tmp_path / "x.npz",
        video_ids=np.array([{"a": 1}], dtype=object),
        timestamps=np.zeros(1),
        features=np.zeros((1, 2), np.float32),
    )
    with pytest.raises(DescriptorError, match="pickle"):
        encoding.load(tmp_path / "x.npz")


def test_missing_file(tmp_path):
    with pytest.raises(DescriptorError, match="No such file"):
        encoding.load(tmp_path / "gone.vcd")


def test_two_videos_of_one_name_are_refused(tmp_path):
    with pytest.raises(ContractError, match="share a video id"):
        encoding.save(tmp_path / "x.npz", [make_descriptor("a"), make_descriptor("a")])


def test_models_are_not_mixed_in_one_archive(tmp_path):
    other = make_descriptor("b", tracks=[make_track(model="other-1")])
    with pytest.raises(ContractError, match="different models"):
        encoding.save(tmp_path / "x.npz", [make_descriptor("a"), other])


def test_unwritable_place_leaves_nothing_behind(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        make_descriptor().save(tmp_path / "no folder" / "x.vcd")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        make_descriptor().save(tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
    assert not list((tmp_path / "folder").iterdir())


def test_empty_file_is_no_descriptor(tmp_path):
    (tmp_path / "x.vcd").touch()
    with pytest.raises(DescriptorError, match="is empty"):
        encoding.load(tmp_path / "x.vcd")


def test_every_damaged_archive_is_refused_or_read(tmp_path):
    path = tmp_path / "x.npz"
    make_descriptor(n=3).save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(100):
        data = bytearray(whole)
        for position in rng.integers(0, len(data), 3):
            data[position] ^= int(rng.integers(1, 256))
        path.write_bytes(data)
        try:
            encoding.load(path)
        except DescriptorError as error:
            assert "x.npz" in str(error)


def test_link_stays_a_link_and_the_mode_is_kept(tmp_path):
    target, link = tmp_path / "real.vcd", tmp_path / "link.vcd"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to(target)
    make_descriptor().save(link)
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    assert_same(make_descriptor(), VideoDescriptor.load(target))


def test_device_is_written_into():
    encoding.write_whole("/dev/null", b"data")
    assert not Path("/dev/null").is_file()


def test_pipe_without_a_name_is_written_into():
    reader, writer = os.pipe()
    encoding.write_whole(f"/proc/self/fd/{writer}", b"data")
    assert os.read(reader, 10) == b"data"
    os.close(reader)
    os.close(writer)


def test_writing_replaces_whole(tmp_path):
    path = tmp_path / "x.vcd"
    path.write_bytes(b"old")
    make_descriptor().save(path)
    assert_same(make_descriptor(), VideoDescriptor.load(path))
    assert [p.name for p in tmp_path.iterdir()] == ["x.vcd"]
