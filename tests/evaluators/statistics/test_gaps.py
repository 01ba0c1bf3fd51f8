"""Search minus sealed: what streams have in common cancels; choosing the best is no alarm."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cambrian.evaluators.statistics.gaps import excess, independent_difference
from cambrian.evaluators.statistics.simulation import gap_rates

SEEDS = 5


def rows(rng: np.random.Generator, count: int, common: np.ndarray) -> list[list[float]]:
    """Scores of some agents, alike but for a little noise of their own."""
    return [list(map(float, common + 0.01 * rng.standard_normal(SEEDS))) for _ in range(count)]


def test_the_interval_of_two_samples_is_welchs() -> None:
    one, other = [0.1, 0.4, 0.3, 0.6, 0.2], [0.5, 0.1, 0.9]
    found = independent_difference(one, other, 0.9)
    interval = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.9)
    assert found.mean == pytest.approx(np.mean(one) - np.mean(other))
    assert (found.lower, found.upper) == pytest.approx((interval.low, interval.high))
    assert found.seeds == 3


def test_equal_values_have_no_width_and_single_ones_no_bounds() -> None:
    flat = independent_difference([0.5] * 3, [0.2] * 4)
    assert (flat.lower, flat.mean, flat.upper) == pytest.approx((0.3, 0.3, 0.3))
    single = independent_difference([0.5], [0.2, 0.3])
    assert (single.lower, single.upper) == (-np.inf, np.inf)


def test_sealed_streams_that_are_harder_for_everybody_are_no_excess() -> None:
    rng = np.random.default_rng(0)
    search, sealed = rng.uniform(0.5, 0.9, SEEDS), rng.uniform(0.1, 0.3, SEEDS)
    champion, *references = rows(rng, 4, search)
    after, *theirs = rows(rng, 4, sealed)
    found = excess(champion, after, references, theirs, candidates=1)
    assert independent_difference(champion, after).lower > 0.2, "its own gap is large"
    assert found.state == "none"
    assert abs(found.estimate.mean) < 0.02


def test_an_agent_that_alone_falls_is_an_alarm_by_how_much() -> None:
    rng = np.random.default_rng(1)
    search, sealed = rng.uniform(0.5, 0.9, SEEDS), rng.uniform(0.4, 0.8, SEEDS)
    champion, *references = rows(rng, 4, search)
    after, *theirs = rows(rng, 4, sealed)
    lower = [value - 0.2 for value in after]
    found = excess(champion, lower, references, theirs, candidates=50)
    assert found.state == "alarm"
    assert found.estimate.mean == pytest.approx(0.2, abs=0.02)
    assert 0 < found.corrected.lower < found.estimate.lower


def test_what_choosing_the_best_may_explain_is_watched_only() -> None:
    champion, sealed = [0.62, 0.58, 0.61, 0.59, 0.60], [0.55, 0.49, 0.52, 0.60, 0.54]
    flat = [[0.5] * SEEDS]
    assert excess(champion, sealed, flat, flat, candidates=1).state == "alarm"
    many = excess(champion, sealed, flat, flat, candidates=500)
    assert many.state == "watch"
    assert many.corrected.lower < 0 < many.estimate.lower


@pytest.mark.parametrize(
    ("references", "candidates", "says"),
    [([], 1, "expected references"), ([[0.1]], 1, "with 2 units"), ([[0.1, 0.2]], 0, "candidate")],
)
def test_what_cannot_be_compared_is_refused(
    references: list[list[float]], candidates: int, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        excess([0.1, 0.2], [0.1, 0.2], references, references, candidates)


@pytest.mark.parametrize("candidates", [1, 10, 60])
def test_alarms_without_exploitation_are_rarer_than_stated(candidates: int) -> None:
    trials = 2000
    for spread in (0.0, 2.0):
        found = gap_rates(np.random.default_rng(0), trials, candidates, spread=spread)
        # 2.5 % of 2,000 is 50, standard deviation 7: 71 would be three of them.
        assert found.alarmed * trials <= 71
    big = gap_rates(np.random.default_rng(0), 500, candidates, exploited=4.0)
    assert big.alarmed > 0.7


def test_the_simulation_applies_the_rule() -> None:
    """One candidate without a choice: what is watched is what is an alarm, and `excess` agrees."""
    found = gap_rates(np.random.default_rng(3), 400, 1, exploited=2.0)
    assert found.watched == found.alarmed
    rng, alarms = np.random.default_rng(4), 0
    for _ in range(400):
        search, sealed = rng.standard_normal((2, SEEDS))
        before, after = rng.standard_normal((2, 4, SEEDS))
        alarms += (
            excess(
                (search + 2.0).tolist(), sealed.tolist(), before.tolist(), after.tolist(), 1
            ).state
            == "alarm"
        )
    assert alarms / 400 == pytest.approx(found.alarmed, abs=0.1)
