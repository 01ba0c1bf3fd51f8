"""Bootstrap, permutation, Holm: small samples whose answers can be counted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.evaluators.statistics import (
    MINIMUM_SEEDS,
    bootstrap_interval,
    holm,
    paired_difference,
    per_benchmark,
    permutation_p,
)
from cambrian.evaluators.statistics.simulation import SYMMETRIC


def test_the_permutation_test_counts_every_way_to_flip_the_signs() -> None:
    child, parent = [0.5, 0.7, 0.4, 0.9], [0.4, 0.5, 0.5, 0.5]
    differences = np.subtract(child, parent)
    means = [np.mean(differences * s) for s in itertools.product((1, -1), repeat=4)]
    expected = np.mean([m >= differences.mean() - 1e-12 for m in means])
    assert permutation_p(child, parent, "greater") == pytest.approx(expected)


def test_fewer_seeds_than_the_minimum_can_show_nothing() -> None:
    """At 5 %, one-sided: with four seeds the smallest p is 1/16."""
    for seeds in (MINIMUM_SEEDS - 1, MINIMUM_SEEDS):
        p = permutation_p([1.0] * seeds, [0.0] * seeds, "greater")
        assert p == pytest.approx(2.0**-seeds)
    assert 2.0**-MINIMUM_SEEDS < 0.05 < 2.0 ** (1 - MINIMUM_SEEDS)


def test_a_bootstrap_gives_the_same_interval_for_the_same_seed() -> None:
    child, parent = np.random.default_rng(0).normal(size=(2, 12))
    one, two = (bootstrap_interval(child, parent, seed=3) for _ in range(2))
    assert one == two
    assert one.lower < one.mean < one.upper
    assert bootstrap_interval(child, parent, seed=4) != one


def test_equal_differences_have_an_interval_of_no_width() -> None:
    found = bootstrap_interval([0.5, 0.75], [0.25, 0.5])
    assert found.lower == found.mean == found.upper == 0.25


def test_five_seeds_are_too_few_for_a_bootstrap() -> None:
    """Why the intervals that decide are Student's t."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(300, 5))
    zeros = [0.0] * 5
    covered = {"t": 0, "bootstrap": 0}
    for row in rows:
        t = paired_difference(row, zeros, 0.9)
        b = bootstrap_interval(row, zeros, 0.9, resamples=999)
        covered["t"] += t.lower <= 0 <= t.upper
        covered["bootstrap"] += b.lower <= 0 <= b.upper
    # 90 % of 300 is 270, standard deviation 5.2.
    assert covered["t"] >= 254
    assert covered["bootstrap"] < covered["t"] - 10


def test_holm_multiplies_the_smallest_most_and_never_reorders() -> None:
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03})
    # 3 · 0.01; 2 · 0.03; 1 · 0.04, but no less than the one before it.
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({}) == {}
    with pytest.raises(ValueError, match="p-values"):
        holm({"a": 1.2})


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=6))
def test_adjusted_is_never_smaller_nor_out_of_order(ps: dict[str, float]) -> None:
    found = holm(ps)
    assert list(found) == list(ps)
    for one, other in itertools.permutations(ps, 2):
        assert ps[one] <= found[one] <= min(1.0, len(ps) * max(ps.values()))
        if ps[one] < ps[other]:
            assert found[one] <= found[other]


def test_holm_keeps_false_claims_on_any_of_three_benchmarks_rare() -> None:
    """Three benchmarks, no difference on any; shared seeds make them depend on each other."""
    rng = np.random.default_rng(2)
    trials, claims = 400, 0
    for _ in range(trials):
        common = rng.normal(size=(2, 6))
        scores = {b: common + rng.normal(size=(2, 6)) for b in "abc"}
        found = per_benchmark(
            {b: s[0] for b, s in scores.items()}, {b: s[1] for b, s in scores.items()}
        )
        claims += any(d.adjusted <= 0.05 for d in found.values())
    # 5 % of 400 is 20, standard deviation 4.4.
    assert claims <= 33


@pytest.mark.parametrize("shape", sorted(SYMMETRIC))
def test_the_permutation_test_is_exact_whatever_the_shape(shape: str) -> None:
    rng = np.random.default_rng(3)
    rows = SYMMETRIC[shape](rng, (400, 6))
    false = sum(permutation_p(row, np.zeros(6), "greater") <= 0.05 for row in rows)
    # At most 3 of 64 ways: 4.7 % of 400 is 19, standard deviation 4.2.
    assert false <= 32


def test_benchmarks_are_compared_apart() -> None:
    child = {"easy": [0.9, 0.8, 0.9, 0.8, 0.9], "hard": [0.1, 0.2, 0.1, 0.2, 0.3]}
    parent = {"hard": [0.1, 0.2, 0.1, 0.2, 0.3], "easy": [0.5, 0.6, 0.5, 0.5, 0.4]}
    found = per_benchmark(child, parent)
    assert found["easy"].p == pytest.approx(2 / 32)
    assert found["easy"].adjusted == pytest.approx(4 / 32)
    assert found["easy"].estimate.lower > 0
    assert found["hard"].adjusted == 1.0
    with pytest.raises(ValueError, match="same benchmarks"):
        per_benchmark(child, {"easy": parent["easy"]})


@pytest.mark.parametrize(
    ("child", "parent"), [([], []), ([0.1, 0.2], [0.1]), ([float("nan")], [0.1])]
)
def test_what_is_not_paired_is_refused(child: list[float], parent: list[float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        permutation_p(child, parent)
