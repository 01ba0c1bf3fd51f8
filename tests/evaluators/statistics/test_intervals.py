"""Intervals that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cambrian.evaluators.statistics import mean_interval, paired_difference


def test_the_interval_is_students_t() -> None:
    values = [0.1, 0.4, 0.3, 0.6, 0.2]
    found = mean_interval(values, 0.95)
    lower, upper = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert (found.mean, found.lower, found.upper) == pytest.approx((0.32, lower, upper))
    assert found.seeds == 5


def test_one_seed_says_nothing_about_the_spread() -> None:
    found = mean_interval([0.5])
    assert (found.mean, found.lower, found.upper) == (0.5, -np.inf, np.inf)


def test_equal_values_have_an_interval_of_no_width() -> None:
    found = mean_interval([0.25] * 4)
    assert found.lower == found.upper == 0.25


@pytest.mark.parametrize("values", [[], [0.1, float("nan")], [float("inf")]])
def test_values_that_are_none_or_not_finite_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="expected finite values"):
        mean_interval(values)


def test_pairing_removes_what_the_seeds_have_in_common() -> None:
    parent = [0.2, 0.9, 0.4, 0.7, 0.5]
    child = [
        value + 0.05 + noise for value, noise in zip(parent, (0, 0.01, -0.01, 0, 0), strict=True)
    ]
    assert paired_difference(child, parent).lower > 0
    assert mean_interval(child).lower < mean_interval(parent).upper


def test_different_numbers_of_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="as many seeds"):
        paired_difference([0.1, 0.2], [0.1])


def test_a_false_improvement_is_claimed_no_more_often_than_stated() -> None:
    """One-sided 95 % (the lower bound of a two-sided 90 % interval) under no difference."""
    rng = np.random.default_rng(0)
    trials = 2000
    claims = 0
    for child, parent in rng.normal(0.5, 0.1, (trials, 2, 5)):
        claims += paired_difference(child, parent, 0.90).lower > 0
    # 5 % of 2,000 is 100, standard deviation 9.7: 130 would be three of them.
    assert claims <= 130
