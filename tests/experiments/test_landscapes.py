"""Each landscape has the property that it is named for, and the optimum that it claims."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from cambrian.errors import UsageError
from cambrian.evolution.admission.thresholds import Rules
from cambrian.experiments.analytic import LANDSCAPES, BitWorld, landscape
from cambrian.experiments.landscape import Genotype

SMALL = {"smooth": 12, "neutral": 16, "rugged": 12, "noisy": 12, "stones": 12}


def value(world: BitWorld, genotype: Genotype) -> float:
    return float(world.values(genotype).mean())


def small(name: str, repeat: int = 0) -> BitWorld:
    return replace(LANDSCAPES[name], length=SMALL[name]).world(repeat)


def strings(length: int) -> list[Genotype]:
    return [np.array(bits, dtype=np.int8) for bits in product((0, 1), repeat=length)]


def neighbours(genotype: Genotype) -> list[Genotype]:
    flips = np.eye(len(genotype), dtype=np.int8)
    return [genotype ^ flip for flip in flips]


def climbed(world: BitWorld, genotype: Genotype) -> Genotype:
    """Where the steepest climb by single flips ends."""
    while True:
        best = max(neighbours(genotype), key=lambda one: value(world, one))
        if value(world, best) <= value(world, genotype):
            return genotype
        genotype = best


@pytest.mark.parametrize("name", SMALL)
def test_the_optimum_is_the_best_of_all_strings(name: str) -> None:
    world = small(name)
    best = max(value(world, one) for one in strings(SMALL[name]))
    assert best == pytest.approx(world.optimum)


def test_the_optimum_of_the_traps_is_the_best_of_all_counts_of_ones() -> None:
    world = landscape("deceptive").world(0)
    every = (
        np.concatenate([[1] * ones + [0] * (5 - ones) for ones in counts]).astype(np.int8)
        for counts in product(range(6), repeat=4)
    )
    assert max(value(world, one) for one in every) == pytest.approx(world.optimum)


def test_on_deceptive_ground_a_climb_ends_below_the_best() -> None:
    for repeat in range(5):
        world = landscape("deceptive").world(repeat)
        start = np.array([1, 1, 0, 0, 0] * 4, dtype=np.int8)
        assert value(world, climbed(world, start)) == pytest.approx(0.8)
        assert not climbed(world, start).any()


def test_on_neutral_ground_most_steps_change_nothing() -> None:
    world = landscape("neutral").world(0)
    rng = np.random.default_rng(0)
    level = [
        value(world, other) == value(world, one)
        for one in rng.integers(0, 2, (50, 32), dtype=np.int8)
        for other in neighbours(one)
    ]
    assert np.mean(level) > 0.7


def test_rugged_ground_has_many_local_optima_and_smooth_ground_one() -> None:
    def peaks(name: str) -> int:
        world, length = small(name), 12
        values = np.array([value(world, one) for one in strings(length)])
        codes = np.arange(2**length)
        others = np.stack([values[codes ^ (1 << bit)] for bit in range(length)])
        return int((values > others.max(axis=0)).sum())

    assert peaks("smooth") == 1
    assert peaks("rugged") > 10


def test_rugged_ground_is_another_on_each_repeat_and_the_same_on_the_same() -> None:
    one = small("rugged").seeds[0]
    same = replace(LANDSCAPES["rugged"], length=12).world(0)
    assert value(small("rugged"), one) == value(same, one)
    assert value(small("rugged"), one) != value(small("rugged", 1), one)


def test_stones_must_be_crossed_through_lower_agents_that_gain_on_one_family() -> None:
    world, rules = landscape("stones").world(0), Rules()
    by_ones = [np.array([1] * ones + [0] * (20 - ones), dtype=np.int8) for ones in range(21)]
    values = [value(world, one) for one in by_ones]
    ledge = int(np.argmax(values[:20]))
    # The value depends on the number of ones, and a flip changes it by one: no way around.
    assert ledge == 15 and all(values[at] < values[ledge] for at in range(16, 20))
    assert values[20] == max(values)
    first = [float(world.values(one)[0]) for one in by_ones]
    assert first == sorted(first) and first[16] > first[15]
    assert rules.margin < values[ledge] - values[ledge + 1] < rules.screen_margin


def test_noisy_ground_is_the_smooth_one_with_more_noise() -> None:
    noisy, smooth = landscape("noisy"), landscape("smooth")
    one = smooth.world(3).seeds[0]
    assert value(noisy.world(3), one) == value(smooth.world(3), one)
    assert noisy.noise == 5 * smooth.noise


@pytest.mark.parametrize("name", LANDSCAPES)
def test_an_edit_flips_at_most_so_many_bits_and_leaves_its_parent_alone(name: str) -> None:
    ground = landscape(name)
    world, rng = ground.world(0), np.random.default_rng(1)
    parent = world.seeds[0].copy()
    for steps in range(1, 6):
        child = world.edit(world.seeds[0], None, steps, rng.random(ground.chances))
        changed = int((child != parent).sum())
        assert changed <= steps and changed % 2 == steps % 2
    assert (world.seeds[0] == parent).all()


def test_crossover_takes_every_bit_from_one_of_both() -> None:
    ground = landscape("smooth")
    zeros, ones = np.zeros(32, dtype=np.int8), np.ones(32, dtype=np.int8)
    chances = np.random.default_rng(0).random(ground.chances)
    chances[5] = 0.1
    child = ground.world(0).edit(zeros, ones, 1, chances)
    assert 5 < child.sum() < 27
    chances[5] = 0.9
    assert ground.world(0).edit(zeros, ones, 1, chances).sum() == 1


def test_an_unknown_landscape_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="no landscape is called 'hilly'; there are: smooth"):
        landscape("hilly")
