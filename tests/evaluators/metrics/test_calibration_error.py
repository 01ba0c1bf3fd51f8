"""ECE by hand, and what a record of predictions holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.evaluators import metrics


def test_accuracy_counts_rows_whose_largest_score_is_at_the_label() -> None:
    scores = np.array([[0.1, 0.9], [2.0, -1.0], [0.0, 0.5], [3.0, 1.0]], dtype=np.float32)
    assert metrics.accuracy(scores, np.array([1, 0, 0, 1])) == 0.5


def test_calibration_error_weighs_the_gap_of_each_bin() -> None:
    # Ten bins. (0.8, 0.9]: confidences .9 .9, one right: gap .4. (0.5, 0.6]: .6, right: gap .4.
    found = metrics.calibration_error([0.9, 0.9, 0.6], [True, False, True], bins=10)
    assert found == pytest.approx((2 * 0.4 + 0.4) / 3)


def test_a_bin_holds_its_upper_edge() -> None:
    """0.5 belongs to (0, 0.5], with 0.1; their gaps cancel within the bin."""
    assert metrics.calibration_error([0.5, 0.1], [False, True], bins=2) == pytest.approx(0.4 / 2)


def test_confident_and_right_is_perfectly_calibrated() -> None:
    assert metrics.calibration_error([1.0, 1.0, 0.0], [True, True, False]) == 0.0


@pytest.mark.parametrize(
    ("confidence", "right"), [([], []), ([0.5], [True, False]), ([1.5], [True]), ([np.nan], [True])]
)
def test_what_is_no_confidence_is_refused(confidence: list[float], right: list[bool]) -> None:
    with pytest.raises(ValueError, match="expected"):
        metrics.calibration_error(confidence, right)


def test_confidence_is_the_largest_softmax_probability_of_logits_or_log_probabilities() -> None:
    logits = np.array([[0.0, np.log(3)], [1000.0, 1000.0]], dtype=np.float32)
    assert metrics.confidences(logits) == pytest.approx([0.75, 0.5], abs=1e-3)
    log_probabilities = np.log(np.array([[0.25, 0.75]], dtype=np.float32))
    assert metrics.confidences(log_probabilities) == pytest.approx([0.75], abs=1e-3)


def test_labels_take_one_byte_where_they_can() -> None:
    few, many = np.eye(3, 10, dtype=np.float32), np.eye(3, 300, dtype=np.float32)
    assert metrics.predicted_labels(few).dtype == np.uint8
    assert metrics.predicted_labels(many).dtype == np.uint16
    assert metrics.predicted_labels(many).tolist() == [0, 1, 2]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_calibration_error_is_a_share_and_blind_to_order(pairs: list[tuple[float, bool]]) -> None:
    confidence, right = zip(*pairs, strict=True)
    found = metrics.calibration_error(confidence, right)
    assert 0 <= found <= 1
    assert metrics.calibration_error(confidence[::-1], right[::-1]) == pytest.approx(found)
    # Bins can only hide gaps: one bin is the least that can be seen.
    assert found >= abs(np.mean(confidence) - np.mean(right)) - 1e-9
