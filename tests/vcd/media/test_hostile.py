"""Files that break, mislead, or hang a reader."""

import contextlib
import os
import random
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from vcd.errors import MediaError, VcdError
from vcd.media import Sampling, get_decoder


@pytest.fixture(params=["pyav", "decord", "isolated"])
def decoder(request):
    if request.param == "isolated":
        return get_decoder(isolation="process")
    if request.param == "decord":
        pytest.importorskip("decord")
    return get_decoder(request.param)


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{name}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile {name}\nduration 2\n",
    "concat": "file '{name}'\n",
    "session": "v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    "<Period><AdaptationSet><Representation><BaseURL>{name}</BaseURL>"
    "</Representation></AdaptationSet></Period></MPD>",
}


@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "ts", "jpg"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_is_never_followed(decoder, kind, suffix, film, tmp_path, monkeypatch):
    neighbour = film("neighbour.mp4", frames=10)
    monkeypatch.chdir(tmp_path)
    for name in (neighbour.name, str(neighbour), f"file:{neighbour}"):
        path = tmp_path / f"list.{suffix}"
        path.write_text(PLAYLISTS[kind].format(name=name))
        with pytest.raises(MediaError):
            decoder.probe(path)
        with pytest.raises(MediaError):
            list(decoder.read(path))


def test_a_film_never_opens_another_file(film, tmp_path, monkeypatch):
    """Even a format that could is refused at the last bar."""
    film("neighbour.mp4", frames=10)
    monkeypatch.setattr("vcd.media.source.FORMATS", ("concat", "mov", "hls"))
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile neighbour.mp4\n")
    with pytest.raises(MediaError):
        list(get_decoder().read(tmp_path / "list.mp4"))


@pytest.mark.parametrize("content", [b"", b"\0", b"text\n" * 99, bytes(5000), b"\xff" * 5000])
def test_no_film_at_all(decoder, content, tmp_path):
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"x\.mp4: "):
        list(decoder.read(path))


def test_noise(tmp_path):
    for seed in range(20):
        path = tmp_path / "noise.mp4"
        path.write_bytes(random.Random(seed).randbytes(4000))
        with pytest.raises(MediaError):
            list(get_decoder().read(path))


