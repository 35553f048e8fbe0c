from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcd.errors import ContractError, MediaError, OutputError
from vcd.records import Match, Segment
from vcd.report import FORMATS, MediaView, PairView, make_writer, whole_file, write_results

LINE = (
    '{"query": "clip.mp4", "reference": "film.mp4", "score": 0.987654, "sure": null, '
    '"query_coverage": 0.65, "ref_coverage": 0.533333, "segments": [{"query_start": 2.5, '
    '"query_end": 12.5, "ref_start": 5.0, "ref_end": 15.0, "score": 0.987654, "speed": 1.0, '
    '"streams": ["visual", "audio"]}, {"query_start": 15.0, "query_end": 18.0, '
    '"ref_start": 20.0, "ref_end": 26.0, "score": 0.6, "speed": -2.0, "streams": ["audio"]}]}\n'
)
ERROR_LINE = '{"error": "is empty", "file": "a.mp4", "remedy": "remove it"}\n'
CSV = """\
query_id,ref_id,query_start,query_end,ref_start,ref_end,score
clip.mp4,film.mp4,2.500,12.500,5.000,15.000,0.987654
clip.mp4,film.mp4,15.000,18.000,20.000,26.000,0.600000
"""
FAILURE = MediaError("is empty", file="a.mp4", remedy="remove it")


def _written(name: str, *pairs: PairView, failures: tuple[MediaError, ...] = (), **options) -> str:
    stream = io.StringIO()
    with make_writer(name, stream, **options) as writer:
        for pair in pairs:
            writer.write_match(pair)
        for failure in failures:
            writer.write_error(failure)
    return stream.getvalue()


def test_json_lines_golden(make_pair) -> None:
    assert _written("jsonl", make_pair(), failures=(FAILURE,)) == LINE + ERROR_LINE


def test_json_lines_come_at_once(make_pair) -> None:
    stream = io.StringIO()
    writer = make_writer("jsonl", stream)
    writer.write_match(make_pair())
    assert stream.getvalue() == LINE


def test_what_needs_a_look_is_told(make_pair) -> None:
    sure, unsure = make_pair(sure_from=0.9), make_pair(sure_from=0.99)
    assert [json.loads(_written("jsonl", p))["sure"] for p in (sure, unsure)] == [True, False]
    table = _written("table", sure, width=200)
    assert "60 %?" in table
    assert "99 %?" not in table
    assert "? unsure" in table
    assert "?" not in _written("table", make_pair(), width=200)


def test_json_holds_the_same_objects(make_pair) -> None:
    both = json.loads(_written("json", make_pair(), failures=(FAILURE,)))
    assert both == {"matches": [json.loads(LINE)], "errors": [json.loads(ERROR_LINE)]}
    assert json.loads(_written("json")) == {"matches": [], "errors": []}


def test_csv_golden(make_pair) -> None:
    assert _written("csv", make_pair(), failures=(FAILURE,)) == CSV
    assert _written("csv") == CSV.splitlines(keepends=True)[0]


def test_an_error_without_a_file_is_null() -> None:
    line = _written("jsonl", failures=(MediaError("nothing given"),))
    assert json.loads(line) == {"error": "nothing given", "file": None, "remedy": ""}


@given(
    st.text(min_size=1, max_size=30),
    st.tuples(*[st.floats(0, 1e5)] * 4),
    st.floats(0, 1),
    st.floats(0, 1e5),
)
def test_json_round_trip(name: str, times: tuple[float, ...], score: float, length: float) -> None:
    q, r = sorted(times[:2]), sorted(times[2:])
    match = Match("q", "r", score, (Segment(*q, *r, score),))
    try:
        view = MediaView(name, length)
    except UnicodeEncodeError:  # a lone surrogate that no file name holds
        return
    text = _written("jsonl", PairView(match, view, view))
    assert text.count("\n") == 1
    record = json.loads(text)
    assert record["query"] == view.name
    assert record["segments"][0]["query_start"] == pytest.approx(q[0], abs=5.1e-4)
    assert record["segments"][0]["score"] == pytest.approx(score, abs=5.1e-7)
    assert 0 <= record["query_coverage"] <= 1


