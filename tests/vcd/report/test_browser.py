"""The page in a real browser, with two small videos that it can play."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vcd.errors import MediaError
from vcd.records import Segment
from vcd.report import RunReport, write_html

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>.webm"
BOTH = frozenset({"visual", "audio"})
CLOCKS = """
const card = document.querySelector("details.match[open]");
return [card.dataset.state,
        ...[...card.querySelectorAll("video")].map((v) => [v.currentTime, v.paused, v.muted])];
"""


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest, videos: tuple[Path, Path]) -> Any:
    # Started behind the videos: while they are written, it would compete for the processor.
    return request.getfixturevalue("chromium")


def _write_video(path: Path, seconds: float, shift: float) -> None:
    """Write a bright bar that walks over a dark picture: VP8, 20 frames a second."""
    with av.open(str(path), "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=20)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 20)
        stream.options = {"deadline": "realtime", "cpu-used": "8"}
        stream.codec_context.gop_size = 10
        for i in range(round(seconds * 20)):
            pixels = np.full((48, 64, 3), 40, np.uint8)
            at = int((i / 20 + shift) * 8) % 56
            pixels[:, at : at + 8] = (230, 160, 60)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 20)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("videos")
    query, reference = folder / HOSTILE, folder / "réf #1.webm"
    _write_video(query, 8, 2)
    _write_video(reference, 12, 0)
    return query, reference


@pytest.fixture
def open_page(browser, tmp_path) -> Callable[..., Any]:
    def open_(*pairs) -> Any:
        failures = (MediaError("is empty", file="a.mp4", remedy="remove it"),)
        run = RunReport(pairs, 2, 1, 0.5, "0.0", failures, HOSTILE)
        write_html(tmp_path / "page.html", run)
        browser.get_log("browser")
        browser.get((tmp_path / "page.html").as_uri())
        return browser

    return open_


@pytest.fixture
def video_pair(make_pair, videos):
    def make(speed: float = 1.0):
        segments = (
            Segment(1.0, 6.0, 3.0, 8.0, 0.97, BOTH, speed),
            Segment(6.5, 7.5, 10.0, 11.0, 0.6, frozenset({"visual"})),
        )
        names = (videos[0].name, videos[1].name)
        return make_pair(*names, segments, (8.0, 12.0), paths=videos, streams=("visual", "audio"))

    return make


def _wait(condition: Callable[[], Any], seconds: float = 40) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError("did not happen in time")


def _errors(browser: Any) -> list[str]:
    return [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]


def test_cards_filter_and_sort(open_page, make_pair, video_pair) -> None:
    heard = (Segment(0, 5, 0, 5, 0.55, frozenset({"audio"})),)
    page = open_page(
        video_pair(), make_pair("zebra.mp4", segments=heard), make_pair("Ant.mp4", score=0.8)
    )

    def shown() -> list[str]:
        return page.execute_script(
            "return [...document.querySelectorAll('details.match:not([hidden])')]"
            ".map((m) => m.dataset.query)"
        )

    def set_(name: str, value: str) -> None:
        page.execute_script(
            "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
            "for (const kind of ['input', 'change'])"
            "  e.dispatchEvent(new Event(kind, {bubbles: true}));",
            name,
            value,
        )

    assert shown() == [HOSTILE, "Ant.mp4", "zebra.mp4"]
    set_("sort", "query")
    assert shown()[-1] == "zebra.mp4"
    set_("filter-text", "ZEB film")
    assert shown() == ["zebra.mp4"]
    set_("filter-text", "")
    set_("filter-stream", "visual")
    assert "zebra.mp4" not in shown()
    set_("filter-stream", "")
    set_("filter-score", "90")
    assert shown() == [HOSTILE]
    assert page.find_element("id", "count").text == "1 of 3"
    set_("filter-score", "99")
    assert page.find_element("id", "none-left").is_displayed()
    assert _errors(page) == []


def test_a_hostile_name_is_only_a_name(open_page, video_pair) -> None:
    page = open_page(video_pair())
    shown = page.find_elements("css selector", ".player .name")[0].text
    assert shown.replace("\n", "") == HOSTILE
    assert page.execute_script("return document.querySelectorAll('img').length") == 0
    _wait(lambda: page.execute_script("return document.querySelector('video').readyState") >= 1)
    assert _errors(page) == []


def test_playing_in_step(open_page, video_pair) -> None:
    page = open_page(video_pair())
    page.find_element("css selector", "button.play").click()
    _wait(lambda: page.execute_script(CLOCKS)[0] == "playing")
    seen: list[tuple[float, float]] = []

    def done() -> bool:
        state, query, reference = page.execute_script(CLOCKS)
        if state == "playing":
            assert not query[2]
            assert reference[2]
            seen.append((query[0], reference[0]))
        return state == "finished"

    _wait(done)
    assert len(seen) > 2
    assert seen[-1][0] > seen[0][0]
    assert seen[-1][1] > seen[0][1]
    second_half = seen[len(seen) // 2 :]
    apart = [reference - query - 2.0 for query, reference in second_half]
    assert sorted(map(abs, apart))[len(apart) // 2] < 0.2, json.dumps(seen)
    _, query, reference = page.execute_script(CLOCKS)
    assert query[1]
    assert reference[1]
    assert _errors(page) == []


def test_playing_a_reversed_segment_steps_the_reference_back(open_page, video_pair) -> None:
    page = open_page(video_pair(speed=-1.0))
    page.find_element("css selector", "button.play").click()
    seen: list[float] = []

    def done() -> bool:
        state, _, (at, paused, _) = page.execute_script(CLOCKS)
        assert paused
        if state != "loading":
            seen.append(at)
        return state == "finished"

    _wait(done)
    assert seen[-1] < 7.0
    assert seen == sorted(seen, reverse=True)
    assert _errors(page) == []


def test_playing_can_be_stopped(open_page, video_pair) -> None:
    page = open_page(video_pair())
    states = page.execute_script(
        "const card = document.querySelector('details.match[open]');"
        "return ['button.play', 'button.stop'].map((name) => {"
        "  card.querySelector(name).click(); return card.dataset.state; });"
    )
    assert states == ["loading", "stopped"]
    assert page.execute_script(CLOCKS)[1][1]


def test_a_file_that_cannot_be_played_leaves_a_quiet_line(open_page, make_pair, tmp_path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    page = open_page(make_pair(paths=(broken, None)))
    note = "This browser cannot play this file."
    _wait(lambda: page.find_element("css selector", ".player .note").text == note)
    assert not page.find_element("css selector", "button.play").is_displayed()


def test_the_page_fits_a_narrow_window(open_page, video_pair, make_pair) -> None:
    page = open_page(video_pair(), make_pair("x" * 200 + ".mp4", "y" * 200 + ".mp4"))
    size = {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
        outside = page.execute_script(
            "return [...document.querySelectorAll('main .card *')]"
            ".filter((e) => !e.closest('.names, .name'))"
            ".filter((e) => e.getBoundingClientRect().right > 400).map((e) => e.outerHTML)"
        )
        width = page.execute_script("return document.documentElement.scrollWidth")
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width <= 400
    assert outside == []
