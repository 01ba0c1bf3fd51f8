"""Each metric of an accuracy matrix, worked out by hand; and the bounds that hold for all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cambrian.evaluators import metrics

NAN = np.nan
# Rows: after task 1, 2, 3. Task 1 peaks after task 2, so that maximum and diagonal differ.
MATRIX = np.array([[0.8, NAN, NAN], [0.9, 0.7, NAN], [0.5, 0.6, 1.0]])
# The same with accuracies on tasks to come.
WHOLE = np.array([[0.8, 0.3, 0.2], [0.9, 0.7, 0.4], [0.5, 0.6, 1.0]])
UNTRAINED = np.array([0.1, 0.2, 0.1])
JOINT = np.array([0.8, 0.9, 0.9])

squares = st.integers(1, 6).flatmap(lambda n: arrays(float, (n, n), elements=st.floats(0, 1)))


def test_average_accuracy_is_the_mean_of_the_last_row() -> None:
    assert metrics.average_accuracy(MATRIX) == pytest.approx((0.5 + 0.6 + 1.0) / 3)


def test_average_incremental_accuracy_is_the_mean_of_the_growing_means() -> None:
    expected = (0.8 + (0.9 + 0.7) / 2 + (0.5 + 0.6 + 1.0) / 3) / 3
    assert metrics.average_incremental_accuracy(MATRIX) == pytest.approx(expected)


def test_the_sample_weighted_cousin_weighs_large_tasks_more() -> None:
    seen = (0.8, (0.9 * 10 + 0.7 * 30) / 40, (0.5 * 10 + 0.6 * 30 + 1.0 * 60) / 100)
    found = metrics.sample_weighted_incremental_accuracy(MATRIX, [10, 30, 60])
    assert found == pytest.approx(sum(seen) / 3)


def test_backward_transfer_compares_the_end_with_the_diagonal() -> None:
    assert metrics.backward_transfer(MATRIX) == pytest.approx(((0.5 - 0.8) + (0.6 - 0.7)) / 2)


def test_forward_transfer_compares_just_before_a_task_with_no_training_at_all() -> None:
    expected = ((0.3 - 0.2) + (0.4 - 0.1)) / 2
    assert metrics.forward_transfer(WHOLE, UNTRAINED) == pytest.approx(expected)


def test_forgetting_compares_the_end_with_the_best_before_it() -> None:
    assert metrics.forgetting(MATRIX) == pytest.approx(((0.9 - 0.5) + (0.7 - 0.6)) / 2)


def test_forgetting_is_negative_where_old_tasks_got_better() -> None:
    better = np.array([[0.5, NAN], [0.8, 0.9]])
    assert metrics.forgetting(better) == pytest.approx(-0.3)


def test_intransigence_compares_the_diagonal_with_joint_training() -> None:
    assert metrics.intransigence(MATRIX, JOINT) == pytest.approx(0.9 - 1.0)
    assert metrics.intransigence(MATRIX, JOINT, task=1) == pytest.approx(0.9 - 0.7)
    assert metrics.mean_intransigence(MATRIX, JOINT) == pytest.approx((0.0 + 0.2 - 0.1) / 3)


def test_diaz_rodriguez_has_figures_of_its_own() -> None:
    accuracy = (0.8 + 0.9 + 0.7 + 0.5 + 0.6 + 1.0) / 6
    backward = ((0.9 - 0.8) + (0.5 - 0.8) + (0.6 - 0.7)) / 3
    forward = (0.3 + 0.2 + 0.4) / 3
    assert metrics.diaz_rodriguez_accuracy(MATRIX) == pytest.approx(accuracy)
    assert metrics.diaz_rodriguez_backward_transfer(MATRIX) == pytest.approx(backward)
    assert metrics.diaz_rodriguez_forward_transfer(WHOLE) == pytest.approx(forward)
    assert metrics.backward_transfer(MATRIX) != pytest.approx(backward)


def test_learning_curve_area_counts_the_accuracy_before_the_first_batch() -> None:
    curves = [[0.1, 0.5, 0.9, 0.9], [0.3, 0.5, 0.7, 0.7]]
    assert metrics.learning_curve_area(curves, 2) == pytest.approx((0.2 + 0.5 + 0.8) / 3)
    assert metrics.learning_curve_area(curves) == pytest.approx((0.2 + 0.5 + 0.8 + 0.8) / 4)
    assert metrics.learning_curve_area(curves, 0) == pytest.approx(0.2)


def test_one_task_cannot_be_forgotten_or_transferred_to() -> None:
    one = np.array([[0.4]])
    assert metrics.forgetting(one) == 0.0
    assert metrics.backward_transfer(one) == 0.0
    assert metrics.forward_transfer(one, [0.1]) == 0.0
    assert metrics.diaz_rodriguez_backward_transfer(one) == 0.0
    assert metrics.diaz_rodriguez_forward_transfer(one) == 0.0


@pytest.mark.parametrize(
    "metric",
    [
        metrics.average_accuracy,
        metrics.average_incremental_accuracy,
        metrics.backward_transfer,
        metrics.forgetting,
        metrics.diaz_rodriguez_accuracy,
        metrics.diaz_rodriguez_backward_transfer,
    ],
)
@pytest.mark.parametrize("entry", [(0, 0), (2, 0), (2, 2)])
def test_what_was_not_measured_never_passes_for_a_number(
    metric: Callable[[np.ndarray], float], entry: tuple[int, int]
) -> None:
    """Either the metric does not look at the entry, or it refuses it."""
    holed = MATRIX.copy()
    holed[entry] = NAN
    with contextlib.suppress(ValueError):
        assert metric(holed) == metric(MATRIX)


def test_forward_transfer_of_a_lower_triangle_is_refused() -> None:
    with pytest.raises(ValueError, match="to be measured"):
        metrics.forward_transfer(MATRIX, UNTRAINED)
    with pytest.raises(ValueError, match="untrained"):
        metrics.forward_transfer(WHOLE, [0.1])


@pytest.mark.parametrize("shape", [(0, 0), (2, 3), (4,)])
def test_what_is_no_square_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="square"):
        metrics.average_accuracy(np.zeros(shape))


@given(squares)
def test_metrics_stay_within_their_bounds(square: np.ndarray) -> None:
    matrix = np.where(np.tri(len(square), dtype=bool), square, NAN)
    for share in (
        metrics.average_accuracy(matrix),
        metrics.average_incremental_accuracy(matrix),
        metrics.diaz_rodriguez_accuracy(matrix),
        metrics.diaz_rodriguez_forward_transfer(square),
    ):
        assert -1e-12 <= share <= 1 + 1e-12
    for difference in (
        metrics.backward_transfer(matrix),
        metrics.forgetting(matrix),
        metrics.diaz_rodriguez_backward_transfer(matrix),
        metrics.forward_transfer(square, np.full(len(square), 0.5)),
        metrics.mean_intransigence(matrix, np.full(len(square), 0.5)),
    ):
        assert -1 - 1e-12 <= difference <= 1 + 1e-12
    # The best before the end is at least the diagonal, so forgetting is at least −BWT.
    assert metrics.forgetting(matrix) >= -metrics.backward_transfer(matrix) - 1e-12


@given(squares, st.floats(-1, 1))
def test_a_constant_added_to_every_accuracy_leaves_differences_alone(
    square: np.ndarray, shift: float
) -> None:
    for metric in (
        metrics.backward_transfer,
        metrics.forgetting,
        metrics.diaz_rodriguez_backward_transfer,
    ):
        assert metric(square + shift) == pytest.approx(metric(square), abs=1e-9)
    assert metrics.average_accuracy(square + shift) == pytest.approx(
        metrics.average_accuracy(square) + shift, abs=1e-9
    )


@given(squares, st.integers(1, 1000))
def test_equal_tasks_make_the_sample_weighted_cousin_equal(square: np.ndarray, count: int) -> None:
    weighted = metrics.sample_weighted_incremental_accuracy(square, [count] * len(square))
    assert weighted == pytest.approx(metrics.average_incremental_accuracy(square))
