"""A mean over benchmarks of which each was run with few seeds, and an interval beside it.

Benchmarks are strata: each has a spread of its own over seeds. With n seeds of each of b benchmarks
the variance of the weighted mean is Σ w² s² / n, and its degrees of freedom are those of
Welch and Satterthwaite (Satterthwaite 1946), at most b (n − 1). So two seeds of fifteen benchmarks
say more of a mean's error than five seeds' means do, whose variance has four degrees of freedom,
for less than half of the runs. What that asks for is that the benchmarks' streams are drawn apart
from each other, as those of families are; simulated in docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from cambrian.evaluators.statistics.intervals import CONFIDENCE, Estimate

TRUSTED = 0.8
"""The share that counts of the degrees of freedom beyond those of one benchmark. Satterthwaite's
are liberal where spreads are very unlike: of nulls 5.3 % came out above a bound of 5 %."""
FEWEST_STRATA = 4
MOST_SEEDS = 4
"""With more seeds than this the means over benchmarks, one a seed, carry an interval themselves."""


def is_stratified(benchmarks: int, seeds: int) -> bool:
    """Whether so many benchmarks and seeds are to be taken as strata."""
    return benchmarks >= FEWEST_STRATA and 2 <= seeds <= MOST_SEEDS


def stratified_error(
    values: ArrayLike, shares: Sequence[float]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Weighted means, their standard errors and degrees of freedom, (...,) each.

    Args:
        values: (..., benchmarks, seeds), at least two seeds.
        shares: what each benchmark counts for, (benchmarks,), adding up to 1.
    """
    table, weights = np.asarray(values, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    seeds = table.shape[-1]
    means = table.mean(axis=-1) @ weights
    parts = table.var(axis=-1, ddof=1) / seeds * weights**2
    variance, squares = parts.sum(axis=-1), (parts**2).sum(axis=-1) / (seeds - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(squares > 0, variance**2 / squares, float(seeds - 1))
    return means, np.sqrt(variance), seeds - 1 + TRUSTED * (freedom - seeds + 1)


def stratified_mean(
    values: ArrayLike, shares: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """The weighted mean of values (benchmarks, seeds) with a t interval.

    Raises:
        ValueError: fewer than two seeds, a value that is not finite, or not one share each.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2 or not np.isfinite(table).all():
        raise ValueError(f"expected finite values (benchmarks, 2 or more seeds), got {table!r}")
    if len(shares) != len(table):
        raise ValueError(f"expected {len(table)} shares, got {len(shares)}")
    mean, error, freedom = (float(one) for one in stratified_error(table, shares))
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    return Estimate(mean, mean - reach, mean + reach, table.shape[1], confidence)
