"""What a difference over families may still come to: its chance of passing a bound in the end.

After the first units it is known how unlike the families' differences are, and that is what
decides over families (`statistics.families`): a variant that is far better on one and far worse on
another will not be shown to be better than its parent by a second seed. The chance is worked out
under a model of two variances (predictive probability; Spiegelhalter, Freedman and Blackburn 1986):
the families' own differences are normal around a mean, a seed's is normal around its family's. How
much of what the first seeds show is noise is guessed, and gives way to what second seeds show. The
draws are the same for everybody, so that a chance is a function of what was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cambrian.evaluators.statistics.families import error_over_families

DRAWS = 500
LEAST = 0.02
"""The chance below which a variant is not run on."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Guess:
    """What is assumed of differences before they are seen.

    Attributes:
        noise: the share of seeds' noise in the variance over families of what one seed shows.
        worth: how many second seeds that guess is worth.
        spread: the least standard deviation that is reckoned with.
        fewest: families of which something is to be seen before anything is said.
    """

    noise: float = 0.5
    worth: float = 8.0
    spread: float = 0.01
    fewest: int = 8


USUAL = Guess()


@dataclass(frozen=True)
class Bound:
    """What a route asks of a difference: a mean, or a lower bound, of at least so much."""

    least: float
    of: Literal["lower", "mean"] = "lower"


def chance(
    differences: Sequence[Sequence[float]],
    seeds: int,
    shares: Sequence[float],
    bounds: Sequence[Bound],
    confidence: float,
    guess: Guess = USUAL,
) -> float:
    """The chance that a difference passes one of some bounds once all is seen; 1 while too little
    is.

    Args:
        differences: of each family those that were seen, at most `seeds` each, in order.
        shares: what each family counts for, adding up to 1.
        confidence: of the two-sided interval whose lower bound it is.
    """
    key = tuple(map(tuple, differences))
    return _chance(key, seeds, tuple(shares), tuple(bounds), confidence, guess)


@lru_cache(maxsize=512)
def _chance(
    differences: tuple[tuple[float, ...], ...],
    seeds: int,
    shares: tuple[float, ...],
    bounds: tuple[Bound, ...],
    confidence: float,
    guess: Guess,
) -> float:
    seen = [one for one in differences if one]
    if len(seen) < guess.fewest:
        return 1.0
    mean, between, noise = _variances(seen, guess)
    counts = np.array([len(one) for one in differences])
    so_far = np.array([float(np.mean(one)) if one else 0.0 for one in differences])
    level, own, rest = _normal(len(differences))
    centre = mean + level * np.sqrt((between + noise) / len(seen))
    precision = counts / noise + 1 / between
    expected = (counts * so_far / noise + centre / between) / precision
    drawn = expected + own / np.sqrt(precision)
    left = seeds - counts
    drawn += rest * np.sqrt(noise / np.maximum(left, 1))
    whole, error, freedom = error_over_families((counts * so_far + left * drawn) / seeds, shares)
    lower = whole - float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    passed = np.zeros(DRAWS, bool)
    for bound in bounds:
        passed |= (lower if bound.of == "lower" else whole) >= bound.least
    return float(passed.mean())


def _variances(seen: Sequence[Sequence[float]], guess: Guess) -> tuple[float, float, float]:
    """The mean of the families, the variance of their own differences, and that of a seed's."""
    first = np.array([one[0] for one in seen])
    spread = max(float(first.var(ddof=1)), guess.spread**2)
    more = [one for one in seen if len(one) > 1]
    squares = sum(float(np.var(one)) * len(one) for one in more)
    freedom = sum(len(one) - 1 for one in more)
    noise = (guess.worth * guess.noise * spread + squares) / (guess.worth + freedom)
    between = max(spread - noise, (1 - guess.noise) / 2 * spread)
    return float(np.mean([np.mean(one) for one in seen])), between, noise


@lru_cache(maxsize=8)
def _normal(families: int) -> tuple[Floats, Floats, Floats]:
    """Draws of a standard normal: (DRAWS, 1), and twice (DRAWS, families)."""
    rng = np.random.default_rng(0)
    one = rng.standard_normal((DRAWS, 1)), rng.standard_normal((DRAWS, families))
    return *one, rng.standard_normal((DRAWS, families))
