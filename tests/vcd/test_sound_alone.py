"""Sound files as queries and references; and sounds that say nothing, which match nothing."""

import wave

import av
import numpy as np
import pytest

from vcd import Engine
from vcd.media import Samples, Sampling, get_decoder

RATE = 16_000
SECONDS = 12


@pytest.fixture(scope="module")
def engine():
    return Engine(cache=None)


def write(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def steady(kind, seed):
    """Return a sound that stays as it is, with a noise of its own 50 dB below."""
    rng = np.random.default_rng(seed)
    time = np.arange(SECONDS * RATE) / RATE
    noise = rng.standard_normal(len(time))
    sound = {
        "tone": np.sin(2 * np.pi * 1000 * time),
        "hum": sum(np.sin(2 * np.pi * 50 * k * time) / k for k in range(1, 12)),
        "noise": noise,
        "nearly silent": 1e-3 * noise,
        "silent": 0 * time,
    }[kind]
    return 0.3 * sound / max(np.abs(sound).max(), 1) + (kind != "silent") * 1e-3 * noise


@pytest.mark.parametrize("kind", ["tone", "hum", "noise", "nearly silent", "silent"])
def test_steady_sounds_match_nothing(engine, tmp_path, kind):
    first, second = (write(tmp_path / f"{k}.wav", steady(kind, k)) for k in (1, 2))
    assert engine.match(first, second) == []


@pytest.fixture
def song(demo, tmp_path):
    """The sound of a reference of the demo, as a song file."""
    path = tmp_path / "song.mp3"
    with (
        av.open(str(demo.folder / "refs" / "newsroom.mp4")) as given,
        av.open(str(path), "w") as made,
    ):
        stream = made.add_stream("libmp3lame", rate=44_100)
        resampler = av.AudioResampler(format="s16p", layout="stereo", rate=44_100)
        for frame in given.decode(audio=0):
            for part in resampler.resample(frame):
                made.mux(stream.encode(part))
        made.mux(stream.encode(None))
    return path


def test_a_song_is_found_in_videos_and_videos_in_songs(engine, demo, song):
    [match] = engine.match(song, demo.folder / "refs")
    assert match.ref_id == "newsroom"
    assert {tuple(s.streams) for s in match.segments} == {("audio",)}
    [back] = engine.match(demo.folder / "queries" / "other_picture.mp4", song)
    assert back.ref_id == "song"
    segment = max(back.segments, key=lambda s: s.score)
    assert segment.ref_start - segment.query_start == pytest.approx(4.0, abs=0.5)


@pytest.mark.parametrize("speed", [0.8, 0.9, 1.1, 1.25])
def test_sound_of_another_speed_is_found_with_its_pitch(engine, demo, tmp_path, speed):
    """As players make it that do not keep the pitch: samples at another rate."""
    source = demo.folder / "refs" / "newsroom.mp4"
    runs = get_decoder().read(source, Sampling(picture=False))
    samples = np.concatenate([run.samples for run in runs if isinstance(run, Samples)])
    at = np.arange(2 * RATE, 12 * RATE, speed)
    played = np.interp(at, np.arange(len(samples)), samples)
    [match] = engine.match(write(tmp_path / "played.wav", played), source)
    [segment] = match.segments
    assert segment.streams == {"audio"}
    assert segment.speed == pytest.approx(speed, rel=0.1)
    assert segment.ref_start == pytest.approx(2, abs=1.2)
    assert segment.ref_end == pytest.approx(12, abs=1.2)