@pytest.mark.parametrize(
    "name",
    ["a,b.mp4", 'a"b.mp4', "a\nb.mp4", "<b>.mp4", "[red]a[/red].mp4", "a\udcff.mp4", ":car:"],
)
@pytest.mark.parametrize("fmt", FORMATS)
def test_hostile_names_stay_one_name(make_pair, name: str, fmt: str) -> None:
    shown = MediaView(name, 1).name
    text = _written(fmt, make_pair(query=name))
    text.encode()
    if fmt == "csv":
        assert list(csv.reader(io.StringIO(text)))[1][0] == shown
    elif fmt == "json":
        assert json.loads(text)["matches"][0]["query"] == shown
    elif fmt == "jsonl":
        assert json.loads(text)["query"] == shown
    elif fmt == "otio":
        assert json.loads(text)["name"] == shown
    else:
        assert shown in text


TABLE_80 = """\
query          reference  prob.     query time   reference time   speed  streams
────────────────────────────────────────────────────────────────────────────────
holid…nal.mp4  film.mp4    99 %  0:02.5–0:12.5    0:05.0–0:15.0   1.00×  both
                           60 %  0:15.0–0:18.0    0:20.0–0:26.0  -2.00×  sound
b.mp4          film.mp4    73 %  0:03.2–1:04.0  1:02:05–1:03:06   1.25×  picture
1 input failed
"""


def test_table_at_80_columns(make_pair) -> None:
    long = "holiday_in_the_mountains_with_everybody_2019_final.mp4"
    hour = (Segment(3.21, 63.96, 3725.0, 3785.75, 0.734, frozenset({"visual"}), 1.25),)
    text = _written(
        "table",
        make_pair(query=long),
        make_pair(query="b.mp4", segments=hour, durations=(100, 5000)),
        failures=(FAILURE,),
        width=80,
    )
    assert [line.rstrip() for line in text.splitlines()] == TABLE_80.splitlines()
    assert max(map(len, text.splitlines())) <= 80


def test_table_of_a_file_shortens_nothing(make_pair) -> None:
    long = "x" * 150 + ".mp4"
    assert long in _written("table", make_pair(query=long))


def test_a_narrow_terminal_keeps_the_numbers(make_pair) -> None:
    text = _written("table", make_pair(query="holiday_in_the_mountains.mp4"), width=40)
    assert "0:02.5–0:12.5" in text
    assert "both" in text


def test_nothing_found() -> None:
    assert _written("table") == "no copies found\n"
    assert _written("table", failures=(FAILURE,)) == "no copies found\n1 input failed\n"


def test_a_match_without_segments(make_pair) -> None:
    pair = make_pair(segments=(), score=0.7)
    assert "70 %" in _written("table", pair)
    assert json.loads(_written("jsonl", pair))["segments"] == []


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(ContractError, match=r"unknown format 'xml' .*table, jsonl, json, csv"):
        make_writer("xml", io.StringIO())


def test_results_in_a_file(tmp_path, make_pair) -> None:
    path = tmp_path / "out.csv"
    write_results(path, "csv", [make_pair()])
    assert path.read_bytes().decode() == CSV


def test_a_file_appears_whole_or_not_at_all(tmp_path) -> None:
    path = tmp_path / "out.jsonl"
    with pytest.raises(KeyboardInterrupt), whole_file(path) as stream:
        stream.write("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_an_output_error(tmp_path, make_pair) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_results(tmp_path / "missing" / "out.csv", "csv", [make_pair()])


def test_importing_the_room_is_light() -> None:
    code = (
        "import sys, vcd.report; "
        "print([m for m in ('matplotlib', 'av', 'rich', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
