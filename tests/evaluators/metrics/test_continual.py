"""Evaluation while learning, on series short enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.evaluators import metrics

PROBES = [
    (0, np.array([0.1])),  # still learning task 0: does not count for its minimum
    (0, np.array([0.9])),
    (1, np.array([0.3, 0.0])),  # task 0 falls to 0.3; task 1 still being learned
    (1, np.array([0.8, 0.7])),
    (2, np.array([0.6, 0.2, 0.1])),
    (2, np.array([0.7, 0.6, 0.9])),
]


def one_task(values: list[float]) -> list[tuple[int, np.ndarray]]:
    return [(0, np.array([value])) for value in values]


def test_min_accuracy_looks_only_at_what_came_after_a_task_ended() -> None:
    assert metrics.min_accuracy(PROBES) == pytest.approx((0.3 + 0.2) / 2)


def test_min_accuracy_of_one_task_is_one() -> None:
    assert metrics.min_accuracy([(0, np.array([0.2]))]) == 1.0


def test_worst_case_accuracy_weighs_the_present_task_against_the_worst_of_the_past() -> None:
    expected = 0.9 / 3 + (1 - 1 / 3) * (0.3 + 0.2) / 2
    assert metrics.worst_case_accuracy(PROBES) == pytest.approx(expected)
    assert metrics.worst_case_accuracy(PROBES[:2]) == pytest.approx(0.9)


def test_windowed_forgetting_is_the_largest_drop_within_the_window() -> None:
    # Task 0 drops 0.6 in a row; task 1 drops 0.5 (0.7 → 0.2); task 2 only gains.
    expected = (0.6 + 0.5 + (0.1 - 0.9)) / 3
    assert metrics.windowed_forgetting(PROBES, 2) == pytest.approx(expected)


def test_a_wider_window_sees_a_slow_decline() -> None:
    slow = one_task([0.9, 0.8, 0.7, 0.6])
    assert metrics.windowed_forgetting(slow, 2) == pytest.approx(0.1)
    assert metrics.windowed_forgetting(slow, 3) == pytest.approx(0.2)
    assert metrics.windowed_forgetting(slow, 100) == pytest.approx(0.3)


def test_windowed_plasticity_finds_a_gain_that_follows_a_fall() -> None:
    """The reference code prunes this window as for forgetting, and answers −0.1."""
    assert metrics.windowed_plasticity(one_task([0.9, 0.1, 0.8]), 3) == pytest.approx(0.7)


def test_a_window_of_one_probe_is_refused() -> None:
    with pytest.raises(ValueError, match="two probes"):
        metrics.windowed_forgetting(PROBES, 1)


def test_average_anytime_accuracy_is_the_mean_over_probes_of_the_tasks_seen() -> None:
    expected = (0.1 + 0.9 + 0.15 + 0.75 + 0.3 + 2.2 / 3) / 6
    assert metrics.average_anytime_accuracy(PROBES) == pytest.approx(expected)


series = st.lists(st.floats(0, 1), min_size=2, max_size=12)


@given(series, st.integers(2, 12))
def test_a_drop_is_a_gain_of_the_series_read_backwards(values: list[float], window: int) -> None:
    forward, backward = one_task(values), one_task(values[::-1])
    assert metrics.windowed_forgetting(forward, window) == pytest.approx(
        metrics.windowed_plasticity(backward, window)
    )


@given(series, st.integers(2, 11))
def test_widening_the_window_never_shows_less(values: list[float], window: int) -> None:
    probes = one_task(values)
    narrow, wide = (metrics.windowed_forgetting(probes, w) for w in (window, window + 1))
    assert -1 <= narrow <= wide <= 1


@given(series, st.integers(2, 12))
def test_windows_agree_with_looking_at_every_pair(values: list[float], window: int) -> None:
    pairs = [
        values[n] - values[m] for n in range(len(values)) for m in range(max(0, n - window + 1), n)
    ]
    assert metrics.windowed_plasticity(one_task(values), window) == pytest.approx(max(pairs))
