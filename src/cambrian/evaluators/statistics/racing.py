"""Seeds taken in looks: few where that is enough, more where it is not, and no claim too many.

At each look the paired differences so far are tested by a one-sided t test at a level of that
look; the levels add up to what is spent, so that whatever the looks have to do with each other,
the chance of any false claim is at most their sum (Bonferroni's inequality; a group-sequential
design, Jennison & Turnbull 2000, that needs no joint distribution). `RACE` spends 2 % of the 5 %
that it promises: the rest is what t loses to differences with a skewness of −1. What it promises,
and what it does not, is checked by simulation (tests, and docs/statistics.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from cambrian.evaluators.statistics.intervals import Estimate, mean_interval


@dataclass(frozen=True)
class Race:
    """When to look, and how sure to be.

    Attributes:
        looks: numbers of seeds, growing.
        levels: one-sided level of the test at each look.
        promised: what false claims stay below, of improvement where there is no difference and
            of "not worse" at the margin.
    """

    looks: tuple[int, ...]
    levels: tuple[float, ...]
    promised: float

    def __post_init__(self) -> None:
        growing = all(a < b for a, b in zip((1, *self.looks), self.looks, strict=False))
        if not self.looks or len(self.looks) != len(self.levels) or not growing:
            raise ValueError(f"expected growing looks with a level each, got {self}")
        if min(self.levels) <= 0 or sum(self.levels) > self.promised:
            raise ValueError(f"expected levels that add up to {self.promised} at most, got {self}")


RACE = Race(looks=(5, 9, 14), levels=(0.002, 0.006, 0.012), promised=0.05)


@dataclass(frozen=True)
class Claim:
    """The mean difference at a look, with the one-sided lower bound of that look.

    Attributes:
        look: which, from 1.
        estimate: `lower` is the bound of the test; `upper` its counterpart on the other side.
        holds: whether the bound is above the threshold.
    """

    look: int
    estimate: Estimate
    holds: bool


def claim(differences: Sequence[float], race: Race = RACE, threshold: float = 0.0) -> Claim:
    """Whether the mean difference is shown to be above the threshold: at the first look at which
    it is, or else how it stands at the last look that there are seeds for.

    Raises:
        ValueError: fewer seeds than the first look needs.
    """
    found: Claim | None = None
    for number, (seeds, level) in enumerate(zip(race.looks, race.levels, strict=True), start=1):
        if seeds > len(differences):
            break
        estimate = mean_interval(differences[:seeds], 1 - 2 * level)
        found = Claim(number, estimate, estimate.lower > threshold)
        if found.holds:
            break
    if found is None:
        raise ValueError(f"expected at least {race.looks[0]} seeds, got {len(differences)}")
    return found


def next_look(differences: Sequence[float], race: Race = RACE) -> int | None:
    """How many seeds to have next; None where the race is over: the improvement is shown, no look
    is left, or the mean difference is not above 0 (stopping early for want of promise cannot make
    a false claim likelier).
    """
    if len(differences) < race.looks[0]:
        return race.looks[0]
    taken = max(seeds for seeds in race.looks if seeds <= len(differences))
    left = [seeds for seeds in race.looks if seeds > taken]
    if not left or claim(differences, race).holds or np.mean(differences[:taken]) <= 0:
        return None
    return left[0]


def power(effect: float, seeds: int, level: float) -> float:
    """Chance that a one-sided t test at `level` with so many seeds shows an effect, in standard
    deviations of the paired difference, where differences are normal."""
    reach = stats.t.ppf(1 - level, seeds - 1)
    return float(stats.nct.sf(reach, seeds - 1, effect * np.sqrt(seeds)))
