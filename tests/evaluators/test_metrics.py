"""Each metric on a matrix worked out by hand, and the bounds that hold for all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cambrian.evaluators import metrics

NAN = np.nan
# Rows: after task 1, 2, 3. Task 1 peaks after task 2, so that maximum and diagonal differ.
MATRIX = np.array([[0.8, NAN, NAN], [0.9, 0.7, NAN], [0.5, 0.6, 1.0]])


def test_accuracy_counts_rows_whose_largest_score_is_at_the_label() -> None:
    scores = np.array([[0.1, 0.9], [2.0, -1.0], [0.0, 0.5], [3.0, 1.0]], dtype=np.float32)
    assert metrics.accuracy(scores, np.array([1, 0, 0, 1])) == 0.5


def test_average_accuracy_is_the_mean_of_the_last_row() -> None:
    assert metrics.average_accuracy(MATRIX) == pytest.approx((0.5 + 0.6 + 1.0) / 3)


def test_average_incremental_accuracy_is_the_mean_of_the_growing_means() -> None:
    expected = (0.8 + (0.9 + 0.7) / 2 + (0.5 + 0.6 + 1.0) / 3) / 3
    assert metrics.average_incremental_accuracy(MATRIX) == pytest.approx(expected)


def test_backward_transfer_compares_the_end_with_the_diagonal() -> None:
    assert metrics.backward_transfer(MATRIX) == pytest.approx(((0.5 - 0.8) + (0.6 - 0.7)) / 2)


def test_forgetting_compares_the_end_with_the_best_before_it() -> None:
    assert metrics.forgetting(MATRIX) == pytest.approx(((0.9 - 0.5) + (0.7 - 0.6)) / 2)


def test_forgetting_is_negative_where_old_tasks_got_better() -> None:
    better = np.array([[0.5, NAN], [0.8, 0.9]])
    assert metrics.forgetting(better) == pytest.approx(-0.3)


def test_one_task_cannot_be_forgotten() -> None:
    one = np.array([[0.4]])
    assert metrics.forgetting(one) == 0.0
    assert metrics.backward_transfer(one) == 0.0


def test_min_accuracy_looks_only_at_what_came_after_a_task_ended() -> None:
    probes = [
        (0, np.array([0.1])),  # still learning task 0: does not count
        (0, np.array([0.9])),
        (1, np.array([0.3, 0.0])),  # task 0 falls to 0.3; task 1 still being learned
        (1, np.array([0.8, 0.7])),
        (2, np.array([0.6, 0.2, 0.1])),
    ]
    assert metrics.min_accuracy(probes) == pytest.approx((0.3 + 0.2) / 2)


def test_min_accuracy_of_one_task_is_one() -> None:
    assert metrics.min_accuracy([(0, np.array([0.2]))]) == 1.0


@given(st.integers(2, 6).flatmap(lambda n: arrays(float, (n, n), elements=st.floats(0, 1))))
def test_metrics_stay_within_their_bounds(square: np.ndarray) -> None:
    matrix = np.where(np.tri(len(square), dtype=bool), square, NAN)
    assert 0 <= metrics.average_accuracy(matrix) <= 1
    assert 0 <= metrics.average_incremental_accuracy(matrix) <= 1
    assert -1 <= metrics.backward_transfer(matrix) <= 1
    assert -1 <= metrics.forgetting(matrix) <= 1
    # The best before the end is at least the diagonal, so forgetting is at least −BWT.
    assert metrics.forgetting(matrix) >= -metrics.backward_transfer(matrix) - 1e-12
