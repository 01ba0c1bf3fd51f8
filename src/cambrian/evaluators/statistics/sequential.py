"""Leaving early: when a variant can hardly be admitted any more, by what is known of it so far.

What decides in the end is the mean over benchmarks and seeds of the paired differences to the
parent. Of a benchmark with n of N seeds seen, the difference between the mean that there will be
and the mean so far has expectation 0 and variance σ²(1/n − 1/N), *whatever the true difference is*
(the two share the seeds seen). So the chance that a look sends away what would have come out above
a bound is at most the tail of that look, without any assumption on how good variants are (curtailed
sampling; Jennison & Turnbull 2000, chapter 10). A benchmark of which nothing was seen is expected
to come out as the parent did, give or take `between`.

σ is not known after a seed or two: it starts as `spread`, which counts as much as `worth` seeds,
and what is seen is pooled with it, benchmark by benchmark; the tail is that of Student's t. What
that costs where the guesses are wrong is simulated (docs/statistics.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from scipy import stats


@dataclass(frozen=True)
class Curtailment:
    """When a variant leaves.

    Attributes:
        spread: standard deviation, over seeds, of one benchmark's paired difference, before any is
            seen.
        worth: how many seeds that guess is worth.
        between: standard deviation of what a benchmark shows, before it was met.
        tail: of each look: the chance to send away what would have come out above the bound.
    """

    spread: float = 0.06
    worth: float = 6.0
    between: float = 0.2
    tail: float = 0.01


CURTAILMENT = Curtailment()


@dataclass(frozen=True)
class Outlook:
    """What the final mean difference is expected to be.

    Attributes:
        expected: the mean that there will be, as far as is known.
        deviation: the standard deviation of what is not known yet; 0 once all is seen.
        degrees: of freedom of its tail.
    """

    expected: float
    deviation: float
    degrees: float

    def most(self, tail: float) -> float:
        """What the final mean is above with a chance of `tail` only."""
        if self.deviation == 0.0:
            return self.expected
        return self.expected + _quantile(tail, self.degrees) * self.deviation


def outlook(
    differences: Sequence[Sequence[float]],
    seeds: int,
    weights: Sequence[float] | None = None,
    rule: Curtailment = CURTAILMENT,
) -> Outlook:
    """The final mean difference as it looks now.

    Args:
        differences: of each benchmark, those to the parent that were seen, at most `seeds` each.
        seeds: how many of each there will be.
        weights: of the benchmarks, adding up to 1; None: all alike.

    Raises:
        ValueError: no benchmark, or more differences than seeds.
    """
    if not differences or max(map(len, differences)) > seeds:
        raise ValueError(f"expected benchmarks with at most {seeds} differences each")
    shares = [1 / len(differences)] * len(differences) if weights is None else weights
    expected = variance = 0.0
    fewest = min(map(len, differences))
    for share, seen in zip(shares, differences, strict=True):
        count, squares = len(seen), 0.0
        if count:
            mean = math.fsum(seen) / count
            squares = math.fsum((one - mean) ** 2 for one in seen)
            expected += share * mean
        of_a_seed = (rule.worth * rule.spread**2 + squares) / (rule.worth + max(count - 1, 0))
        left = 1 / count - 1 / seeds if count else 1 / seeds
        own = 0.0 if count else rule.between**2
        variance += share**2 * (of_a_seed * left + own)
    return Outlook(expected, math.sqrt(variance), rule.worth + max(fewest - 1, 0))


def hopeless(
    differences: Sequence[Sequence[float]],
    seeds: int,
    least: float,
    weights: Sequence[float] | None = None,
    rule: Curtailment = CURTAILMENT,
) -> bool:
    """Whether the final mean difference will hardly come out above `least`; arguments as of
    `outlook`."""
    return outlook(differences, seeds, weights, rule).most(rule.tail) < least


@lru_cache(maxsize=256)
def _quantile(tail: float, degrees: float) -> float:
    return float(stats.t.ppf(1 - tail, degrees))
