"""Means over families: what is shown is shown over families, and an early look foresees it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cambrian.evaluators.statistics.families import (
    error_over_families,
    is_over_families,
    mean_of_families,
    mean_over_families,
)
from cambrian.evaluators.statistics.prospects import LEAST, Bound, chance
from cambrian.evaluators.statistics.simulation import SPREADS, SYMMETRIC, families_rate

SHARES = [1 / 15] * 15
LEVEL = [Bound(-0.05)]


def test_of_families_that_count_alike_it_is_students_t_over_their_means() -> None:
    table = np.random.default_rng(0).normal(0.1, 0.2, (15, 2))
    found = mean_over_families(table, SHARES, 0.9)
    means = table.mean(axis=1)
    wanted = stats.t.interval(0.9, 14, means.mean(), stats.sem(means))
    assert (found.lower, found.upper) == pytest.approx(wanted)


@pytest.mark.parametrize("name", SYMMETRIC)
@pytest.mark.parametrize("spreads", SPREADS)
def test_no_more_than_alpha_of_nulls_are_shown_better(name: str, spreads: str) -> None:
    """However unlike the families are, in noise or in their own differences."""
    draw, each = SYMMETRIC[name], SPREADS[spreads]
    assert families_rate(draw, each, 2, 20_000, 0.9) < 0.0546  # three standard errors above α
    assert families_rate(draw, each, 2, 20_000, 0.9, unlike=1.0) < 0.05


def test_weights_of_a_suite_keep_what_is_promised() -> None:
    shares = np.array([0.05] * 9 + [0.08] * 3 + [0.155] * 2)
    rng = np.random.default_rng(1)
    mean, error, freedom = error_over_families(rng.normal(size=(40_000, 14)), shares.tolist())
    better = mean - stats.t.isf(0.05, freedom) * error > 0
    assert better.mean() == pytest.approx(0.05, abs=0.0035)  # three standard errors


def test_one_stream_does_not_carry_it() -> None:
    table = np.zeros((15, 2))
    table[3] = (2.0, 1.8)
    assert mean_over_families(table, SHARES, 0.9).lower < 0
    assert mean_over_families(np.full((15, 2), 0.02) + table, SHARES, 0.9).lower < 0


def test_an_agents_own_interval_is_about_seeds() -> None:
    """Families that differ by a lot, and repeat themselves, leave no doubt of their mean."""
    table = np.repeat(np.linspace(-1, 1, 15)[:, None], 2, axis=1)
    found = mean_of_families(table, SHARES)
    assert found.lower == pytest.approx(found.mean) == pytest.approx(found.upper)
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(2000):
        one = mean_of_families(table + rng.normal(0, 0.3, (15, 2)), SHARES)
        inside += one.lower < 0 < one.upper
    assert inside / 2000 == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("wrong", [[[0.1]], [[0.1, float("nan")]] * 2, [0.1, 0.2]])
def test_no_table_of_numbers_is_refused(wrong: object) -> None:
    for make in (mean_of_families, mean_over_families):
        with pytest.raises(ValueError, match="expected finite values"):
            make(wrong, [0.5, 0.5])  # type: ignore[arg-type]


def test_five_seeds_or_few_benchmarks_are_not_taken_over_families() -> None:
    assert is_over_families(15, 2) and is_over_families(8, 4)
    assert not is_over_families(15, 5)
    assert not is_over_families(7, 2)
    assert not is_over_families(15, 1)


# -- early looks ---------------------------------------------------------------------------


def looks(differences: np.ndarray, bounds: list[Bound]) -> float:
    """The least chance at any look, a family at a time, seed after seed."""
    families, seeds = differences.shape
    seen: list[list[float]] = [[] for _ in range(families)]
    least = 1.0
    for unit in range(families * seeds - 1):
        seen[unit % families].append(float(differences[unit % families, unit // families]))
        least = min(least, chance(seen, seeds, SHARES, bounds, 0.9))
    return least


def test_nothing_is_said_before_enough_families_were_met() -> None:
    seen = [[-1.0]] * 7 + [[]] * 8
    assert chance(seen, 2, SHARES, LEVEL, 0.9) == 1.0
    assert chance([[-1.0]] * 8 + [[]] * 7, 2, SHARES, LEVEL, 0.9) == 0.0


def test_once_all_is_seen_but_a_unit_the_chance_is_that_of_the_end() -> None:
    rng = np.random.default_rng(3)
    for shift, wanted in ((0.1, 1.0), (-0.2, 0.0)):
        table = rng.normal(shift, 0.05, (15, 2))
        seen = [list(row) for row in table]
        seen[-1] = seen[-1][:1]
        assert chance(seen, 2, SHARES, LEVEL, 0.9) == wanted


@pytest.mark.parametrize(("own", "noise"), [(0.05, 0.05), (0.2, 0.1), (0.3, 0.3), (0.02, 0.1)])
def test_few_of_those_that_would_be_admitted_are_sent_away(own: float, noise: float) -> None:
    """Over all looks together, of variants whose mean is drawn around their parent's."""
    rng = np.random.default_rng(4)
    admitted = lost = left = 0
    for _ in range(400):
        table = rng.normal(rng.normal(0, 0.08), own, (15, 1)) + rng.normal(0, noise, (15, 2))
        passes = mean_over_families(table, SHARES, 0.9).lower > -0.05
        leaves = looks(table, LEVEL) < LEAST
        admitted, lost, left = admitted + passes, lost + (passes and leaves), left + leaves
    assert admitted > 20 and left > 100
    assert lost / admitted <= 0.05


def test_a_route_for_means_is_another_bound() -> None:
    level = [[-0.02 + (0.3 if at % 2 else -0.3)] for at in range(15)]
    by_bound = chance(level, 2, SHARES, LEVEL, 0.9)
    by_mean = chance(level, 2, SHARES, [Bound(-0.1, "mean")], 0.9)
    assert by_bound < 0.3 < 0.6 < by_mean
    assert chance(level, 2, SHARES, [*LEVEL, Bound(-0.1, "mean")], 0.9) >= by_mean
