"""A mean over many benchmarks with few seeds of each: its interval is honest, and uses them all."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cambrian.evaluators.statistics.strata import (
    TRUSTED,
    is_stratified,
    stratified_error,
    stratified_mean,
)

SHARES = [0.05] * 9 + [0.08] * 3 + [0.155] * 2
LOUD = np.array([0.02] * 6 + [0.1] * 5 + [0.3, 0.05, 0.4])
"""Standard deviations over seeds that differ twentyfold, as those of families do."""


def test_its_error_is_welchs_and_its_freedom_a_little_less() -> None:
    """Of two benchmarks that count as +1 and −1 it is Welch's own test."""
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 1, 4), rng.normal(1, 3, 4)
    mean, error, freedom = stratified_error(np.array([one, other]), [1.0, -1.0])
    wanted = stats.ttest_ind(one, other, equal_var=False)
    assert float(mean / error) == pytest.approx(wanted.statistic)
    assert float(freedom) == pytest.approx(3 + TRUSTED * (wanted.df - 3))


def test_of_one_benchmark_it_is_students() -> None:
    found = stratified_mean([[0.1, 0.4, 0.2]], [1.0])
    wanted = stats.t.interval(0.95, 2, 7 / 30, stats.sem([0.1, 0.4, 0.2]))
    assert (found.lower, found.upper) == pytest.approx(wanted)


@pytest.mark.parametrize("seeds", [2, 3, 4])
@pytest.mark.parametrize("heavy", [False, True])
def test_no_more_than_alpha_of_nulls_are_shown_better(seeds: int, heavy: bool) -> None:
    """Of 20,000 whose benchmarks are as unlike each other as those of the families."""
    rng = np.random.default_rng(seeds)
    size = (20_000, len(SHARES), seeds)
    chance = rng.standard_t(3, size) if heavy else rng.normal(size=size)
    mean, error, freedom = stratified_error(chance * LOUD[:, None], SHARES)
    better = mean - stats.t.isf(0.05, freedom) * error > 0
    assert 0.02 < better.mean() < 0.0531  # two standard errors above α


def test_what_does_not_vary_has_no_interval() -> None:
    found = stratified_mean([[0.2, 0.2]] * 4, [0.25] * 4)
    assert found.lower == pytest.approx(found.mean) == pytest.approx(found.upper)


@pytest.mark.parametrize("wrong", [[[0.1], [0.2]], [[0.1, float("nan")]] * 2, [0.1, 0.2]])
def test_too_few_seeds_or_no_numbers_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="expected finite values"):
        stratified_mean(wrong, [0.5, 0.5])  # type: ignore[arg-type]


def test_five_seeds_are_no_strata() -> None:
    assert is_stratified(15, 2) and is_stratified(4, 4)
    assert not is_stratified(15, 5) and not is_stratified(3, 2) and not is_stratified(15, 1)
