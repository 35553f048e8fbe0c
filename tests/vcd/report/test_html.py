from __future__ import annotations

import re
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from vcd.errors import MediaError, OutputError
from vcd.records import Segment
from vcd.report import MediaView, RunReport, write_html
from vcd.report.cards import media_uri
from vcd.report.html import render_html

HOSTILE = "<img src=x onerror=alert(1)>\"'&</script><!--\n.webm"
JPEG = b"\xff\xd8 not really \xff\xd9"


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.found if name == tag]


def _parse(text: str) -> _Elements:
    parser = _Elements()
    parser.feed(text)
    parser.close()
    return parser


def _thumbnails(view, times):
    return [JPEG for _ in times]


def test_the_page_tells_of_the_run(tmp_path, make_pair) -> None:
    failure = MediaError("is <empty>", file="a&b.mp4", remedy="remove it")
    run = RunReport(
        [make_pair(score=0.6), make_pair("best.mp4", score=0.99)],
        queries=4,
        references=1,
        threshold=0.5,
        version="1.2.3",
        failures=(failure,),
        subject="suspects in library",
        finished=datetime(2025, 3, 4, 5, 6),
    )
    write_html(tmp_path / "page.html", run)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    for words in (
        "2 matches found",
        "queries",
        "<dt>reference</dt>",
        "50 %",
        "vcd 1.2.3",
        "suspects in library",
        "2025-03-04 05:06",
        "a&amp;b.mp4",
        "is &lt;empty&gt;",
        "remove it",
        "1 input could not be used",
    ):
        assert words in text
    cards = [a for a in _parse(text).all("details") if a.get("class") == "match"]
    assert [c["data-query"] for c in cards] == ["best.mp4", "clip.mp4"]
    assert ["open" in c for c in cards] == [True, False]


def test_nothing_found_is_said(tmp_path) -> None:
    text = render_html(RunReport((), 3, 5), tmp_path)
    assert "No copies found" in text
    assert 'id="toolbar"' not in text


def test_what_needs_a_look_has_a_badge(tmp_path, make_pair) -> None:
    def unsure(sure_from: float | None) -> int:
        pair = make_pair(sure_from=sure_from)
        return render_html(RunReport([pair], 1, 1), tmp_path).count("badge unsure")

    assert unsure(None) == 0
    assert unsure(0.9) == 1  # the second segment
    assert unsure(0.99) == 3  # the match, and both segments


def test_nothing_is_loaded_from_outside(tmp_path, make_pair) -> None:
    pair = make_pair(streams=("visual", "audio"), paths=(tmp_path / "q.mp4", None))
    text = render_html(RunReport([pair, pair], 1, 1), tmp_path, thumbnails=_thumbnails)
    elements = _parse(text)
    for _, attrs in elements.found:
        for name in ("src", "href", "poster"):
            assert (attrs.get(name) or "data:").startswith("data:"), attrs
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"https?://", text)
    assert "default-src 'none'" in str(elements.all("meta"))


def test_names_cannot_become_markup(tmp_path, make_pair) -> None:
    pair = make_pair(HOSTILE, HOSTILE, paths=(tmp_path / HOSTILE, tmp_path / HOSTILE))
    run = RunReport(
        [pair],
        1,
        1,
        subject=HOSTILE,
        version=HOSTILE,
        failures=(MediaError(HOSTILE, file=HOSTILE, remedy=HOSTILE),),
    )
    text = render_html(run, tmp_path, thumbnails=_thumbnails)
    clean = render_html(
        RunReport(
            [make_pair(paths=(tmp_path / "a", tmp_path / "b"))],
            1,
            1,
            subject="x",
            version="x",
            failures=(MediaError("x", file="x", remedy="x"),),
        ),
        tmp_path,
        thumbnails=_thumbnails,
    )
    assert [tag for tag, _ in _parse(text).found] == [tag for tag, _ in _parse(clean).found]
    shown = MediaView(HOSTILE, 1).name
    assert _parse(text).all("bdi")[0]["title"] == shown


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("a b.mp4", "a%20b.mp4"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("sub/50%#?.mp4", "sub/50%25%23%3F.mp4"),
        ("\udcff.mp4", "%FF.mp4"),
        ("../x.mp4", "../x.mp4"),
    ],
)
def test_a_file_is_one_relative_link(tmp_path, name: str, uri: str) -> None:
    assert media_uri(tmp_path / name, tmp_path) == uri


def test_three_thumbnails_a_side_and_segment(tmp_path, make_pair) -> None:
    asked = []

    def thumbnails(view, times):
        asked.append((view.name, [round(t, 3) for t in times]))
        return _thumbnails(view, times)

    pair = make_pair(paths=(Path("q.mp4"), Path("r.mp4")))
    text = render_html(RunReport([pair], 1, 1), tmp_path, thumbnails=thumbnails)
    assert asked == [
        ("clip.mp4", [2.5, 7.5, 12.4, 15, 16.5, 17.9]),
        ("film.mp4", [5, 10, 14.9, 25.9, 23, 20]),  # the second one backwards
    ]
    assert text.count("data:image/jpeg") == 12


def test_missing_thumbnails_do_not_lose_the_page(tmp_path, make_pair) -> None:
    def broken(view, times):
        if view.name == "clip.mp4":
            raise MediaError("cannot be read", file=view.name)
        return [b"" for _ in times]

    pair = make_pair(paths=(Path("q.mp4"), Path("r.mp4")))
    text = render_html(RunReport([pair], 1, 1), tmp_path, thumbnails=broken)
    assert "data:image/jpeg" not in text
    assert text.count('class="segment"') == 2


def test_many_segments_have_few_thumbnails(tmp_path, make_pair) -> None:
    segments = tuple(Segment(i, i + 1, i, i + 1, 0.5 + i / 100) for i in range(30))
    pair = make_pair(segments=segments, durations=(30, 30), paths=(Path("q"), Path("r")))
    text = render_html(RunReport([pair], 1, 1), tmp_path, thumbnails=_thumbnails)
    assert text.count("data:image/jpeg") == 8 * 6
    assert text.count('class="segment"') == 30


def test_a_large_run_stays_small(tmp_path, make_pair) -> None:
    pair = make_pair(streams=("visual", "audio"))
    text = render_html(RunReport((pair for _ in range(50)), 50, 1), tmp_path)
    assert len(text) / 50 < 25_000


def test_pairs_of_pictures_and_of_descriptors_only(tmp_path, make_pair) -> None:
    still = (Segment(0, 0, 3, 8, 0.5),)
    text = render_html(
        RunReport([make_pair(segments=still, durations=(0.0, 30.0))], 1, 1), tmp_path
    )
    assert "NaN" not in text
    assert 'class="players"' not in text
    assert 'class="play"' not in text


def test_an_unwritable_place_is_an_output_error(tmp_path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_html(tmp_path / "missing" / "page.html", RunReport((), 0, 0))
