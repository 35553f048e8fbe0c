"""Hash strings come back as they went, and whatever else is refused with a reason."""

import base64
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcd.descriptors import VIEWS, load_manifest
from vcd.errors import HashStringError
from vcd.integrations.threatexchange import hashes
from vcd.integrations.threatexchange.hashes import compact_hash, full_hash, parse_hash
from vcd.records import Health, Track, VideoDescriptor

MANIFEST = load_manifest()
MODELS = {stream: MANIFEST.default(stream) for stream in ("visual", "audio")}


def track(stream, n, *, step=0.5, silent=(), seed=0):
    info = MODELS[stream]
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, info.dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    weight = np.ones(n, np.float32)
    weight[list(silent)] = 0
    starts = np.arange(n) * step
    return Track(stream, info.id, np.stack([starts, starts + step], 1), vectors, weight)


def video(seconds=20.0, **changes):
    tracks = [
        track("visual", round(seconds * 2), **changes),
        track("audio", round(seconds * 4), step=0.25, seed=1),
    ]
    return VideoDescriptor("holiday", seconds, tracks, Health(1, 1, warnings=("torn",)))


def resealed(text, **changes):
    """Return the string with fields changed and the checksum right again."""
    names = ["form", "ms", "visual", "audio", "checksum", "body"]
    fields = dict(zip(names, text.split(":"), strict=True)) | changes
    del fields["checksum"]
    values = list(fields.values())
    return ":".join([*values[:4], hashes._checksum(values), values[4]])


@pytest.mark.parametrize("views", [(), ("inner",), VIEWS])
def test_full_hash_comes_back_whole_but_nameless(views):
    further = [replace(track("visual", 40, seed=9 + k), view=v) for k, v in enumerate(views)]
    described = video()
    described = replace(described, tracks=[*described.tracks.values(), *further])
    parsed = parse_hash(full_hash(described), MODELS)
    assert not parsed.compact
    assert parsed.descriptor.duration == described.duration
    for key, own in described.tracks.items():
        other = parsed.descriptor.tracks[key]
        assert np.array_equal(own.quantised().vectors, other.vectors)
        assert np.array_equal(own.times, other.times)
        assert np.array_equal(own.weight, other.weight)
    assert parsed.descriptor.video_id != "holiday"
    assert not parsed.descriptor.health.damaged


def test_names_of_files_do_not_show():
    first, second = video(), VideoDescriptor("other", 20.0, video().tracks)
    assert full_hash(first) == full_hash(second)


@settings(max_examples=15)
@given(st.floats(1, 150), st.sets(st.integers(0, 1)), st.integers(0, 3))
def test_compact_hash_holds_the_signs_of_chosen_moments(seconds, silent, seed):
    described = video(seconds, silent=silent, seed=seed)
    parsed = parse_hash(compact_hash(described), MODELS)
    [own] = parsed.descriptor.tracks.values()
    original = described.tracks[own.stream]
    for (start, end), code, weight in zip(own.times, own.vectors, own.weight, strict=True):
        if not weight:
            continue
        inside = (original.times.mean(1) >= start - 1e-9) & (original.times.mean(1) < end + 0.5)
        signs = np.where(original.vectors[inside] > 0, 1, -1)
        assert (signs == code).all(axis=1).any()


@pytest.mark.parametrize("seconds", [1, 28.5, 29, 57, 60, 114])
def test_a_minute_fits_in_a_compact_hash(seconds):
    assert len(compact_hash(video(seconds))) <= 2500


def test_compact_hash_of_sound_alone():
    sound = VideoDescriptor("song", 30.0, [track("audio", 120, step=0.25)])
    parsed = parse_hash(compact_hash(sound), MODELS)
    assert set(parsed.descriptor.tracks) == {"audio"}


def test_nothing_to_say_has_no_compact_hash():
    black = VideoDescriptor("black", 5.0, [track("visual", 10, silent=range(10))])
    with pytest.raises(HashStringError, match="nothing of the video says anything"):
        compact_hash(black)
    assert parse_hash(full_hash(black), MODELS)


FULL, COMPACT = full_hash(video()), compact_hash(video())


@pytest.mark.parametrize("text", [FULL, COMPACT], ids=["full", "compact"])
@pytest.mark.parametrize("length", [0, 1, 5, 30, 70, 200, -1])
def test_cut_short(text, length):
    with pytest.raises(HashStringError):
        parse_hash(text[:length], MODELS)


@settings(max_examples=60)
@given(st.sampled_from([FULL, COMPACT]), st.integers(0, 1_000_000), st.characters())
def test_any_altered_character_is_refused(text, place, character):
    place %= len(text)
    altered = text[:place] + character + text[place + 1 :]
    if altered != text:
        with pytest.raises(HashStringError):
            parse_hash(altered, MODELS)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22", "begins with"),
        ("vcd2" + FULL[4:], "begins with"),
        ("vcd1:1:2", "fields"),
        ("vcd1" + "x" * 70_000_000, "characters"),
        (resealed(FULL, ms="-5"), "no duration"),
        (resealed(FULL, ms="20001"), "contradict"),
        (resealed(FULL, visual="visual-1/256/500/40"), "made by model visual-1"),
        (resealed(FULL, visual="visual-8/128/500/40"), "made by model visual-8"),
        (resealed(FULL, visual="../../etc"), "no visual track"),
        (resealed(FULL, visual="visual-8/256/500/41"), "contradict"),
        (resealed(FULL, audio="-"), "contradict"),
        (resealed(FULL, body="a+b/"), "base64url"),
        (resealed(FULL, body="abcde"), "base64url"),
        (resealed(FULL, body="QUJD"), "inflated"),
        (resealed(COMPACT, audio="audio-2/128/500/40"), "one track"),
        (resealed(COMPACT, body=COMPACT.split(":")[5][: 4 * 50]), "contradict"),
        (resealed(COMPACT, visual="visual-8/256/500/999999999"), "contradict"),
        (resealed(FULL, form="vcd1c", audio="-"), "contradict"),
    ],
    ids=lambda value: value[:24],
)
def test_refused_with_a_reason(text, reason):
    with pytest.raises(HashStringError, match=reason) as caught:
        parse_hash(text, MODELS)
    assert caught.value.remedy


def test_a_bomb_is_not_inflated():
    bomb = base64.urlsafe_b64encode(zlib.compress(bytes(20_000_000), 9)).decode().rstrip("=")
    with pytest.raises(HashStringError, match="holds more than it says"):
        parse_hash(resealed(FULL, body=bomb), MODELS)


def test_a_short_string_does_not_state_any_number_of_moments(monkeypatch):
    """An interval that no hash has, and a count that none needs: small to send, large to read."""
    monkeypatch.setattr(hashes, "_LEAST_INTERVAL", 1)
    monkeypatch.setattr(hashes, "_MOST_INTERVAL", 1)
    dense = compact_hash(video(20))
    assert parse_hash(dense, MODELS).compact
    monkeypatch.undo()
    with pytest.raises(HashStringError, match="contradict"):
        parse_hash(dense, MODELS)
    monkeypatch.setattr(hashes, "_MOST_COUNT", 10)
    with pytest.raises(HashStringError, match="contradict"):
        parse_hash(compact_hash(video(20)), MODELS)


def test_times_that_no_file_has():
    odd = video()
    late = VideoDescriptor("late", 1.0, odd.tracks)
    with pytest.raises(HashStringError, match="contradict"):
        parse_hash(full_hash(late), MODELS)