def test_no_regular_file(decoder, tmp_path):
    (tmp_path / "x.mp4").mkdir()
    with pytest.raises(MediaError, match="folder"):
        decoder.read(tmp_path / "x.mp4")
    (tmp_path / "self.mp4").symlink_to(tmp_path / "self.mp4")
    with pytest.raises(MediaError, match="link"):
        decoder.read(tmp_path / "self.mp4")
    (tmp_path / "nowhere.mp4").symlink_to(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        decoder.read(tmp_path / "nowhere.mp4")
    with pytest.raises(MediaError, match="device"):
        decoder.read("/dev/zero")


def test_a_pipe_does_not_hang(decoder, tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(MediaError, match="pipe"):
        decoder.read(tmp_path / "pipe.mp4")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable(decoder, film):
    path = film(frames=3)
    path.chmod(0)
    with pytest.raises(MediaError, match="permission"):
        decoder.read(path)


NAMES = [
    "new\nline.mp4",
    "-x.mp4",
    "-i",
    "%03d.mp4",
    "%03d.jpg",
    "a:b.mp4",
    "http:x.mp4",
    "concat:film.mp4|film.mp4",
    "two  spaces & $HOME;'\".mp4",
    "日本 😀 ü.mp4",
    b"not-utf8-\xff\xfe.mp4",
    "no suffix",
    "film.mp4.jpg",
]


@pytest.mark.parametrize("name", NAMES)
def test_hard_names(decoder, name, film, tools, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    film(frames=30).rename(os.fsdecode(name))
    frames, _ = tools.split(decoder.read(name, Sampling(rate=1)))
    assert [tools.number_of(f.pixels) for f in frames] == [15]
    (tmp_path / "sub").mkdir()
    broken = tmp_path / "sub" / os.fsdecode(name)
    broken.write_bytes(b"nothing")
    with pytest.raises(MediaError) as error:
        decoder.read(broken)
    assert "\n" not in str(error.value)
    assert str(error.value).isprintable()


def test_cut_off(film, tools):
    path = film(frames=90, sound=3.0, container_options={"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    recording = get_decoder().read(path, Sampling(rate=2))
    frames, runs = tools.split(recording)
    assert 0 < len(frames) < 6
    assert runs
    health = recording.health
    assert (health.frames_decoded, health.frames_expected) == (len(frames), 6)
    assert health.samples_decoded < health.samples_expected
    assert any("ends early" in w and "of 3.0 s of picture" in w for w in health.warnings)
    path.write_bytes(data[: len(data) // 20])
    with pytest.raises(MediaError):
        list(get_decoder().read(path))


def test_damaged_within(film, tools):
    path = film(frames=90, sound=3.0)
    data = bytearray(path.read_bytes())
    start, end = data.find(b"mdat") + 8, data.find(b"moov")
    chance = random.Random(0)
    for _ in range(60):
        data[chance.randrange(start, end - 8)] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes(data))
    for exact in (False, True):
        recording = get_decoder().read(path, Sampling(rate=2, exact=exact))
        frames, runs = tools.split(recording)
        assert frames
        assert runs
        assert frames[-1].end == pytest.approx(3.0, abs=0.1)
        assert any("packets are damaged" in w for w in recording.health.warnings)


def test_damage_anywhere_raises_nothing_but_our_errors(film):
    """Whatever is flipped in a file, reading ends, with a result or a MediaError."""
    path = film(frames=20, sound=0.5)
    whole = path.read_bytes()
    chance = random.Random(1)
    for _ in range(25):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 30)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(bytes(data[: chance.randrange(1, len(data) + 1)]))
        try:
            for _ in get_decoder().read(path, Sampling(rate=5, size=32)):
                pass
        except VcdError as error:
            assert error.file is not None


def test_not_a_number_is_silence(tmp_path, tools):
    path = tmp_path / "nan.wav"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_f32le", rate=16000, layout="mono")
        wave = np.full((1, 16000), 0.25, np.float32)
        wave[0, 4000:4100] = np.nan
        wave[0, 8000] = np.inf
        wave[0, 12000:12010] = 1e30
        frame = av.AudioFrame.from_ndarray(wave, "flt", "mono")
        frame.sample_rate = 16000
        frame.pts = 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    _, runs = tools.split(get_decoder().read(path))
    samples = np.concatenate([r.samples for r in runs])
    assert len(samples) == 16000
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1
    assert samples[0] == pytest.approx(0.25)


def test_many_files_at_once(film, tools):
    """Files are read in parallel threads; none disturbs another."""
    path = film(frames=60, sound=2.0)
    found = []

    def read():
        frames, runs = tools.split(get_decoder().read(path, Sampling(rate=2)))
        found.append(([tools.number_of(f.pixels) for f in frames], len(runs)))

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(one == found[0] for one in found)


def open_files():
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def test_a_recording_left_alone_leaves_no_open_file(film):
    path = film(frames=30, sound=1.0)
    before = open_files()
    for _ in range(5):
        get_decoder().read(path)
        next(iter(get_decoder().read(path)))
        get_decoder().probe(path)
    assert open_files() <= before + 1


def test_nothing_is_written_to_the_terminal(film, capfd):
    path = film(frames=90, sound=1.0)
    data = bytearray(path.read_bytes())
    data[3000:9000:97] = bytes(len(data[3000:9000:97]))
    path.write_bytes(bytes(data))
    with contextlib.suppress(MediaError):
        list(get_decoder().read(path))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_a_clock_that_jumps_back_is_told(film, tools):
    """Two transport streams in one file: the second starts at the first's time again."""
    path = film("a.ts", frames=90, sound=3.0)
    path.write_bytes(path.read_bytes() * 2)
    for exact in (False, True):
        recording = get_decoder().read(path, Sampling(rate=1, exact=exact))
        frames, _ = tools.split(recording)
        assert [tools.number_of(f.pixels) for f in frames][:3] == [14, 44, 74]  # AAC leads in
        assert any("left out" in warning for warning in recording.health.warnings)


def test_a_frame_is_not_shown_for_days(film, tools):
    """One damaged length in a file of two seconds: a time stamp that lies a year ahead."""
    path = film(frames=60, options={"bf": "0"})
    data = path.read_bytes()
    at = data.find(b"stts") + 8  # one entry: 60 frames of equal length
    assert data[at : at + 8] == bytes((0, 0, 0, 1, 0, 0, 0, 60))
    path.write_bytes(data[: at + 8] + b"\x7f\xff\xff\xff" + data[at + 12 :])
    for exact in (False, True):
        recording = get_decoder().read(path, Sampling(rate=1, exact=exact))
        try:
            assert len(tools.split(recording)[0]) < 100
        except MediaError as error:
            assert "max_duration" in str(error)
