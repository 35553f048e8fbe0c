"""Descriptor files: what is refused and how it is said, and round trips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vcd.errors import EvaluationError, OutputError
from vcd_eval.descriptors import DescriptorTable, read_descriptors, write_descriptors

GOOD: dict[str, Any] = {
    "video_ids": np.array(["Q1", "Q2"]),
    "timestamps": np.array([0.0, 1.0]),
    "features": np.eye(2, dtype=np.float32),
}


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "d.npz"
    np.savez(path, **{k: v for k, v in (GOOD | changes).items() if v is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": None}, "no array features"),
        ({"video_ids": None, "timestamps": None}, "no array video_ids"),
        ({"video_ids": np.array(["Q1", 2], dtype=object)}, "video_ids cannot be read"),
        ({"video_ids": np.array([1.0, 2.0])}, "not text or whole numbers"),
        ({"video_ids": np.array(["Q1", ""])}, "row 2: video id '' does not begin with Q"),
        ({"video_ids": np.array(["Q1", "X2"])}, "row 2: video id 'X2' does not begin with Q"),
        ({"video_ids": np.array([b"Q1", b"\xff"])}, "not ASCII"),
        ({"video_ids": np.array("Q1")}, "video_ids are"),
        ({"timestamps": np.array([0.0])}, "2 video_ids, 1 timestamps and 2 features"),
        ({"timestamps": np.zeros((2, 3))}, r"timestamps must be \(n,\) or \(n, 2\)"),
        ({"timestamps": np.zeros(())}, r"timestamps must be \(n,\) or \(n, 2\), got \(\)"),
        ({"features": np.zeros(())}, r"features \(n, d\)"),
        ({"timestamps": np.array([0.0, np.nan])}, "row 2: timestamps holds a number"),
        ({"timestamps": np.array(["a", "b"])}, "not numbers"),
        ({"features": np.array([[0, 1], [np.inf, 0]])}, "row 2: features holds a number"),
        ({"features": np.array([[0, 1], [1e39, 0]])}, "row 2: features holds a number"),
        ({"features": np.zeros(2)}, r"features \(n, d\)"),
        ({"features": np.zeros((2, 2), complex)}, "not numbers"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, changes: Any, message: str) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(EvaluationError, match=message) as caught:
        read_descriptors(path, prefix="Q")
    assert caught.value.file == str(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"video_ids"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "d.npz"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match="not an archive"):
        read_descriptors(path)
    with pytest.raises(EvaluationError, match="cannot be read: No such file"):
        read_descriptors(tmp_path / "none.npz")


def test_numbers_as_ids_follow_the_mode(tmp_path: Path) -> None:
    path = write(tmp_path, video_ids=np.array([7, 100001]))
    assert read_descriptors(path, prefix="Q").video_ids.tolist() == ["Q000007", "Q100001"]
    assert read_descriptors(path).video_ids.tolist() == ["7", "100001"]


def test_the_challenge_wants_ids_to_ascend(tmp_path: Path) -> None:
    table = read_descriptors(write(tmp_path, video_ids=np.array(["Q2", "Q1"])))
    assert table.first_scattered() is None
    with pytest.raises(EvaluationError, match=r"d.npz: row 2: video id Q1 follows Q2"):
        table.check_order(file="d.npz")
    table.grouped().check_order()


def test_grouping_is_by_video_then_start() -> None:
    ids = ["b", "a", "b", "a"]
    table = DescriptorTable(ids, [3, 2, 1, 0], np.arange(4).reshape(4, 1))  # type: ignore[arg-type]
    assert table.first_scattered() == 2
    grouped = table.grouped()
    assert grouped.video_ids.tolist() == ["a", "a", "b", "b"]
    assert grouped.features.ravel().tolist() == [3, 1, 2, 0]
    assert grouped.first_scattered() is None


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
            st.floats(-1e6, 1e6) | st.floats(-1e6, 1e6, width=32) | st.just(1e300),
            st.floats(-(2.0**100), 2.0**100, width=32),
        )
    ),
    st.booleans(),
)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip(tmp_path: Path, rows: list[Any], spans: bool) -> None:
    starts = np.array([r[1] for r in rows], dtype=float)
    table = DescriptorTable(
        np.array([r[0] for r in rows], dtype=np.str_),
        np.stack([starts, starts + 1], axis=1) if spans else starts,
        np.array([[r[2], -r[2]] for r in rows], dtype=np.float32).reshape(-1, 2),
    )
    write_descriptors(tmp_path / "d.bin", table)
    back = read_descriptors(tmp_path / "d.bin")
    assert back.video_ids.tolist() == table.video_ids.tolist()
    assert (back.timestamps == table.timestamps).all()
    assert (back.features == table.features).all()


def test_times_are_written_short_where_nothing_is_lost(tmp_path: Path) -> None:
    for time, dtype in ((0.5, np.float32), (0.1, np.float64)):
        write_descriptors(tmp_path / "d.npz", DescriptorTable(["Q1"], [time], [[1]]))  # type: ignore[arg-type]
        with np.load(tmp_path / "d.npz") as archive:
            assert archive["timestamps"].dtype == dtype


def test_every_row_names_its_video() -> None:
    with pytest.raises(EvaluationError, match="row 2: video_id is empty"):
        DescriptorTable(["Q1", ""], [0, 1], [[1], [1]])  # type: ignore[arg-type]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    table = DescriptorTable(["Q1"], [0], [[1]])  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="cannot be written"):
        write_descriptors(tmp_path, table)
