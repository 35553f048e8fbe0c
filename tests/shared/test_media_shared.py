"""Every file of clips/ and nasty/ gives what its README says."""

import shutil

import numpy as np
import pytest

from vcd.errors import MediaError
from vcd.media import Frame, Sampling, get_decoder

pytestmark = pytest.mark.shared

# kind, seconds, displayed size, start of picture and of sound on the file's clock (None: missing)
CLIPS = {
    "water_h264_aac.mp4": ("video", 3.16, (480, 360), 0, 0),
    "water_vp8_vorbis.webm": ("video", 3.12, (480, 360), 0, 0.003),
    "gesture_h264_nosound.mkv": ("video", 2.43, (640, 480), 0, None),
    "globe_mpeg4_mp3.avi": ("video", 5.03, (480, 270), 0, 0),
    "globe_theora_vorbis.ogv": ("video", 5.00, (480, 270), 0, 0),
    "globe_vp9_opus.webm": ("video", 5.01, (480, 270), 0.007, 0),
    "bee_h264_aac.ts": ("video", 2.02, (1280, 720), 0.021, 0),
    "camera_mjpeg_pcm.avi": ("video", 2.73, (320, 240), 0, 0),
    "nasa_several_streams.mp4": ("video", 13.05, (480, 270), 0, 0),
    "rotated_90_h264.mov": ("video", 0.10, (320, 568), 0, None),
}
NASTY = {
    "audio_only.mp4": ("sound", 5.31, (0, 0), None, 0),
    "no_audio_stream.mp4": ("video", 5.4, (320, 180), 0, None),
    "one_frame.mp4": ("video", 0.067, (320, 180), 0, None),
    "eight_k.mp4": ("video", 1.0, (7680, 4320), 0, None),
    "thousand_fps.mp4": ("video", 2.0, (16, 16), 0, None),
    "variable_frame_rate.mp4": ("video", 5.96, (320, 136), 0, None),
    "rotated_by_metadata.mp4": ("video", 5.4, (180, 320), 0, 0),
    "odd_size_321x179.mp4": ("video", 3.0, (421, 179), 0, None),
    "hevc_10bit.mp4": ("video", 3.0, (320, 136), 0, None),
    "black_two_hours.mp4": ("video", 7200.0, (128, 72), 0, None),
    "edit_list_negative_start.mp4": ("video", 3.68, (320, 180), 0, 0),
    "audio_offset_plus_1500ms.mp4": ("video", 6.81, (320, 180), 0, 1.478),
    "sound_5_1.mp4": ("video", 5.4, (320, 180), 0, 0),
    "sound_8khz.mp4": ("video", 5.4, (320, 180), 0, 0),
    "plain_ok.mp4": ("video", 5.4, (320, 180), 0, 0),
}
REFUSED = [
    "zero_byte.mp4",
    "text.mp4",
    "truncated_no_moov.mp4",
    "playlist_m3u8.mp4",
    "playlist_ffconcat.mp4",
    "playlist_concat.mp4",
]
DAMAGED = ["truncated_middle.mp4", "flipped_bytes.mp4", "missing_first_keyframe.mkv"]


def read(path, sampling, decoder="pyav"):
    recording = get_decoder(decoder).read(path, sampling)
    items = list(recording)
    frames = [item for item in items if isinstance(item, Frame)]
    return recording, frames, [item for item in items if not isinstance(item, Frame)]


def test_nothing_is_forgotten(shared):
    for folder, known in (("clips", {*CLIPS}), ("nasty", {*NASTY, *REFUSED, *DAMAGED})):
        assert known == {p.name for p in (shared / folder).iterdir()} - {"README.md"}


