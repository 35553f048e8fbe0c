"""The page of a haystack run in a real browser: everything is drawn, and no name is markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vcd.media.isolation import isolated_thumbnail
from vcd.media.thumbnails import encode_jpeg
from vcd.sources import Source
from vcd_eval.formats import Labels, PairTable, SegmentTable
from vcd_eval.haystack import Haystack, HaystackRun
from vcd_eval.haystack_metrics import haystack_metrics
from vcd_eval.haystack_page import render_page

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>"
LOADED = "return [...document.images].map((i) => [i.alt, i.naturalWidth > 0])"


@pytest.fixture
def page(chromium: Any, tmp_path: Path) -> Any:
    """Return the browser, looking at a run with a hit, a miss and a false alarm."""
    pytest.importorskip("matplotlib")
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(encode_jpeg(np.full((48, 64, 3), 90, np.uint8), 80))
    truth = SegmentTable(["Q1", HOSTILE], ["R1", "R2"], [[0, 5], [1, 9]], [[2, 7], [0, 8]])
    labels = Labels(
        truth,
        np.array([True, True]),
        np.array([False, True]),
        [("crop",), (HOSTILE,)],
        np.ones(2),
    )
    found = SegmentTable(["Q1", "Q1"], ["R1", "R2"], [[0, 5], [6, 9]], [[2, 7], [0, 3]], [0.9, 0.8])
    nothing = PairTable([], [], np.zeros(0))
    run = HaystackRun(
        predictions={"any": found, "visual": found},
        candidates={"visual": nothing, "audio": nothing},
        queries={name: Source(name, name, picture) for name in ("Q1", HOSTILE)},
        references={name: Source(name, name, picture) for name in ("R1", "R2")},
        cost={
            "describe_cpu_s_per_video_minute": 1.0,
            "match_cpu_ms_per_pair": float("nan"),
            "peak_rss_mb": 100.0,
        },
        thumbnails=isolated_thumbnail,
    )
    haystack = Haystack(tmp_path, labels, labelled=True)
    metrics = haystack_metrics(haystack, run, threshold=0.5, draws=5)
    written = tmp_path / "report.html"
    written.write_text(render_page(haystack, run, metrics, version="0"), encoding="utf-8")
    chromium.get_log("browser")
    chromium.get(written.as_uri())
    return chromium


def test_everything_is_drawn_and_no_name_is_markup(page: Any) -> None:
    images = dict(page.execute_script(LOADED))
    assert len(images) == 4  # three plots, and all thumbnails, which have no words
    assert all(images.values())
    assert len(page.execute_script(LOADED)) == 3 + 8
    text = page.execute_script("return document.body.innerText")
    assert "1 of 2 rows" in text
    assert HOSTILE in text
    assert "0.80" in text
    assert [e for e in page.get_log("browser") if e["level"] == "SEVERE"] == []


def test_the_page_fits_a_narrow_window(page: Any) -> None:
    size = page.get_window_size()
    try:
        page.set_window_size(520, 900)
        widths = page.execute_script(
            "return [document.documentElement.scrollWidth, window.innerWidth]"
        )
    finally:
        page.set_window_size(size["width"], size["height"])
    assert widths[0] <= widths[1]
