"""Hits, bounds, calibration and false alarms, on cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcd.errors import EvaluationError
from vcd_eval.formats import Labels, SegmentTable
from vcd_eval.measures import (
    boundary_errors,
    calibration_error,
    closeness,
    false_alarm_pairs,
    find_hits,
    has_edit,
    reliability,
    segment_uap,
    without_other_rows,
)


def table(*rows, scores=None):
    return SegmentTable(
        query_ids=[row[0] for row in rows],
        ref_ids=[row[1] for row in rows],
        query_times=np.array([row[2:4] for row in rows], float).reshape(-1, 2),
        ref_times=np.array([row[4:6] for row in rows], float).reshape(-1, 2),
        scores=None if scores is None else np.array(scores, float),
    )


TRUTH = table(("q1", "a", 0, 10, 20, 30), ("q1", "a", 12, 20, 0, 8), ("q2", "b", 5, 9, 5, 9))
TRUTH_FOUND = SegmentTable(
    TRUTH.query_ids, TRUTH.ref_ids, TRUTH.query_times, TRUTH.ref_times, np.array([0.9, 0.8, 0.7])
)


def test_closeness_of_boxes():
    near = closeness([[0, 10, 20, 30]], [[0, 10, 20, 30], [5, 15, 25, 35], [40, 50, 0, 10]])
    # Halves shared on both axes: 25 of 15 * 15.
    assert near[0].tolist() == pytest.approx([1, (25 / 225) ** 0.5, 0])


def test_boxes_without_area_are_nothing():
    assert closeness([[1, 1, 2, 2]], [[1, 1, 2, 2]])[0, 0] == 0


box = st.tuples(*[st.floats(0, 100)] * 4).map(
    lambda v: [min(v[0], v[1]), max(v[0], v[1]), min(v[2], v[3]), max(v[2], v[3])]
)


@given(box, box)
def test_closeness_is_symmetric_and_bounded(first, second):
    there, back = closeness([first], [second])[0, 0], closeness([second], [first])[0, 0]
    assert there == back
    assert 0 <= there <= 1


def test_each_prediction_hits_the_closest_row_of_its_pair():
    predictions = table(
        ("q1", "a", 1, 10, 21, 30),
        ("q1", "a", 12, 19, 0, 7),
        ("q1", "b", 0, 10, 20, 30),
        ("q2", "b", 50, 60, 50, 60),
    )
    hits = find_hits(TRUTH, predictions)
    assert hits.row.tolist() == [0, 1, -1, -1]
    assert hits.found.tolist() == [True, True, False]


def test_bounds_are_measured_where_a_prediction_hits():
    predictions = table(("q1", "a", 1, 10.5, 21, 30), ("q9", "z", 0, 5, 0, 5))
    assert boundary_errors(TRUTH, predictions).tolist() == [[1, 0.5, 1, 0]]
    assert boundary_errors(TRUTH, table()).shape == (0, 4)


def test_false_alarms_are_counted_by_pair():
    predictions = table(
        ("q1", "b", 0, 5, 0, 5), ("q1", "b", 9, 12, 9, 12), ("q1", "a", 90, 95, 0, 5)
    )
    assert false_alarm_pairs(TRUTH, predictions) == 1


def test_micro_ap_of_nothing_that_could_be_covered_is_undefined():
    assert np.isnan(segment_uap(table(), table()))
    assert np.isnan(segment_uap(table(("q1", "a", 0, 0, 5, 9)), table()))
    assert segment_uap(TRUTH, TRUTH_FOUND) == pytest.approx(1)


def test_what_tells_of_other_rows_does_not_count_against_an_edit():
    labels = Labels(
        TRUTH,
        visual=np.ones(3, np.bool_),
        audio=np.ones(3, np.bool_),
        edits=[("crop",), ("speed",), ("crop", "blur")],
        speed=np.ones(3),
    )
    false_alarm = table(("q9", "z", 0, 5, 0, 5))
    for edit, expected in (("crop", [0, 2]), ("speed", [1]), ("blur", [2])):
        has = has_edit(labels, edit)
        assert np.flatnonzero(has).tolist() == expected
        left = without_other_rows(TRUTH, has, TRUTH_FOUND)
        assert len(left) == len(expected)
        assert segment_uap(TRUTH.take(has), left) == pytest.approx(1)
        assert len(without_other_rows(TRUTH, has, false_alarm)) == 1


def test_calibration_of_an_honest_and_a_boastful_source():
    scores = np.repeat([0.25, 0.75], 4)
    honest = [0, 0, 0, 1, 1, 1, 1, 0]
    assert calibration_error(scores, honest) == pytest.approx(0)
    assert calibration_error(scores, np.zeros(8)) == pytest.approx(0.5)
    assert reliability(scores, honest).tolist() == [[0.25, 0.25, 4], [0.75, 0.75, 4]]


def test_a_probability_of_one_falls_into_the_last_bin():
    assert reliability([1.0, 0.95], [True, True]).tolist() == [[0.975, 1, 2]]


def test_calibration_of_nothing_is_undefined():
    assert np.isnan(calibration_error([], []))


@pytest.mark.parametrize(("scores", "right"), [([0.1, 0.2], [True]), ([1.5], [True])])
def test_what_is_no_probability_is_refused(scores, right):
    with pytest.raises(EvaluationError):
        calibration_error(scores, right)
