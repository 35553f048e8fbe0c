"""Sound laid on the file's clock."""

import itertools

import av
import numpy as np
import pytest

from vcd.media import SAMPLE_RATE
from vcd.media.sound import SoundReader


def frame_of(values, rate=48000, layout="mono", kind="fltp"):
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(values), kind, layout)
    frame.sample_rate = rate
    return frame


def tone(seconds, rate=48000, channels=1):
    t = np.arange(round(seconds * rate)) / rate
    return np.repeat(0.5 * np.sin(2 * np.pi * 440 * t).astype(np.float32)[None], channels, axis=0)


def read(pieces):
    """Read (time, values, keywords) and return the start and the samples."""
    reader = SoundReader()
    runs = []
    for time, values, how in pieces:
        runs += reader.feed(frame_of(values, **how), time)
    runs += reader.finish()
    for one, two in itertools.pairwise(runs):
        assert one.start + len(one.samples) / SAMPLE_RATE == pytest.approx(two.start)
    samples = np.concatenate([r.samples for r in runs]) if runs else np.zeros(0)
    assert reader.count == len(samples)
    return (runs[0].start if runs else None), samples, reader


def pieces_of(wave, step=1024, rate=48000, start=0.0, **how):
    return [
        (start + at / rate, wave[:, at : at + step], {"rate": rate, **how})
        for at in range(0, wave.shape[1], step)
    ]


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
def test_length_and_pitch(rate):
    start, samples, _ = read(pieces_of(tone(2.0, rate), rate=rate, start=0.7))
    assert start == 0.7
    assert abs(len(samples) - 2 * SAMPLE_RATE) <= 16
    spectrum = np.abs(np.fft.rfft(samples[8000:24000]))
    assert np.argmax(spectrum) == 440
    assert np.abs(samples[1000:-1000]).max() == pytest.approx(0.5, abs=0.02)


def test_a_gap_is_silence():
    wave = tone(1.0)
    start, samples, reader = read([*pieces_of(wave), *pieces_of(wave, start=1.75)])
    assert start == 0
    assert abs(len(samples) - 2.75 * SAMPLE_RATE) <= 16
    assert not samples[16200:27800].any()
    assert samples[28500:29500].any()
    assert reader.decoded == pytest.approx(2 * SAMPLE_RATE, abs=32)


def test_an_overlap_is_left_out():
    wave = tone(1.0)
    _, samples, _ = read([*pieces_of(wave), *pieces_of(wave, start=0.5)])
    assert abs(len(samples) - 1.5 * SAMPLE_RATE) <= 16


def test_rounded_times_are_no_gap():
    pieces = [(round(t, 3), v, how) for t, v, how in pieces_of(tone(2.0))]
    _, samples, _ = read(pieces)
    _, exact, _ = read(pieces_of(tone(2.0)))
    np.testing.assert_array_equal(samples, exact)


def test_no_times():
    _, samples, _ = read([(None, v, how) for _, v, how in pieces_of(tone(1.0))])
    assert abs(len(samples) - SAMPLE_RATE) <= 16


def test_the_rate_changes_midway():
    pieces = pieces_of(tone(1.0, 24000), rate=24000) + pieces_of(tone(1.0), start=1.0)
    _, samples, _ = read(pieces)
    assert abs(len(samples) - 2 * SAMPLE_RATE) <= 32
    assert np.abs(samples[15000:17000]).max() > 0.4


@pytest.mark.parametrize("layout", ["stereo", "5.1", "quad"])
def test_channels_are_mixed(layout):
    channels = av.AudioLayout(layout).nb_channels
    pieces = pieces_of(tone(0.5, channels=channels), layout=layout)
    _, samples, _ = read(pieces)
    assert len(samples) == pytest.approx(SAMPLE_RATE / 2, abs=16)
    assert 0.25 < np.abs(samples).max() <= 1


def test_channels_without_a_known_layout():
    values = tone(0.5, channels=3)
    _, samples, _ = read(pieces_of(values, layout="3 channels"))
    assert len(samples) == pytest.approx(SAMPLE_RATE / 2, abs=16)
    assert np.abs(samples).max() > 0.2


def test_nothing():
    assert read([])[0] is None
