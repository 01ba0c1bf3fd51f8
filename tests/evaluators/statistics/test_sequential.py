"""Leaving early: what a look may cost, and that it spares what is hopeless."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.evaluators.statistics.sequential import CURTAILMENT, hopeless, outlook
from cambrian.evaluators.statistics.simulation import SKEWED, SYMMETRIC, leaves_after, leaving

TRIALS, SEEDS, PROMISED = 4000, 5, 0.05


def differences(name: str, benchmarks: int, times: float, between: float) -> np.ndarray:
    """Of agents whose benchmarks differ by `between`, and by nothing on the whole."""
    rng = np.random.default_rng(len(name) + benchmarks)
    draw = {**SYMMETRIC, **SKEWED}[name]
    noise = draw(rng, (TRIALS * benchmarks, SEEDS)).reshape(TRIALS, benchmarks, SEEDS)
    shift = rng.normal(0, between, (TRIALS, benchmarks, 1))
    shift -= shift.mean(1, keepdims=True)
    return np.asarray(times * CURTAILMENT.spread * noise + shift)


@pytest.mark.parametrize("name", [*SYMMETRIC, *SKEWED])
@pytest.mark.parametrize("benchmarks", [1, 3, 8])
def test_few_are_sent_away_that_would_have_come_out_above_the_bound(
    name: str, benchmarks: int
) -> None:
    """Where every one of them is at the bound itself and the guesses are right; and of those that
    are as good as their parents where the guesses are a half too small."""
    right = differences(name, benchmarks, 1.0, CURTAILMENT.between)
    assert leaving(right - 0.05, -0.05).false <= PROMISED
    assert leaving(differences(name, benchmarks, 1.5, 0.3), -0.05).false <= PROMISED


@pytest.mark.parametrize("benchmarks", [3, 8])
def test_what_is_far_worse_leaves_after_a_few_units(benchmarks: int) -> None:
    found = differences("normal", benchmarks, 1.0, CURTAILMENT.between) - 0.4
    rates = leaving(found, -0.05)
    assert rates.left > 0.99
    assert rates.units < 1.2 * benchmarks


@given(
    st.lists(st.lists(st.floats(-1, 1), max_size=5), min_size=1, max_size=4),
    st.floats(-0.5, 0.5),
)
def test_one_more_that_is_better_never_makes_it_hopeless(
    seen: list[list[float]], least: float
) -> None:
    if hopeless([row[:4] for row in seen], 5, least):
        return
    better = [[*row[:4], max([2.0, *row])] for row in seen]
    assert not hopeless(better, 5, least)


@given(st.lists(st.lists(st.floats(-1, 1), min_size=5, max_size=5), min_size=1, max_size=4))
def test_once_all_is_seen_nothing_is_a_guess(seen: list[list[float]]) -> None:
    found = outlook(seen, 5)
    assert found.deviation == 0.0
    assert found.most(0.001) == found.expected == pytest.approx(np.mean(seen))


def test_weights_count() -> None:
    seen = [[-0.9, -0.9], [0.1, 0.1]]
    assert outlook(seen, 5, (0.1, 0.9)).expected == pytest.approx(0.0)
    assert hopeless(seen, 5, -0.05) and not hopeless(seen, 5, -0.05, (0.1, 0.9))


def test_more_differences_than_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 2 differences"):
        outlook([[0.1, 0.1, 0.1]], 2)
    with pytest.raises(ValueError, match="expected benchmarks"):
        outlook([], 2)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_simulation_does_what_the_rule_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(-0.1, 0.2, (1, 3, 5)) + rng.normal(0, 0.3, (1, 3, 1))
    [units] = leaves_after(rows, -0.05)
    for count in range(1, 15):
        whole, part = divmod(count, 3)
        seen = [row[: whole + (at < part)].tolist() for at, row in enumerate(rows[0])]
        if hopeless(seen, 5, -0.05):
            assert units == count
            return
    assert units == 15
