"""Do the rules keep what they promise? Draws of paired differences, and rates of claims.

Differences are in units of their own standard deviation. `SYMMETRIC` shapes are those that no
difference between two agents can have (scores exchangeable under a seed); `SKEWED` ones are means
of zero that are no such thing, as a child that is mostly a little better and rarely much worse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cambrian.evaluators.statistics.families import error_over_families
from cambrian.evaluators.statistics.intervals import mean_interval
from cambrian.evaluators.statistics.paired import bootstrap_interval, permutation_p
from cambrian.evaluators.statistics.racing import Race
from cambrian.evaluators.statistics.sequential import CURTAILMENT, Curtailment

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]


def _gamma(shape: float, sign: int) -> Draw:
    """Gamma of this shape, standardised; skewness 2/√shape, to the right (1) or left (−1)."""

    def draw(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
        return np.asarray(sign * (rng.gamma(shape, 1, size) - shape) / np.sqrt(shape))

    return draw


def _skewed_pair(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """The difference of two agents whose scores are exponential, skewness 2 each."""
    return np.asarray((rng.exponential(1, size) - rng.exponential(1, size)) / np.sqrt(2))


def _outliers(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """One in ten has three times the spread."""
    spread = np.where(rng.random(size) < 0.1, 3.0, 1.0)
    return np.asarray(spread * rng.standard_normal(size) / np.sqrt(1.8))


SYMMETRIC: dict[str, Draw] = {
    "normal": lambda rng, size: rng.standard_normal(size),
    "uniform": lambda rng, size: rng.uniform(-1, 1, size) * np.sqrt(3),
    "Laplace": lambda rng, size: rng.laplace(size=size) / np.sqrt(2),
    "Student t, 3 df": lambda rng, size: rng.standard_t(3, size) / np.sqrt(3),
    "one in ten wild": _outliers,
    "two skewed agents": _skewed_pair,
}
SKEWED: dict[str, Draw] = {
    "skewness +1": _gamma(4, 1),
    "skewness −1": _gamma(4, -1),
}
BEYOND: dict[str, Draw] = {
    "skewness −1.4": _gamma(2, -1),
    "skewness −2": _gamma(1, -1),
}
"""More skewed than is promised for; reported all the same."""


@dataclass(frozen=True)
class Rates:
    """Of many trials.

    Attributes:
        improvement: share that claimed an improvement.
        level: share that claimed "not worse" than the margin.
        seeds: mean number of seeds taken.
    """

    improvement: float
    level: float
    seeds: float


def race_rates(differences: Floats, race: Race, margin: float = np.inf) -> Rates:
    """What `racing` would do with each row of differences (trials, at least the last look):
    `claim` and `next_look`, for all at once."""
    trials = len(differences)
    better, level = np.zeros(trials, bool), np.zeros(trials, bool)
    running, seeds = np.ones(trials, bool), np.zeros(trials)
    for look, alpha in zip(race.looks, race.levels, strict=True):
        part = differences[:, :look]
        mean, error = part.mean(1), part.std(1, ddof=1) / np.sqrt(look)
        lower = mean - stats.t.ppf(1 - alpha, look - 1) * error
        seeds[running] = look
        better |= running & (lower > 0)
        level |= running & (lower > -margin)
        running &= ~better & (mean > 0)
    return Rates(float(better.mean()), float(level.mean()), float(seeds.mean()))


def fixed_rates(differences: Floats, confidence: float, margin: float = np.inf) -> Rates:
    """The rule of a fixed number of seeds: the lower bound of a two-sided t interval. The
    differences are (trials, seeds)."""
    count = differences.shape[1]
    mean, error = differences.mean(1), differences.std(1, ddof=1) / np.sqrt(count)
    lower = mean - stats.t.ppf((1 + confidence) / 2, count - 1) * error
    return Rates(float((lower > 0).mean()), float((lower > -margin).mean()), float(count))


@dataclass(frozen=True)
class Leaving:
    """Of many trials, by the rule that sends hopeless variants away early.

    Attributes:
        false: of those whose final mean would have been above the bound, the share sent away.
        left: share sent away of all.
        units: mean number of units that were run.
    """

    false: float
    left: float
    units: float


def leaving(differences: Floats, least: float, rule: Curtailment = CURTAILMENT) -> Leaving:
    """What `sequential.hopeless` would do with each trial, differences (trials, benchmarks, seeds):
    benchmark after benchmark, seed after seed, a look after each unit but the last."""
    trials, benchmarks, seeds = differences.shape
    units = leaves_after(differences, least, rule)
    above, left = differences.mean((1, 2)) > least, units < benchmarks * seeds
    false = float((above & left).sum() / max(above.sum(), 1))
    return Leaving(false, float(left.mean()), float(units.sum() / trials))


def leaves_after(
    differences: Floats, least: float, rule: Curtailment = CURTAILMENT
) -> NDArray[np.int64]:
    """After how many units each trial leaves, (trials,); all of them where it stays. Differences
    are (trials, benchmarks, seeds)."""
    trials, benchmarks, seeds = differences.shape
    found = np.full(trials, benchmarks * seeds)
    for units in range(benchmarks * seeds - 1, 0, -1):
        whole, part = divmod(units, benchmarks)
        expected, variance = np.zeros(trials), np.zeros(trials)
        for at in range(benchmarks):
            count = whole + (at < part)
            seen = differences[:, at, :count]
            mean = seen.mean(1) if count else 0.0
            squares = seen.var(1) * count if count else 0.0
            spread = (rule.worth * rule.spread**2 + squares) / (rule.worth + max(count - 1, 0))
            left = 1 / count - 1 / seeds if count else 1 / seeds
            expected += mean / benchmarks
            variance += (spread * left + (0.0 if count else rule.between**2)) / benchmarks**2
        quantile = stats.t.ppf(1 - rule.tail, rule.worth + max(whole - 1, 0))
        found[expected + quantile * np.sqrt(variance) < least] = units
    return found


SPREADS: dict[str, Floats] = {
    "alike": np.ones(15),
    "lognormal": np.exp(np.random.default_rng(5).normal(0, 1, 15)),
    "a few loud": np.array([0.02] * 6 + [0.1] * 6 + [0.3, 0.05, 0.4]),
    "one alone": np.array([0.01] * 14 + [1.0]),
}
"""Standard deviations over seeds of fifteen benchmarks, as like and unlike as those of variants of
one search were."""


def families_rate(
    draw: Draw,
    spreads: Floats,
    seeds: int,
    trials: int,
    confidence: float,
    effect: float = 0.0,
    unlike: float = 0.0,
) -> float:
    """How often the lower bound over families (`families.error_over_families`) is above 0.

    Args:
        spreads: over seeds, of each family, (families,). They count alike.
        effect: the true mean difference, in standard errors of the mean of one seed of each.
        unlike: standard deviation of the families' own differences, whose mean is `effect`, in
            units of the root mean square of the spreads.
    """
    count, rng = len(spreads), np.random.default_rng(seeds)
    chance = draw(rng, (trials * count, seeds)).reshape(trials, count, seeds)
    loud = float(np.sqrt((spreads**2).mean()))
    own = rng.standard_normal((trials, count)) * unlike * loud
    own -= own.mean(axis=1, keepdims=True)
    values = (chance * spreads[:, None]).mean(axis=2) + own + effect * loud / np.sqrt(count)
    mean, error, freedom = error_over_families(values, [1 / count] * count)
    return float((mean - stats.t.ppf((1 + confidence) / 2, freedom) * error > 0).mean())


def coverage(differences: Floats, confidence: float, *, resamples: int = 999) -> dict[str, float]:
    """How often each interval of differences (trials, seeds) holds the true mean, 0, and how often
    the two-sided permutation test wrongly says otherwise at 1 − confidence."""
    trials = len(differences)
    zeros = np.zeros(differences.shape[1])
    inside = {"t": 0, "bootstrap": 0, "permutation": 0}
    for row in differences:
        t = mean_interval(row.tolist(), confidence)
        b = bootstrap_interval(row, zeros, confidence, resamples=resamples)
        inside["t"] += t.lower <= 0 <= t.upper
        inside["bootstrap"] += b.lower <= 0 <= b.upper
        inside["permutation"] += permutation_p(row, zeros) > 1 - confidence
    return {name: count / trials for name, count in inside.items()}


@dataclass(frozen=True)
class GapRates:
    """Of many searches, the share in which the champion's gap is watched or worse, and in which it
    is an alarm."""

    watched: float
    alarmed: float


def gap_rates(
    rng: np.random.Generator,
    trials: int,
    candidates: int,
    *,
    spread: float = 0.0,
    exploited: float = 0.0,
    references: int = 4,
    seeds: int = 5,
) -> GapRates:
    """What `gaps.excess` would say of the champion of a search, in units of the noise of one score.

    Args:
        candidates: as many agents, the best lower bound of which is the champion's.
        spread: from the worst to the best of them in truth.
        exploited: by how much the champion's scores are too high on the search's seeds.
        references: agents that it is held against, and that were not chosen.
    """
    truth = np.linspace(0, spread, candidates)
    scores = rng.standard_normal((trials, candidates, seeds)) + truth[:, None]
    error = scores.std(2, ddof=1) / np.sqrt(seeds)
    best = (scores.mean(2) - stats.t.ppf(0.975, seeds - 1) * error).argmax(1)
    search = scores[np.arange(trials), best] + exploited
    sealed = rng.standard_normal((trials, seeds)) + truth[best][:, None]
    before, after = (rng.standard_normal((trials, references, seeds)).mean(1) for _ in range(2))
    one, other = search - before, sealed - after
    parts = np.array([rows.var(1, ddof=1) / seeds for rows in (one, other)])
    freedom = parts.sum(0) ** 2 / (parts**2 / (seeds - 1)).sum(0)
    mean, error = one.mean(1) - other.mean(1), np.sqrt(parts.sum(0))
    lower = [mean - stats.t.ppf(1 - 0.025 / n, freedom) * error for n in (1, candidates)]
    return GapRates(*(float((bound > 0).mean()) for bound in lower))
