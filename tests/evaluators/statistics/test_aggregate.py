"""Figures over runs and benchmarks, by hand and within their bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cambrian.evaluators.statistics import (
    interquartile_mean,
    optimality_gap,
    probability_of_improvement,
    probability_of_improvement_interval,
    stratified_interval,
)

tables = arrays(
    float, st.tuples(st.integers(2, 5), st.integers(1, 4)), elements=st.floats(-2, 2, width=32)
)


def test_the_interquartile_mean_forgets_the_ends_of_all_runs_together() -> None:
    # Eight scores: the two lowest and the two highest go.
    assert interquartile_mean([[0.0, 9.0], [1.0, 8.0], [2.0, 4.0], [3.0, 5.0]]) == pytest.approx(
        (2 + 3 + 4 + 5) / 4
    )


def test_the_optimality_gap_does_not_reward_what_is_above_the_ceiling() -> None:
    assert optimality_gap([[0.5, 3.0]]) == pytest.approx(1 - (0.5 + 1) / 2)


def test_the_probability_of_improvement_counts_pairs_and_halves_ties() -> None:
    x, y = [[1.0, 0.5], [3.0, 0.5]], [[2.0, 0.5], [0.0, 0.1]]
    # First benchmark: 1>0, 3>2, 3>0 of four pairs; second: two ties and two wins.
    assert probability_of_improvement(x, y) == pytest.approx((3 / 4 + 3 / 4) / 2)


def test_intervals_repeat_for_a_seed_and_hold_the_middle() -> None:
    scores = np.random.default_rng(0).normal(size=(10, 3))
    one, two = (stratified_interval(scores, resamples=500, seed=1) for _ in range(2))
    assert one == two
    assert one.lower <= interquartile_mean(scores) == one.mean <= one.upper


def test_strata_are_not_mixed() -> None:
    """Benchmarks whose runs agree have no spread, however far apart they are."""
    found = stratified_interval(np.tile([0.0, 100.0], (4, 1)), lambda t: float(t.mean()))
    assert found.lower == found.upper == 50.0


def test_one_run_has_no_spread_to_be_known() -> None:
    with pytest.raises(ValueError, match="two runs"):
        stratified_interval([[0.1, 0.2]])
    with pytest.raises(ValueError, match="same benchmarks"):
        probability_of_improvement([[0.1]], [[0.1, 0.2]])


def test_the_interval_of_the_mean_covers_it_about_as_often_as_stated() -> None:
    rng = np.random.default_rng(5)
    trials, inside = 200, 0
    for _ in range(trials):
        scores = rng.normal(size=(10, 3)) * [1, 2, 3]
        found = stratified_interval(scores, lambda t: float(t.mean()), 0.9, resamples=300)
        inside += found.lower <= 0 <= found.upper
    # A percentile bootstrap of ten runs is somewhat narrow: rliable's own figures show it.
    assert 0.80 <= inside / trials <= 0.95


@given(tables)
def test_figures_stay_within_the_scores(table: np.ndarray) -> None:
    assert table.min() - 1e-9 <= interquartile_mean(table) <= table.max() + 1e-9
    assert probability_of_improvement(table, table) == pytest.approx(0.5)
    better = table + 5
    assert probability_of_improvement(better, table) == 1.0
    found = probability_of_improvement_interval(better, table, resamples=20)
    assert found.lower == found.mean == found.upper == 1.0


@given(tables, tables.map(lambda t: t[:, :1]))
def test_one_is_better_as_often_as_the_other_is_worse(one: np.ndarray, other: np.ndarray) -> None:
    x = one[:, :1]
    both = probability_of_improvement(x, other) + probability_of_improvement(other, x)
    assert both == pytest.approx(1.0)
