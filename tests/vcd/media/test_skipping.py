"""Decoding less must not change what is sampled."""

import av
import numpy as np
import pytest

from vcd.media import Sampling, get_decoder
from vcd.media.skipping import GroupPlanner

X264 = {"preset": "veryfast", "bf": "3"}
X265 = "log-level=none:pools=1:"
VPX = {"deadline": "good", "g": "30", "auto-alt-ref": "1", "lag-in-frames": "16"}
FILMS = {
    "h264 short groups": ("a.mp4", "libx264", {**X264, "g": "12"}),
    "h264 open groups": ("a.mp4", "libx264", {**X264, "g": "30", "x264-params": "open-gop=1"}),
    "h264 one group": ("a.mkv", "libx264", {**X264, "g": "250", "x264-params": "b-pyramid=normal"}),
    "h264 transport stream": ("a.ts", "libx264", {**X264, "g": "20", "x264-params": "open-gop=1"}),
    "h264 intra refresh": ("a.mkv", "libx264", {"x264-params": "intra-refresh=1:keyint=20"}),
    "h264 no b": ("a.flv", "libx264", {"bf": "0", "g": "15"}),
    "h264 slices": ("a.mp4", "libx264", {**X264, "g": "40", "x264-params": "slices=4"}),
    "hevc open groups": ("a.mp4", "libx265", {"x265-params": X265 + "keyint=20:open-gop=1"}),
    "hevc closed groups": ("a.mkv", "libx265", {"x265-params": X265 + "keyint=15:open-gop=0"}),
    "hevc transport stream": ("a.ts", "libx265", {"x265-params": X265 + "keyint=20"}),
    "hevc layers": ("a.mp4", "libx265", {"x265-params": X265 + "keyint=40:temporal-layers=2"}),
    "mpeg4": ("a.mp4", "mpeg4", {"bf": "2", "g": "18"}),
    "mpeg4 in avi": ("a.avi", "mpeg4", {"bf": "2", "g": "18"}),
    "mpeg2": ("a.mpg", "mpeg2video", {"bf": "2", "g": "15"}),
    "mpeg2 transport stream": ("a.ts", "mpeg2video", {"bf": "2", "g": "12"}),
    "vp8": (
        "a.webm",
        "libvpx",
        {**VPX, "cpu-used": "4"},
    ),
    "vp9": (
        "a.webm",
        "libvpx-vp9",
        {**VPX, "cpu-used": "5"},
    ),
    "av1": ("a.mp4", "libsvtav1", {"preset": "12", "g": "32"}),
    "mjpeg": ("a.avi", "mjpeg", {}),
}


@pytest.mark.parametrize("kind", FILMS)
def test_same_frames(kind, film, tools):
    name, codec, options = FILMS[kind]
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = film(name, frames=100, codec=codec, options=options, pixel_format=pixel_format)
    decoder = get_decoder()
    for rate in (0.5, 1, 4):
        fast, _ = tools.split(decoder.read(path, Sampling(rate=rate)))
        exact, _ = tools.split(decoder.read(path, Sampling(rate=rate, exact=True)))
        assert [f.time for f in fast] == [f.time for f in exact]
        assert [f.start for f in fast] == [f.start for f in exact]
        assert fast[-1].end == pytest.approx(exact[-1].end)
        for one, two in zip(fast, exact, strict=True):
            apart = np.abs(one.pixels.astype(int) - two.pixels).mean()
            assert apart <= (1.0 if codec == "libx264" else 0.0)
        if kind != "h264 intra refresh":  # whose first pictures only build up
            times = [i / 30 for i in range(100)]
            expected = tools.rule(times, fast[-1].end, rate)
            assert [tools.number_of(f.pixels) for f in fast] == expected


def decoded_share(path, rate):
    """Return which share of the packets is decoded."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        planner = GroupPlanner(
            rate, lambda pts: float(pts * stream.time_base), context.name, context.extradata
        )
        steps, count, end = [], 0, 0.0
        for packet in container.demux(stream):
            if packet.size:
                count += 1
                end = max(end, float((packet.pts + packet.duration) * stream.time_base))
                steps += planner.feed(packet)
        steps += planner.finish(end)
    assert sum(s.decode is not None or s.skip is not None for s in steps) == count
    return sum(s.decode is not None for s in steps) / count


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("h264 one group", 0.75),
        ("h264 short groups", 0.45),
        ("hevc closed groups", 0.6),
        ("hevc transport stream", 0.85),
        ("hevc layers", 0.9),
        ("mpeg2", 0.4),
        ("mpeg4", 0.4),
        ("vp9", 0.8),
        ("av1", 0.8),
        ("mjpeg", 0.05),
    ],
)
def test_less_is_decoded(kind, most, film):
    name, codec, options = FILMS[kind]
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = film(name, frames=100, codec=codec, options=options, pixel_format=pixel_format)
    assert decoded_share(path, 1) <= most


def test_a_group_without_end_is_read_in_parts(film, tools, monkeypatch):
    monkeypatch.setattr("vcd.media.skipping._MAX_PACKETS", 7)
    path = film(frames=100, options={**X264, "g": "250"})
    frames, _ = tools.split(get_decoder().read(path, Sampling(rate=1)))
    assert [tools.number_of(f.pixels) for f in frames] == [15, 45, 75, 99]


def test_hidden_start(film, tools, tmp_path):
    """An edit list hides frames that must be decoded but not shown."""
    path = film("long.mp4", frames=90, options={**X264, "g": "60"})
    cut = tmp_path / "cut.mp4"
    with av.open(str(path)) as source, av.open(str(cut), "w") as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        shift = round(1.0 / stream.time_base)
        for packet in source.demux(stream):
            if packet.size:
                packet.pts -= shift
                packet.dts -= shift
                packet.stream = copy
                out.mux(packet)
    for exact in (False, True):
        recording = get_decoder().read(cut, Sampling(rate=1, exact=exact))
        frames, _ = tools.split(recording)
        assert [tools.number_of(f.pixels) for f in frames] == [45, 75]
        assert recording.duration == pytest.approx(2.0, abs=0.01)
