"""Dormant units, ranks and weights, on arrays whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cambrian.evaluators import metrics

tables = arrays(float, (5, 4), elements=st.floats(-10, 10).map(lambda v: round(v, 3)))


def test_a_unit_is_dormant_by_its_share_of_its_layers_activity() -> None:
    # Mean |h|: 0, 0.1, 1, 2.9 (mean 1): scores 0, 0.1, 1, 2.9.
    layer = np.array([[0.0, 0.1, -1.0, 2.9], [0.0, -0.1, 1.0, -2.9]])
    assert metrics.dormant_share([layer]) == 1 / 4
    assert metrics.dormant_share([layer], tau=0.1) == 2 / 4
    # Over all layers units are counted, not layers averaged.
    busy = np.ones((3, 12))
    assert metrics.dormant_share([layer, busy]) == 1 / 16


def test_a_silent_layer_is_dormant_throughout() -> None:
    assert metrics.dormant_share([np.zeros((4, 3))]) == 1.0


def test_ranks_of_an_isotropic_matrix_are_all_its_dimension() -> None:
    eye = np.eye(4)
    assert metrics.effective_rank(eye) == pytest.approx(4)
    assert metrics.stable_rank(eye) == pytest.approx(4)
    assert metrics.srank(eye) == metrics.approximate_rank(eye) == 4


def test_ranks_differ_where_singular_values_do() -> None:
    """σ = 8, 1, 1: shares .8, .1, .1; squares 64, 1, 1."""
    table = np.diag([8.0, 1.0, 1.0])
    entropy = -(0.8 * np.log(0.8) + 2 * 0.1 * np.log(0.1))
    assert metrics.effective_rank(table) == pytest.approx(np.exp(entropy))
    assert metrics.stable_rank(table) == pytest.approx(66 / 64)
    assert metrics.srank(table) == 3
    assert metrics.srank(table, delta=0.1) == 2
    assert metrics.approximate_rank(table, share=0.96) == 1
    assert metrics.approximate_rank(table) == 3


def test_zeros_have_no_rank() -> None:
    zeros = np.zeros((3, 2))
    assert metrics.effective_rank(zeros) == metrics.stable_rank(zeros) == 0.0
    assert metrics.srank(zeros) == metrics.approximate_rank(zeros) == 0


def test_weights_are_taken_together() -> None:
    weights = [np.array([[3.0, -1.0]]), np.array([0.0, -4.0])]
    assert metrics.weight_magnitude(weights) == 2.0
    assert metrics.weight_norm(weights) == pytest.approx(np.sqrt(9 + 1 + 16))


def test_the_newest_tasks_slope_is_the_least_squares_line() -> None:
    assert metrics.newest_task_slope([0.9, 0.8, 0.7]) == pytest.approx(-0.1)
    assert metrics.newest_task_slope([0.5]) == 0.0
    values = [0.3, 0.8, 0.1, 0.6]
    assert metrics.newest_task_slope(values) == pytest.approx(np.polyfit(range(4), values, 1)[0])


@pytest.mark.parametrize("values", [[], [0.1, np.nan], [[0.1, 0.2]]])
def test_no_slope_of_what_is_no_series(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        metrics.newest_task_slope(values)


@given(tables.filter(lambda t: np.abs(t).max() > 0.01), st.floats(0.1, 100))
def test_ranks_are_bounded_by_the_rank_and_blind_to_scale(table: np.ndarray, scale: float) -> None:
    rank = np.linalg.matrix_rank(table)
    for measure in (metrics.effective_rank, metrics.stable_rank):
        assert 1 - 1e-9 <= measure(table) <= min(rank, 4) + 1e-6
        assert measure(table * scale) == pytest.approx(measure(table), rel=1e-6)
    assert 1 <= metrics.approximate_rank(table) <= metrics.srank(table) <= 4
