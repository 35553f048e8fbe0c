from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from vcd.report.wording import clock, percent, shorten


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0:00.0"),
        (59.94, "0:59.9"),
        (59.96, "1:00.0"),
        (3599.94, "59:59.9"),
        (3599.96, "1:00:00"),
        (7325.4, "2:02:05"),
    ],
)
def test_clock(seconds: float, words: str) -> None:
    assert clock(seconds) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (0.004, "<1 %"), (0.5, "50 %"), (0.9951, ">99 %"), (1, "100 %")],
)
def test_percent(share: float, words: str) -> None:
    assert percent(share) == words


@given(st.text(max_size=60), st.integers(1, 60))
def test_a_shortened_name_fits_and_keeps_both_ends(text: str, width: int) -> None:
    short = shorten(text, width, cell_len)
    assert cell_len(short) <= width
    head, _, tail = short.rpartition("…")
    assert short == text or (text.startswith(head) and text.endswith(tail))