@pytest.mark.parametrize("name", [*CLIPS, *NASTY])
@pytest.mark.parametrize("exact", [False, True])
def test_readable(name, exact, shared):
    folder, facts = ("clips", CLIPS) if name in CLIPS else ("nasty", NASTY)
    kind, seconds, size, picture, sound = facts[name]
    rate = 0.05 if seconds > 60 else 10
    recording, frames, runs = read(
        shared / folder / name, Sampling(rate=rate, size=64, exact=exact)
    )
    info = recording.info
    assert (info.kind, (info.width, info.height)) == (kind, size)
    assert recording.duration == pytest.approx(seconds, abs=0.02)
    assert info.duration == pytest.approx(seconds, abs=0.03)
    assert not recording.health.damaged
    assert recording.health.frames_decoded == recording.health.frames_expected == len(frames)
    assert bool(frames) == (picture is not None)
    assert bool(runs) == (sound is not None)
    if frames:
        assert frames[0].start == 0
        assert max(frames[0].pixels.shape) == min(64, max(size))
        assert frames[0].time >= picture - 1e-3
        assert frames[0].time < picture + 1 / rate
    if runs:
        assert runs[0].start == pytest.approx(sound, abs=2e-3)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_refused(name, decoder, shared):
    with pytest.raises(MediaError, match=name):
        read(shared / "nasty" / name, Sampling(), decoder)


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("exact", [False, True])
def test_damaged(name, exact, shared):
    recording, frames, _ = read(shared / "nasty" / name, Sampling(rate=5, exact=exact))
    health = recording.health
    assert frames
    assert health.damaged
    words = " ".join(health.warnings)
    if name == "truncated_middle.mp4":
        assert "of 5.4 s of picture" in words
        assert (health.frames_decoded, health.frames_expected) == (11, 27)
    if name == "flipped_bytes.mp4":
        assert "of 81 picture packets are damaged" in words
        assert frames[-1].end == pytest.approx(5.4, abs=0.07)
    if name == "missing_first_keyframe.mkv":
        assert "the first 2.7 s of picture could not be read" in words
        assert frames[0].time == pytest.approx(4.0 - 1.267, abs=0.002)


def test_same_scene_same_frames(shared):
    clips = shared / "clips"
    for names, tolerance in (
        (["globe_mpeg4_mp3.avi", "globe_theora_vorbis.ogv", "globe_vp9_opus.webm"], 6),
        (["water_h264_aac.mp4", "water_vp8_vorbis.webm"], 12),
    ):
        pictures = [read(clips / n, Sampling(rate=2, size=(64, 64)))[1] for n in names]
        for other in pictures[1:]:
            for one, two in zip(pictures[0], other, strict=False):
                apart = np.abs(one.pixels.astype(int) - two.pixels).mean()
                assert apart < tolerance, (names, one.start, apart)


def test_fast_and_exact_agree(shared):
    for name in (*CLIPS, *NASTY):
        path = shared / ("clips" if name in CLIPS else "nasty") / name
        if name in ("eight_k.mp4", "black_two_hours.mp4"):
            continue
        for rate in (0.5, 2):
            fast = read(path, Sampling(rate=rate, size=64, sound=False))[1]
            exact = read(path, Sampling(rate=rate, size=64, sound=False, exact=True))[1]
            assert [f.time for f in fast] == [f.time for f in exact], name
            for one, two in zip(fast, exact, strict=True):
                assert np.abs(one.pixels.astype(int) - two.pixels).mean() < 1.0, name


@pytest.mark.parametrize("name", [*CLIPS, *NASTY])
def test_decord_agrees_or_says_that_it_cannot(name, shared):
    pytest.importorskip("decord")
    path = shared / ("clips" if name in CLIPS else "nasty") / name
    rate = 0.05 if name == "black_two_hours.mp4" else 2
    try:
        _, frames, runs = read(path, Sampling(rate=rate, size=64), "decord")
    except MediaError as error:
        assert error.remedy == "use the default decoder"
        return
    _, expected, sound = read(path, Sampling(rate=rate, size=64))
    assert [f.start for f in frames] == [f.start for f in expected]
    assert [f.time for f in frames] == pytest.approx([f.time for f in expected], abs=1e-3)
    assert [len(r.samples) for r in runs] == [len(r.samples) for r in sound]
    for one, two in zip(frames, expected, strict=True):
        assert one.pixels.shape == two.pixels.shape
        assert np.abs(one.pixels.astype(int) - two.pixels).mean() < 8


@pytest.mark.parametrize(
    "name",
    ["ünï-日本-😀.mp4", "two  spaces & $HOME;'\".mp4", "-x.mp4", "new\nline.mp4", b"\xff\xfe.mp4"],
)
def test_hard_names(name, shared, tmp_path):
    path = tmp_path / (name if isinstance(name, str) else name.decode("utf-8", "surrogateescape"))
    shutil.copy(shared / "nasty" / "plain_ok.mp4", path)
    assert len(read(path, Sampling(rate=1))[1]) == 6
